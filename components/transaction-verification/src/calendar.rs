//! Months, as far as cards need them.

/// A month of the Gregorian calendar in UTC. Earlier months are smaller.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Month {
    /// Years since year 0.
    pub year: u64,
    /// 1 to 12.
    pub month: u64,
}

/// Days of 400 years, after which the calendar repeats.
const ERA_DAYS: u64 = 146_097;

/// Days from 0000-03-01 to 1970-01-01.
const EPOCH_DAY: u64 = 719_468;

impl Month {
    /// The month in which the second `seconds` after 1970-01-01T00:00:00Z lies.
    ///
    /// Counts years from March, so that the day that comes and goes is a year's last (Howard Hinnant, `civil_from_days`).
    pub fn of_unix_time(seconds: u64) -> Self {
        let day = seconds / 86_400 + EPOCH_DAY;
        let (era, day_of_era) = (day / ERA_DAYS, day % ERA_DAYS);
        let leap_days = day_of_era / 1_460 + day_of_era / (ERA_DAYS - 1) - day_of_era / 36_524;
        let year_of_era = (day_of_era - leap_days) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let month_from_march = (5 * day_of_year + 2) / 153;
        let (year, month) = (400 * era + year_of_era, month_from_march + 3);
        if month > 12 {
            Self {
                year: year + 1,
                month: month - 12,
            }
        } else {
            Self { year, month }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(seconds: u64, year: u64, month: u64) {
        assert_eq!(Month::of_unix_time(seconds), Month { year, month });
    }

    #[test]
    fn months_begin_and_end_at_midnight_utc() {
        check(0, 1970, 1);
        check(951_782_399, 2000, 2);
        check(951_782_400, 2000, 2); // 2000-02-29, a leap day only because 400 divides 2000.
        check(951_868_800, 2000, 3);
        check(1_735_689_599, 2024, 12);
        check(1_735_689_600, 2025, 1);
        check(1_796_083_199, 2026, 11);
        check(1_796_083_200, 2026, 12);
        check(4_107_542_400, 2100, 3); // 2100 has no leap day.
        check(4_107_542_399, 2100, 2);
    }
}
