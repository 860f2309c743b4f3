//! Whatever comes in whatever order: one answer to every request, one entry in flight, nothing of an old term, nothing
//! that the log could not fold.

use std::collections::BTreeSet;

use ottla_controller::{
    AllocateProducerIds, AlterConfigs, AlterPartitionReassignments, AlteredResource, ConfigChange, ConfigOperation,
    ConfigOverrides, ConfigRefusal, ConfigRules, Controller, CreatePartitions, CreateTopics, DeleteTopics,
    ElectLeaders, ElectedTopic, Election, FeatureUpdate, GrownTopic, Input, NewTopic, Output, Reassignment,
    RegisterBroker, Reply, Request, RequestId, Settings, TopicReference, UnregisterBroker, UpdateFeatures,
};
use ottla_metadata::{BrokerEpoch, Fact, Image, METADATA_VERSION, Position, Resource, ResourceKind};
use ottla_types::{BrokerId, Instant, PartitionIndex, Uuid};
use proptest::prelude::*;

/// What the dice do with the cluster.
#[derive(Clone, Debug)]
enum Step {
    Request(Request),
    Commit,
    Lose,
    Fail,
    NoRoom,
    Lead,
    /// A broker is shut out or let in again, by whoever leads meanwhile.
    Fence(BrokerId),
}

/// The log and those who ask, around one controller.
struct World {
    controller: Controller,
    committed: Image,
    term: u64,
    in_flight: Option<(u64, Vec<Fact>)>,
    open: BTreeSet<RequestId>,
    asked: u64,
    created: usize,
}

fn topic_name(number: u8) -> String {
    ["a", "b", "c.d", "c_d"][usize::from(number) % 4].to_owned()
}

fn request() -> impl Strategy<Value = Request> {
    let create = (prop::collection::vec((0..4u8, -1..4i32, 1..3i16), 1..4), any::<bool>());
    prop_oneof![
        2 => (1..4i32, any::<u8>()).prop_map(|(id, run)| Request::RegisterBroker(RegisterBroker {
            cluster_id: "c".to_owned(),
            id: BrokerId(id),
            incarnation: Uuid([run; 16]),
            rack: None,
            endpoints: Vec::new(),
        })),
        6 => create.prop_map(|(topics, validate_only)| {
            let topics = topics.into_iter().map(|(name, partitions, factor)| new_topic(name, partitions, factor));
            Request::CreateTopics(CreateTopics { topics: topics.collect(), validate_only })
        }),
        3 => prop::collection::vec(0..4u8, 1..4).prop_map(|names| {
            let topics = names.into_iter().map(|name| TopicReference { name: Some(topic_name(name)), id: Uuid::ZERO });
            Request::DeleteTopics(DeleteTopics { topics: topics.collect() })
        }),
        3 => (prop::collection::vec((0..4u8, 0..5i8, 0..4u8), 1..4), any::<bool>()).prop_map(|(changes, validate_only)| {
            let resources = changes.into_iter().map(alteration).collect();
            Request::AlterConfigs(AlterConfigs { resources, asked: BrokerId(1), validate_only })
        }),
        3 => administration(),
        1 => (1..4i32, 1..4i64).prop_map(|(id, epoch)| Request::AllocateProducerIds(AllocateProducerIds {
            broker_id: BrokerId(id),
            broker_epoch: BrokerEpoch(epoch),
        })),
    ]
}

