//! What a broker grants its connections: how many, from whom, how fast, for how long, and how much memory.
//!
//! Keys of the broker, and those that `listener.name.NAME.` before them sets for one listener. Nothing is counted here;
//! that is `connection_quota.rs` and `request_memory.rs` of the broker.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use crate::key::Key;
use crate::keys::broker_key;
use crate::listener::Listener;
use crate::report::NoticeKind;
use crate::settings::{Findings, Settings};
use crate::value::{Value, parse};

/// Keys that a single listener may set for itself.
const OF_LISTENERS: &[&str] = &["max.connections", "max.connection.creation.rate"];

/// The limits on connections.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ConnectionLimits {
    /// `max.connections`.
    pub connections_max: u32,
    /// `max.connections.per.ip`.
    pub per_ip_max: u32,
    /// `max.connections.per.ip.overrides`.
    pub per_ip_overrides: BTreeMap<IpAddr, u32>,
    /// `max.connection.creation.rate`, in connections a second; `None` does not limit it.
    pub creation_rate: Option<u32>,
    /// The listeners that set limits of their own, by their names in capitals.
    pub listeners: BTreeMap<String, ListenerLimits>,
    /// The listener whose connections `max.connections` does not hold back, because brokers use it: that of
    /// `inter.broker.listener.name` or `security.inter.broker.protocol`, if there are others beside it.
    pub protected: Option<String>,
    /// `connections.max.idle.ms`; `None` keeps idle connections.
    pub idle_max: Option<Duration>,
    /// `queued.max.request.bytes`; `None` leaves the bound to the broker.
    pub request_memory_max: Option<u64>,
    /// `socket.listen.backlog.size`, if somebody set it.
    pub backlog: Option<u32>,
    /// `socket.send.buffer.bytes`, if somebody set it and not to -1.
    pub send_buffer_bytes: Option<u32>,
    /// `socket.receive.buffer.bytes`, if somebody set it and not to -1.
    pub receive_buffer_bytes: Option<u32>,
}

/// What one listener says of its own.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct ListenerLimits {
    /// `listener.name.NAME.max.connections`.
    pub connections_max: Option<u32>,
    /// `listener.name.NAME.max.connection.creation.rate`, in connections a second.
    pub creation_rate: Option<u32>,
}

/// The listener and the broker's key that a `listener.name.` key speaks of, if single listeners may set that one.
pub(crate) fn key_of_listener(name: &str) -> Option<(String, &'static Key)> {
    let (listener, key) = name.strip_prefix("listener.name.")?.split_once('.')?;
    let known = OF_LISTENERS.contains(&key).then(|| broker_key(key).expect("the tables hold it"));
    Some((listener.to_ascii_uppercase(), known?))
}

/// Reads the limits; whatever is wrong goes to the findings.
pub(crate) fn resolve(settings: &Settings, listeners: &[Listener], findings: &mut Findings) -> ConnectionLimits {
    let count = |name| u32::try_from(settings.number(name)).unwrap_or_default();
    let at_least_0 = |name| settings.explicit(name).and_then(|_| u32::try_from(settings.number(name)).ok());
    let per_ip_overrides = per_ip_overrides(settings, findings);
    if count("max.connections.per.ip") == 0 && per_ip_overrides.is_empty() {
        let reason = "must be at least 1 unless max.connections.per.ip.overrides names who may connect";
        findings.problems.push(settings.problem("max.connections.per.ip", reason.to_owned()));
    }
    ConnectionLimits {
        connections_max: count("max.connections"),
        per_ip_max: count("max.connections.per.ip"),
        per_ip_overrides,
        creation_rate: rate(count("max.connection.creation.rate")),
        listeners: of_listeners(settings, listeners, findings),
        protected: protected(settings, listeners, findings),
        idle_max: u64::try_from(settings.number("connections.max.idle.ms")).ok().map(Duration::from_millis),
        request_memory_max: u64::try_from(settings.number("queued.max.request.bytes")).ok(),
        backlog: at_least_0("socket.listen.backlog.size"),
        send_buffer_bytes: at_least_0("socket.send.buffer.bytes"),
        receive_buffer_bytes: at_least_0("socket.receive.buffer.bytes"),
    }
}

/// The largest number means that there is no limit.
fn rate(per_second: u32) -> Option<u32> {
    Some(per_second).filter(|rate| *rate != i32::MAX.unsigned_abs())
}

fn per_ip_overrides(settings: &Settings, findings: &mut Findings) -> BTreeMap<IpAddr, u32> {
    let name = "max.connections.per.ip.overrides";
    let mut overrides = BTreeMap::new();
    let text = settings.text(name).unwrap_or_default();
    for pair in text.split(',').map(str::trim).filter(|pair| !pair.is_empty()) {
        // An IPv6 address holds colons itself: the count is behind the last one.
        let read = pair.rsplit_once(':').and_then(|(address, count)| {
            let address = address.trim().trim_start_matches('[').trim_end_matches(']');
            Some((address.parse::<IpAddr>().ok()?.to_canonical(), count.trim().parse::<u32>().ok()?))
        });
        match read {
            Some((address, count)) => drop(overrides.insert(address, count)),
            None => {
                let reason = format!("{pair} must have the form address:count, with an IP address");
                findings.problems.push(settings.problem(name, reason));
            }
        }
    }
    overrides
}

