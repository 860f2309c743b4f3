//! What openraft is told about us: the types of its log, and the executor it runs on.
//!
//! A node is named by its `node.id` as an unsigned number, because openraft's storage tests count that way; at the edge
//! of the crate it is a [`BrokerId`] again. There is at most one leader per term (`leader_id_std`), so a term names a
//! leader, and [`crate::Term`] is all that a proposal needs to say whose it is.
//!
//! openraft draws random numbers for its timers. [`Executor`] is tokio with those numbers taken from a seed that every
//! task inherits from the task that spawned it, so that a run on paused time repeats itself. A task that calls openraft
//! must therefore run inside [`seeded`]; one that does not, panics at its first timer.

use std::cell::Cell;
use std::fmt;
use std::future::Future;
use std::sync::Arc;

use openraft::impls::{BoxedErrorSource, EmptyNode, InlineBatch, OneshotResponder, leader_id_std};
use openraft_rt::deterministic_rng::DeterministicRng;
use openraft_rt::task_local::TaskLocalFuture;
use openraft_rt_tokio::TokioRuntime;
use ottla_metadata::{Fact, Position};
use ottla_types::BrokerId;

/// The types of our log.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub(crate) struct Types;

impl openraft::RaftTypeConfig for Types {
    type D = Facts;
    type R = ();
    type NodeId = u64;
    type Node = EmptyNode;
    type Term = u64;
    type LeaderId = leader_id_std::LeaderId<u64, u64>;
    type Vote = openraft::Vote<Self::LeaderId>;
    type Payload = openraft::EntryPayload<Facts, u64, EmptyNode>;
    type Entry = openraft::Entry<CommittedLeaderId, Self::Payload>;
    type AsyncRuntime = Executor;
    type Responder<T>
        = OneshotResponder<Self, T>
    where
        T: openraft::OptionalSend + 'static;
    type Batch<T>
        = InlineBatch<T>
    where
        T: openraft::OptionalSend + 'static;
    type ErrorSource = BoxedErrorSource;
}

/// Tokio, with random numbers from a seed.
pub(crate) type Executor = DeterministicRng<TokioRuntime>;

pub(crate) type Entry = <Types as openraft::RaftTypeConfig>::Entry;
pub(crate) type Payload = <Types as openraft::RaftTypeConfig>::Payload;
pub(crate) type Vote = <Types as openraft::RaftTypeConfig>::Vote;
pub(crate) type LeaderId = <Types as openraft::RaftTypeConfig>::LeaderId;
pub(crate) type CommittedLeaderId = <LeaderId as openraft::vote::RaftLeaderId>::Committed;
pub(crate) type LogId = openraft::LogId<CommittedLeaderId>;
pub(crate) type Membership = openraft::Membership<u64, EmptyNode>;
pub(crate) type StoredMembership = openraft::StoredMembership<CommittedLeaderId, u64, EmptyNode>;
pub(crate) type SnapshotMeta = openraft::SnapshotMeta<CommittedLeaderId, u64, EmptyNode>;

/// Runs `task` so that it, and whatever it spawns through openraft, draws its random numbers from `seed`.
pub(crate) fn seeded<F: Future>(seed: u64, task: F) -> TaskLocalFuture<Cell<u64>, F> {
    Executor::scope(seed, task)
}

/// The facts of one entry. A clone is a reference.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Facts(pub(crate) Arc<[Fact]>);

impl fmt::Display for Facts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} facts", self.0.len())
    }
}

impl fmt::Debug for Facts {
    /// Not the facts: openraft prints entries in its traces.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The log id of an entry.
pub(crate) fn log_id(term: u64, index: u64) -> LogId {
    LogId::new(CommittedLeaderId::from(term), index)
}

/// Where a log id is, in the words of the image.
pub(crate) fn position(id: &LogId) -> Position {
    Position { term: **id.committed_leader_id(), index: id.index() }
}

/// The name openraft has for a node.
pub(crate) fn raft_id(node: BrokerId) -> u64 {
    u64::try_from(node.0).expect("a node that takes part has an id of 0 or more")
}

/// The node that openraft calls `id`.
pub(crate) fn broker_id(id: u64) -> BrokerId {
    BrokerId(i32::try_from(id).expect("ids come from `raft_id`"))
}
