//! The words of both machines of membership: what they hear, what they want done. They print as a script reads them.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fmt;
use std::sync::Arc;

use ottla_types::{Instant, TopicId};

use super::assignor::Subscription;
use super::classic::ClassicMember;
use super::consumer::ConsumerMember;
use super::{PartitionKey, Partitions};
use crate::coordinator::Identity;
use crate::error::Refusal;

/// When something happens, and bits for whoever needs chance.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Now {
    pub instant: Instant,
    pub random: u64,
}

/// Tells what was to be given up apart from what was before.
pub(crate) type Token = u64;

/// Partitions as the consumer protocol names them.
pub(crate) type IdPartitions = BTreeSet<(TopicId, i32)>;

/// What a machine hears.
#[derive(Clone, PartialEq, Debug)]
pub(crate) enum Input {
    /// These topics shall be read.
    Subscribe(BTreeSet<Arc<str>>),
    /// The application asked for records last at this moment.
    Polled(Instant),
    /// What was to be given up is no longer read, and committed if it shall be.
    Released(Token),
    /// The group shall be left for good.
    Close,
    /// Time has passed.
    Time,
    /// How many partitions topics have; those that are not there are left out.
    Topics(BTreeMap<Arc<str>, i32>),
    /// The names of topics.
    Names(BTreeMap<TopicId, Arc<str>>),
    /// The coordinator was looked for.
    Found(Result<(), Trouble>),
    /// The coordinator has given the member an id, with which it shall join (KIP-394).
    MemberId(String),
    /// What came of a join.
    Joined(Result<Joined, Trouble>),
    /// What came of a sync: what to read.
    Synced(Result<Partitions, Trouble>),
    /// What came of a heartbeat of the classic protocol.
    Beat(Result<(), Trouble>),
    /// What came of one of the consumer protocol.
    Assigned(Result<Assigned, Trouble>),
    /// The coordinator has heard that the member leaves, or cannot be told.
    Left,
}

/// Why a request did not do what it should.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Trouble {
    /// The coordinator refused.
    Refused(Refusal),
    /// It cannot be reached, or did not answer.
    Unreachable,
}

/// A group that was joined.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub(crate) struct Joined {
    pub member: String,
    pub generation: i32,
    /// The assignor that all members know.
    pub protocol: String,
    /// For the leader: who is there, and what they want.
    pub members: Option<BTreeMap<String, Subscription>>,
    /// For the leader: whether the assignment stands already (KIP-814).
    pub skip_assignment: bool,
}

/// What the coordinator answers a heartbeat of the consumer protocol.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Assigned {
    pub member: Option<String>,
    pub epoch: i32,
    pub heartbeat_interval: std::time::Duration,
    /// What the member may read now; `None` if nothing has changed.
    pub assignment: Option<IdPartitions>,
}

/// What a machine wants done.
#[derive(Clone, PartialEq, Debug)]
pub(crate) enum Output {
    /// This shall be asked; the answer is an input. One is under way at a time.
    Ask(Ask),
    /// The names of these topics are needed; beside what is asked.
    Names(BTreeSet<TopicId>),
    /// These partitions shall be given up, and [`Input::Released`] said then.
    Revoke(Token, Partitions),
    /// These partitions are another's already.
    Lost(Partitions),
    /// These partitions are to be read as well.
    Assign(Partitions),
    /// The membership is over: nothing that can be done again would mend it.
    Failed(Refusal),
    /// The group is left.
    Closed,
}

/// What can be asked of the cluster.
#[derive(Clone, PartialEq, Debug)]
pub(crate) enum Ask {
    /// Who keeps the group.
    FindCoordinator,
    /// How many partitions these topics have.
    Topics(BTreeSet<Arc<str>>),
    /// To join.
    Join { member: String, topics: BTreeSet<Arc<str>>, owned: Partitions, generation: i32 },
    /// For the assignment; the leader brings those of all.
    Sync { identity: Identity, protocol: String, assignments: BTreeMap<String, Partitions> },
    /// Whether all is well.
    Heartbeat(Identity),
    /// To leave.
    Leave(Identity),
    /// Whether all is well, in the consumer protocol; what has not changed is not said.
    ConsumerHeartbeat(ConsumerBeat),
}

/// A heartbeat of the consumer protocol.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct ConsumerBeat {
    pub identity: Identity,
    pub topics: Option<BTreeSet<Arc<str>>>,
    pub owned: Option<IdPartitions>,
    /// Whether what never changes is said too.
    pub whole: bool,
}

