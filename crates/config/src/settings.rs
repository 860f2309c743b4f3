//! The layers of a broker's configuration laid over each other: what was set for this broker while the cluster runs over
//! what was set for all brokers over command line over file over default.
//!
//! The layers that a start brings are checked key by key here; those that come later, in `dynamic.rs`. What the settings
//! mean together is decided in `broker.rs`.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use crate::connections::key_of_listener;
use crate::key::{Key, Status};
use crate::keys::broker_key;
use crate::properties;
use crate::report::{ConfigError, Notice, NoticeKind, Origin, Problem};
use crate::topic::Overrides;
use crate::value::{Value, parse};

/// Every broker key that somebody set, checked. A key that nobody set answers with its default.
#[derive(Clone, Default)]
pub struct Settings {
    /// What the broker was started with.
    set: BTreeMap<String, Setting>,
    /// What was set later, for all brokers.
    pub(crate) cluster_default: Overrides,
    /// What was set later, for this broker.
    pub(crate) broker: Overrides,
}

#[derive(Clone)]
struct Setting {
    origin: Origin,
    text: String,
}

/// What reading the layers found, beside the settings.
#[derive(Default)]
pub(crate) struct Findings {
    pub(crate) notices: Vec<Notice>,
    pub(crate) problems: Vec<Problem>,
}

impl Findings {
    pub(crate) fn notice(&mut self, origin: Origin, key: &str, kind: NoticeKind) {
        self.notices.push(Notice { origin, key: key.to_owned(), kind });
    }
}

impl Settings {
    /// Reads the text of a file and `key=value` pairs that win over it. Only a text that is not in the properties
    /// format is an error here; bad values become problems.
    pub(crate) fn from_layers(
        file: Option<&str>,
        overrides: &[(String, String)],
    ) -> Result<(Self, Findings), ConfigError> {
        let entries = properties::parse(file.unwrap_or_default()).map_err(|malformed| ConfigError {
            problems: vec![Problem {
                origin: Origin::Line(malformed.line),
                key: String::new(),
                value: None,
                reason: "\\u must be followed by four hexadecimal digits that make a character".to_owned(),
            }],
        })?;
        let mut settings = Self::default();
        let mut findings = Findings::default();
        for entry in entries {
            let setting = Setting { origin: Origin::Line(entry.line), text: entry.value };
            if let Some(earlier) = settings.set.insert(entry.key.clone(), setting) {
                findings.notice(earlier.origin, &entry.key, NoticeKind::Repeated);
            }
        }
        for (key, value) in overrides {
            settings.set.insert(key.clone(), Setting { origin: Origin::CommandLine, text: value.clone() });
        }
        settings.check(&mut findings);
        Ok((settings, findings))
    }

    /// Checks every setting on its own, in the order of the file.
    fn check(&self, findings: &mut Findings) {
        let mut in_order: Vec<_> = self.set.iter().collect();
        in_order.sort_by_key(|(_, setting)| setting.origin);
        for (name, setting) in in_order {
            match broker_key(name) {
                Some(key) => self.check_one(key, setting, findings),
                None if let Some((_, key)) = key_of_listener(name) => {
                    if let Err(reason) = parse(key, &setting.text) {
                        findings.problems.push(self.problem(name, reason));
                    }
                }
                None if name.starts_with("listener.name.") => {
                    let reason = "settings of a single listener have no effect here yet";
                    findings.notice(setting.origin, name, NoticeKind::NoEffect(reason));
                }
                None => findings.notice(setting.origin, name, NoticeKind::Unknown),
            }
        }
    }

    fn check_one(&self, key: &Key, setting: &Setting, findings: &mut Findings) {
        let value = match parse(key, &setting.text) {
            Ok(value) => value,
            Err(reason) => return findings.problems.push(self.problem(key.name, reason)),
        };
        match key.status {
            Status::Honoured => {}
            Status::Accepted(reason) => findings.notice(setting.origin, key.name, NoticeKind::NoEffect(reason)),
            Status::Refused(reason) => {
                if asks_for_something(&value) {
                    findings.problems.push(self.problem(key.name, format!("refused: {reason}")));
                }
            }
        }
    }

    /// The text that counts and where it comes from.
    fn found(&self, name: &str) -> Option<(Origin, &str)> {
        // A setting made later hides those of the same meaning in the layers below, whatever their unit: who sets
        // log.retention.ms does not want the file's log.retention.hours to be shown beside it.
        let finer = hidden_by(name);
        for (layer, origin) in [(&self.broker, Origin::Broker), (&self.cluster_default, Origin::ClusterDefault)] {
            if let Some(text) = layer.get(name) {
                return Some((origin, text));
            }
            if finer.is_some_and(|finer| layer.contains_key(finer)) {
                return None;
            }
        }
        self.set.get(name).map(|setting| (setting.origin, setting.text.as_str()))
    }

