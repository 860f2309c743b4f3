//! How the leader of a classic group divides partitions among its members: [`range`], [`round_robin`],
//! [`cooperative_sticky`]. Pure; the same input yields the same output, as `BTreeMap`s have one order.
//!
//! The first two agree with Kafka's to the partition, racks apart: members of other clients may lead the same group.

mod cooperative_sticky;
mod range;
mod round_robin;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::Partitions;

/// A way to assign (`partition.assignment.strategy`).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Assignor {
    /// Of each topic every member gets a run of partitions.
    Range,
    /// All partitions are dealt out in turn.
    RoundRobin,
    /// Everybody keeps as much as is fair, and what moves is given up before another gets it (KIP-429).
    CooperativeSticky,
}

impl Assignor {
    /// Its name in the protocol.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Range => "range",
            Self::RoundRobin => "roundrobin",
            Self::CooperativeSticky => "cooperative-sticky",
        }
    }

    /// The assignor of that name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Range, Self::RoundRobin, Self::CooperativeSticky].into_iter().find(|one| one.name() == name)
    }

    /// Whether members keep what they have while they join again.
    #[must_use]
    pub const fn is_cooperative(self) -> bool {
        matches!(self, Self::CooperativeSticky)
    }

    /// Divides the partitions of `counts` among the members; each has an entry in the result.
    #[must_use]
    pub fn assign(
        self,
        counts: &BTreeMap<Arc<str>, i32>,
        members: &BTreeMap<String, Subscription>,
    ) -> BTreeMap<String, Partitions> {
        let mut assigned: BTreeMap<String, Partitions> =
            members.keys().map(|member| (member.clone(), Partitions::new())).collect();
        match self {
            Self::Range => range::assign(counts, members, &mut assigned),
            Self::RoundRobin => round_robin::assign(counts, members, &mut assigned),
            Self::CooperativeSticky => cooperative_sticky::assign(counts, members, &mut assigned),
        }
        assigned
    }
}

/// What a member says when it joins.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Subscription {
    /// The topics that it wants.
    pub topics: BTreeSet<Arc<str>>,
    /// What it reads now.
    pub owned: Partitions,
    /// Since which generation it reads that; -1 if that is not known (KIP-792).
    pub generation: i32,
    /// The id of a static member (KIP-345).
    pub instance: Option<String>,
}

/// The members in the order in which they are served: static ones first, by their ids; then the others by theirs.
fn in_order(members: &BTreeMap<String, Subscription>) -> Vec<&String> {
    let mut order: Vec<_> = members.iter().collect();
    order.sort_by_key(|(id, subscription)| (subscription.instance.is_none(), subscription.instance.clone(), *id));
    order.into_iter().map(|(id, _)| id).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    pub(super) fn counts(of: &[(&str, i32)]) -> BTreeMap<Arc<str>, i32> {
        of.iter().map(|(topic, count)| (Arc::from(*topic), *count)).collect()
    }

    /// Members as `a=orders,bills` with what they own as `a=orders:orders/0,orders/1@5`.
    pub(super) fn members(of: &[&str]) -> BTreeMap<String, Subscription> {
        let member = |text: &&str| {
            let (name, rest) = text.split_once('=').unwrap();
            let (topics, owned) = rest.split_once(':').unwrap_or((rest, ""));
            let (owned, generation) = owned.split_once('@').unwrap_or((owned, "1"));
            let partition = |text: &str| {
                let (topic, index) = text.split_once('/').unwrap();
                (Arc::from(topic), index.parse().unwrap())
            };
            let (name, instance) = name.split_once('/').map_or((name, None), |(id, i)| (id, Some(i.to_owned())));
            let subscription = Subscription {
                topics: topics.split(',').filter(|topic| !topic.is_empty()).map(Arc::from).collect(),
                owned: owned.split(',').filter(|text| !text.is_empty()).map(partition).collect(),
                generation: generation.parse().unwrap(),
                instance,
            };
            (name.to_owned(), subscription)
        };
        of.iter().map(member).collect()
    }

    /// An assignment as `a=orders/0,orders/1 b=`.
    pub(super) fn told(assigned: &BTreeMap<String, Partitions>) -> String {
        let one = |(member, partitions): (&String, &Partitions)| {
            let list: Vec<_> = partitions.iter().map(|(topic, index)| format!("{topic}/{index}")).collect();
            format!("{member}={}", list.join(","))
        };
        assigned.iter().map(one).collect::<Vec<_>>().join(" ")
    }

    /// Topics with their partitions, members, and what these get.
    type Case = (&'static [(&'static str, i32)], &'static [&'static str], &'static str);

    #[test]
    fn ranges_are_runs_of_each_topic() {
        let cases: &[Case] = &[
            (&[("t", 5)], &["a=t", "b=t"], "a=t/0,t/1,t/2 b=t/3,t/4"),
            (&[("t", 1)], &["a=t", "b=t"], "a=t/0 b="),
            (&[("t", 2), ("u", 2)], &["a=t,u", "b=u"], "a=t/0,t/1,u/0 b=u/1"),
            (&[("t", 2)], &["a=t,gone", "b="], "a=t/0,t/1 b="),
            // A static member comes first, whatever its id.
            (&[("t", 3)], &["a=t", "z/i=t"], "a=t/2 z=t/0,t/1"),
        ];
        for (topics, subscriptions, expected) in cases {
            let assigned = Assignor::Range.assign(&counts(topics), &members(subscriptions));
            assert_eq!(told(&assigned), *expected);
        }
    }

    #[test]
    fn round_robin_deals_out_all_topics_in_turn() {
        let cases: &[Case] = &[
            (&[("t", 3), ("u", 3)], &["a=t,u", "b=t,u"], "a=t/0,t/2,u/1 b=t/1,u/0,u/2"),
            (&[("t", 1), ("u", 2), ("v", 3)], &["a=t", "b=t,u", "c=t,u,v"], "a=t/0 b=u/0 c=u/1,v/0,v/1,v/2"),
            (&[("t", 2)], &["a=", "b=gone"], "a= b="),
        ];
        for (topics, subscriptions, expected) in cases {
            let assigned = Assignor::RoundRobin.assign(&counts(topics), &members(subscriptions));
            assert_eq!(told(&assigned), *expected);
        }
    }
}
