//! A scene played on a running broker: connections, frames, answers as lines.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::{Duration, Instant};

use super::decode::decode;
use super::hosts::Host;
use super::masks::{Masks, Names};
use super::meaning::{Meaning, request};
use super::notation::{self, Fields, Value};
use super::schemas::Schemas;
use super::script::{Act, Question, Scene, Until};

/// How long an answer may take, and how long what a scene prepares may.
const PATIENCE: Duration = Duration::from_secs(15);
/// The longest answer that is read.
const ANSWER_MAX: usize = 256 << 20;

/// What is said when the broker ended the connection in place of an answer.
const CLOSED: &str = "(closed)";

/// What an answer without a single field is written as, so that one that is missing can be seen.
pub(super) const NO_FIELDS: &str = "(no fields)";

/// A broker, and what is known of it.
pub(super) struct Talk<'a> {
    pub(super) schemas: &'a Schemas,
    pub(super) masks: &'a Masks,
    address: String,
    /// The broker's folder.
    data: String,
    /// The scene's connections by their names.
    lines: BTreeMap<String, Line>,
    /// Which of them speaks; a scene begins with that without a name.
    at: String,
    correlation: i32,
    /// What another broker accepts, to be added to what ApiVersions answers.
    pub(super) added: Vec<(i64, i64, i64)>,
}

/// A connection of a scene.
#[derive(Default)]
struct Line {
    stream: Option<TcpStream>,
    /// Requests whose answers are read later, in order.
    due: VecDeque<i32>,
}

/// Why a scene cannot be played to its end.
pub(super) type Broken = String;

impl<'a> Talk<'a> {
    pub(super) fn with(schemas: &'a Schemas, masks: &'a Masks, address: String, data: String) -> Self {
        let (lines, at) = (BTreeMap::new(), String::new());
        Self { schemas, masks, address, data, lines, at, correlation: 0, added: Vec::new() }
    }

    /// The versions of each API that the broker says it accepts, by key.
    pub(super) fn accepted(&mut self) -> Result<Vec<(i64, i64, i64)>, Broken> {
        let mut names = Names::new(self.masks, &self.data);
        let question = Question { api: "ApiVersions".to_owned(), version: Some(0), fields: Fields::new() };
        let fields = self.ask(&question, 0, &mut names)?.map_err(|line| format!("ApiVersions: {line}"))?;
        let number = |fields: &Fields, wanted: &str| {
            let found = fields.iter().find(|(name, _)| name == wanted);
            found.map_or(0, |(_, value)| if let Value::Int(number) = value { *number } else { 0 })
        };
        let Some((_, Value::List(keys))) = fields.iter().find(|(name, _)| name == "api_keys") else {
            return Err("ApiVersions answered without api_keys".to_owned());
        };
        let key = |value: &Value| match value {
            Value::Fields(key) => {
                Some((number(key, "api_key"), number(key, "min_version"), number(key, "max_version")))
            }
            _ => None,
        };
        Ok(keys.iter().filter_map(key).collect())
    }

    /// Plays a scene at one version; what was answered to each step that is, in order.
    pub(super) fn play(
        &mut self,
        scene: &Scene,
        version: i16,
        host: &mut dyn Host,
    ) -> Result<Vec<Vec<String>>, Broken> {
        let mut names = Names::new(self.masks, &self.data);
        let mut answers = Vec::new();
        self.hang_up();
        for step in &scene.steps {
            let failed = |why: String| format!("== {} (v{version})\n{}\n{why}", scene.title, step.text());
            match &step.act {
                Act::Ask(question) => {
                    answers.push(lines(self.ask(question, version, &mut names).map_err(failed)?));
                }
                Act::Prepare(question, until) => {
                    self.prepare(question, until, version, &mut names).map_err(failed)?;
                }
                Act::Topic(name, fields) => self.topic(name, fields, version, &mut names).map_err(failed)?,
                Act::Settled => self.settle(&mut names).map_err(failed)?,
                Act::Send(value) => {
                    let mut meaning = Meaning { schemas: self.schemas, names: &mut names, version };
                    let bytes = meaning.bytes(value).map_err(failed)?;
                    // A broker that closed already is seen by the next to read.
                    drop(self.stream().map_err(failed)?.write_all(&bytes));
                }
                Act::End => drop(self.stream().map_err(failed)?.shutdown(Shutdown::Write)),
                Act::Connect => *self.line() = Line::default(),
                Act::Restart => {
                    self.lines.clear();
                    self.address = host.restart().map_err(failed)?;
                }
                Act::On(name) => self.at.clone_from(name),
                Act::Begin(question) => {
                    let correlation = self.begin(question, version, &mut names).map_err(failed)?;
                    self.line().due.push_back(correlation);
                }
                Act::Coordinator(group) => self.coordinator(group, version, &mut names).map_err(failed)?,
                Act::Receive(api, at) => {
                    let due = self.line().due.pop_front();
                    let answer = self.receive(api, at.unwrap_or(version), due, &mut names).map_err(failed)?;
                    answers.push(lines(answer));
                }
            }
        }
        self.hang_up();
        Ok(answers)
    }

