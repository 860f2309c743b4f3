//! Reads what a fetch asks for, partition by partition, within its byte limits.

use std::sync::Arc;

use ottla_storage::{EpochEnd, Slice};
use ottla_types::{BrokerId, ErrorCode, LeaderEpoch, Offset};

use crate::partition::{Bounds, Partition};

/// One partition that is asked for.
pub(super) struct Asked {
    pub(super) target: Target,
    pub(super) from: Offset,
    /// The epoch that the client believes in.
    pub(super) known_epoch: LeaderEpoch,
    /// The epoch of the last record that the client has.
    pub(super) fetched_epoch: LeaderEpoch,
    pub(super) bytes_max: usize,
}

/// Where it leads.
pub(super) enum Target {
    Partition(Arc<Partition>),
    Refused(ErrorCode, Option<(BrokerId, LeaderEpoch)>),
}

/// What came of it.
pub(super) enum Got {
    /// Records, perhaps none.
    Records {
        bounds: Bounds,
        slice: Option<Slice>,
        /// Where the client's log leaves this one.
        diverging: Option<EpochEnd>,
    },
    Refused {
        error: ErrorCode,
        leader: Option<(BrokerId, LeaderEpoch)>,
    },
}

impl Asked {
    pub(super) fn partition(&self) -> Option<&Arc<Partition>> {
        match &self.target {
            Target::Partition(partition) => Some(partition),
            Target::Refused(..) => None,
        }
    }
}

impl Got {
    pub(super) fn bytes(&self) -> usize {
        match self {
            Self::Records { slice, .. } => slice.as_ref().map_or(0, |slice| slice.bytes),
            Self::Refused { .. } => 0,
        }
    }

    /// Whether the client must not be kept waiting: an error, or a log that diverges.
    pub(super) fn must_be_told(&self) -> bool {
        matches!(self, Self::Refused { .. } | Self::Records { diverging: Some(_), .. })
    }
}

/// Reads every partition in the request's order. The first that has records gives its first batch whatever the limits.
pub(super) async fn all(asked: &[Asked], bytes_max: usize) -> Vec<Got> {
    let mut left = bytes_max;
    let mut nothing_yet = true;
    let mut all = Vec::with_capacity(asked.len());
    for asked in asked {
        let got = one(asked, left, nothing_yet).await;
        let bytes = got.bytes();
        left = left.saturating_sub(bytes);
        nothing_yet &= bytes == 0;
        all.push(got);
    }
    all
}

async fn one(asked: &Asked, bytes_left: usize, at_least_one: bool) -> Got {
    let partition = match &asked.target {
        Target::Partition(partition) => partition,
        Target::Refused(error, leader) => return Got::Refused { error: *error, leader: *leader },
    };
    if partition.is_closed() {
        return Got::Refused { error: ErrorCode::NotLeaderOrFollower, leader: None };
    }
    if let Err(error) = partition.check_epoch(asked.known_epoch) {
        return Got::Refused { error, leader: None };
    }
    let bounds = partition.bounds();
    match diverging(asked, partition) {
        Ok(None) => {}
        // Whatever the offset: the client is to cut its log and ask again.
        Ok(diverging) => return Got::Records { bounds, slice: None, diverging },
        Err(error) => return Got::Refused { error, leader: None },
    }
    match partition.read(asked.from, asked.bytes_max.min(bytes_left), at_least_one).await {
        Ok(slice) => Got::Records { bounds, slice, diverging: None },
        Err(refusal) => Got::Refused { error: refusal.error_code(), leader: None },
    }
}

/// Where the client's log leaves this one, if it does: its last record's epoch ended here before the offset that it asks
/// for, or never was (KIP-595). An epoch above all that the log knows is no epoch of this partition: Kafka answers
/// OFFSET_OUT_OF_RANGE.
fn diverging(asked: &Asked, partition: &Partition) -> Result<Option<EpochEnd>, ErrorCode> {
    if asked.fetched_epoch == LeaderEpoch::UNKNOWN {
        return Ok(None);
    }
    let end = partition.log().end_offset_for_epoch(asked.fetched_epoch).ok_or(ErrorCode::OffsetOutOfRange)?;
    Ok((end.epoch < asked.fetched_epoch || end.end_offset < asked.from).then_some(end))
}