/// A machine of either protocol.
#[derive(Debug)]
pub(crate) enum Member {
    Classic(ClassicMember),
    Consumer(ConsumerMember),
}

impl Member {
    /// Takes an input.
    pub(crate) fn handle(&mut self, now: Now, input: Input) {
        match self {
            Self::Classic(machine) => machine.handle(now, input),
            Self::Consumer(machine) => machine.handle(now, input),
        }
    }

    /// What is to be done next.
    pub(crate) fn poll(&mut self) -> Option<Output> {
        self.outputs().pop_front()
    }

    /// When [`Input::Time`] is due.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        match self {
            Self::Classic(machine) => machine.deadline(),
            Self::Consumer(machine) => machine.deadline(),
        }
    }

    /// As whom to commit.
    pub(crate) fn identity(&self) -> Identity {
        match self {
            Self::Classic(machine) => machine.identity(),
            Self::Consumer(machine) => machine.identity(),
        }
    }

    /// Topics whose numbers of partitions matter to this member.
    pub(crate) fn watched(&self) -> BTreeSet<Arc<str>> {
        match self {
            Self::Classic(machine) => machine.watched(),
            Self::Consumer(_) => BTreeSet::new(),
        }
    }

    fn outputs(&mut self) -> &mut VecDeque<Output> {
        match self {
            Self::Classic(machine) => &mut machine.outputs,
            Self::Consumer(machine) => &mut machine.outputs,
        }
    }
}

/// Partitions as `t/0,t/1`, or `-`.
struct Listed<'a>(&'a Partitions);

impl fmt::Display for Listed<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        joined(f, self.0.iter().map(|(topic, index): &PartitionKey| format!("{topic}/{index}")))
    }
}

fn joined(f: &mut fmt::Formatter<'_>, mut parts: impl Iterator<Item = String>) -> fmt::Result {
    let Some(first) = parts.next() else { return f.write_str("-") };
    f.write_str(&first)?;
    parts.try_for_each(|part| write!(f, ",{part}"))
}

/// A word, or `-` in place of none.
fn word(text: &str) -> &str {
    if text.is_empty() { "-" } else { text }
}

impl fmt::Display for Output {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ask(ask) => write!(f, "ask {ask}"),
            Self::Names(ids) => {
                f.write_str("names ")?;
                joined(f, ids.iter().map(TopicId::to_string))
            }
            Self::Revoke(token, partitions) => write!(f, "revoke {} #{token}", Listed(partitions)),
            Self::Lost(partitions) => write!(f, "lost {}", Listed(partitions)),
            Self::Assign(partitions) => write!(f, "assign {}", Listed(partitions)),
            Self::Failed(refusal) => write!(f, "failed {refusal}"),
            Self::Closed => f.write_str("closed"),
        }
    }
}

impl fmt::Display for Ask {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::FindCoordinator => f.write_str("find-coordinator"),
            Self::Topics(topics) => {
                f.write_str("topics ")?;
                joined(f, topics.iter().map(ToString::to_string))
            }
            Self::Join { member, topics, owned, generation } => {
                write!(f, "join {} ", word(member))?;
                joined(f, topics.iter().map(ToString::to_string))?;
                write!(f, " owned={} generation={generation}", Listed(owned))
            }
            Self::Sync { identity, protocol, assignments } => {
                write!(f, "sync {identity} {protocol}")?;
                assignments.iter().try_for_each(|(member, all)| write!(f, " {member}={}", Listed(all)))
            }
            Self::Heartbeat(identity) => write!(f, "heartbeat {identity}"),
            Self::Leave(identity) => write!(f, "leave {identity}"),
            Self::ConsumerHeartbeat(beat) => {
                write!(f, "consumer-heartbeat {}", beat.identity)?;
                if let Some(topics) = &beat.topics {
                    f.write_str(" topics=")?;
                    joined(f, topics.iter().map(ToString::to_string))?;
                }
                if let Some(owned) = &beat.owned {
                    f.write_str(" owned=")?;
                    joined(f, owned.iter().map(|(id, index)| format!("{id}/{index}")))?;
                }
                if beat.whole { f.write_str(" whole") } else { Ok(()) }
            }
        }
    }
}

impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", word(&self.member), self.generation)?;
        self.instance.as_ref().map_or(Ok(()), |instance| write!(f, "/{instance}"))
    }
}