    /// Gives all connections up.
    fn hang_up(&mut self) {
        self.lines.clear();
        self.at.clear();
    }

    /// The connection that speaks.
    fn line(&mut self) -> &mut Line {
        self.lines.entry(self.at.clone()).or_default()
    }

    fn stream(&mut self) -> Result<&mut TcpStream, Broken> {
        if self.line().stream.is_none() {
            let stream = TcpStream::connect(&self.address).map_err(|e| format!("{}: {e}", self.address))?;
            stream.set_nodelay(true).map_err(|e| e.to_string())?;
            stream.set_read_timeout(Some(PATIENCE)).map_err(|e| e.to_string())?;
            stream.set_write_timeout(Some(PATIENCE)).map_err(|e| e.to_string())?;
            self.line().stream = Some(stream);
        }
        Ok(self.line().stream.as_mut().expect("it was made"))
    }

    /// The fields of the answer, or the line that stands for it where there is none.
    fn ask(
        &mut self,
        question: &Question,
        version: i16,
        names: &mut Names<'_>,
    ) -> Result<Result<Fields, String>, Broken> {
        let is_acks_0 = |(name, value): &(String, Value)| name == "acks" && *value == Value::Int(0);
        let correlation = self.begin(question, version, names)?;
        if question.api == "Produce" && question.fields.iter().any(is_acks_0) {
            return Ok(Err("(no answer is due)".to_owned()));
        }
        self.receive(&question.api, question.version.unwrap_or(version), Some(correlation), names)
    }

    /// Sends a request; its correlation id.
    fn begin(&mut self, question: &Question, version: i16, names: &mut Names<'_>) -> Result<i32, Broken> {
        let fields = Meaning { schemas: self.schemas, names, version }.fields(&question.fields)?;
        let version = question.version.unwrap_or(version);
        self.correlation += 1;
        let bytes = request(self.schemas, &question.api, version, self.correlation, &fields)?;
        // A broker that closed already is seen by the next to read.
        drop(self.stream()?.write_all(&bytes));
        Ok(self.correlation)
    }

    fn receive(
        &mut self,
        api: &str,
        version: i16,
        correlation: Option<i32>,
        names: &mut Names<'_>,
    ) -> Result<Result<Fields, String>, Broken> {
        let schema = self.schemas.of(api)?;
        let bytes = match self.frame()? {
            Ok(bytes) => bytes,
            Err(line) => return Ok(Err(line)),
        };
        let (head, body) = bytes.split_at_checked(4).ok_or("an answer without a correlation id")?;
        let answered = i32::from_be_bytes(*head.first_chunk().expect("four bytes"));
        if correlation.is_some_and(|correlation| correlation != answered) {
            return Err(format!("the answer has the correlation id {answered}"));
        }
        // The answer to ApiVersions has the oldest header, and the oldest form if the version is unknown (KIP-511).
        let is_versions = api == "ApiVersions";
        let is_unknown = is_versions && !schema.response().versions.contains(version);
        let version_told = if is_unknown { 0 } else { version };
        let body = match body.split_first() {
            Some((0, body)) if schema.is_flexible(version_told) && !is_versions => body,
            Some((tags, _)) if schema.is_flexible(version_told) && !is_versions => {
                return Err(format!("the answer's header has {tags} tagged fields"));
            }
            _ => body,
        };
        let mut fields = decode(schema, api, version_told, body, names)?;
        if is_versions {
            union(&mut fields, &self.added);
        }
        if correlation.is_none() {
            fields.insert(0, ("correlation".to_owned(), Value::Int(i64::from(answered))));
        }
        Ok(Ok(fields))
    }

