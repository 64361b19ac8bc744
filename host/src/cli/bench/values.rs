//! Values as they are typed on the command line.

use std::time::Duration;

use http::header::{HeaderName, HeaderValue};

use crate::bench::sink::Refusal;
use crate::config;

pub fn duration(text: &str) -> Result<Duration, String> {
    config::duration(text).ok_or_else(|| "write a number with a unit, such as `20ms`, `1.5s` or `1m30s`".to_owned())
}

pub fn share(text: &str) -> Result<f64, String> {
    let share = text.parse::<f64>().ok().filter(|share| (0.0..=1.0).contains(share));
    share.ok_or_else(|| "write a share from 0 to 1, such as `0.3`".to_owned())
}

pub fn rate(text: &str) -> Result<f64, String> {
    let rate = text.parse::<f64>().ok().filter(|rate| rate.is_finite() && *rate > 0.0);
    rate.ok_or_else(|| "write records a second, such as `50000`".to_owned())
}

pub fn header(text: &str) -> Result<(HeaderName, HeaderValue), String> {
    let (name, value) = text.split_once('=').ok_or("write NAME=VALUE")?;
    let name = name.trim().parse().map_err(|_| "the name is not one of a header")?;
    let mut value: HeaderValue = value.trim().parse().map_err(|_| "the value cannot be sent")?;
    value.set_sensitive(true);
    Ok((name, value))
}

pub fn refusal(text: &str) -> Result<Refusal, String> {
    Refusal::named(text)
        .ok_or_else(|| "write a code of gRPC such as UNAVAILABLE, or a status of HTTP such as 503".into())
}
