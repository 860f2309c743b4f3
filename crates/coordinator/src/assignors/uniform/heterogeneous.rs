//! Even shares where members subscribe to different topics.
//!
//! Everybody keeps what it still subscribes to. What nobody has goes, topic by topic, to the subscribers with least. Then
//! partitions move, topic by topic, from subscribers with most to those with least, until a round moves nothing.

use std::cmp::{Ordering, Reverse};
use std::collections::BTreeMap;
use std::sync::Arc;

use ottla_types::Uuid;

use super::levels::Levels;
use crate::assignors::ownership::Ownership;
use crate::assignors::{GroupSpec, Targets, TopicsView, UnknownTopic, hash_order};

/// How often all topics are gone through. Every round about halves what is uneven.
const ROUNDS_MAX: usize = 16;

/// An assignment that is being made. Members are numbers, their places in the order in which they are served.
struct Draft {
    ownership: Ownership,
    subscribers: BTreeMap<Uuid, Vec<usize>>,
    /// How many partitions each member has.
    counts: Vec<isize>,
}

pub(super) fn assign(spec: &GroupSpec, view: &dyn TopicsView) -> Result<Targets, UnknownTopic> {
    let members = hash_order::of_map(spec.members.keys().cloned());
    let mut draft = Draft::new(spec, &members, view)?;
    draft.hand_out();
    draft.even_out();
    Ok(draft.ownership.targets(spec, &members))
}

impl Draft {
    fn new(spec: &GroupSpec, members: &[Arc<str>], view: &dyn TopicsView) -> Result<Self, UnknownTopic> {
        let ownership = Ownership::before(spec, members, view)?;
        let mut subscribers = BTreeMap::<Uuid, Vec<usize>>::new();
        for (index, member) in members.iter().enumerate() {
            spec.members[member].topics.iter().for_each(|topic| subscribers.entry(*topic).or_default().push(index));
        }
        let mut counts = vec![0; members.len()];
        for owner in ownership.topics().flat_map(|(_, owners)| owners).flatten() {
            counts[*owner] += 1;
        }
        Ok(Self { ownership, subscribers, counts })
    }

    /// The topics with most partitions for each subscriber first, then those with fewest subscribers.
    fn ordered(&self, mut topics: Vec<Uuid>) -> Vec<Uuid> {
        let sizes = |topic: &Uuid| (self.ownership.owners(*topic).len(), self.subscribers[topic].len());
        // Java's ids are two signed numbers.
        let signed = |topic: &Uuid| {
            let bits = u128::from_be_bytes(topic.0);
            (((bits >> 64) as u64).cast_signed(), (bits as u64).cast_signed())
        };
        let rest = |topic: &Uuid| (sizes(topic).1, signed(topic));
        let by_load = |one: &Uuid, other: &Uuid| -> Ordering {
            let ((one_has, one_for), (other_has, other_for)) = (sizes(one), sizes(other));
            Reverse(one_has * other_for).cmp(&Reverse(other_has * one_for))
        };
        topics.sort_by(|one, other| by_load(one, other).then_with(|| rest(one).cmp(&rest(other))));
        topics
    }

    /// Gives what nobody has to those with least.
    fn hand_out(&mut self) {
        let is_wanting = |(topic, owners): (Uuid, &[Option<usize>])| owners.contains(&None).then_some(topic);
        let topics = self.ordered(self.ownership.topics().filter_map(is_wanting).collect());
        for topic in topics {
            let mut levels = Levels::new(self.subscribers[&topic].clone(), &self.counts);
            for partition in self.ownership.free(topic) {
                let receiver = levels.receiver(&self.counts);
                self.hand(topic, partition, receiver);
            }
        }
    }

    /// Moves partitions until a whole round of topics moved nothing.
    fn even_out(&mut self) {
        let shared = self.subscribers.iter().filter(|(_, subscribers)| subscribers.len() >= 2);
        let topics = self.ordered(shared.map(|(topic, _)| *topic).collect());
        let mut last_moved = None;
        for _ in 0..ROUNDS_MAX {
            for topic in &topics {
                if last_moved == Some(topic) {
                    return;
                }
                if self.even_out_topic(*topic) || last_moved.is_none() {
                    last_moved = Some(topic);
                }
            }
        }
    }

    /// Moves partitions of a topic from those with most to those with least; tells whether one was moved.
    fn even_out_topic(&mut self, topic: Uuid) -> bool {
        let mut levels = Levels::new(self.subscribers[&topic].clone(), &self.counts);
        if levels.spread(&self.counts) <= 1 {
            return false;
        }
        // What each member can give, the last first. What it gets meanwhile it keeps.
        let mut given = BTreeMap::<usize, Vec<i32>>::new();
        for (partition, owner) in (0..).zip(self.ownership.owners(topic)) {
            given.entry(owner.expect("all were handed out")).or_default().push(partition);
        }
        let mut has_moved = false;
        while let Some(giver) = levels.giver(&self.counts) {
            let Some(partition) = given.get_mut(&giver).and_then(Vec::pop) else {
                levels.exclude_giver();
                continue;
            };
            let receiver = levels.receiver(&self.counts);
            if levels.is_even() {
                break;
            }
            self.hand(topic, partition, receiver);
            has_moved = true;
        }
        has_moved
    }

    fn hand(&mut self, topic: Uuid, partition: i32, to: usize) {
        if let Some(before) = self.ownership.set(topic, partition, Some(to)) {
            self.counts[before] -= 1;
        }
        self.counts[to] += 1;
    }
}
