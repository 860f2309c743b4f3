//! `DeleteTopics` (key 20): deletes topics, by name or by id.
//!
//! - v1: throttle time. v3: TOPIC_DELETION_DISABLED may be answered; below it is INVALID_REQUEST.
//! - v4: flexible. v5: error messages. v6: topics by id (KIP-516).
//!
//! Errors by topic: UNKNOWN_TOPIC_OR_PARTITION, UNKNOWN_TOPIC_ID, INVALID_REQUEST, TOPIC_DELETION_DISABLED,
//! POLICY_VIOLATION (too many at once), NOT_CONTROLLER, REQUEST_TIMED_OUT. The answer comes when the topics are gone
//! for every client; their files go a little later.

use ottla_controller::{DeleteTopics, Reply, Request as Ask, TopicReference};
use ottla_protocol::ApiKey;
use ottla_protocol::delete_topics::{DeletableTopicResult, DeleteTopicsRequest, DeleteTopicsResponse};
use ottla_types::{ErrorCode, Uuid};

use super::Api;
use crate::node::Node;

pub(super) const API: Api = Api {
    key: ApiKey::DeleteTopics,
    served: 0..=6,
    handle: |node, request| {
        Box::pin(async move {
            let body = request.decode()?;
            request.answer(&handle(&node, body, request.version).await)
        })
    },
};

async fn handle(node: &Node, body: DeleteTopicsRequest, version: i16) -> DeleteTopicsResponse {
    let by_name = body.topic_names.into_iter().map(|name| TopicReference { name: Some(name), id: Uuid::ZERO });
    let by_either = body.topics.into_iter().map(|topic| TopicReference { name: topic.name, id: topic.topic_id });
    let topics: Vec<_> = by_name.chain(by_either).collect();
    let ask = Ask::DeleteTopics(DeleteTopics { topics: topics.clone() });
    let responses = match node.controller.ask_within(ask, body.timeout_ms).await {
        Reply::DeleteTopics(results) => results
            .into_iter()
            .map(|deleted| match deleted.result {
                Ok(()) => result(deleted.name, deleted.id, ErrorCode::None, None),
                Err(refusal) => result(deleted.name, deleted.id, refusal.code(), Some(refusal.to_string())),
            })
            .collect(),
        Reply::Refused(refusal) => {
            let code = match refusal.code() {
                ErrorCode::TopicDeletionDisabled if version < 3 => ErrorCode::InvalidRequest,
                code => code,
            };
            topics.into_iter().map(|topic| result(topic.name, topic.id, code, Some(refusal.to_string()))).collect()
        }
        other => unreachable!("the controller answers what it was asked, not {other}"),
    };
    DeleteTopicsResponse { responses, ..DeleteTopicsResponse::default() }
}

fn result(name: Option<String>, topic_id: Uuid, error: ErrorCode, message: Option<String>) -> DeletableTopicResult {
    DeletableTopicResult { name, topic_id, error_code: error.raw(), error_message: message }
}
