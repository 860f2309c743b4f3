//! What a broker runs with: every key that it honours, typed, after all layers were read and checked together.
//!
//! Which addresses it opens and advertises is in `endpoints.rs`, what its topics get in `topic.rs`; where the defaults
//! differ from Kafka's is told in `lib.rs`.

use std::path::PathBuf;

use ottla_types::BrokerId;

use crate::cleaner::CleanerConfig;
use crate::connections::{self, ConnectionLimits};
use crate::endpoints::{self, Endpoints, HttpListener};
use crate::groups::{GroupsConfig, PROTOCOLS};
use crate::listener::Listener;
use crate::report::{ConfigError, Notice, Origin};
use crate::settings::{Findings, Settings};
use crate::topic::{Overrides, TopicConfig};

/// `producer.id.expiration.check.interval.ms` where nobody sets it.
const PRODUCER_ID_CHECK_INTERVAL_MS: i64 = 600_000;

/// The configuration of one broker. Fields name the key that they come from.
#[derive(Clone, Debug)]
pub struct BrokerConfig {
    /// `node.id`, or `broker.id`.
    pub node_id: BrokerId,
    /// `broker.rack`.
    pub rack: Option<String>,
    /// `listeners` without those of `controller.listener.names`; at least one.
    pub listeners: Vec<Listener>,
    /// `advertised.listeners`, or what follows from the listeners. Every name is one of `listeners`, but a
    /// listener may be left out. Port 0 stands for the port that the listener of the same name got.
    pub advertised_listeners: Vec<Listener>,
    /// `log.dirs`, or `log.dir`: at least one, in the order of the setting, none twice.
    pub log_dirs: Vec<PathBuf>,
    /// `metadata.log.dir`, or the first of `log_dirs`: where the metadata log is.
    pub metadata_log_dir: PathBuf,
    /// `cordoned.log.dirs`: directories that take no new partitions; `*` stands for all.
    pub cordoned_log_dirs: Vec<String>,
    /// `num.partitions`.
    pub default_partitions: i32,
    /// `default.replication.factor`. Not above 1 on a lone node, or topics that leave it to the broker are refused.
    pub default_replication_factor: i16,
    /// `auto.create.topics.enable`.
    pub auto_create_topics: bool,
    /// `delete.topic.enable`.
    pub delete_topics: bool,
    /// `socket.request.max.bytes`: a larger request closes its connection.
    pub request_bytes_max: i32,
    /// How many connections, from whom, how fast, for how long, and how much memory they get.
    pub connections: ConnectionLimits,
    /// `telemetry.max.bytes`: what one push of a client's metrics may have, compressed.
    pub telemetry_bytes_max: i32,
    /// `ottla.http.listener`; `None` opens none.
    pub http: Option<HttpListener>,
    /// `fetch.max.bytes`: a fetch answer stops there, whatever the consumer asked for.
    pub fetch_bytes_max: i32,
    /// `max.request.partition.size.limit`: how many partitions one answer to DescribeTopicPartitions holds.
    pub partitions_described_max: i32,
    /// `max.incremental.fetch.session.cache.slots`: fetch sessions that are kept at a time; 0 for none.
    pub fetch_sessions_max: usize,
    /// Groups and their offsets.
    pub groups: GroupsConfig,
    /// Compaction.
    pub cleaner: CleanerConfig,
    /// `num.network.threads`.
    pub network_threads: usize,
    /// `num.io.threads`.
    pub io_threads: usize,
    /// `num.recovery.threads.per.data.dir`: logs that are opened at once.
    pub recovery_threads_per_dir: usize,
    /// `num.replica.alter.log.dirs.threads`: partitions that are moved between directories at once; by default as many as
    /// there are directories.
    pub moves_at_once_max: usize,
    /// `replica.alter.log.dirs.io.max.bytes.per.second`: what all moves together may copy; `None` for no bound.
    pub move_bytes_per_second_max: Option<u64>,
    /// `log.flush.offset.checkpoint.interval.ms`: between two writes of the recovery points.
    pub recovery_point_interval_ms: i32,
    /// `log.retention.check.interval.ms`: between two looks for segments to delete.
    pub retention_check_interval_ms: i64,
    /// `log.initial.task.delay.ms`: how long the first round of both waits after the start, if somebody set it.
    pub housekeeping_delay_ms: Option<i64>,
    /// `producer.id.expiration.ms`: after which an idle producer is forgotten.
    pub producer_id_expiration_ms: i32,
    /// `producer.id.expiration.check.interval.ms`: between two looks for idle producers.
    pub producer_id_check_interval_ms: i64,
    /// What a topic without overrides gets.
    pub topic_defaults: TopicConfig,
    /// Every key, honoured or not, as it was set.
    pub settings: Settings,
}

