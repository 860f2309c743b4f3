//! Facts fold to the same image however they come: live, from bytes, from a snapshot. And folding shares what it leaves
//! alone.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use ottla_metadata::{
    BrokerEpoch, Difference, Endpoint, FACTS_VERSION, Fact, Image, METADATA_VERSION, Partition, PartitionEpoch,
    Resource, ResourceKind, SecurityProtocol, Topic, decode_facts, encode_facts,
};
use ottla_types::{BrokerId, LeaderEpoch, PartitionIndex, ProducerId, TopicName, Uuid};
use proptest::prelude::*;
use proptest::strategy::ValueTree;

/// What a random fact is made from: small numbers, so that facts meet.
type Dice = (u8, u8, u8, u8);

fn uuid(number: u8) -> Uuid {
    Uuid([number; 16])
}

fn name(number: u8) -> TopicName {
    TopicName::new(["a", "b", "c.d", "c_d", "c.e"][usize::from(number) % 5]).expect("legal")
}

fn level(level: i16) -> Fact {
    Fact::FeatureLevelSet { name: FACTS_VERSION.to_owned(), level }
}

/// The fact that the dice give; mostly one that is possible after `image`, sometimes one that is not.
fn fact(image: &Image, (kind, a, b, c): Dice) -> Fact {
    let broker = BrokerId((a % 3).into());
    let epoch = image.broker(broker).map_or(BrokerEpoch((b % 4).into()), |broker| broker.epoch);
    let topic_id = uuid(1 + a % 3);
    let index = PartitionIndex((b % 2).into());
    match kind % 20 {
        0 => Fact::FeatureLevelSet { name: METADATA_VERSION.to_owned(), level: i16::from(b % 3) + 29 },
        1 => Fact::ClusterNamed { cluster_id: if a == 0 { "x" } else { "c" }.to_owned() },
        2 => Fact::BrokerRegistered {
            id: broker,
            incarnation: uuid(b),
            epoch: if c == 0 { epoch } else { image.next_broker_epoch() },
            rack: (b % 2 == 0).then(|| "r".to_owned()),
            endpoints: vec![Endpoint {
                listener: "L".to_owned(),
                host: "h".to_owned(),
                port: b.into(),
                security_protocol: SecurityProtocol::Ssl,
            }],
            fenced: c % 2 == 0,
        },
        3 => Fact::BrokerFenced { id: broker, epoch },
        4 => Fact::BrokerUnfenced { id: broker, epoch },
        5 | 6 => Fact::TopicCreated { id: topic_id, name: name(b) },
        7 | 8 | 12 | 13 => partition_created(image, topic_id, b, c),
        9 | 14 | 15 => partition_changed(image, topic_id, index, (b, c)),
        16 if b % 4 == 0 => Fact::BrokerUnregistered { id: broker, epoch },
        16 => Fact::BrokerEpochsAllocated { next: BrokerEpoch(image.next_broker_epoch().0 + i64::from(c) - 4) },
        17..=19 => partition_reassigned(image, topic_id, index, (b, c)),
        10 if a % 4 == 0 => Fact::TopicDeleted { id: topic_id },
        10 => Fact::ProducerIdsAllocated { next: ProducerId(image.next_producer_id().0 + i64::from(b) - 5) },
        _ => Fact::ConfigSet {
            kind: [ResourceKind::Topic, ResourceKind::Broker][usize::from(a) % 2],
            resource: name(b).to_string(),
            key: ["k", "l"][usize::from(c) % 2].to_owned(),
            value: (c % 3 != 0).then(|| c.to_string()),
        },
    }
}

fn partition_created(image: &Image, topic_id: Uuid, b: u8, c: u8) -> Fact {
    let next = image.topic_by_id(topic_id).map_or(0, |topic| topic.partition_count());
    let first = BrokerId((b % 3).into());
    Fact::PartitionCreated {
        topic_id,
        index: PartitionIndex(i32::try_from(next).expect("few") + i32::from(c == 0)),
        replicas: vec![first, BrokerId(((b + 1) % 3).into())],
        isr: vec![first],
        leader: [BrokerId::NONE, BrokerId((c % 3).into()), first, first][usize::from(c) % 4],
        leader_epoch: LeaderEpoch(c.into()),
        partition_epoch: PartitionEpoch(b.into()),
    }
}

fn partition_changed(image: &Image, topic_id: Uuid, index: PartitionIndex, (b, c): (u8, u8)) -> Fact {
    let before = image.partition(topic_id, index);
    let leader_epoch = before.map_or(LeaderEpoch(0), |before| before.leader_epoch);
    let partition_epoch = before.map_or(PartitionEpoch(0), |before| before.partition_epoch);
    let replicas = before.map_or(Vec::new(), |before| before.replicas.clone());
    Fact::PartitionChanged {
        topic_id,
        index,
        isr: (b % 2 == 0).then(|| replicas.clone()),
        leader: (c % 2 == 0).then(|| replicas.first().copied().unwrap_or(BrokerId::NONE)),
        leader_epoch: (c % 5 != 0).then(|| leader_epoch.next()),
        partition_epoch: if b == 0 { partition_epoch } else { partition_epoch.next() },
    }
}

