//! What is wrong with one link, and what that means for one message.

use super::{ChaosError, DELAY_MAX, Fate, LASTS_MAX, Percent};
use crate::config::duration;
use crate::os::Entropy;
use std::fmt;
use std::time::Duration;

/// How long messages wait before they leave.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Delay {
    mean: Duration,
    jitter: Duration,
}

/// What to inject. A kind that is left out stays as it is; no drops, or no delay, ends that kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fault {
    drop: Option<Percent>,
    delay: Option<Delay>,
    lasts: Option<Duration>,
}

/// A value that may end by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timed<T> {
    /// The value.
    pub value: T,
    /// When it ends, on the monotonic clock of its host; none: when it is healed.
    pub expires: Option<Duration>,
}

/// All that is wrong with one link: at most one fault of each kind.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Rule {
    /// The share of messages that vanish.
    pub drop: Option<Timed<Percent>>,
    /// How long those that do not vanish wait.
    pub delay: Option<Timed<Delay>>,
}

impl Delay {
    /// Each message waits `mean`, give or take up to `jitter`, every length equally likely.
    ///
    /// # Errors
    /// [`ChaosError::Invalid`]: together they exceed [`DELAY_MAX`], or `jitter` exceeds `mean`.
    pub fn new(mean: Duration, jitter: Duration) -> Result<Self, ChaosError> {
        if jitter > mean {
            return Err(ChaosError::Invalid(format!(
                "the jitter {} is more than the delay {}, so some messages would have to leave before they are sent; lower the jitter",
                duration::format(jitter),
                duration::format(mean)
            )));
        }
        let delay = Self { mean, jitter };
        if mean.saturating_add(jitter) > DELAY_MAX {
            return Err(ChaosError::Invalid(format!(
                "a delay of {delay} can be longer than {}; write less, or drop the messages",
                duration::format(DELAY_MAX)
            )));
        }
        Ok(delay)
    }

    /// The mean of all waits.
    #[must_use]
    pub fn mean(self) -> Duration {
        self.mean
    }

    /// How much a wait may differ from the mean.
    #[must_use]
    pub fn jitter(self) -> Duration {
        self.jitter
    }

    /// The wait of one message.
    fn draw(self, entropy: &dyn Entropy) -> Duration {
        if self.jitter.is_zero() {
            return self.mean;
        }
        let shortest = self.mean.saturating_sub(self.jitter);
        let steps = 2 * self.jitter.as_nanos() + 1;
        // A jitter is at most half of the longest delay, which is less than 2^64 nanoseconds by far.
        let step = (u128::from(entropy.next()) * steps) >> 64;
        shortest.saturating_add(Duration::from_nanos(
            u64::try_from(step).unwrap_or(u64::MAX),
        ))
    }
}

impl fmt::Display for Delay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&duration::format(self.mean))?;
        if !self.jitter.is_zero() {
            write!(f, " ± {}", duration::format(self.jitter))?;
        }
        Ok(())
    }
}

impl Fault {
    /// A fault that ends by itself after `lasts`, if that is given.
    ///
    /// # Errors
    /// [`ChaosError::Invalid`]: it says neither what to drop nor how long to delay, or `lasts` is zero or more than [`LASTS_MAX`].
    pub fn new(
        drop: Option<Percent>,
        delay: Option<Delay>,
        lasts: Option<Duration>,
    ) -> Result<Self, ChaosError> {
        let invalid = |message: String| Err(ChaosError::Invalid(message));
        if drop.is_none() && delay.is_none() {
            return invalid(
                "nothing to inject; say what share of messages to drop, or how long to delay them"
                    .into(),
            );
        }
        match lasts {
            Some(Duration::ZERO) => {
                invalid("a fault that ends at once does nothing; write a longer time".into())
            }
            Some(lasts) if lasts > LASTS_MAX => invalid(format!(
                "a fault can end by itself after {} at most; without a time it lasts until it is healed",
                duration::format(LASTS_MAX)
            )),
            Some(_) | None => Ok(Self { drop, delay, lasts }),
        }
    }
}

impl Rule {
    /// Whether messages leave as if there was no rule.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.drop.is_none() && self.delay.is_none()
    }

    /// What happens to one message at `now`.
    pub(super) fn fate(&self, now: Duration, entropy: &dyn Entropy) -> Fate {
        let is_dropped = |share: Percent| share == Percent::ALL || share.contains(entropy.next());
        if self
            .drop
            .is_some_and(|drop| drop.is_valid(now) && is_dropped(drop.value))
        {
            return Fate::Drop;
        }
        match self.delay {
            Some(delay) if delay.is_valid(now) => Fate::Delay(delay.value.draw(entropy)),
            Some(_) | None => Fate::Deliver,
        }
    }

    /// Replaces the kinds that `fault` has, from `now` on.
    pub(super) fn apply(&mut self, fault: Fault, now: Duration) {
        let expires = fault.lasts.map(|lasts| now.saturating_add(lasts));
        if let Some(value) = fault.drop {
            self.drop = (value != Percent::NONE).then_some(Timed { value, expires });
        }
        if let Some(value) = fault.delay {
            self.delay = (!value.mean.is_zero()).then_some(Timed { value, expires });
        }
    }

    /// Takes out what has ended by `now`, and returns it.
    pub(super) fn end_expired(&mut self, now: Duration) -> Self {
        Self {
            drop: self.drop.take_if(|drop| !drop.is_valid(now)),
            delay: self.delay.take_if(|delay| !delay.is_valid(now)),
        }
    }

    /// When the first of its faults ends by itself.
    pub(super) fn expires(&self) -> Option<Duration> {
        let drop = self.drop.and_then(|drop| drop.expires);
        let delay = self.delay.and_then(|delay| delay.expires);
        drop.into_iter().chain(delay).min()
    }

    /// In words for people, as of `now`: `20% are dropped for 9s, delayed by 50ms ± 20ms`.
    #[must_use]
    pub fn describe(&self, now: Duration) -> String {
        let drop = self
            .drop
            .map(|drop| format!("{} are dropped{}", drop.value, drop.rest(now)));
        let delay = self
            .delay
            .map(|delay| format!("delayed by {}{}", delay.value, delay.rest(now)));
        let parts: Vec<String> = drop.into_iter().chain(delay).collect();
        if parts.is_empty() {
            return "delivered".to_owned();
        }
        parts.join(", ")
    }
}

/// Whole milliseconds, as people read them: rounded up, so that what is not over is never shown as nothing.
#[must_use]
pub fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos().div_ceil(1_000_000)).unwrap_or(u64::MAX)
}

impl<T> Timed<T> {
    fn is_valid(&self, now: Duration) -> bool {
        self.expires.is_none_or(|expires| now < expires)
    }

    /// How much longer it lasts at `now`; none: until it is healed.
    #[must_use]
    pub fn left(&self, now: Duration) -> Option<Duration> {
        self.expires.map(|expires| expires.saturating_sub(now))
    }

    fn rest(&self, now: Duration) -> String {
        match self.left(now) {
            // One that has ended is spoken of in the past.
            None | Some(Duration::ZERO) => String::new(),
            Some(left) => format!(
                " for {}",
                duration::format(Duration::from_millis(milliseconds(left)))
            ),
        }
    }
}