impl BrokerConfig {
    /// Lays `overrides` (of the command line) over `file` (the text of a `server.properties`) over the defaults. The
    /// error holds every problem at once. Notices are in the order of the file.
    pub fn from_layers(file: Option<&str>, overrides: &[(String, String)]) -> Result<(Self, Vec<Notice>), ConfigError> {
        let (settings, findings) = Settings::from_layers(file, overrides)?;
        Self::resolve(settings, findings)
    }

    /// What the settings mean together.
    pub(crate) fn resolve(mut settings: Settings, mut findings: Findings) -> Result<(Self, Vec<Notice>), ConfigError> {
        let node_id = node_id(&settings, &mut findings);
        check_roles(&settings, node_id, &mut findings);
        check_rules(&settings, &mut findings);
        let Endpoints { listeners, advertised } = endpoints::resolve(&settings, &mut findings);
        let connections = connections::resolve(&settings, &listeners, &mut findings);
        let http = endpoints::http(&settings, &mut findings);
        let log_dirs = log_dirs(&settings);
        if !findings.problems.is_empty() {
            findings.problems.sort_by_key(|problem| problem.origin);
            return Err(ConfigError { problems: findings.problems });
        }
        findings.notices.sort_by_key(|notice| notice.origin);
        // Either name of the node's id answers with it.
        settings.follow("node.id", "broker.id", node_id.to_string());
        settings.follow("broker.id", "node.id", node_id.to_string());
        // And so does what the keys of old ask for.
        let texts: Vec<_> = listeners.iter().map(ToString::to_string).collect();
        settings.follow("listeners", "port", texts.join(","));
        settings.follow("listeners", "host.name", texts.join(","));
        let int = |name| i32::try_from(settings.number(name)).expect("the key is an Int and was checked");
        let count = |name| usize::try_from(settings.number(name)).expect("the key is at least 0 and was checked");
        let config = Self {
            node_id,
            rack: settings.text("broker.rack"),
            listeners,
            advertised_listeners: advertised,
            metadata_log_dir: metadata_log_dir(&settings, &log_dirs),
            moves_at_once_max: settings
                .optional_number("num.replica.alter.log.dirs.threads")
                .map_or(log_dirs.len(), |number| usize::try_from(number).unwrap_or_default().max(1)),
            move_bytes_per_second_max: settings
                .optional_number("replica.alter.log.dirs.io.max.bytes.per.second")
                .and_then(|bytes| u64::try_from(bytes).ok()),
            log_dirs,
            cordoned_log_dirs: settings.list("cordoned.log.dirs"),
            default_partitions: int("num.partitions"),
            default_replication_factor: i16::try_from(settings.number("default.replication.factor"))
                .expect("the bounds were checked"),
            auto_create_topics: settings.boolean("auto.create.topics.enable"),
            delete_topics: settings.boolean("delete.topic.enable"),
            request_bytes_max: int("socket.request.max.bytes"),
            connections,
            telemetry_bytes_max: int("telemetry.max.bytes"),
            http,
            fetch_bytes_max: int("fetch.max.bytes"),
            partitions_described_max: int("max.request.partition.size.limit"),
            fetch_sessions_max: count("max.incremental.fetch.session.cache.slots"),
            network_threads: count("num.network.threads"),
            io_threads: count("num.io.threads"),
            recovery_threads_per_dir: count("num.recovery.threads.per.data.dir"),
            retention_check_interval_ms: settings.number("log.retention.check.interval.ms"),
            recovery_point_interval_ms: int("log.flush.offset.checkpoint.interval.ms"),
            housekeeping_delay_ms: settings.optional_number("log.initial.task.delay.ms"),
            producer_id_expiration_ms: int("producer.id.expiration.ms"),
            producer_id_check_interval_ms: settings
                .optional_number("producer.id.expiration.check.interval.ms")
                .unwrap_or(PRODUCER_ID_CHECK_INTERVAL_MS),
            groups: GroupsConfig::resolve(&settings),
            cleaner: CleanerConfig::resolve(&settings),
            topic_defaults: TopicConfig::resolve(&Overrides::new(), &settings),
            settings,
        };
        Ok((config, findings.notices))
    }

    /// What a topic with these overrides runs with.
    #[must_use]
    pub fn topic_config(&self, overrides: &Overrides) -> TopicConfig {
        TopicConfig::resolve(overrides, &self.settings)
    }
}

