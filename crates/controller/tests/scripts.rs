//! The golden scripts of the controller: `tests/scripts/*.txt`. What their commands mean is here.
//!
//! The interpreter plays the runtime and the log: it keeps what is proposed until `commit`, then folds it into an image
//! of its own, as every node would. Ids are written as `<1>`, `<2>`, …; answers print them like that, too.

use std::collections::VecDeque;
use std::time::Duration;

use ottla_controller::{
    AllocateProducerIds, AlterConfigs, AlterPartitionReassignments, AlteredResource, Assignment, ConfigChange,
    ConfigOperation, ConfigOverrides, ConfigRefusal, ConfigRules, Controller, CreatePartitions, CreateTopics,
    DeleteTopics, ElectLeaders, ElectedTopic, Election, FeatureUpdate, GrownTopic, Input, NewTopic, Output,
    Reassignment, RegisterBroker, Request, RequestId, Settings, TopicReference, UnregisterBroker, UpdateFeatures,
};
use ottla_metadata::{
    BrokerEpoch, Endpoint, Fact, Image, Position, Resource, ResourceKind, SecurityProtocol, decode_facts, encode_facts,
};
use ottla_testkit::{Command, run_scripts};
use ottla_types::{BrokerId, ErrorCode, Instant, PartitionIndex, Uuid};

#[test]
fn controller_scripts() {
    run_scripts(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/scripts"), || {
        let mut cluster = Cluster::new();
        move |line: &str| cluster.run(&Command::parse(line))
    });
}

/// One controller and the log that it proposes to.
struct Cluster {
    controller: Controller,
    now: Instant,
    requests: u64,
    committed: Image,
    proposed: VecDeque<(u64, Vec<Fact>)>,
}

impl Cluster {
    fn new() -> Self {
        Self {
            controller: controller(2),
            now: Instant::START,
            requests: 0,
            committed: Image::default(),
            proposed: VecDeque::new(),
        }
    }

    fn run(&mut self, command: &Command<'_>) -> String {
        let term = command.parsed("term", self.committed.position().term);
        match command.name {
            // Settings that differ from the scripts' default; a controller that has seen nothing.
            "start" => {
                self.controller = controller(command.parsed("queue-max", 2));
                if command.has("no-deletion") {
                    let settings = Settings { topics_deletable: false, ..settings(2) };
                    self.controller = Controller::new(settings, Box::new(Rules));
                }
                return String::new();
            }
            "wait" => {
                self.now = self.now + Duration::from_millis(command.parsed("ms", 0));
                self.controller.handle(self.now, Input::TimePassed);
            }
            "deadline" => return self.controller.deadline().map_or("none".to_owned(), |at| at.to_string()),
            "became-leader" => {
                // What an older term proposed, the log refuses from now on.
                self.proposed.retain(|(proposed_in, _)| *proposed_in == term);
                let image = self.committed.clone();
                self.controller.handle(self.now, Input::BecameLeader { term, image });
            }
            "lost-leadership" => {
                self.proposed.clear();
                self.controller.handle(self.now, Input::LostLeadership);
            }
            "propose-failed" => {
                self.proposed.retain(|(proposed_in, _)| *proposed_in != term);
                self.controller.handle(self.now, Input::ProposeFailed { term });
            }
            "no-room" => {
                self.proposed.retain(|(proposed_in, _)| *proposed_in != term);
                self.controller.handle(self.now, Input::NoRoom { term });
            }
            "commit" => return self.commit(),
            "committed" => {
                let position = Position { term, index: self.committed.position().index };
                self.controller.handle(self.now, Input::Committed { position });
            }
            // Facts from elsewhere, written while nobody leads.
            "fence" => {
                let id = broker(command.words[0]);
                let epoch = self.committed.broker(id).expect("registered").epoch;
                self.committed.apply(&Fact::BrokerFenced { id, epoch }).expect("possible");
                return String::new();
            }
            "unfence" => {
                let id = broker(command.words[0]);
                let epoch = self.committed.broker(id).expect("registered").epoch;
                self.committed.apply(&Fact::BrokerUnfenced { id, epoch }).expect("possible");
                return String::new();
            }
            "isr" => return self.isr(&command.arguments),
            "orphan" => return self.orphan(command.words[0]),
            "image" => return named(&lines(self.committed.facts())),
            _ => {
                self.requests += 1;
                let (id, request) = (RequestId(self.requests), request(command));
                let deadline = self.now + Duration::from_millis(command.parsed("timeout", 30_000));
                self.controller.handle(self.now, Input::Request { id, request, deadline });
            }
        }
        self.outputs()
    }

