//! What can go wrong, in words that a user reads: [`ConnectionError`] about one broker, [`ClientError`] about the rest.
//!
//! What a producer tells about one record is in `producer`.

use std::fmt;
use std::io;
use std::ops::RangeInclusive;
use std::time::Duration;

use ottla_protocol::ApiKey;
use ottla_record::BatchError;
use ottla_types::{ErrorCode, Offset};
use thiserror::Error;

use crate::address::Address;

/// A broker cannot be talked to, or not any longer. Cheap enough to give to everyone who waited.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
pub enum ConnectionError {
    /// No connection could be made.
    #[error("no broker answers at {address}: {reason}")]
    Connect {
        /// Whom to.
        address: Address,
        /// Why, such as "connection refused".
        reason: String,
    },
    /// The connection ended. Whether a request on it was carried out is unknown.
    #[error("the connection to {address} was lost: {reason}")]
    Lost {
        /// Whom to.
        address: Address,
        /// Why.
        reason: String,
    },
    /// No answer within the time for it; the connection is given up, since answers come in order.
    #[error("{address} has not answered {api} within {after:?}")]
    TimedOut {
        /// Who.
        address: Address,
        /// What was asked.
        api: ApiKey,
        /// The time that it had.
        after: Duration,
    },
    /// The peer sends what no Kafka broker would.
    #[error("{address} does not speak Kafka's protocol as it should: {reason}")]
    Protocol {
        /// Who.
        address: Address,
        /// What is wrong.
        reason: String,
    },
    /// Client and broker have no version of an API in common.
    #[error("{address} offers {} of {api}, {wanted:?} are needed", Offered(*.offered))]
    NoCommonVersion {
        /// Who.
        address: Address,
        /// Which API.
        api: ApiKey,
        /// Lowest and highest version that the broker offers; `None` if it lacks the API.
        offered: Option<(i16, i16)>,
        /// What this client could use.
        wanted: RangeInclusive<i16>,
    },
    /// The request cannot be written: a mistake of the caller, such as a name of 40,000 bytes.
    #[error("the request to {address} cannot be written: {reason}")]
    Request {
        /// Whom it was for.
        address: Address,
        /// Why not.
        reason: String,
    },
}

/// Why a call failed.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
pub enum ClientError {
    /// None of the brokers that are known could be reached. One error for each that was tried.
    #[error("{}", Attempts(.0))]
    Unreachable(Vec<ConnectionError>),
    /// One broker could not be talked to.
    #[error(transparent)]
    Connection(#[from] ConnectionError),
    /// A broker refused.
    #[error("{0}")]
    Refused(Refusal),
    /// The cluster has no such topic.
    #[error("there is no topic \"{0}\"")]
    UnknownTopic(String),
    /// The cluster has no such group.
    #[error("there is no group \"{0}\"")]
    UnknownGroup(String),
    /// The group has members, and may not have any for that.
    #[error("group \"{0}\" has members; stop them first")]
    GroupHasMembers(String),
    /// The topic has no such partition.
    #[error("topic \"{topic}\" has no partition {partition}, it has {count}")]
    UnknownPartition {
        /// The topic.
        topic: String,
        /// The partition asked for.
        partition: i32,
        /// How many it has, counted from 0.
        count: usize,
    },
    /// The time for the whole call is over.
    #[error("{what} took longer than {after:?}; the last error was: {last}")]
    TimedOut {
        /// What was tried.
        what: &'static str,
        /// The time that it had.
        after: Duration,
        /// What went wrong last.
        last: String,
    },
    /// The offset to read at is not in the log, and the policy is to say so.
    #[error("{topic}-{partition} has no offset {offset} (OFFSET_OUT_OF_RANGE)")]
    OffsetOutOfRange {
        /// The topic.
        topic: String,
        /// The partition.
        partition: i32,
        /// The offset asked for.
        offset: Offset,
    },
    /// The group has committed nothing for the partition, and the policy is to say so.
    #[error("{topic}-{partition} has no committed offset, and auto.offset.reset is none")]
    NoCommittedOffset {
        /// The topic.
        topic: String,
        /// The partition.
        partition: i32,
    },
    /// A fetched batch cannot be read.
    #[error("the batch at offset {offset} of {topic}-{partition} cannot be read: {fault}")]
    Batch {
        /// The topic.
        topic: String,
        /// The partition.
        partition: i32,
        /// Where the batch was looked for.
        offset: Offset,
        /// What is wrong with it.
        fault: BatchError,
    },
}

/// A broker's no: a code, and perhaps a sentence. Prints as `INVALID_PARTITIONS: …`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Refusal {
    /// The code; `UNKNOWN_SERVER_ERROR` for one that is not known here.
    pub code: ErrorCode,
    /// The broker's sentence.
    pub message: Option<String>,
}

