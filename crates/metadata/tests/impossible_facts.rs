//! Facts that cannot be: each is refused for its own reason and changes nothing.

use ottla_metadata::{
    BrokerEpoch, FACTS_VERSION, Fact, Image, ImpossibleFact, LEVEL_NEWEST, METADATA_VERSION, PartitionEpoch,
    ResourceKind,
};
use ottla_types::{BrokerId, LeaderEpoch, PartitionIndex, ProducerId, TopicName, Uuid};

const TOPIC: Uuid = Uuid([1; 16]);

fn level(level: i16) -> Fact {
    Fact::FeatureLevelSet { name: FACTS_VERSION.to_owned(), level }
}

fn topic(id: Uuid, name: &str) -> Fact {
    Fact::TopicCreated { id, name: TopicName::new(name).expect("legal") }
}

fn registered(id: i32, run: u8, epoch: i64) -> Fact {
    Fact::BrokerRegistered {
        id: BrokerId(id),
        incarnation: Uuid([run; 16]),
        epoch: BrokerEpoch(epoch),
        rack: None,
        endpoints: Vec::new(),
        fenced: false,
    }
}

fn brokers(ids: &[i32]) -> Vec<BrokerId> {
    ids.iter().copied().map(BrokerId).collect()
}

fn partition(index: i32, replicas: &[i32], isr: &[i32], leader: i32) -> Fact {
    Fact::PartitionCreated {
        topic_id: TOPIC,
        index: PartitionIndex(index),
        replicas: brokers(replicas),
        isr: brokers(isr),
        leader: BrokerId(leader),
        leader_epoch: LeaderEpoch(5),
        partition_epoch: PartitionEpoch(7),
    }
}

fn changed(isr: Option<&[i32]>, leader: Option<i32>, leader_epoch: Option<i32>, partition_epoch: i32) -> Fact {
    Fact::PartitionChanged {
        topic_id: TOPIC,
        index: PartitionIndex(0),
        isr: isr.map(brokers),
        leader: leader.map(BrokerId),
        leader_epoch: leader_epoch.map(LeaderEpoch),
        partition_epoch: PartitionEpoch(partition_epoch),
    }
}

/// A cluster with broker 1 at epoch 3, a topic with one partition on brokers 1 and 2, and a thousand producer ids gone.
fn image() -> Image {
    let mut image = Image::default();
    let ids = Fact::ProducerIdsAllocated { next: ProducerId(1000) };
    let named = Fact::ClusterNamed { cluster_id: "c".to_owned() };
    let partition = partition(0, &[1, 2], &[1, 2], 1);
    for fact in [level(1), named, registered(1, 1, 3), topic(TOPIC, "t"), partition, ids] {
        image.apply(&fact).unwrap_or_else(|impossible| panic!("{fact}: {impossible}"));
    }
    image
}

fn refused(fact: &Fact) -> ImpossibleFact {
    let mut image = image();
    let before = image.clone();
    let refused = image.apply(fact).expect_err("impossible");
    assert_eq!(image, before, "{fact}");
    refused
}

#[test]
fn nothing_is_written_below_the_level_that_introduced_it() {
    let refused = Image::default().apply(&topic(TOPIC, "t"));
    assert_eq!(refused, Err(ImpossibleFact::LevelTooLow { needed: 1, level: 0 }));
}

#[test]
fn level_goes_neither_back_nor_beyond_what_is_known() {
    for to in [0, -1, LEVEL_NEWEST + 1] {
        assert_eq!(refused(&level(to)), not_reachable(FACTS_VERSION, 1, to, "1 to 1"));
    }
    let newer = Image::default().apply(&level(LEVEL_NEWEST + 1));
    assert_eq!(newer, Err(not_reachable(FACTS_VERSION, 0, LEVEL_NEWEST + 1, "1 to 1")));
}

#[test]
fn feature_that_this_code_does_not_know_stops_the_node() {
    let feature = |name: &str, level| Fact::FeatureLevelSet { name: name.to_owned(), level };
    for to in [0, 29, 31] {
        assert_eq!(refused(&feature(METADATA_VERSION, to)), not_reachable(METADATA_VERSION, 0, to, "30 to 30"));
    }
    assert_eq!(refused(&feature("share.version", 1)), not_reachable("share.version", 0, 1, "no such feature"));
}