/// `node.id`, else `broker.id`; a file that sets both must not contradict itself.
fn node_id(settings: &Settings, findings: &mut Findings) -> BrokerId {
    let (Some(node), Some(broker)) = (settings.optional_number("node.id"), settings.optional_number("broker.id"))
    else {
        return BrokerId::NONE; // already a problem
    };
    let id = match (settings.origin("node.id"), settings.origin("broker.id")) {
        (_, Origin::Default) => node,
        (Origin::Default, _) if broker == -1 => node,
        (Origin::Default, _) if broker >= 0 => broker,
        (Origin::Default, _) => {
            findings.problems.push(settings.problem("broker.id", "must be at least 0, or -1 for none".to_owned()));
            node
        }
        _ => {
            if broker != -1 && broker != node {
                let reason = format!("must be the same as node.id={node}, or be left out");
                findings.problems.push(settings.problem("broker.id", reason));
            }
            node
        }
    };
    BrokerId(i32::try_from(id).expect("the key is an Int and was checked"))
}

/// A node is broker and controller, and the only one: anything else would make several clusters of one silently.
fn check_roles(settings: &Settings, node_id: BrokerId, findings: &mut Findings) {
    if settings.list("process.roles").len() == 1 {
        let reason = "must hold broker and controller both: nodes that work together come later";
        findings.problems.push(settings.problem("process.roles", reason.to_owned()));
    }
    let voters = settings.list("controller.quorum.voters");
    let other = voters
        .iter()
        .filter(|_| node_id != BrokerId::NONE)
        .find(|voter| voter.split('@').next() != Some(node_id.to_string().as_str()));
    if let Some(other) = other {
        let reason = format!("{other} is another node than this one ({node_id}): clusters of several nodes come later");
        findings.problems.push(settings.problem("controller.quorum.voters", reason));
    }
    let servers = "controller.quorum.bootstrap.servers";
    if settings.list(servers).len() > 1 {
        let reason = "must hold one server only: clusters of several nodes come later";
        findings.problems.push(settings.problem(servers, reason.to_owned()));
    }
}

/// Rules that the table cannot hold, of those that Kafka checks when it starts or when it needs the value.
fn check_rules(settings: &Settings, findings: &mut Findings) {
    let mut refuse = |name: &str, reason: String| findings.problems.push(settings.problem(name, reason));
    for name in ["log.retention.ms", "log.retention.minutes", "log.retention.hours"] {
        if settings.optional_number(name) == Some(0) {
            refuse(name, "must be at least 1, or -1 for good".to_owned());
        }
    }
    for (name, min) in [("log.roll.ms", 1), ("log.roll.jitter.ms", 0)] {
        if settings.optional_number(name).is_some_and(|number| number < min) {
            refuse(name, format!("must be at least {min}"));
        }
    }
    let factor = "default.replication.factor";
    if settings.optional_number(factor).is_some_and(|number| !(1..=i64::from(i16::MAX)).contains(&number)) {
        refuse(factor, format!("must be from 1 to {}", i16::MAX));
    }
    let codec = "offsets.topic.compression.codec";
    if settings.optional_number(codec).is_some_and(|number| !(0..=4).contains(&number)) {
        refuse(codec, "must be 0 (none), 1 (gzip), 2 (snappy), 3 (lz4) or 4 (zstd)".to_owned());
    }
    let assignors = "group.consumer.assignors";
    if let Some(unknown) = settings.list(assignors).iter().find(|name| !["uniform", "range"].contains(&name.as_str())) {
        let reason = format!("names \"{unknown}\": there are uniform and range; assignors of one's own are Java's");
        refuse(assignors, reason);
    }
    if !settings.list(PROTOCOLS).iter().any(|protocol| protocol == "classic") {
        refuse(PROTOCOLS, "must name classic: those groups are always served".to_owned());
    }
    let (threads, memory) = ("log.cleaner.threads", "log.cleaner.dedupe.buffer.size");
    match (settings.optional_number(threads), settings.optional_number(memory)) {
        (Some(0), _) => refuse(threads, "must be at least 1".to_owned()),
        (Some(count), Some(bytes)) if bytes / count <= 1 << 20 => {
            refuse(memory, format!("must be more than 1048576 (1 MiB) for each of {threads}={count}"));
        }
        _ => {}
    }
    let (min, max) = ("log.cleaner.min.compaction.lag.ms", "log.cleaner.max.compaction.lag.ms");
    if let (Some(least), Some(most)) = (settings.optional_number(min), settings.optional_number(max))
        && least > most
    {
        refuse(min, format!("must not be above {max}={most}"));
    }
}

fn log_dirs(settings: &Settings) -> Vec<PathBuf> {
    let named = if settings.explicit("log.dirs").is_some() { "log.dirs" } else { "log.dir" };
    settings.list(named).into_iter().map(PathBuf::from).collect()
}

fn metadata_log_dir(settings: &Settings, log_dirs: &[PathBuf]) -> PathBuf {
    let named = settings.text("metadata.log.dir").filter(|dir| !dir.is_empty()).map(PathBuf::from);
    named.or_else(|| log_dirs.first().cloned()).unwrap_or_default()
}