impl Refusal {
    /// `Ok` for code 0, otherwise what the code means.
    pub fn check(raw: i16, message: Option<String>) -> Result<(), Self> {
        match ErrorCode::from_raw(raw) {
            Some(ErrorCode::None) => Ok(()),
            Some(code) => Err(Self { code, message }),
            None => {
                let message = message.unwrap_or_else(|| format!("the broker answered with the unknown code {raw}"));
                Err(Self { code: ErrorCode::UnknownServerError, message: Some(message) })
            }
        }
    }

    /// Whether the same request may succeed later or at another broker (`RetriableException` of Kafka's client).
    #[must_use]
    pub const fn is_retriable(&self) -> bool {
        is_retriable(self.code)
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.message {
            Some(message) if !message.is_empty() => write!(f, "{}: {message}", self.code),
            _ => write!(f, "{}", self.code),
        }
    }
}

impl From<Refusal> for ClientError {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl ClientError {
    /// Whether the same call may succeed later.
    #[must_use]
    pub const fn is_retriable(&self) -> bool {
        match self {
            Self::Unreachable(_) => true,
            Self::Connection(error) => error.is_retriable(),
            Self::Refused(refusal) => refusal.is_retriable(),
            _ => false,
        }
    }
}

impl ConnectionError {
    /// Whether another connection may do better.
    #[must_use]
    pub const fn is_retriable(&self) -> bool {
        matches!(self, Self::Connect { .. } | Self::Lost { .. } | Self::TimedOut { .. })
    }
}

/// Whether the same request may succeed later or at another broker.
pub(crate) const fn is_retriable(code: ErrorCode) -> bool {
    matches!(
        code,
        ErrorCode::CorruptMessage
            | ErrorCode::UnknownTopicOrPartition
            | ErrorCode::LeaderNotAvailable
            | ErrorCode::NotLeaderOrFollower
            | ErrorCode::RequestTimedOut
            | ErrorCode::BrokerNotAvailable
            | ErrorCode::ReplicaNotAvailable
            | ErrorCode::NetworkException
            | ErrorCode::CoordinatorLoadInProgress
            | ErrorCode::CoordinatorNotAvailable
            | ErrorCode::NotCoordinator
            | ErrorCode::NotEnoughReplicas
            | ErrorCode::NotEnoughReplicasAfterAppend
            | ErrorCode::NotController
            | ErrorCode::KafkaStorageError
            | ErrorCode::FencedLeaderEpoch
            | ErrorCode::UnknownLeaderEpoch
            | ErrorCode::OffsetNotAvailable
            | ErrorCode::ThrottlingQuotaExceeded
            | ErrorCode::UnknownTopicId
            | ErrorCode::InconsistentTopicId
            | ErrorCode::ConcurrentTransactions
    )
}

/// The words of an I/O error without the system's number for it.
pub(crate) fn io_reason(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::UnexpectedEof => "the broker closed it".to_owned(),
        kind if error.raw_os_error().is_some() && !kind.to_string().contains("uncategorized") => kind.to_string(),
        _ => error.to_string(),
    }
}

/// Prints a range of versions.
struct Offered(Option<(i16, i16)>);

impl fmt::Display for Offered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some((low, high)) => write!(f, "versions {low} to {high}"),
            None => f.write_str("no version"),
        }
    }
}

/// Prints what was tried, the first attempt first.
struct Attempts<'a>(&'a [ConnectionError]);

impl fmt::Display for Attempts<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return f.write_str("no broker is known");
        }
        for (i, error) in self.0.iter().enumerate() {
            if i > 0 {
                f.write_str("; ")?;
            }
            write!(f, "{error}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_read_as_sentences() {
        let address: Address = "127.0.0.1:9092".parse().unwrap();
        let refused = io::Error::from_raw_os_error(111);
        let connect = ConnectionError::Connect { address: address.clone(), reason: io_reason(&refused) };
        assert_eq!(connect.to_string(), "no broker answers at 127.0.0.1:9092: connection refused");
        let none =
            ConnectionError::NoCommonVersion { address, api: ApiKey::Fetch, offered: Some((0, 3)), wanted: 4..=17 };
        assert_eq!(none.to_string(), "127.0.0.1:9092 offers versions 0 to 3 of Fetch, 4..=17 are needed");
        assert_eq!(ClientError::Unreachable(vec![]).to_string(), "no broker is known");
        let refusal = Refusal::check(37, Some("one at least".to_owned())).unwrap_err();
        assert_eq!(refusal.to_string(), "INVALID_PARTITIONS: one at least");
        assert_eq!(Refusal::check(0, None), Ok(()));
        assert_eq!(Refusal::check(9999, None).unwrap_err().code, ErrorCode::UnknownServerError);
    }
}