fn not_reachable(feature: &str, from: i16, to: i16, known: &str) -> ImpossibleFact {
    ImpossibleFact::LevelNotReachable { feature: feature.to_owned(), from, to, known: known.to_owned() }
}

#[test]
fn epochs_of_brokers_that_are_gone_stay_used() {
    let (now, next) = (BrokerEpoch(4), BrokerEpoch(4));
    assert_eq!(refused(&Fact::BrokerEpochsAllocated { next }), ImpossibleFact::BrokerEpochsUsed { now, next });
    let mut image = image();
    let (id, epoch) = (BrokerId(1), BrokerEpoch(3));
    assert_eq!(image.apply(&Fact::BrokerUnregistered { id, epoch }), Ok(()));
    assert_eq!(image.next_broker_epoch(), BrokerEpoch(4));
    assert!(image.facts().any(|fact| fact == Fact::BrokerEpochsAllocated { next: BrokerEpoch(4) }));
}

#[test]
fn reassignment_fits_the_partition() {
    let reassigned =
        |replicas: &[i32], isr: &[i32], (adding, removing): (&[i32], &[i32]), leader, epochs: (i32, i32)| {
            Fact::PartitionReassigned {
                topic_id: TOPIC,
                index: PartitionIndex(0),
                replicas: brokers(replicas),
                isr: brokers(isr),
                adding: brokers(adding),
                removing: brokers(removing),
                leader: BrokerId(leader),
                leader_epoch: LeaderEpoch(epochs.0),
                partition_epoch: PartitionEpoch(epochs.1),
            }
        };
    let none: (&[i32], &[i32]) = (&[], &[]);
    for impossible in [
        reassigned(&[1, 2], &[1, 2], none, 1, (5, 7)),
        reassigned(&[1, 2], &[1, 2], none, 1, (4, 8)),
        reassigned(&[1, 2], &[1, 2], none, 2, (5, 8)),
        reassigned(&[1, 2], &[1, 2], (&[3], &[]), 1, (5, 8)),
        reassigned(&[1, 2], &[1, 2], (&[], &[3]), 1, (5, 8)),
        reassigned(&[1, 2, 3], &[1, 2], (&[3], &[3]), 1, (5, 8)),
        reassigned(&[1, 2, 3], &[1, 2], (&[3, 3], &[]), 1, (5, 8)),
        reassigned(&[], &[], none, -1, (6, 8)),
    ] {
        assert!(matches!(refused(&impossible), ImpossibleFact::Inconsistent(_)), "{impossible}");
    }
    let possible = reassigned(&[3, 2, 1], &[1, 2], (&[3], &[1]), 2, (6, 8));
    assert_eq!(image().apply(&possible), Ok(()));
}

#[test]
fn cluster_keeps_its_id() {
    let other = Fact::ClusterNamed { cluster_id: "d".to_owned() };
    assert_eq!(refused(&other), ImpossibleFact::ClusterHasName("c".into()));
}

#[test]
fn broker_epochs_are_given_out_once() {
    for (id, run, epoch) in [(1, 2, 3), (1, 1, 2), (2, 2, 3), (2, 2, 0)] {
        let (id, epoch, next) = (BrokerId(id), BrokerEpoch(epoch), BrokerEpoch(4));
        let fact = registered(id.0, run, epoch.0);
        assert_eq!(refused(&fact), ImpossibleFact::BrokerEpochUsed { id, epoch, next }, "{fact}");
    }
    let mut image = image();
    assert_eq!(image.apply(&registered(1, 1, 3)), Ok(()), "the same run may amend its registration");
    assert_eq!(image.next_broker_epoch(), BrokerEpoch(4));
}

#[test]
fn only_the_present_registration_is_fenced() {
    for (id, epoch) in [(1, 2), (1, 4), (2, 3)] {
        let (id, epoch) = (BrokerId(id), BrokerEpoch(epoch));
        assert_eq!(refused(&Fact::BrokerUnregistered { id, epoch }), ImpossibleFact::UnknownBroker { id, epoch });
        assert_eq!(refused(&Fact::BrokerFenced { id, epoch }), ImpossibleFact::UnknownBroker { id, epoch });
        assert_eq!(refused(&Fact::BrokerUnfenced { id, epoch }), ImpossibleFact::UnknownBroker { id, epoch });
    }
}

