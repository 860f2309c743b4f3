//! Listeners: `NAME://host:port` lists, and the map from listener names to protocols.
//!
//! This file reads and writes the notation; which listeners a broker opens and advertises is in `broker.rs`.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// An address to listen on, or to tell to clients.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Listener {
    /// The name, in capitals; unique within a list.
    pub name: String,
    /// A host name or an IP address without brackets. Empty means every interface, and is only for listening.
    pub host: String,
    /// The port. 0 lets the system choose one; advertised, it stands for the port that was chosen.
    pub port: u16,
}

/// What is spoken on a listener.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Protocol {
    /// Neither TLS nor authentication.
    Plaintext,
    /// TLS.
    Ssl,
    /// Authentication without TLS.
    SaslPlaintext,
    /// Authentication within TLS.
    SaslSsl,
}

impl Protocol {
    /// Kafka's name for it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Plaintext => "PLAINTEXT",
            Self::Ssl => "SSL",
            Self::SaslPlaintext => "SASL_PLAINTEXT",
            Self::SaslSsl => "SASL_SSL",
        }
    }

    fn from_name(name: &str) -> Option<Self> {
        let all = [Self::Plaintext, Self::Ssl, Self::SaslPlaintext, Self::SaslSsl];
        all.into_iter().find(|protocol| protocol.name().eq_ignore_ascii_case(name))
    }
}

impl fmt::Display for Listener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(f, "{}://[{}]:{}", self.name, self.host, self.port)
        } else {
            write!(f, "{}://{}:{}", self.name, self.host, self.port)
        }
    }
}

impl Listener {
    /// Whether it stands for every interface: an empty host, `0.0.0.0` or `::`.
    #[must_use]
    pub fn is_wildcard(&self) -> bool {
        matches!(self.host.as_str(), "" | "0.0.0.0" | "::")
    }
}

/// Reads a list that is split at its commas already. Names must differ; so must ports, unless they are 0 or shared by
/// one IPv4 and one IPv6 address. The error says what is wrong with which element.
pub(crate) fn parse_listeners(elements: &[String]) -> Result<Vec<Listener>, String> {
    let mut listeners: Vec<Listener> = Vec::new();
    for element in elements {
        let listener = parse_listener(element)?;
        for other in &listeners {
            if other.name == listener.name {
                return Err(format!("{} is named twice", listener.name));
            }
            if other.port == listener.port && listener.port != 0 && !are_both_families(other, &listener) {
                return Err(format!("port {} is used twice", listener.port));
            }
        }
        listeners.push(listener);
    }
    Ok(listeners)
}

/// The same for advertised listeners, which may share a port: a proxy can tell them apart by host.
pub(crate) fn parse_advertised(elements: &[String]) -> Result<Vec<Listener>, String> {
    let listeners: Vec<_> = elements.iter().map(|element| parse_listener(element)).collect::<Result<_, _>>()?;
    let mut names = BTreeSet::new();
    for listener in &listeners {
        if !names.insert(&listener.name) {
            return Err(format!("{} is named twice", listener.name));
        }
        if listener.is_wildcard() {
            return Err(format!("{listener} tells clients no address: name a host that they can reach"));
        }
    }
    Ok(listeners)
}

fn parse_listener(text: &str) -> Result<Listener, String> {
    let form = || format!("{text} must have the form NAME://host:port");
    let (name, address) = text.split_once("://").ok_or_else(form)?;
    if name.is_empty() || !name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.')) {
        return Err(form());
    }
    let (host, port) = address.rsplit_once(':').ok_or_else(form)?;
    let port = port.parse().map_err(|_| format!("{text} must end with a port from 0 to 65535"))?;
    let host = read_host(host).ok_or_else(form)?;
    Ok(Listener { name: name.to_ascii_uppercase(), host: host.to_owned(), port })
}

/// The host of `host:port` without the brackets of an IPv6 address; `None` if it cannot be a host.
pub(crate) fn read_host(text: &str) -> Option<&str> {
    match text.strip_prefix('[') {
        Some(rest) => rest.strip_suffix(']').filter(|host| is_ipv6(host)),
        None => (is_host(text) || is_ipv6(text)).then_some(text),
    }
}

fn is_host(text: &str) -> bool {
    text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_'))
}

/// An IPv6 address, perhaps with a zone such as `%eth0`.
fn is_ipv6(text: &str) -> bool {
    let (address, zone) = text.split_once('%').unwrap_or((text, "0"));
    address.parse::<std::net::Ipv6Addr>().is_ok() && !zone.is_empty() && is_host(zone)
}

