//! F15: no file descriptors left.

use tokio::net::TcpStream;

use super::{assert_serves, to_file, wait_for_limit};
use crate::harness::Sluicebox;

#[tokio::test(flavor = "multi_thread")]
async fn f15_without_file_descriptors_connections_wait_and_are_served_later() {
    let sluicebox = Sluicebox::run_after("ulimit -n 96", &to_file("", "", ""));
    assert_serves(&sluicebox).await;
    let address = sluicebox.address("otlp", "http");
    let mut hoard = Vec::new();
    for _ in 0..150 {
        hoard.push(TcpStream::connect(&address).await.unwrap());
    }
    sluicebox.wait_for_log("cannot accept a connection, trying again");
    drop(hoard);
    assert_serves(&sluicebox).await;
    wait_for_limit(&sluicebox, "accept", 1.0).await;
    sluicebox.stop();
}