    /// The bytes of one answer without its length, or the line that says why there is none.
    fn frame(&mut self) -> Result<Result<Vec<u8>, String>, Broken> {
        let mut read = |bytes: &mut [u8]| -> Result<Option<String>, Broken> {
            match self.stream()?.read_exact(bytes) {
                Ok(()) => Ok(None),
                Err(e) if matches!(e.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                    self.line().stream = None;
                    Ok(Some("(no answer)".to_owned()))
                }
                Err(_) => {
                    self.line().stream = None;
                    Ok(Some(CLOSED.to_owned()))
                }
            }
        };
        let mut length = [0; 4];
        if let Some(line) = read(&mut length)? {
            return Ok(Err(line));
        }
        let length = usize::try_from(i32::from_be_bytes(length)).ok().filter(|length| *length <= ANSWER_MAX);
        let mut bytes = vec![0; length.ok_or("the answer's length makes no sense")?];
        Ok(match read(&mut bytes)? {
            Some(line) => Err(line),
            None => Ok(bytes),
        })
    }

    /// Asks until the answer is as it is wanted.
    fn prepare(
        &mut self,
        question: &Question,
        until: &Until,
        version: i16,
        names: &mut Names<'_>,
    ) -> Result<(), Broken> {
        let begun = Instant::now();
        loop {
            let answer = self.ask(question, version, names)?;
            let met = answer.as_ref().map(errors).unwrap_or_default();
            let told = answer.as_ref().map(|fields| notation::line(&Value::Fields(fields.clone())));
            let is_so = match until {
                Until::NoError => answer.is_ok() && met.is_empty(),
                Until::Error(error) => met.contains(error),
                Until::With(text) => told.is_ok_and(|told| told.contains(text)),
                Until::Without(text) => told.is_ok_and(|told| !told.contains(text)),
            };
            if is_so {
                return Ok(());
            }
            if begun.elapsed() > PATIENCE {
                return Err(format!("in vain: {}", lines(answer).join("\n")));
            }
        }
    }

