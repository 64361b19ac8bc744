//! Compressed requests and answers, over both protocols.

use std::io::{Read, Write};

use bytes::Bytes;
use tonic::Request;
use tonic::codec::CompressionEncoding;

use super::otlp_grpc::{call_path, connected};
use super::raw::{Raw, framed};
use super::*;
use crate::data::Signal;

const PROTOBUF: (&str, &str) = ("content-type", "application/x-protobuf");

pub fn gzip(data: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(data).unwrap();
    encoder.finish().unwrap()
}

pub fn zstd(data: &[u8]) -> Vec<u8> {
    let mut encoder = zstd::Encoder::new(Vec::new(), 3).unwrap();
    encoder.include_checksum(true).unwrap();
    encoder.write_all(data).unwrap();
    encoder.finish().unwrap()
}

type Compress = fn(&[u8]) -> Vec<u8>;

const CODINGS: [(&str, Compress); 2] = [("gzip", gzip), ("zstd", zstd)];

#[tokio::test]
async fn r01_grpc_takes_gzip_and_zstd() {
    let pipeline = Pipeline::taking_all();
    let bench = Setup::default().grpc(&pipeline);
    let channel = connected(&bench).await;
    let path = Signal::Traces.grpc_path();
    for compression in [None, Some(CompressionEncoding::Gzip), Some(CompressionEncoding::Zstd)] {
        call_path(&channel, path, compression, Request::new(spans(1000).into())).await.unwrap();
    }
    assert_eq!(pipeline.bytes(), [spans(1000), spans(1000), spans(1000)]);
}

#[tokio::test]
async fn r01_r22_http_takes_gzip_and_zstd() {
    let pipeline = Pipeline::taking_all();
    let bench = Setup::default().http(&pipeline);
    let clients = [Raw::http1(&bench), Raw::http2(&bench)];
    for raw in &clients {
        for (name, compress) in CODINGS {
            for name in [name.to_owned(), name.to_uppercase()] {
                let headers = [PROTOBUF, ("content-encoding", &name)];
                let back = raw.send("POST", "/v1/traces", &headers, compress(&spans(1000))).await;
                assert_eq!(back.status, 200);
                // Too short to be worth it, and nobody asked.
                assert_eq!(back.header("content-encoding"), "");
            }
        }
        let headers = [PROTOBUF, ("content-encoding", "identity")];
        assert_eq!(raw.send("POST", "/v1/traces", &headers, spans(1000)).await.status, 200);
    }
    assert!(pipeline.bytes().iter().all(|bytes| *bytes == spans(1000)));
    assert_eq!(pipeline.bytes().len(), 10);
}

#[tokio::test]
async fn r22_a_long_answer_is_compressed_where_that_is_accepted() {
    let receipt = Receipt { accepted: 1, rejected: 1, message: "no ".repeat(1000) };
    let pipeline = Pipeline::that(move |_| Ok(receipt.clone()));
    let bench = Setup::default().http(&pipeline);
    let raw = Raw::http1(&bench);
    let plain = raw.send("POST", "/v1/traces", &[PROTOBUF], spans(1)).await;
    assert_eq!(plain.header("content-encoding"), "");
    let headers = [PROTOBUF, ("accept-encoding", "br, gzip")];
    let compressed = raw.send("POST", "/v1/traces", &headers, spans(1)).await;
    assert_eq!(compressed.header("content-encoding"), "gzip");
    let mut inflated = Vec::new();
    flate2::read::GzDecoder::new(&compressed.body[..]).read_to_end(&mut inflated).unwrap();
    assert_eq!(inflated, plain.body);

    let bench = Setup::default().grpc(&pipeline);
    let compression = Some(CompressionEncoding::Gzip);
    let request = Request::new(Bytes::from(spans(1)));
    let answer = call_path(&connected(&bench).await, Signal::Traces.grpc_path(), compression, request).await.unwrap();
    assert_eq!(answer, plain.body);
}

