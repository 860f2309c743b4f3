//! Who may connect: a machine that counts, with time as an argument and no sockets.
//!
//! As Kafka's `ConnectionQuotas` decides: a connection that is beyond the broker's or its listener's number, or too soon
//! after others, waits and keeps the ones behind it on that listener waiting; one from an address that has its number is
//! closed at once. The protected listener, over which brokers speak, is not held back by the broker's number; what it
//! takes beyond that, the other listeners give up ([`ConnectionQuota::excess`]).
//!
//! Who asks and who waits is `connections.rs`. The text form of all this is in `tests/machines/connection_quota`.

use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

use ottla_config::ConnectionLimits;
use ottla_types::Instant;

/// How much of its rate a listener that was idle may use at once.
const BURST: Duration = Duration::from_secs(1);

/// Counts connections and decides about new ones.
#[derive(Debug)]
pub(crate) struct ConnectionQuota {
    limits: ConnectionLimits,
    total: usize,
    by_address: BTreeMap<IpAddr, u32>,
    by_listener: BTreeMap<String, u32>,
    /// Of the whole broker.
    pace: Pace,
    listener_paces: BTreeMap<String, Pace>,
}

/// What is decided about a new connection.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Admission {
    /// It is counted, and to be served.
    Serve,
    /// Ask again when a connection has ended or limits have changed, or at this time.
    Wait { until: Option<Instant> },
    /// Its address has as many connections as it may have.
    Refuse { limit: u32 },
}

impl fmt::Display for Admission {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Serve => f.write_str("serve"),
            Self::Wait { until: None } => f.write_str("wait for an end"),
            Self::Wait { until: Some(until) } => write!(f, "wait until {} ms", until.since_start().as_millis()),
            Self::Refuse { limit } => write!(f, "refuse: the address has {limit}"),
        }
    }
}

impl ConnectionQuota {
    /// No connections yet.
    pub(crate) fn new(limits: ConnectionLimits) -> Self {
        Self {
            limits,
            total: 0,
            by_address: BTreeMap::new(),
            by_listener: BTreeMap::new(),
            pace: Pace::default(),
            listener_paces: BTreeMap::new(),
        }
    }

    /// From now on these limits hold; nobody is sent away by that alone.
    pub(crate) fn set_limits(&mut self, limits: ConnectionLimits) {
        self.limits = limits;
    }

    /// Decides about a connection that `listener` has accepted from `address`.
    pub(crate) fn admit(&mut self, now: Instant, listener: &str, address: IpAddr) -> Admission {
        let own = self.limits.listeners.get(listener).copied().unwrap_or_default();
        let spared = self.is_protected(listener);
        let on_listener = self.by_listener.get(listener).copied().unwrap_or_default();
        if own.connections_max.is_some_and(|max| on_listener >= max)
            || (!spared && self.total >= self.limits.connections_max as usize)
        {
            return Admission::Wait { until: None };
        }
        let broker_rate = self.limits.creation_rate.filter(|_| !spared);
        let listener_pace = self.listener_paces.entry(listener.to_owned()).or_default();
        match later(self.pace.free_at(now, broker_rate), listener_pace.free_at(now, own.creation_rate)) {
            Some(until) if until > now => return Admission::Wait { until: Some(until).filter(|at| *at < NEVER) },
            _ => {}
        }
        self.pace.count(now, broker_rate);
        listener_pace.count(now, own.creation_rate);
        let limit = self.limits.per_ip_overrides.get(&address).copied().unwrap_or(self.limits.per_ip_max);
        let from_address = self.by_address.get(&address).copied().unwrap_or_default();
        if from_address >= limit {
            return Admission::Refuse { limit };
        }
        self.total += 1;
        *self.by_address.entry(address).or_default() += 1;
        *self.by_listener.entry(listener.to_owned()).or_default() += 1;
        Admission::Serve
    }