    /// Waits until what was answered before is seen: settings are in effect after they are acknowledged, in order, and so
    /// one is set and taken back again.
    fn settle(&mut self, names: &mut Names<'_>) -> Result<(), Broken> {
        let asked = |api: &str, version: i16, fields: String| -> Result<Question, String> {
            Ok(Question { api: api.to_owned(), version: Some(version), fields: notation::fields(&fields)? })
        };
        let described = r#"resources=[{resource_type=4 configuration_keys=["settled"]}]"#;
        let key = || "settled".to_owned();
        for (operation, until) in [(0, Until::With(key())), (1, Until::Without(key()))] {
            let operation = format!("config_operation={operation}");
            let change =
                format!(r#"resources=[{{resource_type=4 configs=[{{name="settled" {operation} value="1"}}]}}]"#);
            self.prepare(&asked("IncrementalAlterConfigs", 1, change)?, &Until::NoError, 0, names)?;
            self.prepare(&asked("DescribeConfigs", 4, described.to_owned())?, &until, 0, names)?;
        }
        Ok(())
    }

    /// Waits until the coordinator of a group is there and has read its log.
    fn coordinator(&mut self, group: &str, version: i16, names: &mut Names<'_>) -> Result<(), Broken> {
        let group = names.fill_in(group, version);
        let asked = |api: &str, version: i16, fields: String| -> Result<Question, String> {
            Ok(Question { api: api.to_owned(), version: Some(version), fields: notation::fields(&fields)? })
        };
        // The oldest form that all understand.
        let found = asked("FindCoordinator", 0, format!("key=\"{group}\""))?;
        self.prepare(&found, &Until::NoError, version, names)?;
        let loaded = asked("OffsetFetch", 2, format!("group_id=\"{group}\" topics=[]"))?;
        self.prepare(&loaded, &Until::NoError, version, names)
    }

    fn topic(&mut self, name: &str, fields: &Fields, version: i16, names: &mut Names<'_>) -> Result<(), Broken> {
        let name = names.fill_in(name, version);
        let (mut partitions, mut configs) = (1, Vec::new());
        for (key, value) in fields {
            match (key.as_str(), value) {
                ("partitions", Value::Int(count)) => partitions = *count,
                (key, value) => {
                    let value = match value {
                        Value::Text(text) => text.clone(),
                        other => notation::line(other),
                    };
                    configs.push(format!("{{name=\"{key}\" value=\"{value}\"}}"));
                }
            }
        }
        let configs = configs.join(" ");
        let asked = |api: &str, version: i16, fields: &str| -> Result<Question, String> {
            Ok(Question { api: api.to_owned(), version: Some(version), fields: notation::fields(fields)? })
        };
        let made = asked(
            "CreateTopics",
            7,
            &format!(
                "topics=[{{name=\"{name}\" num_partitions={partitions} replication_factor=1 configs=[{configs}]}}] \
                 timeout_ms=10000"
            ),
        )?;
        let answer = self.ask(&made, version, names)?.map_err(|line| format!("CreateTopics: {line}"))?;
        if !errors(&answer).is_empty() {
            return Err(notation::lines(&answer).join("\n"));
        }
        // That a topic is there does not mean that it is served.
        let partitions: Vec<_> =
            (0..partitions).map(|index| format!("{{partition_index={index} timestamp=-1}}")).collect();
        let ends = format!("topics=[{{name=\"{name}\" partitions=[{}]}}]", partitions.join(" "));
        let known = format!("topics=[{{name=\"{name}\"}}]");
        self.prepare(&asked("Metadata", 12, &known)?, &Until::NoError, version, names)?;
        self.prepare(&asked("ListOffsets", 7, &ends)?, &Until::NoError, version, names)
    }
}

fn lines(answer: Result<Fields, String>) -> Vec<String> {
    match answer {
        Ok(fields) if fields.is_empty() => vec![NO_FIELDS.to_owned()],
        Ok(fields) => notation::lines(&fields),
        Err(line) => vec![line],
    }
}

/// Makes what ApiVersions answers that of two brokers. An answer without APIs stays as it is.
fn union(fields: &mut Fields, added: &[(i64, i64, i64)]) {
    let Some((_, Value::List(keys))) = fields.iter_mut().find(|(name, _)| name == "api_keys") else { return };
    for (key, from, _) in added {
        for known in keys.iter_mut() {
            let Value::Fields(known) = known else { continue };
            // A field that is 0 is not shown.
            let number = |known: &Fields, wanted: &str| match known.iter().find(|(name, _)| name == wanted) {
                Some((_, Value::Int(number))) => *number,
                _ => 0,
            };
            if number(known, "api_key") == *key && *from < number(known, "min_version") {
                known.retain(|(name, _)| name != "min_version" || *from > 0);
                known
                    .iter_mut()
                    .filter(|(name, _)| name == "min_version")
                    .for_each(|(_, value)| *value = Value::Int(*from));
            }
        }
    }
}

/// Every error in an answer.
fn errors(fields: &Fields) -> BTreeSet<String> {
    fn walk(value: &Value, found: &mut BTreeSet<String>) {
        match value {
            Value::Fields(fields) => {
                for (name, value) in fields {
                    match value {
                        Value::Word(word) if name.ends_with("error_code") && word != "NONE" => {
                            found.insert(word.clone());
                        }
                        value => walk(value, found),
                    }
                }
            }
            Value::List(values) => values.iter().for_each(|value| walk(value, found)),
            _ => {}
        }
    }
    let mut found = BTreeSet::new();
    walk(&Value::Fields(fields.clone()), &mut found);
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_that_holds_nothing_is_told_and_its_absence_is_another() {
        assert_eq!(lines(Ok(Fields::new())), [NO_FIELDS]);
        assert_eq!(lines(Ok(vec![("a".to_owned(), Value::Int(1))])), ["a=1"]);
        assert_eq!(lines(Err(CLOSED.to_owned())), [CLOSED]);
    }
}
