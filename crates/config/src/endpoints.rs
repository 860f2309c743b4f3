//! Which addresses a broker opens and which it tells to clients, from all the keys, old and new, that say so.
//!
//! The notation itself is in `listener.rs`.

use crate::listener::{Listener, Protocol, parse_advertised, parse_listeners, parse_protocol_map, read_host};
use crate::report::NoticeKind;
use crate::settings::{Findings, Settings};

/// What was decided. Both lists are empty only if there are problems.
pub(crate) struct Endpoints {
    pub(crate) listeners: Vec<Listener>,
    pub(crate) advertised: Vec<Listener>,
}

/// Where HTTP is served.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct HttpListener {
    /// A host name or an IP address without brackets; empty means every interface.
    pub host: String,
    /// The port; 0 lets the system choose one.
    pub port: u16,
    /// Somebody asked for it: then the broker does not start without.
    pub required: bool,
}

/// Where HTTP is served, if anywhere.
pub(crate) fn http(settings: &Settings, findings: &mut Findings) -> Option<HttpListener> {
    let name = "ottla.http.listener";
    let text = settings.text(name)?;
    let read = text.strip_prefix("http://").and_then(|address| {
        let (host, port) = address.trim_end_matches('/').rsplit_once(':')?;
        Some(HttpListener {
            host: read_host(host)?.to_owned(),
            port: port.parse().ok()?,
            required: settings.explicit(name).is_some(),
        })
    });
    if read.is_none() {
        let reason = "must have the form http://host:port, or be empty".to_owned();
        findings.problems.push(settings.problem(name, reason));
    }
    read
}

/// Decides from the settings; whatever is wrong goes to the findings.
pub(crate) fn resolve(settings: &Settings, findings: &mut Findings) -> Endpoints {
    let all = listeners(settings, findings);
    let controllers: Vec<_> =
        settings.list("controller.listener.names").iter().map(|n| n.to_ascii_uppercase()).collect();
    check_protocols(settings, &all, &controllers, findings);
    let any = !all.is_empty();
    let (closed, listeners): (Vec<_>, Vec<_>) = all.into_iter().partition(|l| controllers.contains(&l.name));
    for listener in closed {
        let text = format!("{listener} is not opened: controllers share the brokers' listeners");
        findings.notice(settings.origin("listeners"), "listeners", NoticeKind::Remark(text));
    }
    if any && listeners.is_empty() {
        let reason = "must hold a listener that is not in controller.listener.names";
        findings.problems.push(settings.problem("listeners", reason.to_owned()));
    }
    let advertised = advertised(settings, &listeners, &controllers, findings);
    Endpoints { listeners, advertised }
}

/// `listeners`, else what `host.name` and `port` ask for, else the default.
fn listeners(settings: &Settings, findings: &mut Findings) -> Vec<Listener> {
    let old = settings.explicit("host.name").or(settings.explicit("port")).is_some();
    if settings.explicit("listeners").is_none() && old {
        let port = settings.optional_number("port").and_then(|port| u16::try_from(port).ok()).unwrap_or(9092);
        let host = settings.text("host.name").unwrap_or_default();
        return vec![Listener { name: "PLAINTEXT".to_owned(), host, port }];
    }
    parse_listeners(&settings.list("listeners")).unwrap_or_else(|reason| {
        findings.problems.push(settings.problem("listeners", reason));
        Vec::new()
    })
}

/// Every listener must have a protocol that is served: opening one without its TLS or authentication would be worse
/// than not starting.
fn check_protocols(settings: &Settings, listeners: &[Listener], controllers: &[String], findings: &mut Findings) {
    let name = "listener.security.protocol.map";
    let map = match parse_protocol_map(&settings.text(name).unwrap_or_default()) {
        Ok(map) => map,
        Err(reason) => return findings.problems.push(settings.problem(name, reason)),
    };
    for listener in listeners {
        // Kafka lets controllers' listeners go unnamed as long as the map is left alone.
        let unnamed = controllers.contains(&listener.name) && settings.explicit(name).is_none();
        let reason = match map.get(&listener.name) {
            Some(Protocol::Plaintext) => continue,
            None if unnamed => continue,
            Some(protocol) => {
                format!("{listener} asks for {}, which is not served yet; it is not opened without", protocol.name())
            }
            None => format!("{} has no protocol in {name}", listener.name),
        };
        findings.problems.push(settings.problem("listeners", reason));
    }
}

/// `advertised.listeners`, else the host and port keys of old, else the listeners themselves.
fn advertised(
    settings: &Settings,
    listeners: &[Listener],
    controllers: &[String],
    findings: &mut Findings,
) -> Vec<Listener> {
    if settings.explicit("advertised.listeners").is_some() {
        return advertised_by_list(settings, listeners, controllers, findings);
    }
    let old_host = settings.text("advertised.host.name");
    let old_port = settings.optional_number("advertised.port").and_then(|port| u16::try_from(port).ok());
    let mut advertised = listeners.to_vec();
    for listener in &mut advertised {
        if listener.name == "PLAINTEXT" {
            listener.host = old_host.clone().unwrap_or(std::mem::take(&mut listener.host));
            listener.port = old_port.unwrap_or(listener.port);
        }
        if listener.is_wildcard() {
            "localhost".clone_into(&mut listener.host);
            let text = format!("not set: clients are told {listener}, which only programs on this host can reach");
            findings.notice(settings.origin("advertised.listeners"), "advertised.listeners", NoticeKind::Remark(text));
        }
    }
    advertised
}

fn advertised_by_list(
    settings: &Settings,
    listeners: &[Listener],
    controllers: &[String],
    findings: &mut Findings,
) -> Vec<Listener> {
    let name = "advertised.listeners";
    let mut advertised = match parse_advertised(&settings.list(name)) {
        Ok(advertised) => advertised,
        Err(reason) => {
            findings.problems.push(settings.problem(name, reason));
            return Vec::new();
        }
    };
    advertised.retain(|listener| !controllers.contains(&listener.name));
    let stranger = advertised.iter().find(|a| listeners.iter().all(|l| l.name != a.name));
    if let Some(stranger) = stranger {
        let known: Vec<_> = listeners.iter().map(|l| l.name.as_str()).collect();
        let reason = format!("{} is not a listener; there are {}", stranger.name, known.join(", "));
        findings.problems.push(settings.problem(name, reason));
    } else if advertised.is_empty() {
        let reason = "must hold a listener that is not in controller.listener.names";
        findings.problems.push(settings.problem(name, reason.to_owned()));
    }
    advertised
}
