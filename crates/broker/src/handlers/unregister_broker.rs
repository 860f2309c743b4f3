//! `UnregisterBroker` (key 64): forgets a broker that is gone for good (KIP-631).
//!
//! v0 only. Errors: BROKER_ID_NOT_REGISTERED, INVALID_REQUEST (the broker is active: Kafka would forget it all the same),
//! NOT_CONTROLLER, REQUEST_TIMED_OUT.

use ottla_controller::{Reply, Request as Ask, UnregisterBroker};
use ottla_protocol::ApiKey;
use ottla_protocol::unregister_broker::{UnregisterBrokerRequest, UnregisterBrokerResponse};
use ottla_types::BrokerId;

use super::Api;
use crate::node::Node;

pub(super) const API: Api = Api {
    key: ApiKey::UnregisterBroker,
    served: 0..=0,
    handle: |node, request| {
        Box::pin(async move {
            let body = request.decode()?;
            request.answer(&handle(&node, &body).await)
        })
    },
};

async fn handle(node: &Node, body: &UnregisterBrokerRequest) -> UnregisterBrokerResponse {
    let ask = Ask::UnregisterBroker(UnregisterBroker { id: BrokerId(body.broker_id) });
    let (error, message) = match node.controller.ask(ask).await {
        Reply::UnregisterBroker(Ok(())) => return UnregisterBrokerResponse::default(),
        Reply::UnregisterBroker(Err(refusal)) => (refusal.code(), refusal.to_string()),
        Reply::Refused(refusal) => (refusal.code(), refusal.to_string()),
        other => unreachable!("the controller answers what it was asked, not {other}"),
    };
    UnregisterBrokerResponse {
        error_code: error.raw(),
        error_message: Some(message),
        ..UnregisterBrokerResponse::default()
    }
}
