//! What differs from run to run, and is given a name before answers are compared: `interop/diff/masks.txt`.
//!
//! A line is `PATH KIND  # reason`. The path is an API and fields, `Metadata.brokers.port`, or `*.port` for a field of that
//! name anywhere. The kinds:
//!
//! - `unseen`: never shown;
//! - `any`: shown as `*`, whatever it is;
//! - `text`: null stays, any text is `*`;
//! - `time`: negative numbers stay, others are `*`;
//! - `numbered NAME`: negative numbers stay, others are `NAME#1`, `NAME#2`… in the order in which a scene meets them;
//! - `named NAME`: the same for any number or id;
//! - `set`: a list whose order says nothing.
//!
//! The brokers' folder is `$DATA` in every text, the port of a local address `*`.
//!
//! Ids of topics need no mask: they are shown as `id"NAME"`, by the name that an answer gave beside them.

use std::collections::BTreeMap;

use super::notation::{Fields, Value, line};

/// An id that no topic has.
const NOBODY: [u8; 16] = [0x77; 16];

/// What stands before a port.
const LOCAL: &str = "127.0.0.1:";

/// From how many times the same character on a text is shown as `repeat("x", 249)`.
const MONOTONOUS: usize = 64;

/// The masks of all scripts.
pub(super) struct Masks(Vec<(String, Mask)>);

#[derive(Clone, PartialEq, Debug)]
enum Mask {
    Unseen,
    Any,
    Text,
    Time,
    Numbered(String),
    Named(String),
    Set,
}

impl Masks {
    /// Reads the file; an error names the line.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let mut masks = Vec::new();
        for (number, line) in (1..).zip(text.lines()) {
            if line.trim().is_empty() || line.starts_with('#') {
                continue;
            }
            let wrong = |why: &str| format!("masks.txt:{number}: {why}");
            let (rule, reason) = line.split_once('#').ok_or_else(|| wrong("a mask has its reason behind #"))?;
            if reason.trim().is_empty() {
                return Err(wrong("a mask has its reason behind #"));
            }
            let mask = match rule.split_whitespace().collect::<Vec<_>>()[..] {
                [path, "unseen"] => (path, Mask::Unseen),
                [path, "any"] => (path, Mask::Any),
                [path, "text"] => (path, Mask::Text),
                [path, "time"] => (path, Mask::Time),
                [path, "set"] => (path, Mask::Set),
                [path, "numbered", name] => (path, Mask::Numbered(name.to_owned())),
                [path, "named", name] => (path, Mask::Named(name.to_owned())),
                _ => return Err(wrong("a mask is PATH unseen|any|text|time|set|numbered NAME|named NAME")),
            };
            masks.push((mask.0.to_owned(), mask.1));
        }
        Ok(Self(masks))
    }

    fn of(&self, path: &str) -> Option<&Mask> {
        let last = path.rsplit('.').next().unwrap_or_default();
        let is = |known: &str| known == path || known.strip_prefix("*.") == Some(last);
        self.0.iter().find(|(known, _)| is(known)).map(|(_, mask)| mask)
    }
}

/// What a scene has met so far, by its name.
pub(super) struct Names<'a> {
    masks: &'a Masks,
    topics: BTreeMap<Vec<u8>, String>,
    named: BTreeMap<String, Vec<Value>>,
    /// The brokers' folder.
    data: String,
    /// Texts of requests that hold the scene's version, and what they are with `$v` in its place.
    versioned: Vec<(String, String)>,
}

impl<'a> Names<'a> {
    /// Nothing but the brokers' folder is known at a scene's start.
    pub(super) fn new(masks: &'a Masks, data: &str) -> Self {
        let data = data.to_owned();
        Self { masks, topics: BTreeMap::new(), named: BTreeMap::new(), data, versioned: Vec::new() }
    }

    /// Whether the value at `path` is never shown.
    pub(super) fn is_unseen(&self, path: &str) -> bool {
        self.masks.of(path) == Some(&Mask::Unseen)
    }

    /// The value at `path` as it is to be compared.
    pub(super) fn hide(&mut self, path: &str, value: Value) -> Value {
        let star = || Value::Word("*".to_owned());
        match (self.masks.of(path), value) {
            (None, Value::Text(text)) => monotonous(&text).unwrap_or_else(|| Value::Text(self.versionless(&text))),
            (None, value) | (Some(Mask::Text), value @ Value::Null) => value,
            (Some(Mask::Any | Mask::Text), _) => star(),
            (Some(Mask::Time), Value::Int(time)) if time >= 0 => star(),
            (Some(Mask::Numbered(_)), Value::Int(number)) if number < 0 => Value::Int(number),
            (Some(Mask::Numbered(name) | Mask::Named(name)), value) => {
                let known = self.named.entry(name.clone()).or_default();
                let place = known.iter().position(|known| *known == value).unwrap_or_else(|| {
                    known.push(value);
                    known.len() - 1
                });
                Value::Word(format!("{name}#{}", place + 1))
            }
            (Some(Mask::Set), Value::List(mut values)) => {
                values.sort_by_key(line);
                Value::List(values)
            }
            (_, value) => value,
        }
    }

    /// The text with `$v` filled in; an answer that holds it will show `$v` again, and so look the same in all versions.
    pub(super) fn fill_in(&mut self, text: &str, version: i16) -> String {
        let filled = text.replace("$v", &version.to_string()).replace("$DATA", &self.data);
        let pair = (filled.clone(), text.to_owned());
        if filled != text && !self.versioned.contains(&pair) {
            self.versioned.push(pair);
            // A name may hold another one.
            self.versioned.sort_by_key(|(filled, _)| std::cmp::Reverse(filled.len()));
        }
        filled
    }

