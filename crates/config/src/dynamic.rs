//! What is set for brokers while the cluster runs (KIP-226): which settings are taken, and what a broker runs with when
//! they are laid over what it was started with.
//!
//! The rules are those of Kafka's `DynamicBrokerConfig`. What an earlier version let pass and this one does not is left
//! out with a notice, not refused: it stands in the cluster's metadata already.

use crate::broker::BrokerConfig;
use crate::connections::key_of_listener;
use crate::key::{Key, Status, UpdateMode};
use crate::keys::broker_key;
use crate::report::{ConfigError, Notice, NoticeKind, Origin, Refusal};
use crate::settings::{Findings, Settings, asks_for_something};
use crate::topic::Overrides;
use crate::value::{Value, parse};

/// For whom a setting of a running cluster is made.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Scope {
    /// For all brokers; each of them may have its own on top.
    ClusterDefault,
    /// For one broker.
    Broker,
}

/// Keys that Kafka changes for one listener only, behind `listener.name.NAME.`; alone they are refused.
const SINGLE_LISTENER: &[&str] = &[
    "ssl.key.password",
    "ssl.keystore.certificate.chain",
    "ssl.keystore.key",
    "ssl.keystore.location",
    "ssl.keystore.password",
    "ssl.keystore.type",
    "ssl.truststore.certificates",
    "ssl.truststore.location",
    "ssl.truststore.password",
    "ssl.truststore.type",
];

/// Keys of a single listener that may be set for all brokers.
const SHARED_LISTENER: &[&str] = &["max.connections", "max.connection.creation.rate", "num.network.threads"];

/// Numbers of threads: they grow to twice as many at most, and shrink to half at most, in one change.
const THREADS: &[&str] = &[
    "background.threads",
    "log.cleaner.threads",
    "num.io.threads",
    "num.network.threads",
    "num.recovery.threads.per.data.dir",
    "num.replica.fetchers",
];

/// Limits on connections: 0 stands in a file, but is not taken while the broker runs.
const LIMITS: &[&str] = &["max.connections", "max.connection.creation.rate"];

/// The one key of a single broker that can be changed while it runs.
const CORDONED: &str = "cordoned.log.dirs";

/// Honoured keys that this broker reads when it starts and never again. What is set while the cluster runs comes later
/// than that, at a restart as well.
const READ_AT_START: &[&str] = &["num.io.threads", "num.network.threads", "num.recovery.threads.per.data.dir"];

impl Key {
    /// When and for whom this broker changes the key. Some that Kafka changes while it runs need a restart here.
    #[must_use]
    pub fn update_here(&self) -> UpdateMode {
        let waits = self.update == UpdateMode::PerBroker && self.name != CORDONED;
        if waits || READ_AT_START.contains(&self.name) { UpdateMode::ReadOnly } else { self.update }
    }
}

impl BrokerConfig {
    /// What the broker runs with where `cluster_default` is set for all brokers and `broker` for this one; what was set so
    /// before no longer counts. Settings that are not allowed are left out; the notices tell of them and of what has no
    /// effect. An error means that the settings contradict each other: then the broker goes on with what it has.
    pub fn with_dynamic(
        &self,
        cluster_default: &Overrides,
        broker: &Overrides,
    ) -> Result<(Self, Vec<Notice>), ConfigError> {
        let mut notices = Vec::new();
        let mut settings = self.settings.clone();
        settings.cluster_default = allowed(Scope::ClusterDefault, cluster_default, &mut notices);
        settings.broker = allowed(Scope::Broker, broker, &mut notices);
        // What a start has to say was said then.
        let (config, _) = Self::resolve(settings, Findings::default())?;
        Ok((config, notices))
    }
}

impl Settings {
    fn layer(&mut self, scope: Scope) -> &mut Overrides {
        match scope {
            Scope::ClusterDefault => &mut self.cluster_default,
            Scope::Broker => &mut self.broker,
        }
    }
}

/// Checks all that is to be set for a broker or for all of them, where `present` is what the broker runs with.
pub fn validate_broker_configs(scope: Scope, new: &Overrides, present: &BrokerConfig) -> Result<(), Refusal> {
    let refusals: Vec<_> = new
        .iter()
        .filter_map(|(name, text)| Some(format!("{}: {}", shown(name, text), refusal(scope, name, text)?)))
        .collect();
    if !refusals.is_empty() {
        return Err(Refusal::request(refusals.join("; ")));
    }
    let mut settings = present.settings.clone();
    new.clone_into(settings.layer(scope));
    let (next, _) = BrokerConfig::resolve(settings, Findings::default())
        .map_err(|error| Refusal::request(error.to_string().replace('\n', "; ")))?;
    for name in THREADS {
        check_threads(name, &present.settings, &next.settings)?;
    }
    check_cordoned(&next.settings)
}

fn check_threads(name: &str, present: &Settings, next: &Settings) -> Result<(), Refusal> {
    let (Some(old), Some(new)) = (present.optional_number(name), next.optional_number(name)) else { return Ok(()) };
    if new < old / 2 || new > old * 2 {
        let message = format!("{name}={new}: must be from half to twice of what it is now, {old}");
        return Err(Refusal::request(message));
    }
    Ok(())
}

