//! Which client is asked for which metrics, and how often.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::time::Duration;

use ottla_config::{ClientMatch, ClientMetricsConfig};
use ottla_types::Uuid;
use regex::{Regex, RegexBuilder};

use crate::connections::Software;

/// How often a client reports that no subscription asks.
const INTERVAL_MS: i32 = 300_000;
/// What asks for every metric.
const ALL: &str = "*";
/// The largest form of an expression: patterns come from whoever may alter configurations.
const EXPRESSION_BYTES_MAX: usize = 1 << 20;

/// Who a client is, as far as subscriptions can tell.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Client {
    /// The connection that it showed itself on last.
    pub(crate) connection: u64,
    pub(crate) id: String,
    pub(crate) software: Software,
    pub(crate) address: SocketAddr,
}

/// A subscription, ready to be compared with clients.
#[derive(Debug)]
pub(crate) struct Subscription {
    metrics: Vec<String>,
    interval_ms: i32,
    /// All must match; an expression that is none matches nobody.
    matches: Vec<(ClientMatch, Option<Regex>)>,
}

/// What a client is asked for: the metrics of all subscriptions that match it, at the shortest of their intervals.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Wanted {
    pub(crate) metrics: BTreeSet<String>,
    pub(crate) interval_ms: i32,
}

impl Subscription {
    pub(crate) fn new(config: &ClientMetricsConfig) -> Self {
        let compiled = |expression: &str| {
            let whole = format!("^(?:{expression})$");
            RegexBuilder::new(&whole).size_limit(EXPRESSION_BYTES_MAX).build().ok()
        };
        let matches = config.matches.iter().map(|(what, expression)| (*what, compiled(expression)));
        Self { metrics: config.metrics.clone(), interval_ms: config.interval_ms, matches: matches.collect() }
    }

    fn matches(&self, id: Uuid, client: &Client) -> bool {
        self.matches.iter().all(|(what, expression)| {
            let text = match what {
                ClientMatch::InstanceId => id.to_string(),
                ClientMatch::Id => client.id.clone(),
                ClientMatch::SoftwareName => client.software.name.clone(),
                ClientMatch::SoftwareVersion => client.software.version.clone(),
                ClientMatch::SourceAddress => client.address.ip().to_string(),
                ClientMatch::SourcePort => client.address.port().to_string(),
            };
            expression.as_ref().is_some_and(|expression| expression.is_match(&text))
        })
    }
}

impl Wanted {
    pub(super) fn of(id: Uuid, client: &Client, subscriptions: &[Subscription]) -> Self {
        let mut wanted = Self { metrics: BTreeSet::new(), interval_ms: INTERVAL_MS };
        for subscription in subscriptions.iter().filter(|subscription| subscription.matches(id, client)) {
            wanted.metrics.extend(subscription.metrics.iter().cloned());
            wanted.interval_ms = wanted.interval_ms.min(subscription.interval_ms);
        }
        if wanted.metrics.contains(ALL) {
            wanted.metrics = BTreeSet::from([ALL.to_owned()]);
        }
        wanted
    }

    pub(super) fn interval(&self) -> Duration {
        Duration::from_millis(u64::try_from(self.interval_ms).unwrap_or_default())
    }

    /// A number that differs, as a rule, from those of other sets and of other instances (FNV-1a).
    pub(super) fn number(&self, id: Uuid) -> i32 {
        let metrics = self.metrics.iter().flat_map(|metric| metric.bytes().chain([0]));
        let bytes = metrics.chain(self.interval_ms.to_be_bytes()).chain(id.0);
        bytes.fold(0x811c_9dc5_u32, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193)).cast_signed()
    }
}