    /// A connection that was served has ended.
    pub(crate) fn leave(&mut self, listener: &str, address: IpAddr) {
        self.total -= 1;
        if let Some(count) = self.by_listener.get_mut(listener) {
            *count -= 1;
        }
        if let Some(count) = self.by_address.get_mut(&address) {
            *count -= 1;
            if *count == 0 {
                self.by_address.remove(&address);
            }
        }
    }

    /// How many connections the unprotected listeners have to give up.
    pub(crate) fn excess(&self) -> usize {
        self.total.saturating_sub(self.limits.connections_max as usize)
    }

    /// Whether `max.connections` does not hold this listener back.
    pub(crate) fn is_protected(&self, listener: &str) -> bool {
        self.limits.protected.as_deref() == Some(listener)
    }
}

/// No time that comes.
const NEVER: Instant = Instant::after_start(Duration::MAX);

fn later(one: Option<Instant>, other: Option<Instant>) -> Option<Instant> {
    one.max(other)
}

/// A rate kept by one number: when the connections so far would all have come, had they kept to the rate.
#[derive(Debug, Default)]
struct Pace {
    due: Instant,
}

impl Pace {
    /// When the next one may come; `None` without a rate.
    fn free_at(&self, now: Instant, rate: Option<u32>) -> Option<Instant> {
        match rate? {
            0 => Some(NEVER),
            rate => {
                let ahead = BURST.saturating_sub(step(rate));
                Some(if self.due.since(now) > ahead { now + (self.due.since(now) - ahead) } else { now })
            }
        }
    }

    fn count(&mut self, now: Instant, rate: Option<u32>) {
        if let Some(rate @ 1..) = rate {
            self.due = self.due.max(now) + step(rate);
        }
    }
}

/// The time between two connections at `rate`.
fn step(rate: u32) -> Duration {
    Duration::from_secs(1) / rate
}

#[cfg(test)]
mod tests {
    use ottla_config::BrokerConfig;
    use ottla_testkit::{Command, run_scripts};

    use super::*;

    /// `limits KEY=VALUE…` in the notation of a `server.properties`, for listeners A, B and PLAINTEXT, of which the last
    /// is the brokers'; `at MS` sets the time; `connect LISTENER ADDRESS`; `leave LISTENER ADDRESS`; `excess`.
    #[derive(Default)]
    struct Session {
        quota: Option<ConnectionQuota>,
        now: Instant,
    }

    fn limits(lines: &str) -> ConnectionLimits {
        let listeners = "listeners=A://:1,B://:2,PLAINTEXT://:3\nlistener.security.protocol.map=A:PLAINTEXT,B:PLAINTEXT,\
                         PLAINTEXT:PLAINTEXT\n";
        let read = BrokerConfig::from_layers(Some(&format!("{listeners}{lines}")), &[]);
        read.expect("the script's limits").0.connections
    }

    impl Session {
        fn run(&mut self, command: &Command<'_>) -> String {
            let word = |at: usize| command.words[at];
            if command.name == "limits" {
                let lines: String = command.arguments.iter().map(|(key, value)| format!("{key}={value}\n")).collect();
                match &mut self.quota {
                    Some(quota) => quota.set_limits(limits(&lines)),
                    none => *none = Some(ConnectionQuota::new(limits(&lines))),
                }
                return String::new();
            }
            let quota = self.quota.get_or_insert_with(|| ConnectionQuota::new(limits("")));
            let address = |at| word(at).parse().expect("an address");
            match command.name {
                "at" => {
                    self.now = Instant::after_start(Duration::from_millis(word(0).parse().expect("milliseconds")));
                    String::new()
                }
                "connect" => quota.admit(self.now, word(0), address(1)).to_string(),
                "leave" => {
                    quota.leave(word(0), address(1));
                    String::new()
                }
                "excess" => quota.excess().to_string(),
                name => panic!("no command is called {name}"),
            }
        }
    }

    #[test]
    fn connection_quota_scripts() {
        run_scripts(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/machines/connection_quota"), || {
            let mut session = Session::default();
            move |line: &str| session.run(&Command::parse(line))
        });
    }
}