fn partition_reassigned(image: &Image, topic_id: Uuid, index: PartitionIndex, (b, c): (u8, u8)) -> Fact {
    let before = image.partition(topic_id, index);
    let leader = before.map_or(BrokerId::NONE, |before| before.leader);
    let mut replicas = before.map_or(Vec::new(), |before| before.replicas.clone());
    let new = BrokerId((b % 4).into());
    let adding = if replicas.contains(&new) { Vec::new() } else { vec![new] };
    replicas.extend(&adding);
    let removing = if c % 2 == 0 { replicas.first().into_iter().copied().collect() } else { Vec::new() };
    Fact::PartitionReassigned {
        topic_id,
        index,
        isr: replicas.clone(),
        replicas,
        adding,
        removing,
        leader,
        leader_epoch: before.map_or(LeaderEpoch(0), |before| before.leader_epoch),
        partition_epoch: before.map_or(PartitionEpoch(0), |before| before.partition_epoch.next()),
    }
}

/// Folds what the dice give, and keeps what was possible.
fn fold(rolls: &[Dice]) -> (Image, Vec<Fact>) {
    let mut image = Image::default();
    let mut facts = Vec::new();
    image.apply(&level(1)).expect("the first level");
    facts.push(level(1));
    for dice in rolls {
        let fact = fact(&image, *dice);
        let before = image.clone();
        match image.apply(&fact) {
            Ok(()) => facts.push(fact),
            Err(_) => assert_eq!(image, before, "{fact} was impossible and changed something"),
        }
    }
    (image, facts)
}

fn replay(facts: impl IntoIterator<Item = Fact>) -> Image {
    let mut image = Image::default();
    for fact in facts {
        image.apply(&fact).unwrap_or_else(|impossible| panic!("{fact}: {impossible}"));
    }
    image
}

fn rolls() -> impl Strategy<Value = Vec<Dice>> {
    prop::collection::vec((any::<u8>(), 0..8u8, 0..8u8, 0..8u8), 0..120)
}

/// The partitions of an image as a broker keeps them: by topic id and number.
fn kept(image: &Image, broker: BrokerId) -> BTreeMap<(Uuid, PartitionIndex), Partition> {
    let topics =
        image.topics().flat_map(|topic| topic.partitions().map(|(index, partition)| (topic.id, index, partition)));
    topics
        .filter(|(_, _, partition)| partition.is_replica(broker))
        .map(|(id, index, partition)| ((id, index), Partition::clone(partition)))
        .collect()
}

fn created(topic_id: Uuid, index: PartitionIndex, partition: &Partition) -> Fact {
    Fact::PartitionCreated {
        topic_id,
        index,
        replicas: partition.replicas.clone(),
        isr: partition.isr.clone(),
        leader: partition.leader,
        leader_epoch: partition.leader_epoch,
        partition_epoch: partition.partition_epoch,
    }
}