    /// Folds the oldest proposal in, as the log would have it: through bytes.
    fn commit(&mut self) -> String {
        let Some((term, facts)) = self.proposed.pop_front() else { return "nothing to commit".to_owned() };
        for fact in decode_facts(&encode_facts(&facts)).expect("reads back") {
            self.committed.apply(&fact).expect("what is proposed is possible");
        }
        let position = Position { term, index: self.committed.position().index + 1 };
        self.committed.set_position(position);
        self.controller.handle(self.now, Input::Committed { position });
        self.outputs()
    }

    /// Other replicas are in sync: `isr a/0=1,2`.
    fn isr(&mut self, partitions: &[(&str, &str)]) -> String {
        for (partition, isr) in partitions {
            let (name, index) = partition.split_once('/').expect("a topic and a partition");
            let index = PartitionIndex(index.parse().expect("a partition"));
            let topic = self.committed.topic_by_name(name).expect("exists").clone();
            let before = topic.partition(index).expect("exists");
            let isr = brokers(isr);
            let led = isr.contains(&before.leader);
            let fact = Fact::PartitionChanged {
                topic_id: topic.id,
                index,
                leader: (!led).then_some(BrokerId::NONE),
                leader_epoch: (!led).then(|| before.leader_epoch.next()),
                isr: Some(isr),
                partition_epoch: before.partition_epoch.next(),
            };
            self.committed.apply(&fact).expect("possible");
        }
        String::new()
    }

    /// Takes the leaders of a topic away.
    fn orphan(&mut self, name: &str) -> String {
        let topic = self.committed.topic_by_name(name).expect("exists").clone();
        for (index, partition) in topic.partitions() {
            let fact = Fact::PartitionChanged {
                topic_id: topic.id,
                index,
                isr: None,
                leader: Some(BrokerId::NONE),
                leader_epoch: Some(partition.leader_epoch.next()),
                partition_epoch: partition.partition_epoch.next(),
            };
            self.committed.apply(&fact).expect("possible");
        }
        String::new()
    }

    fn outputs(&mut self) -> String {
        let mut outputs = Vec::new();
        while let Some(output) = self.controller.poll() {
            outputs.push(output.to_string());
            if let Output::Propose { expected_term, facts } = output {
                self.proposed.push_back((expected_term, facts));
            }
        }
        named(&lines(outputs))
    }
}

fn settings(queue_max: usize) -> Settings {
    Settings { cluster_id: "the-cluster".to_owned(), partitions_default: 2, queue_max, ..Settings::default() }
}

fn controller(queue_max: usize) -> Controller {
    Controller::new(settings(queue_max), Box::new(Rules))
}

/// A small world of overrides: `retention.ms` is a number, `cleanup.policy` a list, `node.id` cannot be changed.
struct Rules;

impl ConfigRules for Rules {
    fn check(&self, of: &Resource, _: &ConfigOverrides<'_>, new: &ConfigOverrides<'_>) -> Result<(), ConfigRefusal> {
        new.iter().try_for_each(|(key, value)| match *key {
            "cleanup.policy" => Ok(()),
            "retention.ms" if value.parse::<i64>().is_ok() => Ok(()),
            "retention.ms" => Err(ConfigRefusal::invalid(format!("retention.ms: {value} is no number"))),
            "node.id" => {
                let message = "node.id is read only".to_owned();
                Err(ConfigRefusal { code: ErrorCode::InvalidRequest, message })
            }
            _ => Err(ConfigRefusal::invalid(format!("{}s have no key {key}", of.kind))),
        })
    }

    fn list_default(&self, _: ResourceKind, key: &str) -> Option<String> {
        (key == "cleanup.policy").then(|| "delete".to_owned())
    }
}

fn request(command: &Command<'_>) -> Request {
    match command.name {
        "register-broker" => Request::RegisterBroker(register_broker(command)),
        "create-topics" => Request::CreateTopics(create_topics(command)),
        "delete-topics" => {
            Request::DeleteTopics(DeleteTopics { topics: command.words.iter().map(|word| reference(word)).collect() })
        }
        "create-partitions" => Request::CreatePartitions(create_partitions(command)),
        "elect-leaders" => Request::ElectLeaders(elect_leaders(command)),
        "reassign" => Request::AlterPartitionReassignments(reassign(command)),
        "unregister-broker" => Request::UnregisterBroker(UnregisterBroker { id: broker(command.words[0]) }),
        "update-features" => Request::UpdateFeatures(update_features(command)),
        "alter-configs" => Request::AlterConfigs(alter_configs(command)),
        "allocate-producer-ids" => Request::AllocateProducerIds(AllocateProducerIds {
            broker_id: broker(command.words[0]),
            broker_epoch: BrokerEpoch(command.parsed("epoch", 1)),
        }),
        name => panic!("no command {name}"),
    }
}