fn of_listeners(
    settings: &Settings,
    listeners: &[Listener],
    findings: &mut Findings,
) -> BTreeMap<String, ListenerLimits> {
    let mut limits: BTreeMap<String, ListenerLimits> = BTreeMap::new();
    for name in settings.names() {
        let (Some((listener, key)), Some(text)) = (key_of_listener(name), settings.explicit(name)) else { continue };
        let Ok(Value::Number(number)) = parse(key, text) else { continue };
        let number = u32::try_from(number).unwrap_or_default();
        if listeners.iter().all(|known| known.name != listener) {
            let known: Vec<_> = listeners.iter().map(|l| l.name.as_str()).collect();
            // Another broker may have it: what is set for all of them is no mistake of this one.
            let text = format!("{listener} is not a listener; there are {}", known.join(", "));
            findings.notice(settings.origin(name), name, NoticeKind::Remark(text));
        }
        let limits = limits.entry(listener).or_default();
        match key.name {
            "max.connections" => limits.connections_max = Some(number),
            _ => limits.creation_rate = rate(number),
        }
    }
    limits
}

fn protected(settings: &Settings, listeners: &[Listener], findings: &mut Findings) -> Option<String> {
    let name = "inter.broker.listener.name";
    let named = settings.text(name).map(|text| text.to_ascii_uppercase());
    let has = |name: &String| listeners.iter().any(|listener| listener.name == *name);
    if let Some(stranger) = named.as_ref().filter(|named| !listeners.is_empty() && !has(named)) {
        let known: Vec<_> = listeners.iter().map(|l| l.name.as_str()).collect();
        let reason = format!("{stranger} is not a listener; there are {}", known.join(", "));
        findings.problems.push(settings.problem(name, reason));
    }
    let brokers = named.or_else(|| settings.text("security.inter.broker.protocol"))?;
    (listeners.len() > 1 && has(&brokers)).then_some(brokers)
}

#[cfg(test)]
mod tests {
    use crate::BrokerConfig;

    fn limits(file: &str) -> Result<super::ConnectionLimits, String> {
        let read = BrokerConfig::from_layers(Some(file), &[]);
        read.map(|(config, _)| config.connections).map_err(|error| error.to_string())
    }

    #[test]
    fn a_listener_has_limits_of_its_own_and_only_known_ones() {
        let two = "listeners=A://:1,B://:2\nlistener.security.protocol.map=A:PLAINTEXT,B:PLAINTEXT\n";
        let read = limits(&format!("{two}listener.name.a.max.connections=5\nmax.connections=9")).unwrap();
        assert_eq!((read.connections_max, read.listeners["A"].connections_max), (9, Some(5)));
        let file = format!("{two}listener.name.c.max.connections=5");
        let (_, notices) = BrokerConfig::from_layers(Some(&file), &[]).unwrap();
        assert!(notices.iter().any(|n| n.to_string().contains("C is not a listener; there are A, B")), "{notices:?}");
        let error = limits(&format!("{two}listener.name.a.max.connections=-5")).unwrap_err();
        assert!(error.contains("listener.name.a.max.connections=-5: must be at least 0"), "{error}");
    }

    #[test]
    fn the_brokers_listener_is_protected_only_beside_others() {
        let two = "listeners=A://:1,PLAINTEXT://:2\nlistener.security.protocol.map=A:PLAINTEXT,PLAINTEXT:PLAINTEXT\n";
        assert_eq!(limits(two).unwrap().protected.as_deref(), Some("PLAINTEXT"));
        assert_eq!(limits(&format!("{two}inter.broker.listener.name=a")).unwrap().protected.as_deref(), Some("A"));
        assert_eq!(limits("").unwrap().protected, None);
        let error = limits("inter.broker.listener.name=nix").unwrap_err();
        assert!(error.contains("NIX is not a listener; there are PLAINTEXT"), "{error}");
    }

    #[test]
    fn addresses_have_limits_in_every_notation() {
        let read = limits("max.connections.per.ip=0\nmax.connections.per.ip.overrides=127.0.0.1:3, ::1:4 ,[fe80::1]:5");
        let read: Vec<_> = read.unwrap().per_ip_overrides.into_iter().map(|(ip, n)| format!("{ip} {n}")).collect();
        assert_eq!(read, ["127.0.0.1 3", "::1 4", "fe80::1 5"]);
        for bad in ["nix:3", "127.0.0.1", "127.0.0.1:x"] {
            let error = limits(&format!("max.connections.per.ip.overrides={bad}")).unwrap_err();
            assert!(error.contains(&format!("{bad} must have the form address:count")), "{error}");
        }
        assert!(limits("max.connections.per.ip=0").unwrap_err().contains("must be at least 1 unless"));
    }
}
