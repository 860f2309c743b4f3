//! The bytes of every kind of fact, kept so that the format cannot change unseen. A line may be added; a line that changes
//! makes every log that was ever written unreadable.

use ottla_metadata::{
    BrokerEpoch, Endpoint, Fact, PartitionEpoch, ResourceKind, SecurityProtocol, UnreadableFact, decode_facts,
    encode_facts,
};
use ottla_types::{BrokerId, LeaderEpoch, PartitionIndex, ProducerId, TopicName, Uuid};

fn id(number: u8) -> Uuid {
    Uuid([number; 16])
}

fn endpoint(port: u16, security_protocol: SecurityProtocol) -> Endpoint {
    Endpoint { listener: "L".to_owned(), host: "h".to_owned(), port, security_protocol }
}

fn config(kind: ResourceKind, value: Option<&str>) -> Fact {
    let value = value.map(str::to_owned);
    Fact::ConfigSet { kind, resource: "r".to_owned(), key: "k".to_owned(), value }
}

/// Every kind, with every field present and absent where it may be, beside its bytes.
fn golden() -> Vec<(Fact, &'static str)> {
    [golden_cluster(), golden_brokers(), golden_topics()].concat()
}

fn golden_cluster() -> Vec<(Fact, &'static str)> {
    vec![
        (Fact::FeatureLevelSet { name: "f".to_owned(), level: 1 }, "818201a20061660101"),
        (Fact::ClusterNamed { cluster_id: "c".to_owned() }, "818202a1006163"),
        (config(ResourceKind::Topic, Some("v")), "81820aa4000201617202616b036176"),
        (config(ResourceKind::Broker, None), "81820aa3000401617202616b"),
        (config(ResourceKind::ClientMetrics, None), "81820aa3001001617202616b"),
        (config(ResourceKind::Group, None), "81820aa300182001617202616b"),
        (Fact::ProducerIdsAllocated { next: ProducerId(1000) }, "81820ba1001903e8"),
    ]
}

fn golden_brokers() -> Vec<(Fact, &'static str)> {
    let (broker, epoch) = (BrokerId(7), BrokerEpoch(300));
    vec![
        (
            Fact::BrokerRegistered {
                id: broker,
                incarnation: id(0xbb),
                epoch,
                rack: Some("a".to_owned()),
                endpoints: vec![
                    endpoint(9092, SecurityProtocol::Plaintext),
                    endpoint(1, SecurityProtocol::Ssl),
                    endpoint(2, SecurityProtocol::SaslPlaintext),
                    endpoint(3, SecurityProtocol::SaslSsl),
                ],
                fenced: true,
            },
            "818203a600070150bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb0219012c0361610484a400614c016168021923840300a400614c01616802010301a400614c01616802020302a400614c0161680203030305f5",
        ),
        (
            Fact::BrokerRegistered {
                id: broker,
                incarnation: id(0xbb),
                epoch,
                rack: None,
                endpoints: Vec::new(),
                fenced: false,
            },
            "818203a500070150bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb0219012c048005f4",
        ),
        (Fact::BrokerUnregistered { id: broker, epoch }, "81820ca200070119012c"),
        (Fact::BrokerEpochsAllocated { next: epoch }, "81820ea10019012c"),
        (Fact::BrokerFenced { id: broker, epoch }, "818204a200070119012c"),
        (Fact::BrokerUnfenced { id: broker, epoch }, "818205a200070119012c"),
    ]
}

