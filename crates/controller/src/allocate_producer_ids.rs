//! AllocateProducerIds: a broker gets a block of producer ids that nobody else will ever get (KIP-730).

use std::fmt;

use ottla_metadata::{BrokerEpoch, Fact, Image};
use ottla_types::{BrokerId, ErrorCode, ProducerId};

use crate::draft::Draft;
use crate::request::StaleBroker;

/// How many producer ids a block holds, as Kafka's do.
pub const PRODUCER_ID_BLOCK_SIZE: i32 = 1_000;

/// A broker asks for producer ids.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AllocateProducerIds {
    /// The broker.
    pub broker_id: BrokerId,
    /// The epoch of its registration.
    pub broker_epoch: BrokerEpoch,
}

/// Producer ids that now belong to a broker: `first`, `first + 1`, …, `first + count - 1`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ProducerIdBlock {
    /// The lowest of them.
    pub first: ProducerId,
    /// How many there are.
    pub count: i32,
}

/// Why a broker gets no producer ids.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum AllocateProducerIdsRefusal {
    /// The broker is not registered like that.
    #[error(transparent)]
    Stale(#[from] StaleBroker),
    /// All producer ids that fit into 63 bits are given out.
    #[error("no producer ids are left")]
    Exhausted,
}

impl AllocateProducerIdsRefusal {
    /// Kafka's code for it.
    #[must_use]
    pub const fn code(&self) -> ErrorCode {
        match self {
            Self::Stale(stale) => stale.code(),
            Self::Exhausted => ErrorCode::UnknownServerError,
        }
    }
}

/// Gives out the next block.
pub(crate) fn decide(
    request: &AllocateProducerIds,
    draft: &mut Draft,
) -> Result<ProducerIdBlock, AllocateProducerIdsRefusal> {
    check_epoch(draft.image(), request.broker_id, request.broker_epoch)?;
    let first = draft.image().next_producer_id();
    let next = first.0.checked_add(PRODUCER_ID_BLOCK_SIZE.into()).ok_or(AllocateProducerIdsRefusal::Exhausted)?;
    draft.write(Fact::ProducerIdsAllocated { next: ProducerId(next) });
    Ok(ProducerIdBlock { first, count: PRODUCER_ID_BLOCK_SIZE })
}

/// Whether broker `id` is registered with `got`.
fn check_epoch(image: &Image, id: BrokerId, got: BrokerEpoch) -> Result<(), StaleBroker> {
    let registered = image.broker(id).ok_or(StaleBroker::NotRegistered(id))?.epoch;
    if registered == got { Ok(()) } else { Err(StaleBroker::OtherEpoch { id, registered, got }) }
}

impl fmt::Display for AllocateProducerIds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "allocate-producer-ids broker={} epoch={}", self.broker_id, self.broker_epoch)
    }
}

impl fmt::Display for ProducerIdBlock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "producer-ids first={} count={}", self.first, self.count)
    }
}
