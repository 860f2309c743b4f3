//! One blocking connection to the broker, polite or not.

use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::Duration;

use ottla_protocol::frame::{parse_response_head, request_frame};
use ottla_protocol::{Message, Request};
use ottla_wire::Reader;

/// After so long without a byte a broker that should answer or close hangs. Large requests may wait in line for memory
/// behind others that are as large, so that it is not short.
pub(super) const PATIENCE: Duration = Duration::from_secs(300);
/// What is read of an answer that nobody looks into.
const PIECE_BYTES: usize = 64 << 10;

/// A connection.
pub(super) struct Peer {
    socket: TcpStream,
}

/// What came of waiting for the end.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum End {
    /// The broker closed, after so many bytes.
    Closed(u64),
    /// It neither sent nor closed for [`PATIENCE`].
    Silent,
}

impl Peer {
    pub(super) fn connect(address: SocketAddr) -> io::Result<Self> {
        let socket = TcpStream::connect(address)?;
        socket.set_nodelay(true)?;
        socket.set_read_timeout(Some(PATIENCE))?;
        socket.set_write_timeout(Some(PATIENCE))?;
        Ok(Self { socket })
    }

    /// Sends bytes; whether they went is up to the broker.
    pub(super) fn send(&mut self, bytes: &[u8]) -> bool {
        self.socket.write_all(bytes).is_ok()
    }

    /// Says that nothing more comes.
    pub(super) fn finish(&self) {
        drop(self.socket.shutdown(Shutdown::Write));
    }

    /// Reads and forgets until the broker closes.
    pub(super) fn drain(&mut self) -> End {
        let (mut bytes, mut drained) = (vec![0; PIECE_BYTES], 0);
        loop {
            match self.socket.read(&mut bytes) {
                Ok(0) => return End::Closed(drained),
                Ok(count) => drained += count as u64,
                Err(error) if is_timeout(&error) => return End::Silent,
                Err(_) => return End::Closed(drained),
            }
        }
    }

    /// Asks and reads the answer.
    pub(super) fn ask<M: Request>(&mut self, version: i16, request: &M) -> io::Result<M::Response> {
        let frame = request_frame(1, Some("hostile"), version, request).map_err(io::Error::other)?;
        self.socket.write_all(&frame)?;
        let frame = self.receive()?;
        let (_, body) = parse_response_head(&frame, M::KEY, version).map_err(io::Error::other)?;
        <M::Response as Message>::decode(&mut Reader::new(&frame[body..]), version).map_err(io::Error::other)
    }

    /// The next frame, without its size.
    pub(super) fn receive(&mut self) -> io::Result<Vec<u8>> {
        let mut size = [0; 4];
        self.socket.read_exact(&mut size)?;
        let mut frame = vec![0; usize::try_from(i32::from_be_bytes(size)).map_err(io::Error::other)?];
        self.socket.read_exact(&mut frame)?;
        Ok(frame)
    }

    /// Reads one frame and forgets it, however long; its length.
    pub(super) fn skip(&mut self) -> io::Result<u64> {
        let mut size = [0; 4];
        self.socket.read_exact(&mut size)?;
        let size = u64::from(u32::from_be_bytes(size));
        let copied = io::copy(&mut Read::by_ref(&mut self.socket).take(size), &mut io::sink())?;
        if copied < size { Err(io::ErrorKind::UnexpectedEof.into()) } else { Ok(size) }
    }
}

/// Whether a read waited in vain.
pub(super) fn is_timeout(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut)
}
