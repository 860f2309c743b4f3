//! What a script speaks through: a broker, a connection to it, and the ids of its topics.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::{SystemTime, UNIX_EPOCH};

use ottla_protocol::Request;
use ottla_protocol::create_topics::{CreatableTopic, CreateTopicsRequest};
use ottla_protocol::metadata::{MetadataRequest, MetadataRequestTopic};
use ottla_storage::disk::simulated::SimulatedDisk;
use ottla_storage::disk::{Disk, Open, block_on};
use ottla_testkit::Command;
use ottla_types::{ErrorCode, Uuid};

use super::members::{self, Members};
use super::{
    admin, cluster, configs, consumers, directories, fetch, list_offsets, log, offsets, partitions, produce, telemetry,
};
use crate::support::{Client, Running, WALL};

/// Names another broker to ask.
pub(crate) const ORACLE: &str = "OTTLA_ORACLE";

/// How often in a row that one must describe its topics alike before it counts as having made known what it decided.
const ORACLE_SETTLED: u32 = 1000;

/// The date at the broker: of its own that stands still, of another the computer's when it was first asked for.
pub(super) fn now() -> i64 {
    static ORACLES: OnceLock<i64> = OnceLock::new();
    let at_oracle = || {
        let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970");
        i64::try_from(since_1970.as_millis()).expect("before the end of time")
    };
    if std::env::var(ORACLE).is_ok() { *ORACLES.get_or_init(at_oracle) } else { WALL.0 }
}

/// The state of one script.
pub(crate) struct Session {
    running: Option<Running>,
    address: SocketAddr,
    client: Option<Client>,
    /// Connections that the script put aside, by name, and the name of the one that speaks.
    aside: BTreeMap<String, Client>,
    at: String,
    /// The ids of the members of its groups.
    pub(super) members: Members,
    /// The id that each topic had last.
    ids: BTreeMap<String, Uuid>,
    /// The ids of fetch sessions, by the names that the script gives them.
    pub(super) fetch_sessions: BTreeMap<String, i32>,
    /// The instance and the subscription that it has for its metrics.
    pub(super) telemetry: Option<(Uuid, i32)>,
}

impl Session {
    pub(crate) fn new() -> Self {
        if let Ok(oracle) = std::env::var(ORACLE) {
            let address = oracle.parse().expect("an address and a port");
            return Self {
                running: None,
                address,
                client: None,
                aside: BTreeMap::new(),
                at: String::new(),
                members: Members::default(),
                ids: BTreeMap::new(),
                fetch_sessions: BTreeMap::new(),
                telemetry: None,
            };
        }
        let running = Running::start();
        let address = running.address();
        Self {
            running: Some(running),
            address,
            client: None,
            aside: BTreeMap::new(),
            at: String::new(),
            members: Members::default(),
            ids: BTreeMap::new(),
            fetch_sessions: BTreeMap::new(),
            telemetry: None,
        }
    }