fn golden_topics() -> Vec<(Fact, &'static str)> {
    let (topic_id, index) = (id(0xaa), PartitionIndex(1));
    vec![
        (
            Fact::TopicCreated { id: topic_id, name: TopicName::new("t").expect("legal") },
            "818206a20050aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa016174",
        ),
        (
            Fact::PartitionCreated {
                topic_id,
                index,
                replicas: vec![BrokerId(7), BrokerId(8)],
                isr: vec![BrokerId(8)],
                leader: BrokerId::NONE,
                leader_epoch: LeaderEpoch(2),
                partition_epoch: PartitionEpoch(3),
            },
            "818207a70050aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa010102820708038108042005020603",
        ),
        (
            Fact::PartitionChanged {
                topic_id,
                index,
                isr: Some(vec![BrokerId(7)]),
                leader: Some(BrokerId(7)),
                leader_epoch: Some(LeaderEpoch(4)),
                partition_epoch: PartitionEpoch(5),
            },
            "818208a60050aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa0101028107030704040505",
        ),
        (
            Fact::PartitionChanged {
                topic_id,
                index,
                isr: None,
                leader: None,
                leader_epoch: None,
                partition_epoch: PartitionEpoch(5),
            },
            "818208a30050aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa01010505",
        ),
        (
            Fact::PartitionReassigned {
                topic_id,
                index,
                replicas: vec![BrokerId(9), BrokerId(8)],
                isr: vec![BrokerId(8)],
                adding: vec![BrokerId(9)],
                removing: vec![BrokerId(8)],
                leader: BrokerId(8),
                leader_epoch: LeaderEpoch(2),
                partition_epoch: PartitionEpoch(3),
            },
            "81820da90050aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa010102820908038108048109058108060807020803",
        ),
        (Fact::TopicDeleted { id: topic_id }, "818209a10050aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"),
    ]
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn bytes(hex: &str) -> Vec<u8> {
    (0..hex.len())
        .step_by(2)
        .map(|i| u8::from_str_radix(&hex[i..i + 2], 16).expect("two digits of hexadecimal"))
        .collect()
}

#[test]
fn every_kind_has_the_bytes_it_always_had() {
    for (fact, golden) in golden() {
        assert_eq!(hex(&encode_facts(std::slice::from_ref(&fact))), golden, "{fact}");
        assert_eq!(decode_facts(&bytes(golden)), Ok(vec![fact]));
    }
}

#[test]
fn unknown_kind_is_an_error_that_says_so() {
    // A list of one fact of kind 15.
    assert!(matches!(decode_facts(&bytes("81820fa0")), Err(UnreadableFact::Unknown { .. })));
    // A resource of kind 3.
    assert!(matches!(decode_facts(&bytes("81820aa3000301617202616b")), Err(UnreadableFact::Unknown { .. })));
}

#[test]
fn unknown_field_is_not_skipped() {
    // A topic-deleted with a field 9 beside its id.
    let with_field = format!("818209a20050{}0901", "aa".repeat(16));
    assert_eq!(decode_facts(&bytes(&with_field)), Err(UnreadableFact::NotCanonical { position: 3 }));
}

#[test]
fn another_form_of_the_same_is_an_error() {
    // 1000 in four bytes instead of two.
    assert_eq!(decode_facts(&bytes("81820ba1001a000003e8")), Err(UnreadableFact::NotCanonical { position: 5 }));
    let trailing = bytes(&format!("{}00", golden()[0].1));
    assert_eq!(decode_facts(&trailing), Err(UnreadableFact::NotCanonical { position: trailing.len() - 1 }));
}

#[test]
fn cut_bytes_are_an_error_at_every_length() {
    for (fact, golden) in golden() {
        let whole = bytes(golden);
        for length in 0..whole.len() {
            assert!(decode_facts(&whole[..length]).is_err(), "{fact} cut to {length}");
        }
    }
}

#[test]
fn claimed_lengths_allocate_nothing() {
    // A list of 2^63 facts; a partition with 2^63 replicas; an id and a name longer than memory.
    let id = format!("0050{}", "aa".repeat(16));
    let long = "7fffffffffffffff";
    for malformed in [
        format!("9b{long}"),
        format!("818207a7{id}0101029b{long}"),
        format!("818209a1005b{long}"),
        format!("818206a2{id}017b{long}"),
    ] {
        assert!(matches!(decode_facts(&bytes(&malformed)), Err(UnreadableFact::Malformed { .. })), "{malformed}");
    }
}

#[test]
fn names_are_checked_when_read() {
    let id = format!("0050{}", "aa".repeat(16));
    assert!(decode_facts(&bytes(&format!("818206a2{id}016174"))).is_ok());
    assert!(decode_facts(&bytes(&format!("818206a2{id}01612f"))).is_err(), "a topic called /");
    assert!(decode_facts(&bytes("818209a10041aa")).is_err(), "an id of one byte");
}