    /// Where the key's value comes from.
    #[must_use]
    pub fn origin(&self, name: &str) -> Origin {
        self.found(name).map_or(Origin::Default, |(origin, _)| origin)
    }

    /// The text that somebody set for the key; `None` if nobody did.
    #[must_use]
    pub fn explicit(&self, name: &str) -> Option<&str> {
        self.found(name).map(|(_, text)| text)
    }

    /// What the broker was started with for this key, hidden or not.
    pub(crate) fn at_start(&self, name: &str) -> Option<&str> {
        self.set.get(name).map(|setting| setting.text.as_str())
    }

    /// The names of all keys that somebody set, known or not, in order.
    pub(crate) fn names(&self) -> BTreeSet<&str> {
        let later = self.broker.keys().chain(self.cluster_default.keys());
        self.set.keys().chain(later).map(String::as_str).collect()
    }

    /// Has the key answer with `text` where `as_if` was set and the key itself was not.
    pub(crate) fn follow(&mut self, name: &str, as_if: &str, text: String) {
        if let (None, Some(setting)) = (self.set.get(name), self.set.get(as_if)) {
            let origin = setting.origin;
            self.set.insert(name.to_owned(), Setting { origin, text });
        }
    }

    /// A problem with the key's present value.
    pub(crate) fn problem(&self, name: &str, reason: String) -> Problem {
        let key = broker_key(name);
        let shown = key.is_none_or(|key| !key.sensitive());
        let text = self.explicit(name).or_else(|| key.and_then(|key| key.default)).unwrap_or_default();
        Problem { origin: self.origin(name), key: name.to_owned(), value: shown.then(|| text.to_owned()), reason }
    }

    /// The key's value: what was set, else the default. `None` if there is neither, or what was set is a problem.
    #[must_use]
    pub fn value(&self, name: &str) -> Option<Value> {
        let key = broker_key(name)?;
        parse(key, self.explicit(name).or(key.default)?).ok()
    }

    pub(crate) fn boolean(&self, name: &str) -> bool {
        self.value(name) == Some(Value::Boolean(true))
    }

    /// The number; 0 where the value is a problem, which keeps the configuration from being used.
    pub(crate) fn number(&self, name: &str) -> i64 {
        self.optional_number(name).unwrap_or_default()
    }

    pub(crate) fn optional_number(&self, name: &str) -> Option<i64> {
        match self.value(name) {
            Some(Value::Number(number)) => Some(number),
            _ => None,
        }
    }

    /// The text; `None` if it is empty.
    pub(crate) fn text(&self, name: &str) -> Option<String> {
        match self.value(name) {
            Some(Value::Text(text)) if !text.is_empty() => Some(text),
            _ => None,
        }
    }

    pub(crate) fn list(&self, name: &str) -> Vec<String> {
        match self.value(name) {
            Some(Value::List(elements)) => elements,
            _ => Vec::new(),
        }
    }
}

/// The key of the same meaning that hides `name` in lower layers when it is set while the cluster runs.
fn hidden_by(name: &str) -> Option<&'static str> {
    match name {
        "log.retention.minutes" | "log.retention.hours" => Some("log.retention.ms"),
        "log.roll.hours" => Some("log.roll.ms"),
        "log.roll.jitter.hours" => Some("log.roll.jitter.ms"),
        "log.flush.scheduler.interval.ms" => Some("log.flush.interval.ms"),
        _ => None,
    }
}

impl fmt::Debug for Settings {
    /// Values of unknown keys are hidden too: a key of a single listener can hold a password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = |name: &str| broker_key(name).is_some_and(|key| !key.sensitive());
        let entries = self.names().into_iter().filter_map(|name| Some((name, self.explicit(name)?)));
        f.debug_map().entries(entries.map(|(name, text)| (name, if shown(name) { text } else { "(hidden)" }))).finish()
    }
}

pub(crate) fn asks_for_something(value: &Value) -> bool {
    match value {
        Value::Boolean(on) => *on,
        Value::Text(text) => !text.is_empty(),
        Value::List(elements) => !elements.is_empty(),
        Value::Number(_) | Value::Double(_) => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_with_a_secret_does_not_show_it() {
        let file = Some("ssl.key.password=hunter2\nnum.partitions=7");
        let (settings, _) = Settings::from_layers(file, &[]).unwrap();
        let secret = settings.problem("ssl.key.password", "must be better".to_owned());
        assert_eq!(secret.to_string(), "line 1: ssl.key.password=(hidden): must be better");
        let open = settings.problem("num.partitions", "must be better".to_owned());
        assert_eq!(open.to_string(), "line 2: num.partitions=7: must be better");
    }
}
