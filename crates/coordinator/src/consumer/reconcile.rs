//! One step of a member towards its target: what it keeps, what it has to give back, what it gets.

use std::collections::BTreeSet;
use std::sync::Arc;

use ottla_types::Uuid;

use super::ConsumerGroup;
use super::fact::{ConsumerFact, waiting};
use super::member::{Held, MemberState, Standing};
use crate::sown::{self, Bug};
use crate::turn::Turn;

/// Partitions by their topics, as a member says that it holds them.
pub(super) type Owned = [(Uuid, Vec<i32>)];

impl ConsumerGroup {
    /// Takes a member one step, if there is one to take. `owned` is what it says that it holds; `None` if it does not say.
    pub(super) fn reconcile(
        &mut self,
        turn: &mut Turn<'_>,
        id: &Arc<str>,
        subscription_changed: bool,
        owned: Option<&Owned>,
    ) {
        let Some(member) = self.members.get(id) else { return };
        if !subscription_changed && member.standing.is_reconciled_to(self.target.epoch) {
            return;
        }
        let standing = &member.standing;
        let next = match standing.state {
            MemberState::Stable if standing.epoch == self.target.epoch => {
                if subscription_changed {
                    self.without_unsubscribed(turn, id, owned)
                } else {
                    None
                }
            }
            MemberState::Unrevoked if holds_any(owned, &standing.revoking) => {
                if subscription_changed {
                    self.without_unsubscribed(turn, id, owned)
                } else {
                    None
                }
            }
            MemberState::Stable | MemberState::Unrevoked | MemberState::Unreleased => {
                Some(self.next(turn, id, standing.epoch, owned))
            }
            MemberState::Unknown => Some(self.next(turn, id, self.target.epoch, owned)),
        };
        let Some(next) = next.filter(|next| *next != self.members[id].standing) else { return };
        let (said, state) = (&self.members[id].said, next.state);
        let (is_classic, timeout) = (said.classic.is_some(), said.rebalance_timeout());
        self.remember(turn, ConsumerFact::Standing(id.clone(), Some(next)));
        // Classic members have deadlines of their own.
        if !is_classic {
            match state {
                MemberState::Unrevoked => turn.set(self.rebalance(id), timeout),
                _ => turn.cancel(&self.rebalance(id)),
            }
        }
    }

    /// The member without what it does not read any more; `None` if it has nothing of that kind.
    fn without_unsubscribed(&self, turn: &Turn<'_>, id: &Arc<str>, owned: Option<&Owned>) -> Option<Standing> {
        let standing = &self.members[id].standing;
        let reads = self.topics_of(turn, id);
        let (mut assigned, mut revoking) = (Held::new(), standing.revoking.clone());
        for (topic, partitions) in &standing.assigned {
            if reads.contains(topic) {
                assigned.insert(*topic, partitions.clone());
            } else {
                revoking.entry(*topic).or_default().extend(partitions);
            }
        }
        if assigned == standing.assigned {
            return None;
        }
        let (epoch, previous_epoch) = (standing.epoch, standing.epoch);
        Some(if !revoking.is_empty() && holds_any(owned, &revoking) {
            Standing { epoch, previous_epoch, state: MemberState::Unrevoked, assigned, revoking }
        } else {
            // It has given back already.
            Standing { epoch, previous_epoch, assigned, ..standing.clone() }
        })
    }

    /// The member with as much of its target as it can have now. `epoch` is the one that it keeps while it has to give
    /// something back.
    fn next(&self, turn: &Turn<'_>, id: &Arc<str>, epoch: i32, owned: Option<&Owned>) -> Standing {
        let standing = &self.members[id].standing;
        let reads = self.topics_of(turn, id);
        let target = self.targets.get(id);
        let nothing = (BTreeSet::new(), std::collections::BTreeMap::new());
        let (mut assigned, mut revoking, mut free) = (Held::new(), Held::new(), Held::new());
        let mut is_missing = false;
        let topics: BTreeSet<Uuid> =
            target.iter().flat_map(|target| target.keys()).chain(standing.assigned.keys()).copied().collect();
        for topic in topics {
            // What it does not read any more it is not to have.
            let wanted = target.and_then(|target| target.get(&topic)).filter(|_| reads.contains(&topic));
            let wanted = wanted.unwrap_or(&nothing.0);
            let has = standing.assigned.get(&topic).unwrap_or(&nothing.1);
            for (partition, since) in has {
                let held = if wanted.contains(partition) { &mut assigned } else { &mut revoking };
                held.entry(topic).or_default().insert(*partition, *since);
            }
            for partition in wanted.iter().filter(|partition| !has.contains_key(partition)) {
                let is_its_own = standing.revoking.get(&topic).is_some_and(|held| held.contains_key(partition));
                if self.is_held(topic, *partition) && !is_its_own && !sown::is(Bug::ToldBeforeGivenBack) {
                    is_missing = true;
                } else {
                    free.entry(topic).or_default().insert(*partition, self.target.epoch);
                }
            }
        }
        let previous_epoch = standing.epoch;
        if !revoking.is_empty() && holds_any(owned, &revoking) {
            return Standing { epoch, previous_epoch, state: MemberState::Unrevoked, assigned, revoking };
        }
        for (topic, partitions) in free {
            assigned.entry(topic).or_default().extend(partitions);
        }
        let (epoch, state) = (self.target.epoch, waiting(is_missing));
        Standing { epoch, previous_epoch, state, assigned, revoking: Held::new() }
    }
}

/// Whether a member still holds any of what it has to give back. One that does not say might.
fn holds_any(owned: Option<&Owned>, revoking: &Held) -> bool {
    let Some(owned) = owned else { return true };
    owned.iter().any(|(topic, partitions)| {
        let revoking = revoking.get(topic);
        partitions.iter().any(|partition| revoking.is_some_and(|held| held.contains_key(partition)))
    })
}
