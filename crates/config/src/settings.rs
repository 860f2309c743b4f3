//! The layers of a broker's configuration laid over each other and checked key by key: command line over file over
//! default. What the settings mean together is decided in `broker.rs`.

use std::collections::BTreeMap;
use std::fmt;

use crate::connections::key_of_listener;
use crate::key::{Key, Status};
use crate::keys::broker_key;
use crate::properties;
use crate::report::{ConfigError, Notice, NoticeKind, Origin, Problem};
use crate::value::{Value, parse};

/// Every broker key that somebody set, checked. A key that nobody set answers with its default.
#[derive(Clone, Default)]
pub struct Settings {
    set: BTreeMap<String, Setting>,
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

    /// Where the key's value comes from.
    #[must_use]
    pub fn origin(&self, name: &str) -> Origin {
        self.set.get(name).map_or(Origin::Default, |setting| setting.origin)
    }

    /// The text that somebody set for the key; `None` if nobody did.
    #[must_use]
    pub fn explicit(&self, name: &str) -> Option<&str> {
        self.set.get(name).map(|setting| setting.text.as_str())
    }

    /// Every key that somebody set, known or not, with its text.
    pub(crate) fn explicit_all(&self) -> impl Iterator<Item = (&str, &str)> {
        self.set.iter().map(|(name, setting)| (name.as_str(), setting.text.as_str()))
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

impl fmt::Debug for Settings {
    /// Values of unknown keys are hidden too: a key of a single listener can hold a password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = |name: &str| broker_key(name).is_some_and(|key| !key.sensitive());
        let entries = self.set.iter();
        f.debug_map()
            .entries(entries.map(|(name, setting)| (name, if shown(name) { &setting.text } else { "(hidden)" })))
            .finish()
    }
}

fn asks_for_something(value: &Value) -> bool {
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