fn check_cordoned(settings: &Settings) -> Result<(), Refusal> {
    let dirs = settings.list(if settings.explicit("log.dirs").is_some() { "log.dirs" } else { "log.dir" });
    let cordoned = settings.list(CORDONED);
    match cordoned.into_iter().find(|cordoned| cordoned != "*" && !dirs.contains(cordoned)) {
        Some(stranger) => {
            let message = format!("cordoned.log.dirs: {stranger} is not one of log.dirs={}", dirs.join(","));
            Err(Refusal::request(message))
        }
        None => Ok(()),
    }
}

/// The settings of a layer that count.
fn allowed(scope: Scope, layer: &Overrides, notices: &mut Vec<Notice>) -> Overrides {
    let origin = match scope {
        Scope::ClusterDefault => Origin::ClusterDefault,
        Scope::Broker => Origin::Broker,
    };
    let mut taken = Overrides::new();
    for (name, text) in layer {
        let kind = match refusal(scope, name, text) {
            Some(reason) => NoticeKind::LeftOut(reason),
            None => {
                taken.insert(name.clone(), text.clone());
                match without_effect(name) {
                    Some(kind) => kind,
                    None => continue,
                }
            }
        };
        notices.push(Notice { origin, key: name.clone(), kind });
    }
    taken
}

/// Why a setting that is taken changes nothing.
fn without_effect(name: &str) -> Option<NoticeKind> {
    if READ_AT_START.contains(&name) {
        return Some(NoticeKind::NoEffect("read at the start only, from the file or the command line"));
    }
    match (broker_key(name), listener_key(name)) {
        (Some(Key { status: Status::Accepted(reason), .. }), _) => Some(NoticeKind::NoEffect(reason)),
        (Some(_), _) => None,
        (None, Some(_)) if key_of_listener(name).is_some() => None,
        (None, Some(_)) => Some(NoticeKind::NoEffect("settings of a single listener have no effect here yet")),
        (None, None) => Some(NoticeKind::Unknown),
    }
}

/// Why a setting is not allowed, worded to stand behind `key=value: `. Names that nobody knows are: Kafka leaves them to
/// classes that a user has brought along.
fn refusal(scope: Scope, name: &str, text: &str) -> Option<String> {
    let no_security = "TLS and SASL are not served yet".to_owned();
    let Some(key) = broker_key(name) else {
        let base = listener_key(name)?;
        let per_broker = !SHARED_LISTENER.contains(&base.name);
        return match (parse(base, text), scope) {
            (Err(reason), _) => Some(reason),
            (Ok(value), _) if refused_running(base, &value).is_some() => refused_running(base, &value),
            (Ok(_), Scope::ClusterDefault) if per_broker => Some(NEEDS_ID.to_owned()),
            (Ok(_), _) => per_broker.then_some(no_security),
        };
    };
    if key.update == UpdateMode::ReadOnly {
        return Some("cannot be changed while the broker runs, only in its file".to_owned());
    }
    if SINGLE_LISTENER.contains(&name) {
        return Some(format!("can only be changed for a single listener, as listener.name.NAME.{name}; {no_security}"));
    }
    let value = match parse(key, text) {
        Ok(value) => value,
        Err(reason) => return Some(reason),
    };
    match (key.update, scope) {
        (UpdateMode::PerBroker, Scope::ClusterDefault) => return Some(NEEDS_ID.to_owned()),
        (UpdateMode::PerBroker, Scope::Broker) if name != CORDONED => {
            return Some("cannot be changed while the broker runs yet, only in its file".to_owned());
        }
        _ => {}
    }
    refused_outright(key, &value).or_else(|| refused_running(key, &value))
}

/// Why a value that may stand in a file is not taken while the broker runs.
fn refused_running(key: &Key, value: &Value) -> Option<String> {
    match value {
        Value::Number(0) if LIMITS.contains(&key.name) => Some("must be at least 1".to_owned()),
        Value::List(classes) if key.name == "metric.reporters" => {
            let stranger = classes.iter().find(|class| key.default != Some(class.as_str()))?;
            Some(format!("there is no class {stranger} here: metrics are told at /metrics"))
        }
        _ => None,
    }
}

const NEEDS_ID: &str = "belongs to one broker, whose id must be given; it cannot be set for all of them";

fn refused_outright(key: &Key, value: &Value) -> Option<String> {
    match key.status {
        Status::Refused(reason) if asks_for_something(value) => Some(format!("refused: {reason}")),
        _ => None,
    }
}

/// The key that `listener.name.NAME.KEY` or `listener.name.NAME.MECHANISM.KEY` sets for a single listener.
pub(crate) fn listener_key(name: &str) -> Option<&'static Key> {
    let (_, base) = name.strip_prefix("listener.name.")?.split_once('.')?;
    broker_key(base).or_else(|| broker_key(base.split_once('.')?.1))
}

/// `key=value`, without the value where it must not be shown.
fn shown(name: &str, text: &str) -> String {
    match broker_key(name).or_else(|| listener_key(name)) {
        Some(key) if !key.sensitive() => format!("{name}={text}"),
        _ => format!("{name}=(hidden)"),
    }
}
