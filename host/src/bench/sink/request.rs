//! Reading a request: all of its bytes, and how many records they are.

use bytes::{Bytes, BytesMut};
use http::header::{CONTENT_ENCODING, CONTENT_TYPE};
use http::{HeaderMap, Request};
use http_body_util::BodyExt;
use hyper::body::Incoming;

use super::SinkPlan;
use crate::data::Signal;
use crate::data::json::{self, JsonLimits};
use crate::receiver::inflate::Coding;
use crate::receiver::records;

/// Flag and length before a message of gRPC.
const PREFIX: usize = 5;

/// How a request came, and so is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// gRPC.
    Grpc,
    /// HTTP with protobuf.
    Protobuf,
    /// HTTP with JSON.
    Json,
}

/// A request that was read.
#[derive(Debug)]
pub struct Read {
    /// How it came.
    pub kind: Kind,
    /// What it carries, if its path says so.
    pub signal: Option<Signal>,
    /// The size of its body.
    pub bytes: u64,
    /// Its records, if they are counted.
    pub records: u64,
    /// Why it is none, if it is none.
    pub malformed: Option<String>,
}

/// Reads a request to its end.
pub async fn read(request: Request<Incoming>, plan: &SinkPlan) -> Read {
    let (head, body) = request.into_parts();
    let content_type = head.headers.get(CONTENT_TYPE).map_or(&[][..], |value| value.as_bytes());
    let kind = match content_type {
        grpc if grpc.starts_with(b"application/grpc") => Kind::Grpc,
        json if json.starts_with(b"application/json") => Kind::Json,
        _ => Kind::Protobuf,
    };
    let path = head.uri.path();
    let signal = Signal::ALL.into_iter().find(|signal| match kind {
        Kind::Grpc => signal.grpc_path() == path,
        Kind::Protobuf | Kind::Json => path.ends_with(signal.http_path()),
    });
    let mut read = Read { kind, signal, bytes: 0, records: 0, malformed: None };
    let counted = match (signal, collect(body, plan, &mut read.bytes).await) {
        (None, _) => Err(format!("{path} is no path of OTLP traces, metrics or logs")),
        (Some(_), Err(why)) => Err(why),
        (Some(signal), Ok(body)) if plan.count_records => count(kind, signal, &head.headers, body, plan),
        (Some(_), Ok(_)) => Ok(0),
    };
    match counted {
        Ok(records) => read.records = records,
        Err(why) => read.malformed = Some(why),
    }
    read
}

/// The body in one piece, or nothing of it where nobody looks at it.
async fn collect(mut body: Incoming, plan: &SinkPlan, bytes: &mut u64) -> Result<Bytes, String> {
    let (mut first, mut rest) = (Bytes::new(), BytesMut::new());
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| format!("the body broke off: {error}"))?;
        let Ok(data) = frame.into_data() else { continue };
        *bytes += data.len() as u64;
        if *bytes > plan.body_bytes_max as u64 {
            return Err(format!("the body is larger than {} bytes", plan.body_bytes_max));
        }
        match (plan.count_records, first.is_empty()) {
            (false, _) => {}
            (true, true) => first = data,
            (true, false) => {
                if rest.is_empty() {
                    rest.extend_from_slice(&first);
                }
                rest.extend_from_slice(&data);
            }
        }
    }
    Ok(if rest.is_empty() { first } else { rest.freeze() })
}

fn count(kind: Kind, signal: Signal, headers: &HeaderMap, body: Bytes, plan: &SinkPlan) -> Result<u64, String> {
    let name = if kind == Kind::Grpc { "grpc-encoding" } else { CONTENT_ENCODING.as_str() };
    let coding = headers.get(name).map_or(Some(Coding::Identity), |value| Coding::named(value.to_str().ok()?));
    let coding = coding.ok_or_else(|| format!("the sink reads gzip and zstd, not the {name} of this request"))?;
    let (coding, message) = match kind {
        Kind::Protobuf | Kind::Json => (coding, body),
        Kind::Grpc => match body.split_first_chunk::<PREFIX>() {
            Some(([0, ..], _)) => (Coding::Identity, body.slice(PREFIX..)),
            Some(_) => (coding, body.slice(PREFIX..)),
            None => return Err("the call carries no message".to_owned()),
        },
    };
    let plain = coding.inflate(message, plan.body_bytes_max).map_err(|error| error.to_string())?;
    if kind != Kind::Json {
        return Ok(records::count(signal, &plain));
    }
    let limits = JsonLimits { max_bytes: plan.body_bytes_max, ..JsonLimits::default() };
    let request = json::decode(signal, &plain, &limits).map_err(|error| error.to_string())?;
    Ok(records::count(signal, &request))
}
