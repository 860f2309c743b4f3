//! `Fetch` (key 1): reads records from partitions that this broker leads.
//!
//! - v0: messages of magic 0; v1: throttle time; v2: magic 1 (KIP-32). v3: a limit for the whole answer, which its first
//!   batch may exceed (KIP-74). Kafka 4 serves none of them. [`convert`] makes old messages of batches.
//! - v4: batches of magic 2, isolation level (KIP-98). v5: log start offset.
//! - v6: KAFKA_STORAGE_ERROR; up to v5 NOT_LEADER_OR_FOLLOWER stands for it (KIP-112).
//! - v7: sessions (KIP-227): [`crate::fetch_sessions`]. v9: the client's leader epoch (KIP-320).
//! - v11: rack and preferred replica; a lone node prefers none (KIP-392). v12: flexible; the epoch last fetched (KIP-595).
//! - v13: topics by id (KIP-516). v15: the replica in a tagged field (KIP-903). v16: leaders' addresses (KIP-951).
//! - v17, v18: what followers of the metadata log say; ignored.
//!
//! Who reads at isolation level 1 gets nothing at or above the last stable offset, and with the records a list of the
//! transactions among them that were aborted; at level 0 the list is null. That offset moves only with the high watermark,
//! so both wait for the same.
//!
//! In this order: [`session`] finds out which partitions the request is about, [`lookup`] where they are, [`wait`] has
//! them read ([`read`]) until there is enough, [`reply`] words the answer.
//!
//! Errors of the whole: FETCH_SESSION_ID_NOT_FOUND, INVALID_FETCH_SESSION_EPOCH, FETCH_SESSION_TOPIC_ID_ERROR. By
//! partition: UNKNOWN_TOPIC_OR_PARTITION, UNKNOWN_TOPIC_ID, INCONSISTENT_TOPIC_ID, NOT_LEADER_OR_FOLLOWER,
//! FENCED_LEADER_EPOCH, UNKNOWN_LEADER_EPOCH, OFFSET_OUT_OF_RANGE, KAFKA_STORAGE_ERROR, and UNSUPPORTED_COMPRESSION_TYPE
//! for zstd up to v9.

mod convert;
mod lookup;
mod read;
mod reply;
mod session;
mod wait;

use std::time::Duration;

use ottla_protocol::{ApiKey, FetchReply, FetchRequestView, Part as Piece};

use super::{Api, Request};
use crate::answer::{Answer, Hangup, Part, Response};
use crate::metrics::ErrorCounts;
use crate::node::Node;
use lookup::Asked;
use read::{Got, Outcome, Reader};
use reply::RecordsPlace;
use wait::Patience;

pub(super) const API: Api = Api {
    key: ApiKey::Fetch,
    served: 0..=18,
    handle: |node, mut request| Box::pin(async move { handle(&node, &mut request).await }),
};

/// The first version that names topics by id.
const IDS_FROM: i16 = 13;
/// A request so large that it holds memory that others wait for is not held back for longer than this.
const LARGE_WAIT_MAX: Duration = Duration::from_secs(1);
/// The isolation level of those who read only what was committed (KIP-98).
const READ_COMMITTED: i8 = 1;

async fn handle(node: &Node, request: &mut Request) -> Result<Answer, Hangup> {
    let body = request.body();
    let view = FetchRequestView::parse(&body, request.version).map_err(|error| request.malformed(&error))?;
    let mut idle_max = node.config().connections.idle_max;
    if request.is_large() {
        let elements = view.topics().map(|topic| 1 + topic.partitions().len()).sum();
        request.make_room_for_elements(&node.connections.memory, elements).await;
        idle_max = Some(idle_max.map_or(LARGE_WAIT_MAX, |idle_max| idle_max.min(LARGE_WAIT_MAX)));
    }
    let request = &*request;
    let mut context = match session::begin(node, &view, request.version) {
        Ok(context) => context,
        Err(error) => return respond(request, FetchReply { error_code: error.raw(), ..nothing() }),
    };
    let mut asked = lookup::find_all(node, context.partitions_mut());
    let bytes = |number: i32| usize::try_from(number).unwrap_or_default();
    let bytes_max = bytes(view.max_bytes.min(node.config().fetch_bytes_max));
    let hard_limits = convert::has_hard_limits(request.version);
    let reader = Reader {
        node,
        bytes_max,
        replica_id: view.replica_id,
        hard_limits,
        committed: view.isolation_level == READ_COMMITTED,
        tells_all: context.tells_all(),
    };
    let patience =
        Patience::new(node.runtime.clock.now(), view.max_wait_ms, idle_max, bytes(view.min_bytes).min(bytes_max));
    let harvest = wait::read_enough(&reader, &patience, context.partitions(), &mut asked).await;

    let mut got = harvest.got;
    convert::for_version(node, request.version, bytes_max, context.partitions(), &mut got).await;
    count(node, &asked, &got);
    let tells_all = context.tells_all();
    let partitions = context.partitions_mut();
    got.iter().for_each(|got| partitions.tell(got.place, &got.found));
    // What a full answer names is the order from which a session starts.
    partitions.move_to_end(got.iter().filter(|got| tells_all || got.found.bytes > 0).map(|got| got.place));
    let node_endpoints = reply::leaders(node, request, view.replica_id, &got);
    let context = context.keep(node);
    let topics = reply::topics(context.partitions(), got, request.version);
    respond(request, FetchReply { session_id: context.id(), topics, node_endpoints, ..nothing() })
}

/// Counts what each partition is answered with; those that there is nothing to say of are asked for as well.
fn count(node: &Node, asked: &[Asked], got: &[Got]) {
    let mut got = got.iter().peekable();
    for asked in asked {
        let got = got.next_if(|got| got.place == asked.place);
        let own = asked.partition().map(|partition| &partition.traffic);
        for traffic in [Some(&node.metrics.traffic), own].into_iter().flatten() {
            match got.map(|got| &got.outcome) {
                Some(Outcome::Refused { .. }) => traffic.refused_fetch(),
                _ => traffic.fetched(got.map_or(0, |got| got.found.bytes as u64)),
            }
        }
    }
}

/// An answer that says nothing.
const fn nothing() -> FetchReply<'static, RecordsPlace> {
    FetchReply { throttle_time_ms: 0, error_code: 0, session_id: 0, topics: Vec::new(), node_endpoints: Vec::new() }
}

fn respond(request: &Request, reply: FetchReply<'_, RecordsPlace>) -> Result<Answer, Hangup> {
    let mut errors = ErrorCounts::default();
    errors.add(reply.error_code);
    reply.topics.iter().flat_map(|topic| &topic.partitions).for_each(|partition| errors.add(partition.error_code));
    let frame = reply
        .into_frame(request.correlation_id, request.version)
        .map_err(|error| Hangup::Malformed(format!("the answer cannot be written: {error}")))?;
    let mut parts = Vec::with_capacity(frame.parts.len());
    for piece in frame.parts {
        match piece {
            Piece::Inline(bytes) => parts.push(Part::Bytes(bytes)),
            Piece::Records(place) => place.send_by(&mut parts),
        }
    }
    Ok(Answer::Now(Response::parts(parts, errors)))
}