fn are_both_families(a: &Listener, b: &Listener) -> bool {
    let is_ipv4 = |host: &str| host.parse::<std::net::Ipv4Addr>().is_ok();
    (is_ipv4(&a.host) && is_ipv6(&b.host)) || (is_ipv6(&a.host) && is_ipv4(&b.host))
}

/// Reads `listener.security.protocol.map`: `NAME:PROTOCOL` divided by commas. Names come out in capitals.
pub(crate) fn parse_protocol_map(text: &str) -> Result<BTreeMap<String, Protocol>, String> {
    let mut map = BTreeMap::new();
    for pair in text.split(',').map(str::trim).filter(|pair| !pair.is_empty()) {
        let (name, protocol) = pair.split_once(':').ok_or(format!("{pair} must have the form NAME:PROTOCOL"))?;
        let (name, protocol) = (name.trim().to_ascii_uppercase(), protocol.trim());
        let known = Protocol::from_name(protocol)
            .ok_or(format!("{protocol} must be one of PLAINTEXT, SSL, SASL_PLAINTEXT, SASL_SSL"))?;
        if name.is_empty() {
            return Err(format!("{pair} must have the form NAME:PROTOCOL"));
        }
        if map.insert(name.clone(), known).is_some() {
            return Err(format!("{name} is mapped twice"));
        }
    }
    Ok(map)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(text: &str) -> Result<Vec<String>, String> {
        let elements: Vec<_> = text.split(',').map(str::to_owned).collect();
        Ok(parse_listeners(&elements)?.iter().map(|l| format!("{}|{}|{}", l.name, l.host, l.port)).collect())
    }

    #[test]
    fn reads_names_hosts_and_ports() {
        assert_eq!(list("PLAINTEXT://:9092").unwrap(), ["PLAINTEXT||9092"]);
        assert_eq!(list("plain://a-b.c_d:0").unwrap(), ["PLAIN|a-b.c_d|0"]);
        assert_eq!(list("A://[::1]:9092,B://[fe80::1%eth0]:1").unwrap(), ["A|::1|9092", "B|fe80::1%eth0|1"]);
        assert_eq!(list("A://::1:9092").unwrap(), ["A|::1|9092"]);
    }

    #[test]
    fn refuses_what_is_not_an_address() {
        for bad in ["", "localhost:9092", "A://localhost", "://h:1", "A://h:65536", "A://h:-1", "A://h:x", "A://[h]:1"]
        {
            assert!(list(bad).is_err(), "{bad}");
        }
        for bad in ["A://[::1:1", "A://a b:1", "A://a/b:1", "A B://h:1"] {
            assert!(list(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn refuses_a_name_or_port_twice() {
        assert!(list("A://:1,a://:2").unwrap_err().contains("A is named twice"));
        assert!(list("A://:1,B://:1").unwrap_err().contains("port 1 is used twice"));
        assert!(list("A://:0,B://:0").is_ok());
        assert!(list("A://127.0.0.1:1,B://[::1]:1").is_ok());
        assert!(list("A://127.0.0.1:1,B://127.0.0.2:1").is_err());
    }

    #[test]
    fn listeners_print_as_they_are_written() {
        for text in ["PLAINTEXT://:9092", "A://[::1]:0", "B://host:1"] {
            assert_eq!(parse_listener(text).unwrap().to_string(), text);
        }
    }

    #[test]
    fn advertised_listeners_need_a_host_and_may_share_a_port() {
        let advertised = |text: &str| parse_advertised(&text.split(',').map(str::to_owned).collect::<Vec<_>>());
        assert!(advertised("A://a:1,B://b:1").is_ok());
        for bad in ["A://:1", "A://0.0.0.0:1", "A://[::]:1", "A://a:1,a://b:2"] {
            assert!(advertised(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn protocol_maps_are_read_and_checked() {
        let map = parse_protocol_map("controller:PLAINTEXT, Web:sasl_ssl").unwrap();
        assert_eq!(map.get("CONTROLLER"), Some(&Protocol::Plaintext));
        assert_eq!(map.get("WEB"), Some(&Protocol::SaslSsl));
        for bad in ["A", "A:TLS", ":SSL", "A:SSL,a:SSL"] {
            assert!(parse_protocol_map(bad).is_err(), "{bad}");
        }
    }
}