/// What operators do with topics and brokers.
fn administration() -> impl Strategy<Value = Request> {
    let broker = || (1..5i32).prop_map(BrokerId);
    let replicas = move || prop::option::of(prop::collection::vec(broker(), 0..3));
    let index = |number: u8| PartitionIndex((number % 3).into());
    prop_oneof![
        (0..4u8, 0..6i32, any::<bool>()).prop_map(|(name, count, validate_only)| {
            let topics = vec![GrownTopic { name: topic_name(name), count, assignments: None }];
            Request::CreatePartitions(CreatePartitions { topics, validate_only })
        }),
        (any::<bool>(), 0..4u8, 0..3u8).prop_map(move |(preferred, name, number)| {
            let topic = ElectedTopic { name: topic_name(name), partitions: vec![index(number), index(number)] };
            Request::ElectLeaders(ElectLeaders {
                election: if preferred { Election::Preferred } else { Election::Unclean },
                topics: (number > 0).then(|| vec![topic]),
            })
        }),
        (0..4u8, prop::collection::vec((0..3u8, replicas()), 1..4), any::<bool>()).prop_map(
            move |(name, partitions, allow_replication_factor_change)| {
                let wanted =
                    |(number, replicas)| Reassignment { topic: topic_name(name), partition: index(number), replicas };
                let partitions = partitions.into_iter().map(wanted).collect();
                Request::AlterPartitionReassignments(AlterPartitionReassignments {
                    partitions,
                    allow_replication_factor_change,
                })
            }
        ),
        broker().prop_map(|id| Request::UnregisterBroker(UnregisterBroker { id })),
        (28..33i16, 0..5i8).prop_map(|(level, upgrade_type)| {
            let updates = vec![FeatureUpdate { name: METADATA_VERSION.to_owned(), level, upgrade_type }];
            Request::UpdateFeatures(UpdateFeatures { updates, validate_only: false })
        }),
    ]
}

/// A change of the overrides of a topic, of broker 1 or of all brokers.
fn alteration((name, operation, value): (u8, i8, u8)) -> AlteredResource {
    let key = if operation < 2 { "k" } else { "list" }.to_owned();
    let value = (value > 0).then(|| value.to_string());
    let (kind, name) =
        if operation % 2 == 0 { (2, topic_name(name)) } else { (4, ["", "1"][usize::from(name) % 2].to_owned()) };
    let change = if operation == 4 {
        ConfigChange::Replace(vec![(key, value)])
    } else {
        ConfigChange::Amend(vec![ConfigOperation { key, operation, value }])
    };
    AlteredResource { kind, name, change }
}

fn new_topic(name: u8, partitions: i32, replication_factor: i16) -> NewTopic {
    let (name, id) = (topic_name(name), Uuid::ZERO);
    NewTopic { name, id, partitions, replication_factor, assignments: Vec::new(), configs: Vec::new() }
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        12 => request().prop_map(Step::Request),
        8 => Just(Step::Commit),
        1 => Just(Step::Lose),
        1 => Just(Step::Fail),
        1 => Just(Step::NoRoom),
        2 => Just(Step::Lead),
        2 => (1..4i32).prop_map(|id| Step::Fence(BrokerId(id))),
    ];
    prop::collection::vec(step, 0..80)
}

/// Takes any override; `list` is a list.
struct AnyOverrides;

impl ConfigRules for AnyOverrides {
    fn check(&self, _: &Resource, _: &ConfigOverrides<'_>, _: &ConfigOverrides<'_>) -> Result<(), ConfigRefusal> {
        Ok(())
    }

    fn list_default(&self, _: ResourceKind, key: &str) -> Option<String> {
        (key == "list").then(String::new)
    }
}

fn world() -> World {
    let settings = Settings { cluster_id: "c".to_owned(), queue_max: 5, ..Settings::default() };
    World {
        controller: Controller::new(settings, Box::new(AnyOverrides)),
        committed: Image::default(),
        term: 0,
        in_flight: None,
        open: BTreeSet::new(),
        asked: 0,
        created: 0,
    }
}

impl World {
    fn take(&mut self, step: Step) {
        let input = match step {
            Step::Request(request) => self.ask(request),
            Step::Commit => match self.commit() {
                Some(position) => Input::Committed { position },
                None => return,
            },
            Step::Fence(id) => return self.fence(id),
            Step::Lose => Input::LostLeadership,
            Step::NoRoom => Input::NoRoom { term: self.term },
            Step::Fail => Input::ProposeFailed { term: self.term },
            Step::Lead => {
                self.term += 1;
                Input::BecameLeader { term: self.term, image: self.committed.clone() }
            }
        };
        // Whatever ends a leadership loses what was in flight, and so does a device without room.
        if !matches!(input, Input::Request { .. } | Input::Committed { .. }) {
            self.in_flight = None;
        }
        self.controller.handle(Instant::START, input);
        while let Some(output) = self.controller.poll() {
            self.see(output);
        }
    }