    pub(crate) fn run(&mut self, command: &Command<'_>) -> String {
        match command.name {
            "start" => self.start(command),
            "restart" => self.restart(),
            "kill" => self.kill(),
            "power-loss" => self.lose_power(),
            "copy" => self.copy(command),
            "create-topics" => admin::create_topics(self, command),
            "delete-topics" => admin::delete_topics(self, command),
            "metadata" => admin::metadata(self, command),
            "init-producer-id" => admin::init_producer_id(self, command),
            "api-versions" => admin::api_versions(self, command),
            "create-partitions" => partitions::create_partitions(self, command),
            "elect-leaders" => partitions::elect_leaders(self, command),
            "reassign" => partitions::reassign(self, command),
            "list-reassignments" => partitions::list_reassignments(self, command),
            "describe-topic-partitions" => partitions::describe_topic_partitions(self, command),
            "describe-cluster" => cluster::describe_cluster(self, command),
            "describe-quorum" => cluster::describe_quorum(self, command),
            "update-features" => cluster::update_features(self, command),
            "unregister-broker" => cluster::unregister_broker(self, command),
            "describe-configs" => configs::describe(self, command),
            "alter-configs" => configs::alter(self, command),
            "incremental-alter-configs" => configs::amend(self, command),
            "list-config-resources" => configs::list(self, command),
            "get-telemetry-subscriptions" => telemetry::subscriptions(self, command),
            "push-telemetry" => telemetry::push(self, command),
            "alter-replica-log-dirs" => directories::alter_replica_log_dirs(self, command),
            "describe-log-dirs" => directories::describe_log_dirs(self, command),
            "on" => self.go_on(command.words[0]),
            "find-coordinator" => offsets::find_coordinator(self, command),
            "coordinator" => offsets::coordinator(self, command),
            "join-group" => members::join(self, command),
            "joined" => members::joined_now(self, command),
            "sync-group" => members::sync(self, command),
            "synced" => members::synced_now(self, command),
            "heartbeat" => members::heartbeat(self, command),
            "leave-group" => members::leave(self, command),
            "list-groups" => members::list(self, command),
            "describe-groups" => members::describe(self, command),
            "delete-groups" => members::delete(self, command),
            "consumer-heartbeat" => consumers::heartbeat(self, command),
            "describe-consumer-groups" => consumers::describe(self, command),
            "offset-commit" => offsets::commit(self, command),
            "offset-fetch" => offsets::fetch(self, command),
            "offset-delete" => offsets::delete(self, command),
            "produce" => produce::produce(self, command),
            "fetch" => fetch::fetch(self, command),
            "list-offsets" => list_offsets::list_offsets(self, command),
            "delete-records" => log::delete_records(self, command),
            "await-start" => log::await_start(self, command),
            "epoch-end" => log::epoch_end(self, command),
            "describe-producers" => log::describe_producers(self, command),
            name => panic!("no command is called {name}"),
        }
    }

    /// Another broker may say that it is done before all of it knows.
    pub(crate) fn settle(&self) {
        if self.running.is_some() {
            return;
        }
        let mut client = Client::connect(self.address);
        let all = MetadataRequest { topics: None, ..MetadataRequest::default() };
        let (mut last, mut alike) = (client.ask(12, &all).topics, 0);
        while alike < ORACLE_SETTLED {
            let now = client.ask(12, &all).topics;
            alike = if now == last { alike + 1 } else { 0 };
            last = now;
        }
    }

    fn start(&mut self, command: &Command<'_>) -> String {
        if self.running.is_some() {
            let lines: String = command.arguments.iter().map(|(key, value)| format!("{key}={value}\n")).collect();
            let running = Running::with(&lines);
            self.address = running.address();
            self.running = Some(running);
            self.client = None;
        }
        String::new()
    }

    /// After a start members are called anew, too: whoever speaks to another broker begins there.
    fn forget_connections(&mut self) {
        (self.client, self.aside, self.members) = (None, BTreeMap::new(), Members::default());
    }

    fn restart(&mut self) -> String {
        if let Some(running) = &mut self.running {
            running.stop();
            running.start_again();
            self.address = running.address();
            self.forget_connections();
        }
        String::new()
    }

    fn kill(&mut self) -> String {
        if let Some(running) = &mut self.running {
            running.kill();
            running.start_again();
            self.address = running.address();
            self.forget_connections();
        }
        String::new()
    }

    fn lose_power(&mut self) -> String {
        if let Some(running) = &mut self.running {
            running.lose_power();
            running.start_again();
            self.address = running.address();
            self.forget_connections();
        }
        String::new()
    }

    /// Speaks over the connection of that name from now on.
    fn go_on(&mut self, name: &str) -> String {
        let before = std::mem::replace(&mut self.at, name.to_owned());
        let other = self.aside.remove(name);
        if let Some(client) = std::mem::replace(&mut self.client, other) {
            self.aside.insert(before, client);
        }
        String::new()
    }

    /// The broker is stopped meanwhile.
    fn copy(&mut self, command: &Command<'_>) -> String {
        let name = command.words[0];
        if let Some(running) = &self.running {
            let topic =
                CreatableTopic { name: name.to_owned(), num_partitions: 1, replication_factor: 1, ..<_>::default() };
            let request = CreateTopicsRequest { topics: vec![topic], timeout_ms: 60_000, ..<_>::default() };
            running.connect().ask(7, &request);
        }
        if let Some(running) = &mut self.running {
            running.stop();
            put_kafkas(&running.disk, name);
            running.start_again();
            self.address = running.address();
            self.forget_connections();
        }
        let topic = MetadataRequestTopic { name: Some(name.to_owned()), ..<_>::default() };
        let request = MetadataRequest { topics: Some(vec![topic]), ..<_>::default() };
        let id = self.client().ask(12, &request).topics[0].topic_id;
        self.note_id(name, id);
        String::new()
    }

