//! A network that fails on demand: a TCP proxy between the binary and a backend (or a client and the binary).
//!
//! A fault holds for open connections and for new ones, from the moment that it is set until the next one. What a
//! fault held back goes on its way when the fault is over, as it does when a cable is plugged in again.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{ReadHalf, WriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};

use crate::harness::wait_for;

/// What the network does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Nothing bad.
    None,
    /// Every piece of data, either way, comes so much later.
    Delay(Duration),
    /// Connections are accepted by the system and no byte moves, either way.
    Blackhole,
    /// Half-open: what is sent arrives, no answer comes back.
    Mute,
    /// Every connection, open or new, is reset.
    Reset,
}

/// What every connection looks at.
#[derive(Clone, Copy)]
struct Weather {
    fault: Fault,
    /// Connections before this one are forgotten: none of their bytes moves any more.
    forgotten: usize,
}

impl Weather {
    fn is(self, number: usize) -> Fault {
        if number < self.forgotten { Fault::Blackhole } else { self.fault }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    There,
    Back,
}

/// A proxy; its connections are gone when it is dropped.
pub struct FaultProxy {
    /// Where it listens.
    pub address: SocketAddr,
    weather: watch::Sender<Weather>,
    accepted: Arc<AtomicUsize>,
    task: JoinHandle<()>,
}

impl Drop for FaultProxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl FaultProxy {
    /// A proxy on any loopback port, before `backend`, without a fault.
    pub async fn before(backend: SocketAddr) -> FaultProxy {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (weather, reports) = watch::channel(Weather { fault: Fault::None, forgotten: 0 });
        let accepted = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&accepted);
        let task = tokio::spawn(async move {
            let mut connections = JoinSet::new();
            loop {
                tokio::select! {
                    connection = listener.accept() => {
                        let Ok((client, _)) = connection else { return };
                        let number = counter.fetch_add(1, Ordering::SeqCst);
                        connections.spawn(serve(client, backend, Faults { number, reports: reports.clone() }));
                    }
                    Some(_) = connections.join_next() => {}
                }
            }
        });
        FaultProxy { address, weather, accepted, task }
    }

    /// Its address as a URL.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// From now on the network does this.
    pub fn becomes(&self, fault: Fault) {
        self.weather.send_modify(|weather| weather.fault = fault);
    }

    /// Forgets the connections that are open, for good, as a firewall does that was started anew: neither side is told.
    pub fn forget(&self) {
        self.weather.send_modify(|weather| weather.forgotten = self.connections());
    }

    /// Connections that were made to it so far.
    pub fn connections(&self) -> usize {
        self.accepted.load(Ordering::SeqCst)
    }

    /// Waits until so many connections were made to it.
    pub fn wait_for_connections(&self, count: usize) {
        wait_for(
            &format!("connection {count}"),
            || (self.connections() >= count).then_some(()),
            || format!("{} connections", self.connections()),
        );
    }
}

/// The faults of one connection.
#[derive(Clone)]
struct Faults {
    number: usize,
    reports: watch::Receiver<Weather>,
}

impl Faults {
    /// Waits for one that the test wants; for ever, if the proxy is gone.
    async fn wait_for(&mut self, wanted: impl Fn(Fault) -> bool) -> Fault {
        let number = self.number;
        let found = self.reports.wait_for(|weather| wanted(weather.is(number))).await.map(|weather| weather.is(number));
        match found {
            Ok(fault) => fault,
            Err(_) => std::future::pending().await,
        }
    }
}

/// One connection, until either side ends it or the network resets it.
async fn serve(mut client: TcpStream, backend: SocketAddr, mut faults: Faults) {
    let mut resets = faults.clone();
    let connected = async {
        // A connection that comes into a hole is made as soon as there is none.
        faults.wait_for(|fault| fault != Fault::Blackhole).await;
        TcpStream::connect(backend).await
    };
    let backend = tokio::select! {
        connected = connected => connected,
        _ = resets.wait_for(|fault| fault == Fault::Reset) => return reset(client),
    };
    let Ok(mut backend) = backend else { return reset(client) };
    let ended = {
        let (from_client, to_client) = client.split();
        let (from_backend, to_backend) = backend.split();
        tokio::select! {
            _ = async { tokio::join!(
                carry(from_client, to_backend, Way::There, faults.clone()),
                carry(from_backend, to_client, Way::Back, faults.clone()),
            ) } => true,
            _ = resets.wait_for(|fault| fault == Fault::Reset) => false,
        }
    };
    if !ended {
        reset(client);
        reset(backend);
    }
}

/// Closes with RST instead of FIN.
fn reset(stream: TcpStream) {
    // If the option cannot be set, the connection is gone already.
    let _ = stream.set_zero_linger();
}

async fn carry(mut from: ReadHalf<'_>, mut to: WriteHalf<'_>, way: Way, mut faults: Faults) {
    let mut piece = vec![0; 64 << 10];
    let moves = |fault: Fault| match fault {
        Fault::Blackhole | Fault::Reset => false,
        Fault::Mute => way == Way::There,
        Fault::None | Fault::Delay(_) => true,
    };
    loop {
        let read = from.read(&mut piece).await.unwrap_or(0);
        if let Fault::Delay(time) = faults.wait_for(moves).await {
            tokio::time::sleep(time).await;
        }
        let sent = match piece.get(..read) {
            None | Some([]) => return drop(to.shutdown().await),
            Some(piece) => to.write_all(piece).await,
        };
        if sent.is_err() {
            return;
        }
    }
}
