//! Points in time as people and programs read them.

const MS_PER_DAY: u64 = 24 * 60 * 60 * 1000;

/// Formats milliseconds since 1970 as RFC 3339 in UTC: `2026-11-20T13:58:24.007Z`.
///
/// Years after 9999 get more digits than the RFC has.
pub fn format(at_ms: u64) -> String {
    let (year, month, day) = date(at_ms / MS_PER_DAY);
    let ms = at_ms % MS_PER_DAY;
    let (hour, minute, second) = (ms / 3_600_000, ms / 60_000 % 60, ms / 1000 % 60);
    format!(
        "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{:03}Z",
        ms % 1000
    )
}

/// Year, month and day of the Gregorian calendar, from days since 1970-01-01.
///
/// Counts from 0000-03-01, so that a leap day is the last of its year and every 400 years are alike.
fn date(days: u64) -> (u64, u64, u64) {
    let days = days + 719_468;
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    // Months from March have 31, 30, 31, 30, 31 days, twice, and then what is left.
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = (month_from_march + 2) % 12 + 1;
    let year = era * 400 + year_of_era + u64::from(month <= 2);
    (year, month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(at_ms: u64, expected: &str) {
        assert_eq!(format(at_ms), expected);
    }

    #[test]
    fn times_are_in_utc_to_the_millisecond() {
        check(0, "1970-01-01T00:00:00.000Z");
        check(1_000_000_000_007, "2001-09-09T01:46:40.007Z");
        check(1_795_183_104_999, "2026-11-20T13:58:24.999Z");
    }

    #[test]
    fn leap_days_are_where_the_calendar_has_them() {
        let day = |days: u64| days * MS_PER_DAY;
        check(day(59), "1970-03-01T00:00:00.000Z");
        check(day(789), "1972-02-29T00:00:00.000Z");
        check(day(11_016), "2000-02-29T00:00:00.000Z");
        check(day(11_017), "2000-03-01T00:00:00.000Z");
        check(day(47_540), "2100-02-28T00:00:00.000Z");
        check(day(47_541), "2100-03-01T00:00:00.000Z");
    }
}
