//! Sockets behind a trait, and the two ways of sending: bytes, and a range of a file.

use std::io;
use std::net::SocketAddr;
use std::os::fd::BorrowedFd;

use rustix::net::SendFlags;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, Interest};
use tokio::net::TcpStream;

use crate::BoxFuture;

/// Listens and connects.
pub trait Network: Send + Sync + 'static {
    /// Binds a listener. An empty `host` means every interface; port 0 means a free one.
    fn listen<'a>(
        &'a self,
        host: &'a str,
        port: u16,
        options: ListenOptions,
    ) -> BoxFuture<'a, io::Result<Box<dyn Listener>>>;

    /// Connects to a peer by name or address.
    fn connect<'a>(&'a self, host: &'a str, port: u16) -> BoxFuture<'a, io::Result<Box<dyn Socket>>>;
}

/// What a listener and the connections that it accepts get; `None` leaves it to the system. A simulated network has no
/// use for it.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct ListenOptions {
    /// Connections that wait to be accepted before the system refuses more.
    pub backlog: Option<u32>,
    /// The send buffer of each connection, in bytes.
    pub send_buffer_bytes: Option<u32>,
    /// The receive buffer of each connection, in bytes.
    pub receive_buffer_bytes: Option<u32>,
}

/// A bound listener.
pub trait Listener: Send + Sync + 'static {
    /// Waits for the next connection.
    fn accept(&self) -> BoxFuture<'_, io::Result<(Box<dyn Socket>, SocketAddr)>>;

    /// The address it is bound to, with the port it was given.
    fn local_addr(&self) -> io::Result<SocketAddr>;
}

/// A connection.
pub trait Socket: AsyncRead + AsyncWrite + Send + Sync + Unpin + 'static {
    /// The plain TCP connection behind it, if there is one: then files can be sent from the page cache. Encrypted and
    /// simulated connections have none and take bytes.
    fn tcp(&self) -> Option<&TcpStream>;
}

/// Sends all of `bytes`. With `more`, the kernel may hold them back until what follows joins them in one packet.
pub async fn send_all(socket: &mut dyn Socket, mut bytes: &[u8], more: bool) -> io::Result<()> {
    let Some(tcp) = socket.tcp().filter(|_| more) else {
        return socket.write_all(bytes).await;
    };
    while !bytes.is_empty() {
        let sent = tcp
            .async_io(Interest::WRITABLE, || Ok(rustix::net::send(tcp, bytes, SendFlags::MORE | SendFlags::NOSIGNAL)?))
            .await?;
        bytes = &bytes[sent..];
    }
    Ok(())
}

/// Largest range that one sendfile call is asked for: one connection must not hold a thread for long.
const SEND_FILE_BYTES_MAX: usize = 512 * 1024;

/// Sends `length` bytes of `file` from byte `at` on, straight from the page cache. A file that ends before that is an
/// error: the peer was promised the bytes, so the connection is of no more use.
pub async fn send_file_all(tcp: &TcpStream, file: BorrowedFd<'_>, mut at: u64, mut length: usize) -> io::Result<()> {
    while length > 0 {
        let ask = length.min(SEND_FILE_BYTES_MAX);
        let sent = tcp
            .async_io(Interest::WRITABLE, || {
                let mut offset = at;
                Ok(rustix::fs::sendfile(tcp, file, Some(&mut offset), ask)?)
            })
            .await?;
        if sent == 0 {
            return Err(io::Error::new(
                io::ErrorKind::UnexpectedEof,
                format!("the file ends at byte {at}, {length} bytes before what was promised"),
            ));
        }
        at += sent as u64;
        length -= sent;
    }
    Ok(())
}
