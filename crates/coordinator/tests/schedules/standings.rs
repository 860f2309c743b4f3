//! Where the coordinator says that members of consumer groups stand, as its facts tell it.

use std::collections::BTreeMap;
use std::sync::Arc;

use ottla_coordinator::{ConsumerFact, Fact, Standing};

use super::reads::Partition;

/// Members by their groups, as of the last fact, committed or not.
#[derive(Default)]
pub(super) struct Standings {
    members: BTreeMap<Arc<str>, BTreeMap<Arc<str>, Standing>>,
    /// How often each group ended: epochs and generations may begin again then.
    ends: BTreeMap<Arc<str>, u64>,
}

impl Standings {
    /// Takes a fact in.
    pub(super) fn fold(&mut self, fact: &Fact) {
        match fact {
            Fact::Consumer { group, fact: ConsumerFact::Standing(member, standing) } => {
                let members = self.members.entry(group.clone()).or_default();
                match standing {
                    Some(standing) => members.insert(member.clone(), standing.clone()),
                    None => members.remove(member),
                };
            }
            Fact::Consumer { group, fact: ConsumerFact::Epoch(None) } | Fact::ClassicGroup { group, value: None } => {
                *self.ends.entry(group.clone()).or_default() += 1;
            }
            _ => {}
        }
    }

    /// What was not written is not so: `self` is read from the log, `before` was here before.
    pub(super) fn after(mut self, before: Self) -> Self {
        self.ends = before.ends;
        self
    }

    pub(super) fn of(&self, group: &str, member: &str) -> Option<&Standing> {
        self.members.get(group)?.get(member)
    }

    /// Whether the group is of the consumer protocol, and somebody is in it.
    pub(super) fn has_members(&self, group: &str) -> bool {
        self.members.get(group).is_some_and(|members| !members.is_empty())
    }

    pub(super) fn ends(&self, group: &str) -> u64 {
        self.ends.get(group).copied().unwrap_or(0)
    }

    /// Nobody has, or has to give back, what is another's.
    pub(super) fn check(&self) -> Result<(), String> {
        for (group, members) in &self.members {
            let mut owners = BTreeMap::<Partition, &Arc<str>>::new();
            for (member, standing) in members {
                for partition in held(standing) {
                    if let Some(other) = owners.insert(partition, member) {
                        return Err(format!("{group}/{partition:?} is held by {other} and {member}"));
                    }
                }
            }
        }
        Ok(())
    }
}

/// What a member answers for: what it has, and what it has to give back.
pub(super) fn held(standing: &Standing) -> impl Iterator<Item = Partition> {
    let all = [&standing.assigned, &standing.revoking].into_iter();
    all.flat_map(|held| held.iter().flat_map(|(topic, indexes)| indexes.keys().map(|index| (*topic, *index))))
}
