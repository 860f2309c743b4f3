//! A request as a handler gets it: the header read, the body still in its frame.

use std::sync::Arc;

use bytes::Bytes;
use ottla_protocol::frame::{RequestHead, response_frame};
use ottla_protocol::{ApiKey, Message, Response as AnyResponse};
use ottla_wire::Reader;

use crate::answer::{Answer, Hangup, Response};
use crate::connections::Peer;
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
}

impl Request {
    /// Reads the header of a frame (without its size).
    pub(crate) fn parse(frame: Bytes, peer: Arc<Peer>) -> Result<Self, Hangup> {
        let head = RequestHead::parse(&frame)
            .map_err(|error| Hangup::Malformed(format!("the request's header is malformed: {error}")))?;
        let (key, version, correlation_id) = (head.api_key, head.api_version, head.correlation_id);
        let body_at = head.body;
        let listener = peer.listener.clone();
        Ok(Self { key, version, correlation_id, listener, peer, frame, body_at })
    }

    /// What the client calls itself, with U+FFFD for what is not UTF-8.
    pub(crate) fn client_id(&self) -> Option<String> {
        let name = RequestHead::parse(&self.frame).ok()?.client_id?;
        Some(String::from_utf8_lossy(name).into_owned())
    }

    /// The body's bytes, sharing the frame.
    pub(crate) fn body(&self) -> Bytes {
        self.frame.slice(self.body_at..)
    }

    /// The body as an owned message.
    pub(crate) fn decode<M: Message>(&self) -> Result<M, Hangup> {
        M::decode(&mut Reader::new(&self.frame[self.body_at..]), self.version).map_err(|error| self.malformed(&error))
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
