//! A consumer group as tools see it.

use std::collections::BTreeMap;
use std::sync::Arc;

use ottla_types::Uuid;

use super::ConsumerGroup;
use super::member::{Held, Member};
use super::request::{DescribedAssignment, DescribedConsumer, DescribedConsumerGroup};
use super::topics::Topics;
use crate::request::ListedGroup;
use crate::turn::Turn;

impl ConsumerGroup {
    /// The group in a list.
    pub(crate) fn listed(&self) -> ListedGroup {
        ListedGroup {
            group: self.id.clone(),
            protocol_type: "consumer".into(),
            state: self.state().name(),
            kind: "consumer",
        }
    }

    /// The group with its members.
    pub(crate) fn described(&self, turn: &Turn<'_>) -> DescribedConsumerGroup {
        let member = |(id, member): (&Arc<str>, &Member)| {
            let (said, standing) = (&member.said, &member.standing);
            let target = self.targets.get(id).map(|target| named(turn.topics, target.iter()));
            DescribedConsumer {
                member: id.clone(),
                instance: said.instance.clone(),
                rack: said.rack.clone(),
                epoch: standing.epoch,
                client_id: said.client_id.clone(),
                client_host: said.client_host.clone(),
                topics: said.topics.iter().cloned().collect(),
                regex: said.regex.clone(),
                assignment: held(turn.topics, &standing.assigned, &standing.revoking),
                target: target.unwrap_or_default(),
                is_classic: said.classic.is_some(),
            }
        };
        DescribedConsumerGroup {
            state: self.state().name(),
            epoch: self.epoch.epoch,
            target_epoch: self.target.epoch,
            assignor: self.assignor(turn).name(),
            members: self.members.iter().map(member).collect(),
        }
    }
}

/// What a member has and what it has to give back: it answers for both.
fn held(topics: &Topics, assigned: &Held, revoking: &Held) -> Vec<DescribedAssignment> {
    let mut all = BTreeMap::<Uuid, Vec<i32>>::new();
    for (topic, partitions) in assigned.iter().chain(revoking) {
        all.entry(*topic).or_default().extend(partitions.keys());
    }
    named(topics, all.iter())
}

/// Partitions with the names of their topics; those of topics that are gone are left out.
fn named<'a, P: IntoIterator<Item = &'a i32> + Copy + 'a>(
    topics: &Topics,
    partitions: impl Iterator<Item = (&'a Uuid, P)>,
) -> Vec<DescribedAssignment> {
    let one = |(id, partitions): (&Uuid, P)| {
        let name = topics.name_of(*id)?.into();
        Some(DescribedAssignment { id: *id, name, partitions: partitions.into_iter().copied().collect() })
    };
    partitions.filter_map(one).collect()
}
