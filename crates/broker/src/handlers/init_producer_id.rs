//! `InitProducerId` (key 22): gives an idempotent producer its id (KIP-98).
//!
//! - v2: flexible. v3: the producer's present id and epoch (KIP-360), which matter to transactions only; one of them without
//!   the other is refused in any case.
//! - v4: clients know that they may be fenced (KIP-588). v6 is not stable in any Kafka and not served.
//!
//! Errors: UNSUPPORTED_VERSION for a transactional id, since there are no transactions yet; INVALID_REQUEST for an
//! empty one and for half a present id; COORDINATOR_LOAD_IN_PROGRESS when no ids can be had at the moment, so that the client tries again.

use ottla_protocol::ApiKey;
use ottla_protocol::init_producer_id::{InitProducerIdRequest, InitProducerIdResponse};
use ottla_types::{ErrorCode, ProducerEpoch, ProducerId};

use super::Api;
use crate::node::Node;

pub(super) const API: Api = Api {
    key: ApiKey::InitProducerId,
    served: 0..=5,
    handle: |node, request| {
        Box::pin(async move {
            let body = request.decode()?;
            request.answer(&handle(&node, &body).await)
        })
    },
};

async fn handle(node: &Node, body: &InitProducerIdRequest) -> InitProducerIdResponse {
    if (body.producer_id == ProducerId::NONE.0) != (body.producer_epoch == ProducerEpoch::NONE.0) {
        return answer(ErrorCode::InvalidRequest, ProducerId::NONE, ProducerEpoch::NONE);
    }
    if let Some(transactional_id) = &body.transactional_id {
        let error = if transactional_id.is_empty() { ErrorCode::InvalidRequest } else { ErrorCode::UnsupportedVersion };
        return answer(error, ProducerId::NONE, ProducerEpoch::NONE);
    }
    match node.producer_ids.next(&node.controller).await {
        Ok(id) => answer(ErrorCode::None, id, ProducerEpoch(0)),
        Err(refusal) => {
            tracing::warn!(%refusal, "no producer id can be given out");
            answer(ErrorCode::CoordinatorLoadInProgress, ProducerId::NONE, ProducerEpoch::NONE)
        }
    }
}

fn answer(error: ErrorCode, id: ProducerId, epoch: ProducerEpoch) -> InitProducerIdResponse {
    InitProducerIdResponse {
        error_code: error.raw(),
        producer_id: id.0,
        producer_epoch: epoch.0,
        ..InitProducerIdResponse::default()
    }
}