/// `register-broker 1 run=7 rack=a cluster=x port=9092`.
fn register_broker(command: &Command<'_>) -> RegisterBroker {
    RegisterBroker {
        cluster_id: command.argument("cluster").unwrap_or("the-cluster").to_owned(),
        id: broker(command.words[0]),
        incarnation: uuid(command.parsed("run", 1)),
        rack: command.argument("rack").map(str::to_owned),
        endpoints: vec![Endpoint {
            listener: "PLAINTEXT".to_owned(),
            host: "localhost".to_owned(),
            port: command.parsed("port", 9092),
            security_protocol: SecurityProtocol::Plaintext,
        }],
    }
}

/// `create-topics a id=1 partitions=3 factor=2 config:KEY=VALUE config:KEY assign:0=1,2` and `+` before the next topic.
/// `copies=N` repeats the topic before it with other names.
fn create_topics(command: &Command<'_>) -> CreateTopics {
    let line = [&command.words[..], &[]].concat();
    let mut topics: Vec<NewTopic> = Vec::new();
    for name in line.iter().filter(|word| !word.starts_with("config:") && **word != "validate-only") {
        topics.push(new_topic(name, topics.len() as u128 + command.parsed("id", 1)));
    }
    for topic in &mut topics {
        // `key=value` is for every topic, `name.key=value` for one.
        for (key, value) in &command.arguments {
            let own = key.strip_prefix(topic.name.as_str()).and_then(|key| key.strip_prefix('/'));
            if let Some(key) = own.or(Some(*key).filter(|key| !key.contains('/'))) {
                describe(topic, key, value);
            }
        }
        let without_value = command.words.iter().filter_map(|word| word.strip_prefix("config:"));
        topic.configs.extend(without_value.map(|key| (key.to_owned(), None)));
    }
    CreateTopics { topics, validate_only: command.has("validate-only") }
}

/// `create-partitions a=3 b=3:1,2/2,1 validate-only`: how many, and on which brokers the new ones.
fn create_partitions(command: &Command<'_>) -> CreatePartitions {
    let grown = |(name, wanted): &(&str, &str)| {
        let (count, assigned) = wanted.split_once(':').map_or((*wanted, None), |(count, rest)| (count, Some(rest)));
        let assignments = assigned.map(|assigned| assigned.split_terminator('/').map(brokers).collect());
        GrownTopic { name: (*name).to_owned(), count: count.parse().expect("a count"), assignments }
    };
    let topics = command.arguments.iter().map(grown).collect();
    CreatePartitions { topics, validate_only: command.has("validate-only") }
}

/// `elect-leaders preferred a=0,1 b=0`, `elect-leaders unclean all`.
fn elect_leaders(command: &Command<'_>) -> ElectLeaders {
    let topic = |(name, indices): &(&str, &str)| ElectedTopic {
        name: (*name).to_owned(),
        partitions: indices.split(',').map(|index| PartitionIndex(index.parse().expect("a partition"))).collect(),
    };
    ElectLeaders {
        election: if command.has("preferred") { Election::Preferred } else { Election::Unclean },
        topics: (!command.has("all")).then(|| command.arguments.iter().map(topic).collect()),
    }
}

/// `reassign a/0=1,2 a/1=cancel same-factor`.
fn reassign(command: &Command<'_>) -> AlterPartitionReassignments {
    let wanted = |(partition, replicas): &(&str, &str)| {
        let (topic, index) = partition.split_once('/').expect("a topic and a partition");
        Reassignment {
            topic: topic.to_owned(),
            partition: PartitionIndex(index.parse().expect("a partition")),
            replicas: (*replicas != "cancel").then(|| brokers(replicas)),
        }
    };
    AlterPartitionReassignments {
        partitions: command.arguments.iter().map(wanted).collect(),
        allow_replication_factor_change: !command.has("same-factor"),
    }
}

/// `update-features metadata.version=30 other=1,2`: the level, and the upgrade type where it is not 1.
fn update_features(command: &Command<'_>) -> UpdateFeatures {
    let update = |(name, wanted): &(&str, &str)| {
        let (level, upgrade_type) = wanted.split_once(',').unwrap_or((*wanted, "1"));
        FeatureUpdate {
            name: (*name).to_owned(),
            level: level.parse().expect("a level"),
            upgrade_type: upgrade_type.parse().expect("a number"),
        }
    };
    let updates = command.arguments.iter().map(update).collect();
    UpdateFeatures { updates, validate_only: command.has("validate-only") }
}

