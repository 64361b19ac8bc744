//! A bound address: apart from what is served on it, so that it survives a reload.

use std::io;
use std::net::{SocketAddr, TcpListener, ToSocketAddrs};

use socket2::{Domain, Protocol, Socket, Type};

/// Connections that the kernel holds until they are accepted.
const BACKLOG: i32 = 1024;

/// An address that could not be bound.
#[derive(Debug, thiserror::Error)]
pub enum BindError {
    /// The endpoint is not an address.
    #[error("{endpoint} is not an address to listen on: write host:port, as in 127.0.0.1:4317")]
    Address {
        /// As configured.
        endpoint: String,
        /// Why.
        source: io::Error,
    },
    /// Somebody else has it.
    #[error("{endpoint} is in use: stop the program that listens there, or choose another endpoint")]
    InUse {
        /// As configured.
        endpoint: String,
        /// Why.
        source: io::Error,
    },
    /// The system does not let us.
    #[error("cannot listen on {endpoint}")]
    Bind {
        /// As configured.
        endpoint: String,
        /// Why.
        source: io::Error,
    },
}

/// A bound address. Connections wait in the kernel until a [`Server`](super::server::Server) accepts them.
#[derive(Debug)]
pub struct Listener {
    pub(super) socket: TcpListener,
    local_addr: SocketAddr,
}

impl Listener {
    /// Binds `host:port`: the first of the host's addresses that can be bound. Port 0 asks for any port.
    pub fn bind(endpoint: &str) -> Result<Listener, BindError> {
        let named = |source| BindError::Address { endpoint: endpoint.to_owned(), source };
        let addresses = endpoint.to_socket_addrs().map_err(named)?;
        let mut failed = io::Error::from(io::ErrorKind::AddrNotAvailable);
        for address in addresses {
            match listen(address) {
                Ok((socket, local_addr)) => return Ok(Listener { socket, local_addr }),
                Err(error) => failed = error,
            }
        }
        let endpoint = endpoint.to_owned();
        match failed.kind() {
            io::ErrorKind::AddrInUse => Err(BindError::InUse { endpoint, source: failed }),
            _ => Err(BindError::Bind { endpoint, source: failed }),
        }
    }

    /// The address with its actual port.
    pub fn local_addr(&self) -> SocketAddr {
        self.local_addr
    }
}

fn listen(address: SocketAddr) -> io::Result<(TcpListener, SocketAddr)> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    // So that a restart need not wait for the connections of the last run to time out.
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    let socket = TcpListener::from(socket);
    let local_addr = socket.local_addr()?;
    Ok((socket, local_addr))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_bound_is_named_with_the_mend() {
        let taken = Listener::bind("127.0.0.1:0").unwrap();
        let endpoint = taken.local_addr().to_string();
        assert_eq!(
            Listener::bind(&endpoint).unwrap_err().to_string(),
            format!("{endpoint} is in use: stop the program that listens there, or choose another endpoint")
        );
        assert_eq!(
            Listener::bind("4317").unwrap_err().to_string(),
            "4317 is not an address to listen on: write host:port, as in 127.0.0.1:4317"
        );
        assert_eq!(Listener::bind("192.0.2.1:0").unwrap_err().to_string(), "cannot listen on 192.0.2.1:0");
    }
}
