//! What the configuration says about the queue.

use std::fmt;
use std::ops::RangeInclusive;

/// The longest wait between two attempts, in milliseconds.
pub const BACKOFF_MAX_MS: u64 = 60_000;

/// The queue's settings. The interface documents what they mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settings {
    /// How long a lease lasts.
    pub lease_ms: u64,
    /// Leases that an order may have before it is dead.
    pub attempts_max: u32,
    /// The wait after the first failed attempt.
    pub backoff_ms: u64,
    /// Orders in the queue, dead ones included.
    pub depth_max: u64,
    /// Whether one lease at a time may be out.
    pub exclusive: bool,
    /// After how long an order counts as one of the next higher priority.
    pub promote_after_ms: u64,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            lease_ms: 30_000,
            attempts_max: 5,
            backoff_ms: 500,
            depth_max: 100_000,
            exclusive: false,
            promote_after_ms: 600_000,
        }
    }
}

/// A value of the configuration that makes no sense.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Misconfigured {
    key: String,
    value: String,
    allowed: String,
}

impl fmt::Display for Misconfigured {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            key,
            value,
            allowed,
        } = self;
        write!(
            formatter,
            "{key} = {value:?} in the configuration makes no sense; it must be {allowed}"
        )
    }
}

impl Settings {
    /// Reads the settings of a service; what is not there has its default.
    ///
    /// # Errors
    /// A key that there is none of, or a value out of its range.
    pub fn read(configuration: &[(String, String)]) -> Result<Self, Misconfigured> {
        let mut settings = Self::default();
        for (key, value) in configuration {
            let number = |range| number(key, value, range);
            match key.as_str() {
                "lease-seconds" => settings.lease_ms = number(1..=86_400)? * 1_000,
                "attempts-max" => settings.attempts_max = number(1..=1_000)? as u32,
                "backoff-ms" => settings.backoff_ms = number(1..=BACKOFF_MAX_MS)?,
                "depth-max" => settings.depth_max = number(1..=1_000_000)?,
                "exclusive" => settings.exclusive = flag(key, value)?,
                "promote-after-seconds" => {
                    settings.promote_after_ms = number(1..=31_536_000)? * 1_000;
                }
                _ => {
                    let known = "left out: the keys are lease-seconds, attempts-max, backoff-ms, depth-max, exclusive and promote-after-seconds";
                    return Err(misconfigured(key, value, known));
                }
            }
        }
        Ok(settings)
    }

    /// How long an order waits after so many failed attempts.
    pub fn backoff_after_ms(&self, attempts: u32) -> u64 {
        // Beyond sixteen doublings even one millisecond is more than the longest wait.
        let doublings = attempts.saturating_sub(1).min(16);
        (self.backoff_ms << doublings).min(BACKOFF_MAX_MS)
    }
}

fn number(key: &str, value: &str, range: RangeInclusive<u64>) -> Result<u64, Misconfigured> {
    let number = value.parse().ok().filter(|number| range.contains(number));
    number.ok_or_else(|| {
        let allowed = format!("a whole number from {} to {}", range.start(), range.end());
        misconfigured(key, value, &allowed)
    })
}

fn flag(key: &str, value: &str) -> Result<bool, Misconfigured> {
    value
        .parse()
        .map_err(|_| misconfigured(key, value, "true or false"))
}

fn misconfigured(key: &str, value: &str, allowed: &str) -> Misconfigured {
    Misconfigured {
        key: key.into(),
        value: value.into(),
        allowed: allowed.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(key: &str, value: &str) -> Result<Settings, Misconfigured> {
        Settings::read(&[(key.into(), value.into())])
    }

    #[test]
    fn each_key_sets_its_value_and_has_bounds() {
        let default = Settings::default;
        assert_eq!(Settings::read(&[]), Ok(default()));
        let check = |key, least: (&str, Settings), most: (&str, Settings), bad: &[&str]| {
            assert_eq!(read(key, least.0), Ok(least.1));
            assert_eq!(read(key, most.0), Ok(most.1));
            for bad in bad {
                let error = read(key, bad).expect_err("it is out of range").to_string();
                assert!(error.contains(&format!("{key} = {bad:?}")), "{error}");
            }
        };
        let with = |change: fn(&mut Settings)| {
            let mut settings = default();
            change(&mut settings);
            settings
        };
        check(
            "lease-seconds",
            ("1", with(|it| it.lease_ms = 1_000)),
            ("86400", with(|it| it.lease_ms = 86_400_000)),
            &["0", "86401", "-1", "1.5", "soon", ""],
        );
        check(
            "attempts-max",
            ("1", with(|it| it.attempts_max = 1)),
            ("1000", with(|it| it.attempts_max = 1_000)),
            &["0", "1001", "4294967297"],
        );
        check(
            "backoff-ms",
            ("1", with(|it| it.backoff_ms = 1)),
            ("60000", with(|it| it.backoff_ms = 60_000)),
            &["0", "60001"],
        );
        check(
            "depth-max",
            ("1", with(|it| it.depth_max = 1)),
            ("1000000", with(|it| it.depth_max = 1_000_000)),
            &["0", "1000001"],
        );
        check(
            "exclusive",
            ("false", default()),
            ("true", with(|it| it.exclusive = true)),
            &["yes", "1", "TRUE"],
        );
        check(
            "promote-after-seconds",
            ("1", with(|it| it.promote_after_ms = 1_000)),
            (
                "31536000",
                with(|it| it.promote_after_ms = 31_536_000 * 1_000),
            ),
            &["0", "31536001"],
        );
    }

    #[test]
    fn a_key_that_there_is_none_of_is_named() {
        let error = read("lease-second", "30").expect_err("it is misspelt");
        assert!(error.to_string().contains("lease-second = \"30\""));
    }

    #[test]
    fn the_wait_doubles_until_it_is_a_minute() {
        let settings = Settings::default();
        let waits = [1, 2, 3, 7, 8, 1_000].map(|attempts| settings.backoff_after_ms(attempts));
        assert_eq!(waits, [500, 1_000, 2_000, 32_000, 60_000, 60_000]);
        let patient = Settings {
            backoff_ms: BACKOFF_MAX_MS,
            ..settings
        };
        assert_eq!(patient.backoff_after_ms(u32::MAX), BACKOFF_MAX_MS);
    }
}