fn brokers(list: &str) -> Vec<BrokerId> {
    list.split(',').filter(|id| !id.is_empty()).map(broker).collect()
}

/// `alter-configs topic:a KEY=VALUE KEY+=ITEM,… KEY-=ITEM,… delete:KEY null:KEY` and further resources, which get the
/// same; `replace` for the older request. Brokers are asked through broker 1. Other kinds by their number: `8:a`.
fn alter_configs(command: &Command<'_>) -> AlterConfigs {
    let replace = command.has("replace");
    let (mut operations, mut resources) = (Vec::new(), Vec::new());
    for word in &command.words {
        match word.split_once(':') {
            Some(("delete", key)) => operations.push((key, 1, None)),
            Some(("null", key)) => operations.push((key, 0, None)),
            Some((kind, name)) => resources.push((kind, name)),
            None => {}
        }
    }
    for (key, value) in &command.arguments {
        let (key, operation) = match key.char_indices().next_back() {
            Some((end, '+')) => (&key[..end], 2),
            Some((end, '-')) => (&key[..end], 3),
            Some((end, '?')) => (&key[..end], 9),
            _ => (*key, 0),
        };
        operations.push((key, operation, Some(long(value))));
    }
    let change = || {
        let named = operations.iter().map(|(key, operation, value)| ((*key).to_owned(), *operation, value.clone()));
        if replace {
            ConfigChange::Replace(named.map(|(key, _, value)| (key, value)).collect())
        } else {
            let one = |(key, operation, value)| ConfigOperation { key, operation, value };
            ConfigChange::Amend(named.map(one).collect())
        }
    };
    let kind = |name: &str| match name {
        "topic" => 2,
        "broker" => 4,
        "client-metrics" => 16,
        "group" => 32,
        number => number.parse().expect("a kind of resource"),
    };
    AlterConfigs {
        resources: resources
            .into_iter()
            .map(|(of, name)| AlteredResource { kind: kind(of), name: name.to_owned(), change: change() })
            .collect(),
        asked: BrokerId(1),
        validate_only: command.has("validate-only"),
    }
}

/// `text`, or for `x*5` as many.
fn long(text: &str) -> String {
    text.strip_prefix("x*").map_or(text.to_owned(), |count| "x".repeat(count.parse().expect("a count")))
}

fn new_topic(name: &str, id: u128) -> NewTopic {
    let name = if name == "''" { String::new() } else { name.to_owned() };
    NewTopic {
        name,
        id: uuid(id),
        partitions: -1,
        replication_factor: -1,
        assignments: Vec::new(),
        configs: Vec::new(),
    }
}

fn describe(topic: &mut NewTopic, key: &str, value: &str) {
    if let Some(partition) = key.strip_prefix("assign:") {
        let partition = PartitionIndex(partition.parse().expect("a partition"));
        let replicas = value.split(',').filter(|id| !id.is_empty()).map(broker).collect();
        topic.assignments.push(Assignment { partition, replicas });
    } else if let Some(config) = key.strip_prefix("config:") {
        topic.configs.push((config.to_owned(), Some(long(value))));
    } else {
        match key {
            "partitions" => topic.partitions = value.parse().expect("a count"),
            "factor" => topic.replication_factor = value.parse().expect("a count"),
            "id" | "timeout" => {}
            _ => panic!("no argument {key}"),
        }
    }
}

/// `name`, `<1>`, `name<1>` for both, `''` for neither.
fn reference(word: &str) -> TopicReference {
    let (name, id) = word.strip_suffix('>').and_then(|word| word.split_once('<')).unwrap_or((word, "0"));
    let name = Some(name).filter(|name| !name.is_empty() && *name != "''").map(str::to_owned);
    TopicReference { name, id: uuid(id.parse().expect("an id")) }
}

fn broker(id: &str) -> BrokerId {
    BrokerId(id.parse().expect("a broker's id"))
}

fn uuid(number: u128) -> Uuid {
    Uuid(number.to_be_bytes())
}

fn lines(items: impl IntoIterator<Item = impl ToString>) -> String {
    items.into_iter().map(|item| item.to_string()).collect::<Vec<_>>().join("\n")
}

/// `text` with the ids of the scripts as `<1>`, `<2>`, …
fn named(text: &str) -> String {
    (0..32).fold(text.to_owned(), |text, number| text.replace(&uuid(number).to_string(), &format!("<{number}>")))
}