proptest! {
    #[test]
    fn replay_from_bytes_gives_the_same_image(rolls in rolls()) {
        let (live, facts) = fold(&rolls);
        let read = decode_facts(&encode_facts(&facts)).expect("what was written reads back");
        prop_assert_eq!(&read, &facts);
        prop_assert_eq!(replay(read), live);
    }

    #[test]
    fn snapshot_gives_the_same_image(rolls in rolls()) {
        let (live, _) = fold(&rolls);
        let facts: Vec<_> = live.facts().collect();
        prop_assert_eq!(replay(decode_facts(&encode_facts(&facts)).expect("reads back")), live);
    }

    #[test]
    fn any_bytes_are_read_without_panic(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
        if let Ok(facts) = decode_facts(&bytes) {
            prop_assert_eq!(encode_facts(&facts), bytes);
        }
    }

    #[test]
    fn damaged_facts_are_read_without_panic(rolls in rolls(), place in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let mut bytes = encode_facts(&fold(&rolls).1);
        let place = place.index(bytes.len());
        bytes[place] = byte;
        if let Ok(facts) = decode_facts(&bytes) {
            prop_assert_eq!(encode_facts(&facts), bytes);
        }
    }

    #[test]
    fn names_lead_to_topics_and_colliding_names_are_found(rolls in rolls()) {
        let (image, _) = fold(&rolls);
        for topic in image.topics() {
            prop_assert_eq!(image.topic_by_name(topic.name.as_str()), Some(topic));
            let indices: Vec<_> = topic.partitions().map(|(index, _)| index.0).collect();
            prop_assert_eq!(indices, (0..).take(topic.partition_count()).collect::<Vec<_>>());
        }
        let dotted = image.topic_by_name("c.d").map(|topic| &topic.name);
        prop_assert_eq!(image.topic_colliding_with(&TopicName::new("c_d").unwrap()), dotted);
        prop_assert_eq!(image.topic_colliding_with(&TopicName::new("a").unwrap()), None);
    }

    /// A broker that does what the difference says keeps what the new image says.
    #[test]
    fn difference_leads_from_the_old_image_to_the_new(rolls in rolls(), at in any::<prop::sample::Index>()) {
        let (new, facts) = fold(&rolls);
        let old = replay(facts[..at.index(facts.len())].to_vec());
        let broker = BrokerId(1);
        let difference = Difference::between(&old, &new, broker);
        let mut partitions = kept(&old, broker);
        for gone in &difference.partitions_removed {
            prop_assert!(partitions.remove(&(gone.topic_id, gone.index)).is_some());
        }
        for new in &difference.partitions_created {
            prop_assert_eq!(partitions.insert((new.topic_id, new.index), Partition::clone(&new.partition)), None);
        }
        for changed in &difference.partitions_changed {
            let after = Partition::clone(&changed.partition);
            let before = partitions.insert((changed.topic_id, changed.index), after.clone());
            prop_assert!(before.is_some_and(|before| before != after), "a change from something to something else");
        }
        prop_assert_eq!(partitions, kept(&new, broker));

        let ids = |image: &Image| image.topics().map(|topic| topic.id).collect::<BTreeSet<_>>();
        let listed = |topics: &[Arc<Topic>]| topics.iter().map(|topic| topic.id).collect::<BTreeSet<_>>();
        prop_assert_eq!(listed(&difference.topics_created), &ids(&new) - &ids(&old));
        prop_assert_eq!(listed(&difference.topics_deleted), &ids(&old) - &ids(&new));

        let overrides = |image: &Image, name: &TopicName| {
            let resource = Resource::topic(name);
            image.configs(&resource).map(|(key, value)| (key.to_owned(), value.to_owned())).collect::<Vec<_>>()
        };
        for name in (0..5).map(name) {
            let changed = difference.configs_changed.contains(&Resource::topic(&name));
            prop_assert_eq!(changed, overrides(&old, &name) != overrides(&new, &name), "{}", name);
        }
        for broker in (0..3).map(BrokerId) {
            let changed = difference.brokers_changed.contains(&broker);
            prop_assert_eq!(changed, old.broker(broker) != new.broker(broker));
        }
    }
}

/// An image with `topics` topics of `partitions` partitions each.
fn large(topics: u8, partitions: i32) -> Image {
    let mut image = replay([level(1)]);
    for topic in 1..=topics {
        let (id, name) = (uuid(topic), TopicName::new(&format!("t{topic}")).expect("legal"));
        image.apply(&Fact::TopicCreated { id, name }).expect("possible");
        for index in (0..partitions).map(PartitionIndex) {
            let partition = Partition {
                replicas: vec![BrokerId(1)],
                isr: vec![BrokerId(1)],
                adding: Vec::new(),
                removing: Vec::new(),
                leader: BrokerId(1),
                leader_epoch: LeaderEpoch(0),
                partition_epoch: PartitionEpoch(0),
            };
            image.apply(&created(id, index, &partition)).expect("possible");
        }
    }
    image
}

#[test]
fn one_fact_leaves_the_rest_of_a_hundred_thousand_partitions_shared() {
    let before = large(100, 1_000);
    let mut after = before.clone();
    let (topic_id, index) = (uuid(50), PartitionIndex(500));
    let changed = partition_changed(&before, topic_id, index, (2, 2));
    after.apply(&changed).unwrap();

    let topics = before.topics().zip(after.topics());
    let (shared, copied): (Vec<_>, Vec<_>) = topics.partition(|(before, after)| Arc::ptr_eq(before, after));
    assert_eq!((shared.len(), copied.len()), (99, 1), "only the topic of the partition is another");
    let (old, new) = copied[0];
    let copied = old.partitions().zip(new.partitions()).filter(|((_, old), (_, new))| !Arc::ptr_eq(old, new)).count();
    assert_eq!(copied, 1, "only the partition itself is another");

    let difference = Difference::between(&before, &after, BrokerId(1));
    let listed: Vec<_> = difference.partitions_changed.iter().map(|change| (change.topic_id, change.index)).collect();
    assert_eq!(listed, [(topic_id, index)]);
    assert!(Difference::between(&before, &before.clone(), BrokerId(1)).is_empty());
}

#[test]
fn random_folds_reach_every_kind_of_fact() {
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    for _ in 0..100 {
        let rolls = rolls().new_tree(&mut runner).expect("a value").current();
        for fact in fold(&rolls).1 {
            let text = fact.to_string();
            let kind = text.split(' ').next().expect("a word");
            *seen.entry(kind.to_owned()).or_insert(0) += 1;
        }
    }
    assert_eq!(seen.len(), 14, "{seen:?}");
    assert!(seen.values().all(|count| *count >= 20), "{seen:?}");
}
