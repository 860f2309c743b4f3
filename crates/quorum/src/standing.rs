//! Where this node stands in the quorum: who leads, in which term, and how far the image has come.

use std::fmt;
use std::sync::Arc;

use ottla_metadata::Position;
use ottla_types::BrokerId;

use crate::QuorumFault;

/// A period in which at most one node leads. Every election begins a higher one; so does every restart of a quorum of
/// one.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Term(pub u64);

impl fmt::Display for Term {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

/// What [`Quorum::watch`](crate::Quorum::watch) shows.
///
/// Invariant: `leading = Some(t) ⇒ applied.term ≥ t`: leadership is announced only once the image holds everything that
/// earlier leaders committed, so whoever decides on it decides on the whole past.
#[derive(Clone, Debug, Default)]
pub struct Standing {
    /// The term in which this node leads, and may propose.
    pub leading: Option<Term>,
    /// The node that leads as far as this one knows, itself included.
    pub leader: Option<BrokerId>,
    /// The highest term seen: the leader's, if there is one.
    pub term: Term,
    /// Who votes, and how far each has come. Followers' logs are known to the leader only.
    pub voters: Vec<Voter>,
    /// The last entry that the published image holds.
    pub applied: Position,
    /// Why the quorum has stopped on this node; it does not come back without a restart.
    pub stopped: Option<Arc<QuorumFault>>,
}

/// A node that votes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Voter {
    /// Which node.
    pub id: BrokerId,
    /// The index behind the last entry of its log; `None` if it is not known here.
    pub log_end: Option<u64>,
}

impl Standing {
    /// Whether leadership or health differ, the position aside.
    pub(crate) fn same_rank(&self, other: &Self) -> bool {
        self.leading == other.leading
            && self.leader == other.leader
            && self.stopped.is_some() == other.stopped.is_some()
    }
}
