//! What a handler makes of a request: an answer in pieces, the promise of one, or the end of the connection.

use bytes::Bytes;
use ottla_runtime::BoxFuture;
use ottla_storage::Slice;
use thiserror::Error;

use crate::metrics::ErrorCounts;

/// What a handler makes of a request.
pub(crate) enum Answer {
    /// The answer.
    Now(Response),
    /// The answer will come; the next request may be read meanwhile.
    Later(BoxFuture<'static, Result<Response, Hangup>>),
    /// The client expects none (a produce with acks=0).
    None,
}

/// The connection is of no more use: what Kafka closes it for.
#[derive(Debug, Error)]
pub(crate) enum Hangup {
    /// The request is not one that this broker serves, or not well formed.
    #[error("{0}")]
    Malformed(String),
    /// A produce with acks=0 was refused: closing is the only way to tell.
    #[error("a produce without acknowledgement was refused: {0}")]
    RefusedUnacknowledged(String),
}

/// A whole answer, its size in front.
#[derive(Debug)]
pub(crate) struct Response {
    parts: Vec<Part>,
    /// What it says of errors, for the metrics.
    pub(crate) errors: ErrorCounts,
}

/// A piece of an answer.
#[derive(Debug)]
pub(crate) enum Part {
    /// Bytes in memory.
    Bytes(Bytes),
    /// Records in a segment file.
    Records(Slice),
}

impl Response {
    /// An answer that is all in memory.
    pub(crate) fn bytes(frame: Bytes, errors: ErrorCounts) -> Self {
        Self { parts: vec![Part::Bytes(frame)], errors }
    }

    /// An answer of several pieces.
    pub(crate) const fn parts(parts: Vec<Part>, errors: ErrorCounts) -> Self {
        Self { parts, errors }
    }

    /// How much of it is in memory, in bytes.
    pub(crate) fn memory_bytes(&self) -> usize {
        let bytes = |part: &Part| if let Part::Bytes(bytes) = part { bytes.len() } else { 0 };
        self.parts.iter().map(bytes).sum()
    }

    /// The pieces, in order.
    pub(crate) fn into_parts(self) -> Vec<Part> {
        self.parts
    }
}