    fn versionless(&self, text: &str) -> String {
        let text = self.versioned.iter().fold(text.to_owned(), |text, (filled, short)| text.replace(filled, short));
        portless(&if self.data.is_empty() { text } else { text.replace(&self.data, "$DATA") })
    }

    /// The number or id that a word such as `pid#1` stands for.
    pub(super) fn named(&self, word: &str) -> Option<Value> {
        let (name, place) = word.split_once('#')?;
        let place: usize = place.parse().ok()?;
        self.named.get(name)?.get(place.checked_sub(1)?).cloned()
    }

    /// The id of a topic by its name, `$v` not filled in; `"?"` has one that nobody has.
    pub(super) fn id(&self, topic: &str) -> Option<Vec<u8>> {
        if topic == "?" {
            return Some(NOBODY.to_vec());
        }
        self.topics.iter().find(|(_, name)| *name == topic).map(|(id, _)| id.clone())
    }

    /// Remembers the id that stands beside a name. A topic that is made again has another one.
    pub(super) fn learn(&mut self, fields: &Fields) {
        let field = |wanted: &[&str]| {
            let found = fields.iter().find(|(name, _)| wanted.contains(&name.as_str()));
            found.map(|(_, value)| value.clone())
        };
        if let (Some(Value::Text(name)), Some(Value::Bytes(id))) =
            (field(&["name", "topic", "topic_name"]), field(&["topic_id"]))
        {
            self.topics.retain(|_, known| *known != name);
            self.topics.insert(id, name);
        }
    }

    /// Shows ids of topics by name.
    pub(super) fn hide_ids(&self, fields: &mut Fields) {
        for (name, value) in fields {
            if let ("topic_id", Value::Bytes(id)) = (name.as_str(), &*value) {
                let known = if *id == NOBODY { Some("?") } else { self.topics.get(id).map(String::as_str) };
                *value = Value::Call("id".to_owned(), vec![Value::Text(known.unwrap_or("unknown").to_owned())]);
            }
        }
    }
}

/// The text with `*` for the port behind each local address: every broker has its own.
fn portless(text: &str) -> String {
    let mut parts = text.split(LOCAL);
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |text, part| {
        let rest = part.trim_start_matches(|c: char| c.is_ascii_digit());
        let port = if rest.len() < part.len() { "*" } else { "" };
        text + LOCAL + port + rest
    })
}

/// A long text of one character, as the function that made it.
fn monotonous(text: &str) -> Option<Value> {
    let first = text.chars().next().filter(char::is_ascii)?;
    let is_so = text.len() >= MONOTONOUS && text.chars().all(|c| c == first);
    let length = i64::try_from(text.len()).ok()?;
    is_so.then(|| Value::Call("repeat".to_owned(), vec![Value::Text(first.to_string()), Value::Int(length)]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_times_have_names_and_what_says_nothing_stays() {
        let text = "A.pid numbered pid # drawn\nA.id named id # drawn\n*.at time # a clock\nA.list set # no order\nA.why text # its words\n";
        let masks = Masks::parse(text).expect("legal");
        let mut names = Names::new(&masks, "/tmp/d");
        let word = |word: &str| Value::Word(word.to_owned());
        assert_eq!(names.hide("A.pid", Value::Int(70)), word("pid#1"));
        assert_eq!(names.hide("A.pid", Value::Int(0)), word("pid#2"));
        assert_eq!(names.hide("A.pid", Value::Int(70)), word("pid#1"));
        assert_eq!(names.hide("A.pid", Value::Int(-1)), Value::Int(-1));
        assert_eq!(names.named("pid#2"), Some(Value::Int(0)));
        assert_eq!(names.named("pid#3"), None);
        assert_eq!(names.hide("A.id", Value::Int(-5)), word("id#1"));
        assert_eq!(names.hide("A.id", Value::Bytes(vec![1])), word("id#2"));
        assert_eq!(names.named("id#2"), Some(Value::Bytes(vec![1])));
        assert_eq!(names.fill_in("$DATA/a", 3), "/tmp/d/a");
        assert_eq!(names.hide("A.dir", Value::Text("/tmp/d/b".to_owned())), Value::Text("$DATA/b".to_owned()));
        assert_eq!(names.hide("B.c.at", Value::Int(5)), word("*"));
        assert_eq!(names.hide("B.c.at", Value::Int(-1)), Value::Int(-1));
        assert_eq!(names.hide("A.why", Value::Null), Value::Null);
        let list = Value::List(vec![Value::Int(2), Value::Int(1)]);
        assert_eq!(names.hide("A.list", list), Value::List(vec![Value::Int(1), Value::Int(2)]));
    }

    #[test]
    fn ports_of_this_host_are_hidden() {
        assert_eq!(portless("A://127.0.0.1:41,B://127.0.0.1:0"), "A://127.0.0.1:*,B://127.0.0.1:*");
        assert_eq!(portless("127.0.0.1:x 127.0.0.1 10.0.0.1:9"), "127.0.0.1:x 127.0.0.1 10.0.0.1:9");
    }

    #[test]
    fn a_long_text_of_one_character_is_short() {
        let masks = Masks::parse("").expect("legal");
        let shown = |text: String| line(&Names::new(&masks, "").hide("A.name", Value::Text(text)));
        assert_eq!(shown("x".repeat(249)), r#"repeat("x", 249)"#);
        assert_eq!(shown("x".repeat(63)), format!("\"{}\"", "x".repeat(63)));
        assert_eq!(shown("x".repeat(99) + "y"), format!("\"{}y\"", "x".repeat(99)));
    }

    #[test]
    fn a_mask_without_a_reason_is_refused() {
        for text in ["A.b any", "A.b any #", "A.b nothing # x", "A.b numbered # x"] {
            assert!(Masks::parse(text).is_err(), "{text}");
        }
    }
}
