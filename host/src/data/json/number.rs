//! Numbers of JSON texts as the integers and doubles of protobuf, exactly.
//!
//! Source: protobuf.dev, "ProtoJSON Format": integers of 64 bits are strings, but numbers are read too; an
//! integer may be written with a fraction or an exponent if it comes out whole.

use super::parser::number_length;

/// What a text is not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotNumber {
    /// Not the text of a number.
    Grammar,
    /// A number, but with a fraction.
    Fraction,
    /// A number that no 64-bit integer, or no double, holds.
    Range,
}

/// More digits than any integer of 64 bits has.
const DIGITS_MAX: usize = 20;

/// The whole number that `text` writes; all 64 bits of it, signed or not.
pub fn integer(text: &[u8]) -> Result<i128, NotNumber> {
    if number_length(text) != Some(text.len()) {
        return Err(NotNumber::Grammar);
    }
    let (negative, text) = match text.split_first() {
        Some((b'-', rest)) => (true, rest),
        _ => (false, text),
    };
    let magnitude = if text.len() < DIGITS_MAX && text.iter().all(u8::is_ascii_digit) {
        text.iter().fold(0i128, |value, digit| value * 10 + i128::from(digit - b'0'))
    } else {
        scientific(text)?
    };
    Ok(if negative { -magnitude } else { magnitude })
}

/// The value of `digits[.digits][e[+-]digits]`.
fn scientific(text: &[u8]) -> Result<i128, NotNumber> {
    let (mantissa, exponent) = match text.iter().position(|byte| matches!(byte, b'e' | b'E')) {
        Some(e) => (text.get(..e).unwrap_or_default(), exponent(text.get(e + 1..).unwrap_or_default())),
        None => (text, 0),
    };
    let point = mantissa.iter().position(|&byte| byte == b'.');
    let fraction_digits = point.map_or(0, |point| mantissa.len() - point - 1);
    let digits = mantissa.iter().filter(|&&byte| byte != b'.').copied();
    let leading = digits.clone().take_while(|&digit| digit == b'0').count();
    let significant = digits.clone().skip(leading).count();
    if significant == 0 {
        return Ok(0);
    }
    let trailing = digits.clone().rev().take_while(|&digit| digit == b'0').count();
    // value = the digits without zeros at either end × 10^scale
    let scale = exponent.saturating_sub(fraction_digits as i64).saturating_add(trailing as i64);
    let kept = significant - trailing;
    if scale < 0 {
        return Err(NotNumber::Fraction);
    }
    if (kept as i64).saturating_add(scale) > DIGITS_MAX as i64 {
        return Err(NotNumber::Range);
    }
    let value = digits.skip(leading).take(kept).fold(0i128, |value, digit| value * 10 + i128::from(digit - b'0'));
    Ok((0..scale).fold(value, |value, _| value * 10))
}

/// The exponent that `text` writes, saturating far outside what matters.
fn exponent(text: &[u8]) -> i64 {
    let (sign, digits) = match text.split_first() {
        Some((b'-', rest)) => (-1, rest),
        Some((b'+', rest)) => (1, rest),
        _ => (1, text),
    };
    let magnitude = digits
        .iter()
        .fold(0i64, |value, digit| value.saturating_mul(10).saturating_add(i64::from(digit.wrapping_sub(b'0'))));
    sign * magnitude
}

/// The double nearest to the number that `text` writes.
pub fn double(text: &[u8]) -> Result<f64, NotNumber> {
    if number_length(text) != Some(text.len()) {
        return Err(NotNumber::Grammar);
    }
    let text = std::str::from_utf8(text).map_err(|_| NotNumber::Grammar)?;
    let value: f64 = text.parse().map_err(|_| NotNumber::Grammar)?;
    if value.is_finite() { Ok(value) } else { Err(NotNumber::Range) }
}

/// The double that a string writes: a number, or one of the three that JSON has no number for.
pub fn quoted_double(text: &[u8]) -> Result<f64, NotNumber> {
    match text {
        b"NaN" => Ok(f64::NAN),
        b"Infinity" => Ok(f64::INFINITY),
        b"-Infinity" => Ok(f64::NEG_INFINITY),
        _ => double(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_numbers_are_exact() {
        for (text, value) in [
            ("0", 0),
            ("-0", 0),
            ("18446744073709551615", i128::from(u64::MAX)),
            ("-9223372036854775808", i128::from(i64::MIN)),
            ("9007199254740993", 9_007_199_254_740_993),
            ("1.0", 1),
            ("1e3", 1000),
            ("-1.50E+2", -150),
            ("1200e-2", 12),
            ("0.000e99999999999999999999", 0),
            ("0.00012e5", 12),
            ("1844674407370955161.5e1", i128::from(u64::MAX)),
            ("000000", -1),
        ] {
            let expected = if value == -1 { Err(NotNumber::Grammar) } else { Ok(value) };
            assert_eq!(integer(text.as_bytes()), expected, "{text}");
        }
    }

    #[test]
    fn fractions_and_huge_numbers_are_told_apart() {
        assert_eq!(integer(b"1.5"), Err(NotNumber::Fraction));
        assert_eq!(integer(b"1e-99999999999999999999"), Err(NotNumber::Fraction));
        assert_eq!(integer(b"1e99999999999999999999"), Err(NotNumber::Range));
        assert_eq!(integer(&[b'9'; 5000]), Err(NotNumber::Range));
        assert_eq!(double(b"1e400"), Err(NotNumber::Range));
        assert_eq!(double(b"1e-400"), Ok(0.0));
        assert_eq!(quoted_double(b"inf"), Err(NotNumber::Grammar));
        assert_eq!(quoted_double(b" 1"), Err(NotNumber::Grammar));
    }
}