    /// Stops the broker and hands it out with its disk.
    pub(crate) fn end(self) -> Running {
        let mut running = self.running.expect("a broker of its own");
        running.stop();
        running
    }

    /// Where the broker listens.
    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    /// The connection.
    pub(super) fn client(&mut self) -> &mut Client {
        self.client.get_or_insert_with(|| Client::connect(self.address))
    }

    /// The answer to a request as `print` has it, or `closed`.
    pub(super) fn ask<M: Request>(
        &mut self,
        version: i16,
        request: &M,
        print: impl FnOnce(&mut Self, M::Response) -> String,
    ) -> String {
        self.client().send(version, request);
        match self.client().receive::<M>(version) {
            Some(response) => print(self, response),
            None => self.closed(),
        }
    }

    /// Notes that the broker hung up.
    pub(super) fn closed(&mut self) -> String {
        self.client = None;
        "closed".to_owned()
    }

    pub(super) fn note_id(&mut self, name: &str, id: Uuid) {
        if !id.is_zero() {
            self.ids.insert(name.to_owned(), id);
        }
    }

    /// The name and the id of what a script writes as `name`, `<name>` or, for both, `name<name>`.
    pub(super) fn topic(&self, word: &str) -> (Option<String>, Uuid) {
        let (name, id) = word.strip_suffix('>').and_then(|word| word.split_once('<')).unwrap_or((word, ""));
        let id = match id {
            "" => Uuid::ZERO,
            "?" => Uuid([7; 16]),
            known => *self.ids.get(known).unwrap_or_else(|| panic!("no topic was called {known}")),
        };
        (Some(name.to_owned()).filter(|name| !name.is_empty()).map(|name| name.replace("''", "")), id)
    }

    /// The same for requests that from `ids_from` on know ids only: a name becomes the id that it had.
    pub(super) fn topic_in(&self, word: &str, version: i16, ids_from: i16) -> (String, Uuid) {
        let (name, id) = self.topic(word);
        let name = name.unwrap_or_default();
        if version < ids_from {
            return (name, Uuid::ZERO);
        }
        let known = self.ids.get(&name).copied();
        (String::new(), if id.is_zero() { known.unwrap_or(Uuid::ZERO) } else { id })
    }

    /// How a topic is printed: by its name, or by its id in the script's way.
    pub(super) fn printed(&self, name: &str, id: Uuid) -> String {
        if !name.is_empty() {
            return name.to_owned();
        }
        match self.ids.iter().find(|(_, known)| **known == id) {
            Some((name, _)) => format!("<{name}>"),
            None if id.is_zero() => "<>".to_owned(),
            None => "<?>".to_owned(),
        }
    }
}

/// Puts what a Kafka wrote in the place of the files of a topic's only partition. The topic's id stays.
fn put_kafkas(disk: &SimulatedDisk, topic: &str) {
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("../storage/tests/data");
    let from = data.join(format!("kafka-4.3.1-{topic}/{topic}-0"));
    let to = PathBuf::from(format!("/kafka/{topic}-0"));
    for entry in std::fs::read_dir(from).expect("the data is there") {
        let path = entry.expect("listed").path();
        let name = path.file_name().expect("a file");
        if name != "partition.metadata" {
            let bytes = std::fs::read(&path).expect("read");
            let file = block_on(disk.open(&to.join(name), Open::Truncate)).expect("made");
            block_on(file.write(0, vec![bytes.into()])).expect("written");
        }
    }
}

/// The name of an error, and what the broker says of it.
pub(super) fn error(code: i16, message: Option<&str>) -> String {
    let name = ErrorCode::from_raw(code).map_or_else(|| code.to_string(), |code| code.to_string());
    match message {
        // Another broker has other words for it.
        Some(_) if std::env::var(ORACLE).is_ok() => format!("{name}: …"),
        Some(text) => format!("{name}: {text}"),
        None => name,
    }
}

/// `lines`, one below the other.
pub(super) fn joined(lines: impl IntoIterator<Item = String>) -> String {
    lines.into_iter().collect::<Vec<_>>().join("\n")
}
