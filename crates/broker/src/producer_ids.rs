//! Producer ids, a block at a time: the controller gives out a thousand, and this hands them on one by one.

use ottla_controller::{AllocateProducerIds, Reply, Request};
use ottla_metadata::BrokerEpoch;
use ottla_types::{BrokerId, ProducerId};
use thiserror::Error;
use tokio::sync::Mutex;

use crate::controller::ControllerHandle;

/// The ids that this broker may give out.
#[derive(Debug)]
pub(crate) struct ProducerIds {
    broker_id: BrokerId,
    broker_epoch: BrokerEpoch,
    /// What is left of the block. Held across the request for the next one, so that only one asks; nothing else does.
    left: Mutex<std::ops::Range<i64>>,
}

/// No id could be had.
#[derive(Debug, Error)]
#[error("{0}")]
pub(crate) struct NoProducerId(String);

impl ProducerIds {
    pub(crate) fn new(broker_id: BrokerId, broker_epoch: BrokerEpoch) -> Self {
        Self { broker_id, broker_epoch, left: Mutex::new(0..0) }
    }

    /// An id that no producer of this cluster ever had.
    pub(crate) async fn next(&self, controller: &ControllerHandle) -> Result<ProducerId, NoProducerId> {
        let mut left = self.left.lock().await;
        if left.is_empty() {
            let ask = AllocateProducerIds { broker_id: self.broker_id, broker_epoch: self.broker_epoch };
            *left = match controller.ask(Request::AllocateProducerIds(ask)).await {
                Reply::AllocateProducerIds(Ok(block)) => block.first.0..block.first.0 + i64::from(block.count),
                Reply::AllocateProducerIds(Err(refusal)) => return Err(NoProducerId(refusal.to_string())),
                Reply::Refused(refusal) => return Err(NoProducerId(refusal.to_string())),
                other => unreachable!("the controller answers what it was asked, not {other}"),
            };
        }
        let id = left.next().ok_or_else(|| NoProducerId("the controller gave out an empty block".to_owned()))?;
        Ok(ProducerId(id))
    }
}
