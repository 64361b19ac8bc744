//! Dates from and to seconds since 1970, in UTC: for `Retry-After`, file names and the console.

/// Days from 1970-01-01 to a date of the proleptic Gregorian calendar; none before it or where there is no such
/// month. The year is counted from March, so that a leap day comes last.
pub fn days_since_1970(year: u64, month: u64, day: u64) -> Option<u64> {
    if !(1..=12).contains(&month) || !(1..=31).contains(&day) || !(1970..=9999).contains(&year) {
        return None;
    }
    let year = if month <= 2 { year - 1 } else { year };
    let month = (month + 9) % 12;
    Some(365 * year + year / 4 - year / 100 + year / 400 + (153 * month + 2) / 5 + day - 1 - 719_468)
}

/// Year, month and day of a number of days since 1970.
fn date(days: u64) -> (u64, u64, u64) {
    let days = days + 719_468;
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month + 2) / 5 + 1;
    let (month, next) = if month < 10 { (month + 3, 0) } else { (month - 9, 1) };
    (400 * era + year_of_era + next, month, day)
}

/// What stands between hours, minutes and seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Separator {
    /// `09:30:00`, to be read.
    Colon,
    /// `09-30-00`, for file names.
    Dash,
}

/// `2026-11-21T09:30:00.000`, for milliseconds since 1970.
pub fn stamp(millis: u64, separator: Separator) -> String {
    let separator = if separator == Separator::Colon { ':' } else { '-' };
    let (seconds, millis) = (millis / 1000, millis % 1000);
    let (year, month, day) = date(seconds / 86_400);
    let (hour, minute, second) = (seconds / 3600 % 24, seconds / 60 % 60, seconds % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}{separator}{minute:02}{separator}{second:02}.{millis:03}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_go_there_and_back() {
        for days in (0..2_900_000).step_by(97) {
            let (year, month, day) = date(days);
            assert_eq!(days_since_1970(year, month, day), Some(days), "{year}-{month}-{day}");
        }
        assert_eq!(days_since_1970(2000, 2, 29), Some(11_016));
        assert_eq!(days_since_1970(2000, 13, 1), None);
    }

    #[test]
    fn a_stamp_can_be_read_and_sorts_by_time() {
        assert_eq!(stamp(1_795_253_400_007, Separator::Colon), "2026-11-21T09:30:00.007");
        assert_eq!(stamp(0, Separator::Dash), "1970-01-01T00-00-00.000");
    }
}
