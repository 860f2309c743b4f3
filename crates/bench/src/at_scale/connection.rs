//! One connection to a broker: a request out, its answer in.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use ottla_protocol::frame::{parse_response_head, request_frame};
use ottla_protocol::{Message, Request};
use ottla_wire::Reader;

use crate::Outcome;

/// How long one answer may take; a JoinGroup waits for all others.
const PATIENCE: Duration = Duration::from_secs(300);
/// How long something that is asked for again and again may take.
const UNTIL_MAX: Duration = Duration::from_secs(300);
/// Between two times.
const PAUSE: Duration = Duration::from_millis(10);

/// A connection. Requests are answered one after another.
pub(crate) struct Connection {
    socket: TcpStream,
    correlation: i32,
    frame: Vec<u8>,
}

impl Connection {
    pub(crate) fn open(address: SocketAddr) -> Outcome<Self> {
        let open = || {
            let socket = TcpStream::connect(address)?;
            socket.set_nodelay(true)?;
            socket.set_read_timeout(Some(PATIENCE))?;
            Ok(Self { socket, correlation: 0, frame: Vec::new() })
        };
        open().map_err(|error: std::io::Error| format!("{address}: {error}"))
    }

    /// Asks in one version of the request.
    pub(crate) fn ask<R: Request>(&mut self, version: i16, request: &R) -> Outcome<R::Response> {
        self.correlation += 1;
        let frame = request_frame(self.correlation, Some("scale"), version, request);
        let frame = frame.map_err(|error| format!("{}: {error}", R::NAME))?;
        self.exchange(&frame).map_err(|error| format!("{}: {error}", R::NAME))?;
        let (_, body) = parse_response_head(&self.frame, R::KEY, version).map_err(|error| error.to_string())?;
        R::Response::decode(&mut Reader::new(&self.frame[body..]), version).map_err(|error| error.to_string())
    }

    fn exchange(&mut self, frame: &[u8]) -> std::io::Result<()> {
        self.socket.write_all(frame)?;
        let mut size = [0; 4];
        self.socket.read_exact(&mut size)?;
        self.frame.resize(u32::from_be_bytes(size) as usize, 0);
        self.socket.read_exact(&mut self.frame)
    }
}

/// Tries until something is there.
pub(crate) fn until<T>(what: &str, mut attempt: impl FnMut() -> Outcome<Option<T>>) -> Outcome<T> {
    let begin = Instant::now();
    while begin.elapsed() < UNTIL_MAX {
        if let Some(found) = attempt()? {
            return Ok(found);
        }
        std::thread::park_timeout(PAUSE);
    }
    Err(format!("it takes longer than {UNTIL_MAX:?} until {what}"))
}