    /// Shuts a broker out, or lets it in again, in a term in between.
    fn fence(&mut self, id: BrokerId) {
        self.take(Step::Lose);
        if let Some(broker) = self.committed.broker(id).cloned() {
            let epoch = broker.epoch;
            let fact =
                if broker.fenced { Fact::BrokerUnfenced { id, epoch } } else { Fact::BrokerFenced { id, epoch } };
            self.committed.apply(&fact).expect("possible");
        }
        self.take(Step::Lead);
    }

    /// Draws ids for new topics, and notes that an answer is due.
    fn ask(&mut self, mut request: Request) -> Input {
        self.asked += 1;
        if let Request::CreateTopics(CreateTopics { topics, .. }) = &mut request {
            for (number, topic) in topics.iter_mut().enumerate() {
                topic.id = Uuid((u128::from(self.asked) << 8 | number as u128).to_be_bytes());
            }
        }
        let id = RequestId(self.asked);
        self.open.insert(id);
        Input::Request { id, request, deadline: Instant::START + std::time::Duration::from_secs(1) }
    }

    fn commit(&mut self) -> Option<Position> {
        let (term, facts) = self.in_flight.take()?;
        for fact in facts {
            self.committed.apply(&fact).unwrap_or_else(|impossible| panic!("{fact}: {impossible}"));
        }
        let position = Position { term, index: self.committed.position().index + 1 };
        self.committed.set_position(position);
        Some(position)
    }

    fn see(&mut self, output: Output) {
        match output {
            Output::Propose { expected_term, facts } => {
                assert_eq!(expected_term, self.term, "proposed in the term that it was decided in");
                assert!(!facts.is_empty(), "an entry without facts");
                assert!(self.in_flight.is_none(), "two entries in flight");
                self.in_flight = Some((expected_term, facts));
            }
            Output::Reply { id, reply } => {
                assert!(self.open.remove(&id), "{id} is answered twice, or was never asked");
                self.count_created(&reply);
            }
        }
    }

    /// Counts the topics that an answer calls created and that are committed.
    fn count_created(&mut self, reply: &Reply) {
        let Reply::CreateTopics(results) = reply else { return };
        for (name, _) in results.iter().filter(|(_, result)| result.is_ok()) {
            self.created += usize::from(self.committed.topic_by_name(name).is_some());
        }
    }
}

proptest! {
    #[test]
    fn every_request_gets_one_answer_and_every_entry_folds(steps in steps()) {
        let mut world = world();
        world.take(Step::Lead);
        for step in steps {
            world.take(step);
        }
        world.take(Step::Lose);
        prop_assert!(world.open.is_empty(), "never answered: {:?}", world.open);
    }
}

#[test]
fn entry_takes_no_further_request_once_it_is_large() {
    let mut world = world();
    let create = |name, partitions| {
        Step::Request(Request::CreateTopics(CreateTopics {
            topics: vec![new_topic(name, partitions, 1)],
            validate_only: false,
        }))
    };
    let register = RegisterBroker {
        cluster_id: "c".to_owned(),
        id: BrokerId(1),
        incarnation: Uuid([1; 16]),
        rack: None,
        endpoints: Vec::new(),
    };
    let entry = |world: &World| world.in_flight.as_ref().map(|(_, facts)| facts.len());
    for step in [Step::Lead, Step::Request(Request::RegisterBroker(register)), create(0, 9_000), create(1, 9_000)] {
        world.take(step);
    }
    world.take(create(2, 1));
    world.take(Step::Commit);
    assert_eq!(entry(&world), Some(1 + 9_001 + 9_001), "the second passes the limit, the third waits");
    world.take(Step::Commit);
    assert_eq!(entry(&world), Some(2));
    world.take(Step::Commit);
    assert_eq!((entry(&world), world.created), (None, 3));
}
