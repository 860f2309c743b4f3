//! Who of a consumer group reads which partition: the ways of assignment that the coordinator itself knows (KIP-848).
//!
//! Pure functions from a group's members, their topics and what each has now to what each shall have. Kafka 4.3.1 decides
//! the same, partition by partition; its choices follow the order of its hash tables, so [`hash_order`] says that order.
//! How a member gets from what it has to what it shall have is not decided here but where its heartbeats are answered.
//!
//! Read `range` first, then `uniform`.

mod hash_order;
mod ownership;
mod range;
mod uniform;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use ottla_types::Uuid;

/// Partitions by the id of their topic. No topic is in it without a partition.
pub type Assignment = BTreeMap<Uuid, BTreeSet<i32>>;

/// What every member shall have.
pub type Targets = BTreeMap<Arc<str>, Arc<Assignment>>;

/// A group as an assignor sees it.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct GroupSpec {
    /// The members by their ids.
    pub members: BTreeMap<Arc<str>, MemberSpec>,
    /// Whether all members name the same topics, and nobody subscribes by a regular expression. Names of topics that do not
    /// exist count, so this cannot be told from the members' [topics](MemberSpec::topics).
    pub is_homogeneous: bool,
}

/// A member as an assignor sees it. Racks play no part: neither of Kafka's two assignors asks for them.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct MemberSpec {
    /// Its instance id, if it is static.
    pub instance: Option<Arc<str>>,
    /// What it subscribes to, as far as it exists.
    pub topics: Arc<BTreeSet<Uuid>>,
    /// What it is meant to have until now, which nobody else is.
    pub assigned: Arc<Assignment>,
}

/// The topics of the cluster.
pub trait TopicsView {
    /// How many partitions the topic has; `None` if there is no such topic.
    fn partitions(&self, topic: Uuid) -> Option<i32>;
}

/// Somebody subscribes to a topic that does not exist.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct UnknownTopic(pub Uuid);

/// A way of assignment.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Assignor {
    /// The same number of partitions for everybody, and as few moves as that allows.
    Uniform,
    /// Of each topic a row of neighbours for everybody, so that topics with equally many partitions are read in step.
    Range,
}

impl Assignor {
    /// All, the one that a group gets which does not choose first.
    pub const ALL: [Self; 2] = [Self::Uniform, Self::Range];

    /// As members and settings call it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Uniform => "uniform",
            Self::Range => "range",
        }
    }

    /// The assignor of this name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|assignor| assignor.name() == name)
    }

    /// What everybody shall have. Each member is in it; for one whose assignment stays it is the one that came in.
    ///
    /// # Errors
    /// The first topic found that somebody subscribes to and nobody knows.
    pub fn assign(self, spec: &GroupSpec, topics: &dyn TopicsView) -> Result<Targets, UnknownTopic> {
        match self {
            Self::Uniform => uniform::assign(spec, topics),
            Self::Range => range::assign(spec, topics),
        }
    }
}

/// The number of partitions of a topic that somebody subscribes to.
fn count(topics: &dyn TopicsView, topic: Uuid) -> Result<usize, UnknownTopic> {
    topics.partitions(topic).and_then(|count| usize::try_from(count).ok()).ok_or(UnknownTopic(topic))
}

/// What members shall have, given in the order of the spec's members, with the assignments of the spec where they stay.
fn targets(spec: &GroupSpec, assignments: impl IntoIterator<Item = (Arc<str>, Assignment)>) -> Targets {
    let shared = |(member, assignment): (Arc<str>, Assignment)| {
        let before = &spec.members[&member].assigned;
        let target = if **before == assignment { before.clone() } else { Arc::new(assignment) };
        (member, target)
    };
    assignments.into_iter().map(shared).collect()
}
