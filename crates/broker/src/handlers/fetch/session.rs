//! What a request's session comes to: the partitions to read, whether the client hears of all of them, and where they are
//! kept when it is answered. What a session is stands in [`crate::fetch_sessions`].

use std::sync::Weak;

use ottla_protocol::{FetchPartitionView, FetchRequestView};
use ottla_types::{ErrorCode, LeaderEpoch, Offset, PartitionIndex};

use super::IDS_FROM;
use crate::fetch_sessions::{Claim, Newcomer, PARTITIONS_MAX, Session, SessionId, Taken, Wanted};
use crate::node::Node;
use crate::partition::Partition;

/// A session as this handler has it: it finds partitions again that it found before.
pub(super) type Partitions = Session<Weak<Partition>>;

/// No session.
const NO_SESSION: SessionId = 0;
/// Asks for a new session.
const INITIAL_EPOCH: i32 = 0;
/// Asks for none, and ends the one that the request names.
const FINAL_EPOCH: i32 = -1;

/// The partitions of one request.
pub(super) enum Context<'a> {
    /// Named in full; for a new session, if there is a newcomer.
    Full(Box<Partitions>, Option<Newcomer>),
    /// Those of a session, as the request changed it.
    Incremental(Taken<'a, Weak<Partition>>),
}

/// Finds the partitions that a request is about, or says what is wrong with its session.
pub(super) fn begin<'a>(node: &'a Node, view: &FetchRequestView<'_>, version: i16) -> Result<Context<'a>, ErrorCode> {
    let by_id = version >= IDS_FROM;
    if matches!(view.session_epoch, INITIAL_EPOCH | FINAL_EPOCH) {
        if view.session_id != NO_SESSION {
            node.fetch_sessions.remove(view.session_id);
        }
        let mut partitions = Box::<Partitions>::default();
        follow(&mut partitions, view);
        let newcomer = Newcomer { privileged: view.replica_id >= 0, by_id };
        return Ok(Context::Full(partitions, (view.session_epoch == INITIAL_EPOCH).then_some(newcomer)));
    }
    let claim = Claim { id: view.session_id, epoch: view.session_epoch, by_id };
    let mut session = node.fetch_sessions.take(claim, node.runtime.clock.now())?;
    follow(&mut session, view);
    let topics = view.forgotten_topics();
    session.forget(topics.flat_map(|topic| topic.partitions().map(move |index| (topic.topic, PartitionIndex(index)))));
    if session.len() > PARTITIONS_MAX {
        session.end();
        return Err(ErrorCode::FetchSessionIdNotFound);
    }
    // A session without partitions is of no use to anyone.
    Ok(if session.is_empty() { Context::Full(session.end(), None) } else { Context::Incremental(session) })
}

fn follow(partitions: &mut Partitions, view: &FetchRequestView<'_>) {
    for topic in view.topics() {
        for partition in topic.partitions() {
            partitions.follow(&topic.topic, PartitionIndex(partition.partition), wanted(&partition));
        }
    }
}

fn wanted(partition: &FetchPartitionView) -> Wanted {
    // Any negative epoch is none.
    let epoch = |raw: i32| LeaderEpoch(raw.max(LeaderEpoch::UNKNOWN.0));
    Wanted {
        fetch_offset: Offset(partition.fetch_offset),
        leader_epoch: epoch(partition.current_leader_epoch),
        last_fetched_epoch: epoch(partition.last_fetched_epoch),
        bytes_max: usize::try_from(partition.partition_max_bytes).unwrap_or_default(),
    }
}

impl<'a> Context<'a> {
    pub(super) fn partitions(&self) -> &Partitions {
        match self {
            Self::Full(partitions, _) => partitions,
            Self::Incremental(session) => session,
        }
    }

    pub(super) fn partitions_mut(&mut self) -> &mut Partitions {
        match self {
            Self::Full(partitions, _) => partitions,
            Self::Incremental(session) => session,
        }
    }

    /// Whether the client hears of every partition, changed or not.
    pub(super) const fn tells_all(&self) -> bool {
        matches!(self, Self::Full(..))
    }

    /// Keeps the partitions as a session, if one is asked for and there is room.
    pub(super) fn keep(self, node: &'a Node) -> Self {
        let Self::Full(partitions, Some(newcomer)) = self else { return self };
        let (now, random) = (node.runtime.clock.now(), node.runtime.random.bits());
        match node.fetch_sessions.open(now, newcomer, partitions, random) {
            Ok(session) => Self::Incremental(session),
            Err(partitions) => Self::Full(partitions, None),
        }
    }

    /// The session that they are kept in.
    pub(super) const fn id(&self) -> SessionId {
        match self {
            Self::Full(..) => NO_SESSION,
            Self::Incremental(session) => session.id(),
        }
    }
}
