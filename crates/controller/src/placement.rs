//! Which brokers keep which partition: arithmetic only.
//!
//! Not Kafka's algorithm (`StripedReplicaPlacer` shuffles with a random number) but its aims: leaders spread evenly,
//! replicas of a partition on as many racks as there are, fenced brokers last. Where the first partition goes depends on
//! the topic's id, so that topics of one partition do not all meet on the first broker; otherwise the same cluster always
//! gives the same placement.

use std::collections::BTreeMap;
use std::ops::Range;

use ottla_metadata::Broker;
use ottla_types::{BrokerId, TopicId};

/// The replicas of the partitions with these numbers, the preferred leader first; for a topic with the id `topic_id`.
/// Whether partitions come with the topic or later, they go to the same places.
///
/// Needs `1 ≤ replication_factor ≤ brokers.len()`. A replica is fenced only if the active brokers do not suffice.
pub(crate) fn place<'a>(
    brokers: impl Iterator<Item = &'a Broker>,
    topic_id: TopicId,
    partitions: Range<usize>,
    replication_factor: usize,
) -> Vec<Vec<BrokerId>> {
    let (fenced, active): (Vec<_>, Vec<_>) = brokers.partition(|broker| broker.fenced);
    let (active, fenced) = (rack_by_rack(&active), rack_by_rack(&fenced));
    let offset = offset(topic_id);
    partitions
        .map(|partition| {
            let start = offset.wrapping_add(partition);
            choose(rotated(&active, start).chain(rotated(&fenced, start)).collect(), replication_factor)
        })
        .collect()
}

/// The brokers in an order in which neighbours are on different racks as far as possible: the first of each rack, then
/// the second of each. A broker without a rack is on a rack called "", as all others without one.
fn rack_by_rack<'a>(brokers: &[&'a Broker]) -> Vec<&'a Broker> {
    let mut taken: BTreeMap<&str, usize> = BTreeMap::new();
    let mut ring: Vec<(usize, &'a Broker)> = brokers
        .iter()
        .map(|broker| {
            let count = taken.entry(rack(broker)).or_insert(0);
            *count += 1;
            (*count, *broker)
        })
        .collect();
    // The sort is stable, and brokers come in the order of their ids.
    ring.sort_by(|(turn_a, a), (turn_b, b)| (turn_a, rack(a)).cmp(&(turn_b, rack(b))));
    ring.into_iter().map(|(_, broker)| broker).collect()
}

/// `ring` from the place `start` on, around once.
fn rotated<'a, 'b>(ring: &'b [&'a Broker], start: usize) -> impl Iterator<Item = &'a Broker> + 'b {
    let start = start.checked_rem(ring.len()).unwrap_or(0);
    ring[start..].iter().chain(&ring[..start]).copied()
}

/// Takes `count` of `candidates`: each time the first among those whose rack has the fewest replicas; fenced ones, which
/// stand at the end, only when no other is left.
fn choose(mut candidates: Vec<&Broker>, count: usize) -> Vec<BrokerId> {
    let mut on_rack: BTreeMap<&str, usize> = BTreeMap::new();
    let mut chosen = Vec::with_capacity(count);
    for _ in 0..count {
        let best = candidates
            .iter()
            .enumerate()
            .min_by_key(|(place, broker)| (broker.fenced, on_rack.get(rack(broker)).copied().unwrap_or(0), *place))
            .map(|(place, _)| place)
            .expect("there are at least as many brokers as replicas");
        let broker = candidates.remove(best);
        *on_rack.entry(rack(broker)).or_insert(0) += 1;
        chosen.push(broker.id);
    }
    chosen
}

fn rack(broker: &Broker) -> &str {
    broker.rack.as_deref().unwrap_or("")
}

/// Where in the ring a topic begins: some bits of its id, which are random.
fn offset(topic_id: TopicId) -> usize {
    usize::from(topic_id.0[14]) << 8 | usize::from(topic_id.0[15])
}

#[cfg(test)]
mod tests {
    use ottla_metadata::BrokerEpoch;
    use ottla_types::Uuid;

    use super::*;

    fn broker(id: i32, rack: &str, fenced: bool) -> Broker {
        let rack = (!rack.is_empty()).then(|| rack.to_owned());
        let (incarnation, epoch) = (Uuid::ZERO, BrokerEpoch(1));
        Broker { id: BrokerId(id), incarnation, epoch, rack, endpoints: Vec::new(), fenced }
    }

    fn placed(brokers: &[Broker], offset: u8, partitions: usize, factor: usize) -> Vec<Vec<i32>> {
        let mut id = Uuid::ZERO;
        id.0[15] = offset;
        let placed = place(brokers.iter(), id, 0..partitions, factor);
        placed.into_iter().map(|replicas| replicas.into_iter().map(|id| id.0).collect()).collect()
    }

    #[test]
    fn replicas_go_round_from_where_the_topic_begins() {
        let brokers = [broker(1, "", false), broker(2, "", false), broker(3, "", false)];
        assert_eq!(placed(&brokers, 0, 4, 2), [[1, 2], [2, 3], [3, 1], [1, 2]]);
        assert_eq!(placed(&brokers, 1, 2, 1), [[2], [3]]);
    }

    #[test]
    fn later_partitions_go_where_they_would_have_gone_at_once() {
        let brokers = [broker(1, "a", false), broker(2, "b", false), broker(3, "a", false)];
        let id = Uuid([3; 16]);
        let whole = place(brokers.iter(), id, 0..7, 2);
        assert_eq!(place(brokers.iter(), id, 4..7, 2), whole[4..]);
    }

    #[test]
    fn replicas_are_on_different_racks() {
        let even = [broker(1, "a", false), broker(2, "a", false), broker(3, "b", false), broker(4, "b", false)];
        assert_eq!(placed(&even, 0, 4, 2), [[1, 3], [3, 2], [2, 4], [4, 1]]);
        let uneven = [broker(1, "a", false), broker(2, "a", false), broker(3, "a", false), broker(4, "b", false)];
        for replicas in placed(&uneven, 0, 8, 2) {
            assert!(replicas.contains(&4), "{replicas:?}");
        }
    }

    #[test]
    fn fenced_brokers_come_last() {
        let brokers = [broker(1, "a", true), broker(2, "b", false), broker(3, "b", false)];
        assert_eq!(placed(&brokers, 0, 2, 2), [[2, 3], [3, 2]]);
        assert_eq!(placed(&brokers, 0, 2, 3), [[2, 3, 1], [3, 2, 1]]);
    }
}
