//! Until when a certificate is valid: the one field of X.509 that operators have to watch.
//!
//! rustls reads it of peers, and never of the own certificate. It is found by walking over DER (X.690) to its place
//! (RFC 5280, 4.1): whatever is not as expected there means that the date is not known, and nothing else.

/// Tags of DER.
const SEQUENCE: u8 = 0x30;
const VERSION: u8 = 0xa0;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;

/// The last second at which a certificate is valid, since the Unix epoch.
pub(super) fn not_after(certificate: &[u8]) -> Option<i64> {
    let (mut fields, _) = inside(inside(certificate, SEQUENCE)?.0, SEQUENCE)?;
    if fields.first() == Some(&VERSION) {
        fields = element(fields)?.2;
    }
    // Serial number, algorithm, issuer.
    for _ in 0..3 {
        fields = element(fields)?.2;
    }
    let (validity, _) = inside(fields, SEQUENCE)?;
    let (_, _, rest) = element(validity)?;
    let (tag, time, _) = element(rest)?;
    seconds(tag, time)
}

fn inside(der: &[u8], expected: u8) -> Option<(&[u8], &[u8])> {
    let (tag, content, rest) = element(der)?;
    (tag == expected).then_some((content, rest))
}

/// The first element: its tag, its content, and what follows.
fn element(der: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (&tag, der) = der.split_first()?;
    let (&short, der) = der.split_first()?;
    let (length, der) = match short {
        0..=0x7f => (usize::from(short), der),
        0x81..=0x84 => {
            let (bytes, der) = der.split_at_checked(usize::from(short & 0x7f))?;
            (bytes.iter().fold(0, |length, byte| length << 8 | usize::from(*byte)), der)
        }
        _ => return None,
    };
    let (content, rest) = der.split_at_checked(length)?;
    Some((tag, content, rest))
}

/// `YYMMDDHHMMSSZ`, or `YYYYMMDDHHMMSSZ`.
fn seconds(tag: u8, time: &[u8]) -> Option<i64> {
    let digits = str::from_utf8(time.strip_suffix(b"Z")?).ok()?;
    let two = |at: usize| digits.get(at..at + 2)?.parse::<i64>().ok();
    let (year, at) = match (tag, digits.len()) {
        // RFC 5280, 4.1.2.5.1: two digits are years from 1950 to 2049.
        (UTC_TIME, 12) => (two(0).map(|year| if year < 50 { 2000 + year } else { 1900 + year })?, 2),
        (GENERALIZED_TIME, 14) => (two(0)? * 100 + two(2)?, 4),
        _ => return None,
    };
    let [month, day, hour, minute, second] = [two(at)?, two(at + 2)?, two(at + 4)?, two(at + 6)?, two(at + 8)?];
    if !(1..=12).contains(&month) || !(1..=31).contains(&day) {
        return None;
    }
    Some(((days(year, month, day) * 24 + hour) * 60 + minute) * 60 + second)
}

/// Days since the Unix epoch, in the Gregorian calendar: years are counted from March, so that the odd day is last.
fn days(year: i64, month: i64, day: i64) -> i64 {
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let leap_days = year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400);
    // Months from March on have 153 days in five.
    year * 365 + leap_days + (153 * month + 2) / 5 + day - 1 - 719_468
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, KeyPair, date_time_ymd};

    use super::*;

    #[test]
    fn the_last_day_is_that_of_the_certificate() {
        for (year, month, day, expected) in [
            (1970, 1, 1, 0),
            (2000, 3, 1, 951_868_800),
            (2024, 2, 29, 1_709_164_800),
            (2049, 12, 31, 2_524_521_600),
            (2050, 1, 1, 2_524_608_000),
            (2400, 12, 31, 13_601_001_600),
        ] {
            let mut params = CertificateParams::new(vec!["a.test".to_owned()]).unwrap();
            params.not_after = date_time_ymd(year, month, day);
            assert_eq!(params.not_after.unix_timestamp(), expected);
            let certificate = params.self_signed(&KeyPair::generate().unwrap()).unwrap();
            assert_eq!(not_after(certificate.der()), Some(expected), "{year}-{month}-{day}");
            // Cut anywhere, it is unknown or the same, and nothing breaks.
            for end in 0..certificate.der().len() {
                assert_eq!(not_after(&certificate.der()[..end]), None, "{end}");
            }
        }
        assert_eq!(not_after(&[0x30, 0x84, 0xff, 0xff, 0xff, 0xff]), None);
    }
}