#[test]
fn topics_have_ids_and_names_of_their_own() {
    for fact in [topic(TOPIC, "u"), topic(Uuid([2; 16]), "t")] {
        assert!(matches!(refused(&fact), ImpossibleFact::TopicExists { .. }), "{fact}");
    }
    let unknown = Uuid([2; 16]);
    assert_eq!(refused(&Fact::TopicDeleted { id: unknown }), ImpossibleFact::UnknownTopic(unknown));
    let override_of = |resource: &str| Fact::ConfigSet {
        kind: ResourceKind::Topic,
        resource: resource.to_owned(),
        key: "k".to_owned(),
        value: None,
    };
    assert_eq!(refused(&override_of("u")), ImpossibleFact::UnknownTopicName("u".to_owned()));
}

#[test]
fn partitions_come_in_order() {
    for got in [0, 2, -1].map(PartitionIndex) {
        let expected = PartitionIndex(1);
        let refused = refused(&partition(got.0, &[1], &[1], 1));
        assert_eq!(refused, ImpossibleFact::PartitionOutOfOrder { got, expected });
    }
}

#[test]
fn partitions_hold_their_invariants_when_created() {
    for (replicas, isr, leader) in [
        (&[][..], &[][..], -1),
        (&[1, 1], &[1], 1),
        (&[1, 2], &[1, 1], 1),
        (&[1], &[1, 2], 1),
        (&[1, 2], &[1], 2),
        (&[1], &[], 1),
    ] {
        let fact = partition(1, replicas, isr, leader);
        assert!(matches!(refused(&fact), ImpossibleFact::Inconsistent(_)), "{fact}");
    }
    assert_eq!(image().apply(&partition(1, &[1], &[], -1)), Ok(()), "nobody in sync, nobody leads");
}

#[test]
fn partitions_hold_their_invariants_when_changed() {
    for (isr, leader, leader_epoch, partition_epoch) in [
        (None, None, Some(6), 7),
        (None, None, Some(6), 9),
        (None, None, Some(5), 8),
        (None, None, Some(4), 8),
        (None, Some(2), None, 8),
        (None, Some(3), Some(6), 8),
        (Some(&[2][..]), None, None, 8),
        (Some(&[1, 3]), None, None, 8),
    ] {
        let fact = changed(isr, leader, leader_epoch, partition_epoch);
        assert!(matches!(refused(&fact), ImpossibleFact::Inconsistent(_)), "{fact}");
    }
    assert_eq!(image().apply(&changed(Some(&[2]), Some(2), Some(6), 8)), Ok(()));
    assert_eq!(image().apply(&changed(None, Some(-1), Some(6), 8)), Ok(()));
}

#[test]
fn only_partitions_that_exist_change() {
    let elsewhere = |topic_id, index| Fact::PartitionChanged {
        topic_id,
        index: PartitionIndex(index),
        isr: None,
        leader: None,
        leader_epoch: None,
        partition_epoch: PartitionEpoch(8),
    };
    assert_eq!(refused(&elsewhere(TOPIC, 1)), ImpossibleFact::UnknownPartition(TOPIC, PartitionIndex(1)));
    let unknown = Uuid([2; 16]);
    assert_eq!(refused(&elsewhere(unknown, 0)), ImpossibleFact::UnknownTopic(unknown));
}

#[test]
fn producer_ids_are_given_out_once() {
    for next in [1000, 999].map(ProducerId) {
        let now = ProducerId(1000);
        assert_eq!(refused(&Fact::ProducerIdsAllocated { next }), ImpossibleFact::ProducerIdsUsed { now, next });
    }
}

#[test]
fn deleted_topic_leaves_nothing_behind() {
    let mut image = image();
    let before = image.clone();
    let id = Uuid([2; 16]);
    let set = Fact::ConfigSet {
        kind: ResourceKind::Topic,
        resource: "a.b".to_owned(),
        key: "k".to_owned(),
        value: Some("v".to_owned()),
    };
    for fact in [topic(id, "a.b"), set, Fact::TopicDeleted { id }] {
        image.apply(&fact).expect("possible");
    }
    assert_eq!(image, before);
}
