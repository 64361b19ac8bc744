//! `grpc-timeout`: after it the client does not wait any more, so that a late success would be a lie.

use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue};
use tokio::time::{Instant, timeout_at};
use tonic::Code;

use super::reply::Failure;
use crate::receiver::meter::Outcome;

static GRPC_TIMEOUT: HeaderName = HeaderName::from_static("grpc-timeout");

/// When the client stops waiting; none: never.
pub(super) struct Deadline(Option<Instant>);

impl Deadline {
    /// The deadline that the headers of a request that has just arrived ask for.
    pub fn of(headers: &HeaderMap) -> Result<Deadline, Failure> {
        let Some(value) = headers.get(&GRPC_TIMEOUT) else { return Ok(Deadline(None)) };
        let timeout = parse(value).ok_or_else(|| {
            let message = format!("grpc-timeout {value:?} is not up to eight digits and one of H, M, S, m, u, n");
            Failure::new(Outcome::Malformed, Code::InvalidArgument, &message)
        })?;
        // A deadline beyond the clock's range is none.
        Ok(Deadline(Instant::now().checked_add(timeout)))
    }

    /// Does the work, and gives it up at the deadline. What is done too late counts as not done.
    pub async fn bound<T>(self, work: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
        let Some(deadline) = self.0 else { return work.await };
        match timeout_at(deadline, work).await {
            Ok(done) if Instant::now() < deadline => done,
            _ => Err(Failure::new(Outcome::Timeout, Code::DeadlineExceeded, "the call's deadline has passed")),
        }
    }
}

/// "gRPC over HTTP2": up to eight digits and a unit.
fn parse(value: &HeaderValue) -> Option<Duration> {
    let (&unit, digits) = value.as_bytes().split_last()?;
    if digits.is_empty() || digits.len() > 8 || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let number: u64 = std::str::from_utf8(digits).ok()?.parse().ok()?;
    match unit {
        b'H' => Some(Duration::from_secs(number * 3600)),
        b'M' => Some(Duration::from_secs(number * 60)),
        b'S' => Some(Duration::from_secs(number)),
        b'm' => Some(Duration::from_millis(number)),
        b'u' => Some(Duration::from_micros(number)),
        b'n' => Some(Duration::from_nanos(number)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn r48_timeouts_have_digits_and_a_unit() {
        let parse = |text| parse(&HeaderValue::from_static(text));
        assert_eq!(parse("2H"), Some(Duration::from_secs(7200)));
        assert_eq!(parse("3M"), Some(Duration::from_secs(180)));
        assert_eq!(parse("99999999S"), Some(Duration::from_secs(99_999_999)));
        assert_eq!(parse("15m"), Some(Duration::from_millis(15)));
        assert_eq!(parse("15u"), Some(Duration::from_micros(15)));
        assert_eq!(parse("15n"), Some(Duration::from_nanos(15)));
        for wrong in ["", "S", "1", "1s", "-1S", "123456789S", "1.5S"] {
            assert_eq!(parse(wrong), None, "{wrong}");
        }
    }

    #[tokio::test]
    async fn r48_success_after_the_deadline_is_none() {
        let deadline = Deadline(Some(Instant::now()));
        let done = deadline.bound(std::future::ready(Ok(()))).await;
        assert_eq!(done.unwrap_err().status.code(), Code::DeadlineExceeded);
    }
}
