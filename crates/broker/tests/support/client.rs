//! A client of nothing but frames: it sends what it is told, in any version, well formed or not.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use ottla_protocol::frame::{parse_response_head, request_frame};
use ottla_protocol::{ApiKey, Message, Request};
use ottla_wire::Reader;

/// After this a test has failed: no answer comes.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// One blocking connection.
pub(crate) struct Client {
    socket: TcpStream,
    correlation_id: i32,
}

impl Client {
    pub(crate) fn connect(address: SocketAddr) -> Self {
        let socket = TcpStream::connect(address).expect("the broker listens");
        socket.set_nodelay(true).expect("a socket");
        socket.set_read_timeout(Some(PATIENCE)).expect("a socket");
        Self { socket, correlation_id: 0 }
    }

    /// Sends a request and reads its answer.
    pub(crate) fn ask<M: Request>(&mut self, version: i16, request: &M) -> M::Response {
        self.send(version, request);
        self.receive::<M>(version).unwrap_or_else(|| panic!("the broker hung up on {} v{version}", M::NAME))
    }

    /// Sends a request; the answer is up to [`receive`](Self::receive).
    pub(crate) fn send<M: Request>(&mut self, version: i16, request: &M) {
        let frame = self.frame(version, request);
        self.send_bytes(&frame);
    }

    /// The bytes of a request with the next correlation id.
    pub(crate) fn frame<M: Request>(&mut self, version: i16, request: &M) -> Vec<u8> {
        self.correlation_id += 1;
        request_frame(self.correlation_id, Some("test"), version, request)
            .unwrap_or_else(|error| panic!("{} v{version} cannot be written: {error}", M::NAME))
    }

    /// Sends bytes as they are. A broker that hung up meanwhile is noticed when an answer is read.
    pub(crate) fn send_bytes(&mut self, bytes: &[u8]) {
        if let Err(error) = self.socket.write_all(bytes) {
            assert!(is_hang_up(error.kind()), "cannot send: {error}");
        }
    }

    /// The answer to the oldest request that has none; `None` if the broker hung up.
    pub(crate) fn receive<M: Request>(&mut self, version: i16) -> Option<M::Response> {
        self.receive_as::<M>(version).map(|(_, response)| response)
    }

    /// The same with the correlation id that came back.
    pub(crate) fn receive_as<M: Request>(&mut self, version: i16) -> Option<(i32, M::Response)> {
        let frame = self.receive_frame()?;
        let (correlation_id, body) = parse_response_head(&frame, M::KEY, version).expect("a response's header");
        let mut reader = Reader::new(&frame[body..]);
        let response = <M::Response as Message>::decode(&mut reader, version)
            .unwrap_or_else(|error| panic!("the answer to {} v{version} cannot be read: {error}", M::NAME));
        reader.finish().unwrap_or_else(|error| panic!("{} v{version}: {error}", M::NAME));
        Some((correlation_id, response))
    }

    /// The next frame without its size; `None` if the broker hung up.
    pub(crate) fn receive_frame(&mut self) -> Option<Vec<u8>> {
        let mut size = [0; 4];
        match self.socket.read_exact(&mut size) {
            Ok(()) => {}
            Err(error) if is_hang_up(error.kind()) => return None,
            Err(error) => panic!("no answer came: {error}"),
        }
        let mut frame = vec![0; usize::try_from(i32::from_be_bytes(size)).expect("a positive size")];
        self.socket.read_exact(&mut frame).expect("the rest of the frame");
        Some(frame)
    }

    /// Whether nothing comes for a moment. A wrong yes is possible, a wrong no is not.
    pub(crate) fn hears_nothing(&mut self) -> bool {
        self.socket.set_read_timeout(Some(Duration::from_millis(50))).expect("a socket");
        let heard = self.socket.peek(&mut [0]);
        self.socket.set_read_timeout(Some(PATIENCE)).expect("a socket");
        heard.is_err_and(|error| matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut))
    }

    /// Says that nothing more comes.
    pub(crate) fn finish(&self) {
        // It fails where the broker has hung up already.
        drop(self.socket.shutdown(std::net::Shutdown::Write));
    }

    /// Reads whatever comes until the broker hangs up; whether it did, and did not keep silent.
    pub(crate) fn hears_the_end(&mut self) -> bool {
        let mut bytes = vec![0; 1 << 16];
        loop {
            match self.socket.read(&mut bytes) {
                Ok(0) => return true,
                Ok(_) => {}
                Err(error) => return is_hang_up(error.kind()),
            }
        }
    }

    /// Reads whatever comes until the broker hangs up, and says how many bytes it was.
    pub(crate) fn drain(&mut self) -> usize {
        let mut bytes = vec![0; 1 << 20];
        let mut drained = 0;
        while let Some(read) = self.socket.read(&mut bytes).ok().filter(|read| *read > 0) {
            drained += read;
        }
        drained
    }

    /// The number that the last request carried.
    pub(crate) fn last_correlation_id(&self) -> i32 {
        self.correlation_id
    }

    /// Whether the broker serves this connection: it answers, and nothing else came before.
    pub(crate) fn is_served(&mut self) -> bool {
        self.send(0, &ottla_protocol::api_versions::ApiVersionsRequest::default());
        let answered = self.receive_as::<ottla_protocol::api_versions::ApiVersionsRequest>(0);
        answered.is_some_and(|(correlation_id, _)| correlation_id == self.correlation_id)
    }

    /// What the broker offers: keys with their lowest and highest version.
    pub(crate) fn offered(&mut self) -> Vec<(ApiKey, std::ops::RangeInclusive<i16>)> {
        let offered = self.ask(0, &ottla_protocol::api_versions::ApiVersionsRequest::default());
        let known = |key| ApiKey::from_raw(key).expect("an API with a schema");
        offered.api_keys.iter().map(|api| (known(api.api_key), api.min_version..=api.max_version)).collect()
    }
}

fn is_hang_up(kind: ErrorKind) -> bool {
    matches!(kind, ErrorKind::UnexpectedEof | ErrorKind::ConnectionReset | ErrorKind::BrokenPipe)
}
