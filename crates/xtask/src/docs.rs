//! `cargo xtask docs`: docs/configuration.md, from the tables of keys in `ottla-config`. With `--check` nothing is written,
//! and a difference is an error.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use ottla_config::key::{Allowed, Key, Status, UpdateMode};
use ottla_config::keys;

const PAGE: &str = "docs/configuration.md";

const HEAD: &str = "# Configuration keys

<!-- Written by `cargo xtask docs` from the tables in crates/config/src/keys. Change those, not this page. -->

Every key that a file or the command line of a broker may set, and every override of topics and other resources, with \
Kafka's names, types, defaults and bounds (of 4.3.1). How they are laid over each other and changed while the cluster \
runs: [Changing configuration](dynamic-configuration.md).

- *Changed*: **at start** needs a restart; **per broker** and **cluster-wide** can be set while it runs, for one broker or \
also for all of them. **at start yet**: Kafka changes it while it runs, Ottla does not so far.
- *Effect*: **yes**, the key does what it says. **none**, its value is checked and kept and nothing else happens, which the \
log says once for each such key that is set. **refused**, a value that asks for something stops the start: to ignore it \
would be dangerous.
";

/// Runs the command with the words behind `docs`.
pub(crate) fn run(arguments: &[String]) -> Result<(), String> {
    let check = match arguments {
        [] => false,
        [flag] if flag == "--check" => true,
        _ => return Err("usage: cargo xtask docs [--check]".to_owned()),
    };
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(PAGE);
    let text = page();
    if !check {
        return fs::write(&path, text).map_err(|e| format!("{PAGE}: {e}"));
    }
    match fs::read_to_string(&path) {
        Ok(found) if found == text => Ok(()),
        Ok(_) => Err(format!("{PAGE} is not what the tables say; run cargo xtask docs")),
        Err(e) => Err(format!("{PAGE}: {e}")),
    }
}

fn page() -> String {
    let mut page = HEAD.to_owned();
    page += "\n# Brokers\n";
    for (theme, table) in keys::broker_themes() {
        section(&mut page, theme, table.iter());
    }
    section(&mut page, "Set while the cluster runs only", keys::later_keys());
    section(&mut page, "Keys of older Kafkas, and of its own program", keys::legacy_keys());
    page += "\n# Topics\n\nWhat a topic does not set, the broker keys named last decide, the first that is set.\n";
    topics(&mut page, keys::topic_keys());
    page += "\nOlder Kafkas had these too:\n";
    topics(&mut page, keys::legacy_topic_keys());
    page += "\n# Subscriptions to client metrics\n";
    table(&mut page, keys::client_metrics_keys());
    page += "\n# Groups\n";
    table(&mut page, keys::group_keys().map(|(key, _)| key));
    page
}

fn section<'a>(page: &mut String, title: &str, rows: impl Iterator<Item = &'a Key>) {
    let _ = write!(page, "\n## {title}\n");
    table(page, rows);
}

fn table<'a>(page: &mut String, rows: impl Iterator<Item = &'a Key>) {
    page.push_str("\n| key | type, default | allowed | changed | effect | |\n|---|---|---|---|---|---|\n");
    for key in rows {
        row(page, key, key.doc());
    }
}

fn topics(page: &mut String, rows: impl Iterator<Item = &'static keys::TopicKey>) {
    page.push_str("\n| key | type, default | allowed | changed | effect | |\n|---|---|---|---|---|---|\n");
    for topic in rows {
        let names: Vec<_> = topic.synonyms.iter().map(|synonym| format!("`{}`", synonym.name)).collect();
        let of = if names.is_empty() { String::new() } else { format!(" ← {}", names.join(", ")) };
        row(page, &topic.key, &format!("{}{of}", topic.key.doc()));
    }
}

fn row(page: &mut String, key: &Key, doc: &str) {
    let kind = key.kind.name().to_lowercase();
    let default = match key.default {
        None => "unset".to_owned(),
        Some("") => "empty".to_owned(),
        Some(default) => format!("`{default}`"),
    };
    let (allowed, changed, effect) = (allowed(key.allowed), changed(key), effect(key.status));
    let name = key.name;
    let cells = format!("| `{name}` | {kind}, {default} | {allowed} | {changed} | {effect} | {doc} |\n");
    page.push_str(&cells);
}

fn allowed(allowed: Allowed) -> String {
    let or = |or: Option<i64>| or.map(|or| format!(" or {or}")).unwrap_or_default();
    match allowed {
        Allowed::Any => String::new(),
        Allowed::Range { min, max: None, or: other } => format!("from {min}{}", or(other)),
        Allowed::Range { min, max: Some(max), or: other } => format!("{min} to {max}{}", or(other)),
        Allowed::OneOf(texts) | Allowed::OneOfAnyCase(texts) => texts.join(", "),
        Allowed::NotEmpty => "not empty".to_owned(),
        Allowed::List { of, empty } => {
            let of = if of.is_empty() { String::new() } else { format!("of {}", of.join(", ")) };
            match (of.is_empty(), empty) {
                (_, true) => of,
                (true, false) => "not empty".to_owned(),
                (false, false) => format!("{of}; not empty"),
            }
        }
        Allowed::Voters => "`id@host:port,…`".to_owned(),
        Allowed::Servers => "`host:port,…`".to_owned(),
        Allowed::ThrottledReplicas => "`*` or `partition:broker,…`".to_owned(),
    }
}

fn changed(key: &Key) -> &'static str {
    match (key.update_here(), key.update) {
        (UpdateMode::ReadOnly, UpdateMode::ReadOnly) => "at start",
        (UpdateMode::ReadOnly, _) => "at start yet",
        (UpdateMode::PerBroker, _) => "per broker",
        (UpdateMode::ClusterWide, _) => "cluster-wide",
    }
}

fn effect(status: Status) -> String {
    match status {
        Status::Honoured => "yes".to_owned(),
        Status::Accepted("known to Kafka, has no effect here yet") => "none yet".to_owned(),
        Status::Accepted(reason) => format!("none: {reason}"),
        Status::Refused(reason) => format!("refused: {reason}"),
    }
}