#[tokio::test]
async fn r23_an_unknown_content_encoding_is_415() {
    let bench = Setup::default().http(&Pipeline::taking_all());
    let raw = Raw::http1(&bench);
    for unknown in ["br", "snappy", "gzip, zstd", "deflate"] {
        let headers = [PROTOBUF, ("content-encoding", unknown)];
        let back = raw.send("POST", "/v1/traces", &headers, spans(1)).await;
        assert_eq!(back.status, 415);
        let message = format!("content-encoding {unknown:?} is not supported; gzip, zstd and identity are");
        assert!(back.body.ends_with(message.as_bytes()), "{:?}", back.body);
    }
}

#[tokio::test]
async fn r23_an_unknown_grpc_encoding_is_unimplemented_and_told_what_is_known() {
    let bench = Setup::default().grpc(&Pipeline::taking_all());
    let back = Raw::http2(&bench).call(&[("grpc-encoding", "snappy")], framed(1, b"?")).await;
    assert_eq!((back.grpc_status(), back.header("grpc-accept-encoding")), ("12", "gzip,zstd,identity"));
}

#[tokio::test]
async fn r03_r04_the_limit_holds_after_decompression() {
    let pipeline = Pipeline::taking_all();
    let (grpc, http) = (Setup::limited(50_000).grpc(&pipeline), Setup::limited(50_000).http(&pipeline));
    for (name, compress) in CODINGS {
        for (size, code, status) in [(50_000, "0", 200), (50_001, "8", 413), (5_000_000, "8", 413)] {
            let body = compress(&vec![0; size]);
            let back = Raw::http2(&grpc).call(&[("grpc-encoding", name)], framed(1, &body)).await;
            assert_eq!(back.grpc_status(), code, "{name} {size}");
            assert!(!back.headers.contains_key("grpc-status-details-bin"));
            let headers = [PROTOBUF, ("content-encoding", name)];
            assert_eq!(Raw::http1(&http).send("POST", "/v1/traces", &headers, body).await.status, status);
        }
    }
    assert!(pipeline.bytes().iter().all(|bytes| bytes.len() == 50_000));
}

#[tokio::test]
async fn f04_every_member_of_a_gzip_arrives() {
    let pipeline = Pipeline::taking_all();
    let (grpc, http) = (Setup::default().grpc(&pipeline), Setup::default().http(&pipeline));
    let body = [gzip(&spans(1)), gzip(&spans(2)), gzip(&spans(3))].concat();
    let back = Raw::http2(&grpc).call(&[("grpc-encoding", "gzip")], framed(1, &body)).await;
    assert_eq!(back.grpc_status(), "0");
    let headers = [PROTOBUF, ("content-encoding", "gzip")];
    assert_eq!(Raw::http1(&http).send("POST", "/v1/traces", &headers, body).await.status, 200);
    let all = [spans(1), spans(2), spans(3)].concat();
    assert_eq!(pipeline.bytes(), [all.clone(), all]);
}

#[tokio::test]
async fn f05_cut_and_corrupt_bodies_are_malformed() {
    let pipeline = Pipeline::taking_all();
    let (grpc, http) = (Setup::default().grpc(&pipeline), Setup::default().http(&pipeline));
    let (grpc_client, http_client) = (Raw::http2(&grpc), Raw::http1(&http));
    for (name, compress) in CODINGS {
        let whole = compress(&spans(100));
        let mut flipped = whole.clone();
        flipped[whole.len() / 2] ^= 0xff;
        for body in [whole[..whole.len() - 3].to_vec(), flipped, spans(1)] {
            let back = grpc_client.call(&[("grpc-encoding", name)], framed(1, &body)).await;
            assert_eq!(back.grpc_status(), "3", "{name}");
            let headers = [PROTOBUF, ("content-encoding", name)];
            assert_eq!(http_client.send("POST", "/v1/traces", &headers, body).await.status, 400, "{name}");
        }
    }
    assert!(pipeline.bytes().is_empty());
}
