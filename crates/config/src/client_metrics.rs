//! Subscriptions to the metrics of clients (KIP-714): what one says, typed and checked.
//!
//! Which client gets which subscription is decided where clients ask for theirs; this gives the patterns.

use crate::keys::client_metrics_key;
use crate::report::Refusal;
use crate::topic::Overrides;
use crate::value::{Value, parse};

/// What a subscription can ask of a client. The names are Kafka's.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum ClientMatch {
    /// `client_instance_id`: the id that the broker gave the client.
    InstanceId,
    /// `client_id`.
    Id,
    /// `client_software_name`, of ApiVersions.
    SoftwareName,
    /// `client_software_version`, of ApiVersions.
    SoftwareVersion,
    /// `client_source_address`: its IP address.
    SourceAddress,
    /// `client_source_port`.
    SourcePort,
}

const MATCHES: [(&str, ClientMatch); 6] = [
    ("client_instance_id", ClientMatch::InstanceId),
    ("client_id", ClientMatch::Id),
    ("client_software_name", ClientMatch::SoftwareName),
    ("client_software_version", ClientMatch::SoftwareVersion),
    ("client_source_address", ClientMatch::SourceAddress),
    ("client_source_port", ClientMatch::SourcePort),
];

/// One subscription.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ClientMetricsConfig {
    /// `interval.ms`: between two reports of a client.
    pub interval_ms: i32,
    /// `metrics`: prefixes of names; empty asks for nothing, `*` for everything.
    pub metrics: Vec<String>,
    /// `match`: what must match which regular expression, as a whole; empty means every client.
    pub matches: Vec<(ClientMatch, String)>,
}

/// The bounds of `interval.ms`.
const INTERVAL_MS: std::ops::RangeInclusive<i64> = 100..=3_600_000;

impl ClientMetricsConfig {
    /// What these overrides say; those that are not allowed count as not set.
    #[must_use]
    pub fn resolve(overrides: &Overrides) -> Self {
        let list = |name| match value(overrides, name) {
            Value::List(elements) => elements,
            other => unreachable!("{name} is a list in the table, not {other:?}"),
        };
        let interval = match value(overrides, "interval.ms") {
            Value::Number(number) => number.clamp(*INTERVAL_MS.start(), *INTERVAL_MS.end()),
            other => unreachable!("interval.ms is a number in the table, not {other:?}"),
        };
        Self {
            interval_ms: i32::try_from(interval).expect("clamped to far less"),
            metrics: list("metrics"),
            matches: list("match").iter().filter_map(|pattern| read_match(pattern).ok()).collect(),
        }
    }
}

fn value(overrides: &Overrides, name: &str) -> Value {
    let key = client_metrics_key(name).expect("only names of the table are asked for");
    let set = overrides.get(name).and_then(|text| parse(key, text).ok());
    let default = key.default.expect("every key of a subscription has a default");
    set.unwrap_or_else(|| parse(key, default).expect("a test checks every default"))
}

/// Checks all that a subscription says (`ClientMetricsConfigs.validate`).
pub fn validate_client_metrics_configs(overrides: &Overrides) -> Result<(), Refusal> {
    for name in overrides.keys() {
        if client_metrics_key(name).is_none() {
            return Err(Refusal::request(format!("{name} is not a key of a subscription to client metrics")));
        }
    }
    for (name, text) in overrides {
        let key = client_metrics_key(name).expect("checked above");
        let value = parse(key, text).map_err(|reason| Refusal::config(format!("{name}={text}: {reason}")))?;
        match (name.as_str(), value) {
            ("interval.ms", Value::Number(number)) if !INTERVAL_MS.contains(&number) => {
                return Err(Refusal::request(format!("interval.ms={number}: must be from 100 to 3600000 (1 hour)")));
            }
            ("match", Value::List(patterns)) => {
                for pattern in patterns {
                    read_match(&pattern).map_err(|reason| Refusal::config(format!("match={pattern}: {reason}")))?;
                }
            }
            _ => {}
        }
    }
    Ok(())
}

/// Reads `what=regular expression`.
fn read_match(pattern: &str) -> Result<(ClientMatch, String), String> {
    let (what, expression) = match pattern.split('=').collect::<Vec<_>>()[..] {
        [what, expression] if !expression.is_empty() => (what.trim(), expression.trim()),
        _ => return Err("must have the form what=regular expression".to_owned()),
    };
    let Some((_, what)) = MATCHES.iter().find(|(name, _)| *name == what) else {
        let known: Vec<_> = MATCHES.iter().map(|(name, _)| *name).collect();
        return Err(format!("{what} must be one of {}", known.join(", ")));
    };
    match regex_syntax::parse(expression) {
        Ok(_) => Ok((*what, expression.to_owned())),
        Err(_) => Err(format!("{expression} is not a regular expression")),
    }
}
