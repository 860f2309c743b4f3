//! One partition's records: found a home, checked, appended; or refused with everything the answer says about it.

use std::fmt;

use bytes::Bytes;
use ottla_protocol::TopicKey;
use ottla_record::BatchError;
use ottla_storage::Batch;
use ottla_types::{BrokerId, ErrorCode, Instant, LeaderEpoch, Offset, PartitionIndex};

use super::batch::batch_of;
use super::{Placed, Request};
use crate::handlers::seen::is_internal;
use crate::node::{Lookup, Node};
use crate::partition::{Acks, Partition};

/// Why a partition's records were not taken.
#[derive(Debug)]
pub(super) struct Refused {
    pub(super) error: ErrorCode,
    pub(super) message: Option<String>,
    /// Places in the batch and what is wrong there.
    pub(super) record_errors: Vec<(i32, String)>,
    /// Who leads, if not this broker.
    pub(super) current_leader: (BrokerId, LeaderEpoch),
    /// The log's start, where the log itself was asked; else -1.
    pub(super) log_start: Offset,
}

impl Refused {
    pub(super) const fn because(error: ErrorCode) -> Self {
        let current_leader = (BrokerId::NONE, LeaderEpoch::UNKNOWN);
        Self { error, message: None, record_errors: Vec::new(), current_leader, log_start: Offset(-1) }
    }

    pub(super) fn saying(error: ErrorCode, message: String) -> Self {
        Self { message: Some(message), ..Self::because(error) }
    }

    /// The same with the log's start, which Kafka tells of most that is found out at the log.
    pub(super) fn at(self, partition: &Partition) -> Self {
        match self.error {
            ErrorCode::CorruptMessage
            | ErrorCode::KafkaStorageError
            | ErrorCode::MessageTooLarge
            | ErrorCode::RecordListTooLarge => self,
            _ => Self { log_start: partition.log().log_start_offset(), ..self },
        }
    }
}

impl From<BatchError> for Refused {
    fn from(error: BatchError) -> Self {
        let records = error.record_errors().iter().map(|record| (record.index, record.fault.to_string()));
        Self { record_errors: records.collect(), ..Self::saying(error.error_code(), error.to_string()) }
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.message {
            Some(message) => write!(f, "{}: {message}", self.error),
            None => write!(f, "{}", self.error),
        }
    }
}

/// Records that take so long to be checked, a millisecond and more, that others must not wait for it. Batches of up to
/// 1 MB, which clients send by default, are checked in a fraction of that, and compressed ones in not much more.
const LONG_BYTES_MIN: usize = 4 << 20;

/// How often an append is tried again that met a log on its way to another directory.
const EXCHANGES_MAX: usize = 3;

/// Where records are to go, and what the client expects.
#[derive(Clone, Copy)]
pub(super) struct Asked<'a> {
    pub(super) topic: TopicKey<'a>,
    pub(super) index: i32,
    /// `None` of a number that means nothing.
    pub(super) acks: Option<Acks>,
    pub(super) request: &'a Request,
}

/// The client that may write to the brokers' own topics: Kafka's admin client calls itself so.
const ADMIN_CLIENT: &str = "__admin_client";

/// Checks `records` and puts them into the partition's queue; nothing is written yet. `None` for an empty message set:
/// that is fine, and goes nowhere.
pub(super) async fn append_one(
    node: &Node,
    asked: Asked<'_>,
    records: Option<Bytes>,
    deadline: Instant,
) -> Result<Option<Placed>, Refused> {
    let place = node.partition(&asked.topic, PartitionIndex(asked.index));
    // A topic that is not there is told of first.
    if asked.acks.is_none() && !matches!(place, Lookup::Unknown(_)) {
        return Err(Refused::because(ErrorCode::InvalidRequiredAcks));
    }
    let partition = match place {
        Lookup::Here(partition) => partition,
        Lookup::Elsewhere { leader, epoch } => {
            return Err(Refused {
                current_leader: (leader, epoch),
                ..Refused::because(ErrorCode::NotLeaderOrFollower)
            });
        }
        Lookup::Unknown(error) => return Err(Refused::because(error)),
    };
    if is_internal(partition.name.topic.as_str()) && asked.request.client_id().as_deref() != Some(ADMIN_CLIENT) {
        return Err(Refused::because(ErrorCode::InvalidTopicException));
    }
    let records = records.unwrap_or_default();
    let mut exchanges = 0;
    loop {
        let admitted = match records.len() < LONG_BYTES_MIN {
            true => admitted(node, &partition, &records, asked),
            false => node.runtime.compute(|| admitted(node, &partition, &records, asked)),
        };
        let Some(batch) = admitted? else { return Ok(None) };
        let (count, bytes) = (u64::from(batch.header.record_count.unsigned_abs()), batch.bytes.len() as u64);
        let refusal = match partition.append(batch, node.runtime.clock.wall()) {
            Ok(place) => {
                for traffic in [&node.metrics.traffic, &partition.traffic] {
                    traffic.produced(count, bytes);
                }
                return Ok(Some(Placed { partition, place }));
            }
            Err(refusal) => refusal,
        };
        exchanges += 1;
        if exchanges > EXCHANGES_MAX || !partition.comes_again(&refusal, &node.runtime, deadline).await {
            return Err(Refused::saying(refusal.error_code(), refusal.to_string()).at(&partition));
        }
    }
}

/// The batch that is to be appended, if it may be.
fn admitted(node: &Node, partition: &Partition, records: &Bytes, asked: Asked<'_>) -> Result<Option<Batch>, Refused> {
    let Some(batch) = batch_of(partition, records, asked.request.version, node.runtime.clock.wall(), &node.buffers)?
    else {
        return Ok(None);
    };
    if batch.header.attributes.is_transactional() {
        return Err(Refused::saying(ErrorCode::InvalidTxnState, "transactions are not served yet".to_owned()));
    }
    if asked.acks == Some(Acks::All) && !partition.has_enough_replicas() {
        return Err(Refused::because(ErrorCode::NotEnoughReplicas).at(partition));
    }
    Ok(Some(batch))
}
