//! TCP.

use std::io;
use std::net::{Ipv6Addr, SocketAddr};

use tokio::net::{TcpListener, TcpSocket, TcpStream, lookup_host};

use crate::BoxFuture;
use crate::network::{ListenOptions, Listener, Network, Socket};

/// Connections that wait to be accepted before the kernel refuses more, unless it is said: a whole cluster's clients may
/// come again at once.
const BACKLOG: u32 = 1024;

/// The computer's own network.
#[derive(Debug)]
pub struct SystemNetwork;

impl Network for SystemNetwork {
    fn listen<'a>(
        &'a self,
        host: &'a str,
        port: u16,
        options: ListenOptions,
    ) -> BoxFuture<'a, io::Result<Box<dyn Listener>>> {
        Box::pin(async move {
            let listener = if host.is_empty() {
                // Every interface: IPv6's wildcard takes IPv4 too; a computer without IPv6 gets IPv4's.
                bind((Ipv6Addr::UNSPECIFIED, port).into(), options)
                    .or_else(|_| bind(([0, 0, 0, 0], port).into(), options))?
            } else {
                let address = first(lookup_host((host, port)).await?, host)?;
                bind(address, options)?
            };
            Ok(Box::new(listener) as Box<dyn Listener>)
        })
    }

    fn connect<'a>(&'a self, host: &'a str, port: u16) -> BoxFuture<'a, io::Result<Box<dyn Socket>>> {
        Box::pin(async move {
            let stream = TcpStream::connect((host, port)).await?;
            stream.set_nodelay(true)?;
            Ok(Box::new(stream) as Box<dyn Socket>)
        })
    }
}

fn first(mut addresses: impl Iterator<Item = SocketAddr>, host: &str) -> io::Result<SocketAddr> {
    addresses.next().ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, format!("\"{host}\" has no address")))
}

fn bind(address: SocketAddr, options: ListenOptions) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    // A restart may take the port at once; a port that another process listens on is still refused.
    socket.set_reuseaddr(true)?;
    // Connections inherit the buffers of their listener.
    if let Some(bytes) = options.send_buffer_bytes {
        socket.set_send_buffer_size(bytes)?;
    }
    if let Some(bytes) = options.receive_buffer_bytes {
        socket.set_recv_buffer_size(bytes)?;
    }
    socket.bind(address)?;
    socket.listen(options.backlog.unwrap_or(BACKLOG))
}

impl Listener for TcpListener {
    fn accept(&self) -> BoxFuture<'_, io::Result<(Box<dyn Socket>, SocketAddr)>> {
        Box::pin(async move {
            let (stream, peer) = Self::accept(self).await?;
            stream.set_nodelay(true)?;
            Ok((Box::new(stream) as Box<dyn Socket>, peer))
        })
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        Self::local_addr(self)
    }
}

impl Socket for TcpStream {
    fn tcp(&self) -> Option<&TcpStream> {
        Some(self)
    }
}
