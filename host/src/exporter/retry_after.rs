//! `Retry-After`, in both of its forms (RFC 9110, section 10.2.3): seconds, or a date.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::calendar::days_since_1970;

/// What the header asks for, seen from `now`; none if it is junk. A date in the past asks for no wait. The wall
/// clock is right here, since the peer wrote a wall clock's time; the wait itself runs on the monotonic one.
pub fn read(value: &str, now: SystemTime) -> Option<Duration> {
    let value = value.trim();
    if !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit()) {
        return Some(Duration::from_secs(value.parse().unwrap_or(u64::MAX)));
    }
    let at = UNIX_EPOCH + Duration::from_secs(date(value)?);
    Some(at.duration_since(now).unwrap_or_default())
}

const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// Seconds since 1970 of a date in the one form that senders may write: `Sun, 06 Nov 1994 08:49:37 GMT`.
fn date(value: &str) -> Option<u64> {
    let (_, rest) = value.split_once(", ")?;
    let mut words = rest.split(' ');
    let day: u64 = words.next()?.parse().ok()?;
    let name = words.next()?;
    let month = MONTHS.iter().position(|month| *month == name)? as u64 + 1;
    let year: u64 = words.next()?.parse().ok()?;
    let mut time = words.next()?.split(':').map(|part| part.parse::<u64>().ok());
    let (hour, minute, second) = (time.next()??, time.next()??, time.next()??);
    let days = days_since_1970(year, month, day)?;
    let fits = hour < 24 && minute < 60 && second <= 60 && words.next() == Some("GMT");
    // Computed only if it fits: a peer may write numbers that overflow.
    fits.then(|| days * 86_400 + hour * 3600 + minute * 60 + second)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn e12_both_forms_are_read() {
        let now = UNIX_EPOCH + Duration::from_secs(784_111_777 - 90);
        assert_eq!(read("120", now), Some(Duration::from_secs(120)));
        assert_eq!(read("Sun, 06 Nov 1994 08:49:37 GMT", now), Some(Duration::from_secs(90)));
        let leap = UNIX_EPOCH + Duration::from_secs(951_782_400);
        assert_eq!(read("Tue, 29 Feb 2000 00:01:00 GMT", leap), Some(Duration::from_secs(60)));
    }

    #[test]
    fn f31_odd_values_are_harmless() {
        let now = SystemTime::now();
        assert_eq!(read("0", now), Some(Duration::ZERO));
        assert_eq!(read("99999999999999999999999", now), Some(Duration::from_secs(u64::MAX)));
        assert_eq!(read("Sun, 06 Nov 1994 08:49:37 GMT", now), Some(Duration::ZERO));
        for junk in ["-1", "", "soon", "1.5", "Sun, 06 Now 1994 08:49:37 GMT", "Sun, 0 Jan 1970 0:0:0 GMT", ", ", "é"]
        {
            assert_eq!(read(junk, now), None, "{junk}");
        }
        let huge = format!("Fri, 31 Dec 1999 {0}:{0}:{0} GMT", u64::MAX);
        assert_eq!(read(&huge, now), None);
    }
}
