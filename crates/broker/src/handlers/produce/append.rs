//! One partition's records: found a home, checked, appended; or refused with everything the answer says about it.

use std::cell::RefCell;
use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use ottla_protocol::TopicKey;
use ottla_record::{BatchError, Codec, Scratch, check_batch, single_batch};
use ottla_storage::Batch;
use ottla_types::{BrokerId, ErrorCode, LeaderEpoch, PartitionIndex};

use super::Placed;
use crate::node::{Lookup, Node};
use crate::partition::{Acks, Partition};

/// The first version that may carry zstd (KIP-110).
const ZSTD_FROM: i16 = 7;

/// Why a partition's records were not taken.
#[derive(Debug)]
pub(super) struct Refused {
    pub(super) error: ErrorCode,
    pub(super) message: Option<String>,
    /// Places in the batch and what is wrong there.
    pub(super) record_errors: Vec<(i32, String)>,
    /// Who leads, if not this broker.
    pub(super) current_leader: (BrokerId, LeaderEpoch),
}

impl Refused {
    pub(super) const fn because(error: ErrorCode) -> Self {
        let current_leader = (BrokerId::NONE, LeaderEpoch::UNKNOWN);
        Self { error, message: None, record_errors: Vec::new(), current_leader }
    }

    fn saying(error: ErrorCode, message: String) -> Self {
        Self { message: Some(message), ..Self::because(error) }
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

thread_local! {
    /// Room to decompress into, one for each thread that checks.
    static SCRATCH: RefCell<Scratch> = RefCell::default();
}

/// Checks `records` and puts them into the partition's queue; nothing is written yet.
pub(super) fn append_one(
    node: &Node,
    topic: &TopicKey<'_>,
    index: i32,
    records: Option<Bytes>,
    acks: Acks,
    version: i16,
) -> Result<Placed, Refused> {
    let partition = match node.partition(topic, PartitionIndex(index)) {
        Lookup::Here(partition) => partition,
        Lookup::Elsewhere { leader, epoch } => {
            return Err(Refused {
                current_leader: (leader, epoch),
                ..Refused::because(ErrorCode::NotLeaderOrFollower)
            });
        }
        Lookup::Unknown(error) => return Err(Refused::because(error)),
    };
    let records = records.unwrap_or_default();
    let bytes = single_batch(&records)?;
    let batch = checked(node, &partition, records.slice_ref(bytes), version)?;
    if acks == Acks::All && !partition.has_enough_replicas() {
        return Err(Refused::because(ErrorCode::NotEnoughReplicas));
    }
    let (count, bytes) = (u64::from(batch.header.record_count.unsigned_abs()), batch.bytes.len() as u64);
    let appended = partition
        .append(batch, node.runtime.clock.wall())
        .map_err(|refusal| Refused::saying(refusal.error_code(), refusal.to_string()))?;
    for traffic in [&node.metrics.traffic, &partition.traffic] {
        traffic.produced(count, bytes);
    }
    Ok(Placed { partition, place: appended })
}

fn checked(node: &Node, partition: &Arc<Partition>, bytes: Bytes, version: i16) -> Result<Batch, Refused> {
    let (limits, rules) = partition.batch_rules(node.runtime.clock.wall());
    let batch = SCRATCH.with_borrow_mut(|scratch| check_batch(&bytes, &limits, &rules, scratch))?;
    if batch.codec == Codec::Zstd && version < ZSTD_FROM {
        let message = format!("zstd needs Produce v{ZSTD_FROM}, this is v{version}");
        return Err(Refused::saying(ErrorCode::UnsupportedCompressionType, message));
    }
    if batch.header.attributes.is_transactional() {
        return Err(Refused::saying(ErrorCode::InvalidTxnState, "transactions are not served yet".to_owned()));
    }
    Ok(Batch { header: batch.header, bytes })
}
