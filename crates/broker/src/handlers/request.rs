//! A request as a handler gets it: the header read, the body still in its frame.

use std::sync::Arc;

use bytes::Bytes;
use ottla_protocol::frame::{RequestHead, response_frame};
use ottla_protocol::{ApiKey, Message, REQUEST_ELEMENTS_MAX, Response as AnyResponse};
use ottla_wire::Reader;

use crate::answer::{Answer, Hangup, Response};
use crate::buffers::capacity_for;
use crate::connections::Peer;
use crate::memory::{Memory, Room};
use crate::metrics::ErrorCounts;

/// One request. Its frame stays whole, so that records are sliced out of it instead of copied.
#[derive(Debug)]
pub(crate) struct Request {
    /// The API's key, known here or not.
    pub(crate) key: i16,
    /// The API's version.
    pub(crate) version: i16,
    /// Goes back with the answer.
    pub(crate) correlation_id: i32,
    /// The name of the listener that it came in on.
    pub(crate) listener: Arc<str>,
    /// The connection that it came in on.
    pub(crate) peer: Arc<Peer>,
    frame: Bytes,
    /// Where the body begins in the frame.
    body_at: usize,
    /// Memory for what it becomes, if that may be much. Kept until it is answered.
    room: Option<Room>,
}

/// Requests up to this size are opened without asking for memory, in bytes.
const OPENED_BYTES_MIN: usize = 64 * 1024;
/// What an element of an array takes in memory at most, with what becomes of it in the answer.
const ELEMENT_BYTES: u64 = 512;
/// How often as large a request may be when it is decoded.
const GROWTH: u64 = 24;

impl Request {
    /// Reads the header of a frame (without its size).
    pub(crate) fn parse(frame: Bytes, peer: Arc<Peer>) -> Result<Self, Hangup> {
        let head = RequestHead::parse(&frame)
            .map_err(|error| Hangup::Malformed(format!("the request's header is malformed: {error}")))?;
        let (key, version, correlation_id) = (head.api_key, head.api_version, head.correlation_id);
        let body_at = head.body;
        let listener = peer.listener.clone();
        Ok(Self { key, version, correlation_id, listener, peer, frame, body_at, room: None })
    }

    /// What the client calls itself, with U+FFFD for what is not UTF-8.
    pub(crate) fn client_id(&self) -> Option<String> {
        let name = RequestHead::parse(&self.frame).ok()?.client_id?;
        Some(String::from_utf8_lossy(name).into_owned())
    }

    /// Whether it is so large that it is opened only when there is memory for it.
    pub(crate) fn is_large(&self) -> bool {
        self.frame.len() > OPENED_BYTES_MIN
    }

    /// Waits for the memory that it takes when it is decoded, if it is large.
    pub(crate) async fn make_room(&mut self, memory: &Arc<Memory>) {
        if self.is_large() {
            let most = ELEMENT_BYTES * REQUEST_ELEMENTS_MAX as u64;
            self.make_room_for(memory, most.min(GROWTH * self.frame.len() as u64)).await;
        }
    }

    /// Waits for the memory that `elements` of its arrays take, if they are many.
    pub(crate) async fn make_room_for_elements(&mut self, memory: &Arc<Memory>, elements: usize) {
        let bytes = ELEMENT_BYTES * elements as u64;
        if bytes > GROWTH * OPENED_BYTES_MIN as u64 {
            self.make_room_for(memory, bytes).await;
        }
    }

    /// Waits for `bytes` of memory for what becomes of it.
    async fn make_room_for(&mut self, memory: &Arc<Memory>, bytes: u64) {
        self.room = None;
        let held = capacity_for(self.frame.len()) as u64;
        self.room = Some(memory.room(self.peer.id, bytes, held).await);
    }

    /// The body's bytes, sharing the frame.
    pub(crate) fn body(&self) -> Bytes {
        self.frame.slice(self.body_at..)
    }

    /// The body as an owned message.
    pub(crate) fn decode<M: Message>(&self) -> Result<M, Hangup> {
        let body = &mut Reader::new(&self.frame[self.body_at..]).with_elements_max(REQUEST_ELEMENTS_MAX);
        M::decode(body, self.version).map_err(|error| self.malformed(&error))
    }

    /// What to hang up with when the body cannot be read.
    pub(crate) fn malformed(&self, error: &dyn std::fmt::Display) -> Hangup {
        let api = ApiKey::from_raw(self.key).map_or("an unknown API", ApiKey::name);
        Hangup::Malformed(format!("the body of {api} v{} is malformed: {error}", self.version))
    }

    /// The answer `message`, in the request's version.
    pub(crate) fn answer<M: AnyResponse>(&self, message: &M) -> Result<Answer, Hangup> {
        self.answer_in_version(message, self.version)
    }

    /// The answer `message` in another version than the request's: only ApiVersions needs that.
    pub(crate) fn answer_in_version<M: AnyResponse>(&self, message: &M, version: i16) -> Result<Answer, Hangup> {
        Ok(Answer::Now(self.response_in_version(message, version)?))
    }

    /// The response frame of `message` in the request's version.
    pub(crate) fn response<M: AnyResponse>(&self, message: &M) -> Result<Response, Hangup> {
        self.response_in_version(message, self.version)
    }

    fn response_in_version<M: AnyResponse>(&self, message: &M, version: i16) -> Result<Response, Hangup> {
        let frame = response_frame(self.correlation_id, version, message)
            .map_err(|error| Hangup::Malformed(format!("the answer cannot be written: {error}")))?;
        let mut errors = ErrorCounts::default();
        message.visit_errors(&mut |code| errors.add(code));
        Ok(Response::bytes(frame.into(), errors))
    }
}
