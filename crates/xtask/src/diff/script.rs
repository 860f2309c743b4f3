//! A script as a file: scenes of requests, each with what Kafka and Ottla answer. This module reads and writes the text;
//! it asks nobody. interop/README.md describes the form.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use super::meaning::api_at;
use super::notation::{self, Fields, Value};
use super::schemas::Schemas;
use crate::tools::transcript::difference;

/// The mark of a comment that names a row of docs/deviations.md.
const DEVIATION: &str = "# deviation: ";
/// The mark of a comment that holds a setting of the broker.
const BROKER: &str = "# broker: ";
/// The release that decides where it accepts a version.
pub(super) const NEWEST: &str = "4.3.1";
/// The release that decides elsewhere.
pub(super) const OLDER: &str = "3.9.1";

/// A file of scenes.
#[derive(PartialEq, Debug)]
pub(super) struct Script {
    /// Comments above the first scene.
    notes: Vec<String>,
    pub(super) scenes: Vec<Scene>,
    /// Comments below the last step.
    tail: Vec<String>,
}

/// Steps that belong together; played once for each version of its API, each time with names of its own.
#[derive(PartialEq, Debug)]
pub(super) struct Scene {
    notes: Vec<String>,
    /// What stands behind `== `.
    pub(super) title: String,
    /// The API that the scene is about.
    pub(super) api: Option<String>,
    /// Its versions; of a scene without an API, one that means nothing.
    pub(super) versions: RangeInclusive<i16>,
    pub(super) steps: Vec<Step>,
}

/// One line of a scene, or several that continue it.
#[derive(PartialEq, Debug)]
pub(super) struct Step {
    notes: Vec<String>,
    lines: Vec<String>,
    pub(super) act: Act,
    pub(super) answers: BTreeMap<i16, Answers>,
}

/// What a step does.
#[derive(PartialEq, Debug)]
pub(super) enum Act {
    /// `> API fields`: asks, and the answer is compared.
    Ask(Question),
    /// `~ API fields`: asks until the answer is as it is wanted.
    Prepare(Question, Until),
    /// `~ topic NAME partitions=2 KEY=VALUE`: makes a topic, and waits until it is served.
    Topic(String, Fields),
    /// `~ settled`: waits until what was answered before is seen by every later request.
    Settled,
    /// `~ coordinator GROUP`: waits until the group's coordinator is there and has read its log.
    Coordinator(String),
    /// `! send BYTES`: writes these bytes and nothing else.
    Send(Value),
    /// `! end`: says that nothing more will be written.
    End,
    /// `! connect`: gives up the connection for a new one.
    Connect,
    /// `! restart`: stops the broker in order and starts it again on the same folder.
    Restart,
    /// `! on NAME`: goes on with the connection of that name.
    On(String),
    /// `! ask API fields`: asks and goes on; a later `! receive` reads the answer.
    Begin(Question),
    /// `! receive API@VERSION`: reads an answer that is compared.
    Receive(String, Option<i16>),
}

/// What a question is repeated for.
#[derive(PartialEq, Debug)]
pub(super) enum Until {
    /// An answer without any error.
    NoError,
    /// `=> NAME`: one with this error.
    Error(String),
    /// `=> with "TEXT"`: one that holds this text.
    With(String),
    /// `=> without "TEXT"`: one that does not.
    Without(String),
}

/// A request.
#[derive(PartialEq, Debug)]
pub(super) struct Question {
    pub(super) api: String,
    /// The scene's version if it names none.
    pub(super) version: Option<i16>,
    pub(super) fields: Fields,
}

/// What is answered to a step in one version.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub(super) struct Answers {
    /// Whether it is the older release that decides.
    pub(super) is_older: bool,
    pub(super) kafka: Vec<String>,
    pub(super) ottla: Vec<String>,
}

impl Script {
    /// Reads a file's text; an error names the line.
    pub(super) fn parse(text: &str, schemas: &Schemas) -> Result<Self, String> {
        let mut script = Self { notes: Vec::new(), scenes: Vec::new(), tail: Vec::new() };
        let (mut notes, mut versions) = (Vec::new(), None);
        for (number, line) in (1..).zip(text.lines()) {
            let wrong = |why: String| format!("line {number}: {why}");
            if line.is_empty() || line.starts_with('#') {
                notes.push(line.to_owned());
                continue;
            }
            if let Some(title) = line.strip_prefix("== ") {
                if script.scenes.is_empty() {
                    // What stands above the first empty line belongs to the file.
                    let end = notes.iter().position(String::is_empty).map_or(0, |end| end + 1);
                    script.notes = notes.drain(..end).collect();
                }
                script.scenes.push(Scene::new(title, std::mem::take(&mut notes), schemas).map_err(wrong)?);
                continue;
            }
            let scene = script.scenes.last_mut().ok_or_else(|| wrong("a scene begins with ==".to_owned()))?;
            let (mark, rest) = line.split_at_checked(2).unwrap_or((line, ""));
            match mark {
                "> " if rest.starts_with("  ") => scene.go_on(rest).map_err(wrong)?,
                "> " | "~ " | "! " => {
                    let notes = std::mem::take(&mut notes);
                    scene.steps.push(Step {
                        notes,
                        lines: vec![line.to_owned()],
                        act: Act::End,
                        answers: BTreeMap::new(),
                    });
                    versions = Some((scene.versions.clone(), false));
                }
                "@ " => versions = Some(group(rest).map_err(wrong)?),
                "  " | "- " | "+ " => {
                    let versions = versions.clone().ok_or_else(|| wrong("an answer to nothing".to_owned()))?;
                    let step = scene.steps.last_mut().ok_or_else(|| wrong("an answer to nothing".to_owned()))?;
                    step.keep(&versions, mark, rest);
                }
                _ => {
                    return Err(wrong(format!(
                        "\"{line}\" begins with none of ==, >, ~, !, @, #, -, + and two spaces"
                    )));
                }
            }
        }
        script.tail = notes;
        for scene in &mut script.scenes {
            for step in &mut scene.steps {
                let versions = scene.versions.clone();
                // What is left of versions that the scene no longer has.
                step.answers.retain(|version, _| versions.contains(version));
                step.act = act(&step.lines).map_err(|why| format!("\"{}\": {why}", step.lines.join(" ")))?;
            }
        }
        Ok(script)
    }

    /// The settings that the broker needs, each a `key=value`.
    pub(super) fn settings(&self) -> impl Iterator<Item = &str> {
        self.notes.iter().filter_map(|note| note.strip_prefix(BROKER))
    }

    /// The text of its file.
    pub(super) fn render(&self) -> String {
        let mut lines = self.notes.clone();
        for scene in &self.scenes {
            lines.extend(scene.notes.iter().cloned());
            lines.push(format!("== {}", scene.title));
            for step in &scene.steps {
                lines.extend(step.notes.iter().cloned());
                lines.extend(step.lines.iter().cloned());
                step.render(scene, &mut lines);
            }
        }
        lines.extend(self.tail.iter().cloned());
        lines.into_iter().map(|line| line + "\n").collect()
    }

    /// The rows of docs/deviations.md that it names, and how many answers differ where each is named.
    pub(super) fn rows(&self) -> BTreeMap<&str, usize> {
        let mut rows = BTreeMap::new();
        for step in self.scenes.iter().flat_map(|scene| &scene.steps) {
            let differ = step.answers.values().filter(|answers| answers.kafka != answers.ottla).count();
            for name in step.notes.iter().filter_map(|note| note.strip_prefix(DEVIATION)) {
                *rows.entry(name).or_default() += differ;
            }
        }
        rows
    }

    /// Differences that name no row of docs/deviations.md, and rows that are named for no difference.
    pub(super) fn unexplained(&self, rows: &[String]) -> Vec<String> {
        let mut told = Vec::new();
        for scene in &self.scenes {
            for step in &scene.steps {
                let named: Vec<_> = step.notes.iter().filter_map(|note| note.strip_prefix(DEVIATION)).collect();
                let differs = step.answers.values().any(|answers| answers.kafka != answers.ottla);
                let mut say = |why: String| told.push(format!("== {}\n{}\n{why}", scene.title, step.lines.join("\n")));
                match (differs, named.is_empty()) {
                    (true, true) => say("differs, and names no row of docs/deviations.md".to_owned()),
                    (false, false) => say("names a row of docs/deviations.md and does not differ".to_owned()),
                    _ => {}
                }
                for name in named.into_iter().filter(|name| !rows.iter().any(|row| row == name)) {
                    say(format!("docs/deviations.md has no row \"{name}\""));
                }
            }
        }
        told
    }
}

impl Scene {
    fn new(title: &str, notes: Vec<String>, schemas: &Schemas) -> Result<Self, String> {
        let (head, _) =
            title.split_once(": ").ok_or("a scene is `== API VERSIONS: title`, `== API: title` or `== : title`")?;
        let (title, steps) = (title.to_owned(), Vec::new());
        let (api, versions) = match head.split_whitespace().collect::<Vec<_>>()[..] {
            [] | ["-"] => (None, 0..=0),
            [api] => {
                let versions = schemas.of(api)?.request().versions;
                (Some(api.to_owned()), versions.from..=versions.to)
            }
            [api, range] => {
                schemas.of(api)?;
                (Some(api.to_owned()), group(&format!("v{range}"))?.0)
            }
            _ => return Err("a scene is `== API VERSIONS: title`".to_owned()),
        };
        Ok(Self { notes, title, api, versions, steps })
    }

    fn go_on(&mut self, rest: &str) -> Result<(), String> {
        let step = self.steps.last_mut().filter(|step| step.answers.is_empty());
        step.ok_or("nothing to go on with")?.lines.push(format!("> {rest}"));
        Ok(())
    }
}

impl Step {
    /// Whether an answer to it is compared.
    pub(super) fn is_answered(&self) -> bool {
        matches!(self.act, Act::Ask(_) | Act::Receive(..))
    }

    /// The step as it stands in the file.
    pub(super) fn text(&self) -> String {
        self.lines.join("\n")
    }

    fn keep(&mut self, (versions, is_older): &(RangeInclusive<i16>, bool), mark: &str, line: &str) {
        for version in versions.clone() {
            let answers = self.answers.entry(version).or_default();
            answers.is_older = *is_older;
            if mark != "+ " {
                answers.kafka.push(line.to_owned());
            }
            if mark != "- " {
                answers.ottla.push(line.to_owned());
            }
        }
    }

    fn render(&self, scene: &Scene, lines: &mut Vec<String>) {
        let mut left = self.answers.iter().peekable();
        while let Some((first, answers)) = left.next() {
            let mut last = *first;
            while let Some((version, _)) = left.next_if(|(version, same)| **version == last + 1 && *same == answers) {
                last = *version;
            }
            if scene.api.is_some() {
                let range = if *first == last { format!("v{first}") } else { format!("v{first}-{last}") };
                let by = if answers.is_older { format!(" ({OLDER})") } else { String::new() };
                lines.push(format!("@ {range}{by}"));
            }
            lines.extend(difference(&answers.kafka, &answers.ottla).lines().map(str::to_owned));
        }
    }
}

/// `v3`, `v0-1` or `v0-1 (3.9.1)`: which versions, and whether the older release decides.
fn group(text: &str) -> Result<(RangeInclusive<i16>, bool), String> {
    let wrong = || format!("\"{text}\" is not of the form v0-1");
    let (range, by) = text.split_once(' ').unwrap_or((text, ""));
    let range = range.strip_prefix('v').ok_or_else(wrong)?;
    let (from, to) = range.split_once('-').unwrap_or((range, range));
    let number = |text: &str| text.parse::<i16>().map_err(|_| wrong());
    Ok((number(from)?..=number(to)?, by == format!("({OLDER})")))
}

fn act(lines: &[String]) -> Result<Act, String> {
    let text = lines.iter().map(|line| &line[2..]).collect::<Vec<_>>().join(" ");
    let (word, rest) = text.trim().split_once(' ').unwrap_or((text.trim(), ""));
    match &lines[0][..2] {
        "> " => Ok(Act::Ask(question(word, rest)?)),
        "~ " if word == "topic" => {
            let (name, rest) = rest.split_once(' ').unwrap_or((rest, ""));
            Ok(Act::Topic(name.to_owned(), notation::fields(rest)?))
        }
        "~ " if word == "settled" => Ok(Act::Settled),
        "~ " if word == "coordinator" => Ok(Act::Coordinator(rest.to_owned())),
        "~ " => match rest.split_once("=> ") {
            None => Ok(Act::Prepare(question(word, rest)?, Until::NoError)),
            Some((fields, wanted)) => Ok(Act::Prepare(question(word, fields.trim_end())?, until(wanted.trim())?)),
        },
        _ => match word {
            "send" => Ok(Act::Send(notation::value(rest)?)),
            "end" => Ok(Act::End),
            "connect" => Ok(Act::Connect),
            "restart" => Ok(Act::Restart),
            "on" => Ok(Act::On(rest.to_owned())),
            "ask" => {
                let (word, rest) = rest.split_once(' ').unwrap_or((rest, ""));
                Ok(Act::Begin(question(word, rest)?))
            }
            "receive" => {
                let (api, version) = api_at(rest)?;
                Ok(Act::Receive(api.to_owned(), version))
            }
            _ => Err(format!("! {word} is none of send, receive, ask, on, end, connect, restart")),
        },
    }
}

fn until(text: &str) -> Result<Until, String> {
    let (word, behind) = text.split_once(' ').unwrap_or((text, ""));
    match (word, behind) {
        (error, "") => Ok(Until::Error(error.to_owned())),
        ("with" | "without", behind) => match notation::value(behind)? {
            Value::Text(text) if word == "with" => Ok(Until::With(text)),
            Value::Text(text) => Ok(Until::Without(text)),
            _ => Err(format!("=> {word} takes a text")),
        },
        _ => Err(format!("=> {text} is none of an error, with \"TEXT\", without \"TEXT\"")),
    }
}

fn question(word: &str, rest: &str) -> Result<Question, String> {
    let (api, version) = api_at(word)?;
    Ok(Question { api: api.to_owned(), version, fields: notation::fields(rest)? })
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "# What stands for the file.\n# broker: a=b\n\n# Of the scene.\n== Metadata 0-2: a title\n\
        ~ topic t-$v partitions=2 retention.ms=5\n~ settled\n# deviation: x\n> Metadata topics=[{name=\"t-$v\"}]\n\
        >   allow_auto_topic_creation=true\n@ v0 (3.9.1)\n- one\n@ v1-2\n  both\n+ ours\n\n== -: raw\n! send hex\"00\"\n! end\n\
        ! restart\n! receive Metadata@1\n  (closed)\n# The end.\n";

    #[test]
    fn a_file_is_written_as_it_was_read() {
        let script = Script::parse(TEXT, &Schemas::read().expect("they are there")).expect("legal");
        assert_eq!(script.render(), TEXT);
        assert_eq!(script.settings().collect::<Vec<_>>(), ["a=b"]);
        let step = &script.scenes[0].steps[2];
        assert_eq!(step.answers[&0], Answers { is_older: true, kafka: vec!["one".to_owned()], ottla: Vec::new() });
        assert_eq!(step.answers[&2].ottla, ["both", "ours"]);
        assert_eq!(script.scenes[1].steps[2].act, Act::Restart);
        assert_eq!(script.scenes[1].steps[3].act, Act::Receive("Metadata".to_owned(), Some(1)));
    }

    #[test]
    fn a_difference_has_a_row_and_a_row_a_difference() {
        let script = Script::parse(TEXT, &Schemas::read().expect("they are there")).expect("legal");
        assert_eq!(script.unexplained(&["x".to_owned()]), [""; 0]);
        assert_eq!(script.unexplained(&["y".to_owned()]).len(), 1);
        let other = TEXT.replace("# deviation: x\n", "").replace("  (closed)", "- (closed)");
        let script = Script::parse(&other, &Schemas::read().expect("they are there")).expect("legal");
        assert_eq!(script.unexplained(&[]).len(), 2);
        let other = TEXT.replace("! end\n", "# deviation: x\n! end\n");
        let script = Script::parse(&other, &Schemas::read().expect("they are there")).expect("legal");
        assert_eq!(script.unexplained(&["x".to_owned()]).len(), 1);
    }

    #[test]
    fn a_question_is_repeated_until_an_error_or_a_text() {
        assert_eq!(until("NOT_CONTROLLER"), Ok(Until::Error("NOT_CONTROLLER".to_owned())));
        assert_eq!(until("with \"a b\""), Ok(Until::With("a b".to_owned())));
        assert_eq!(until("without \"a\""), Ok(Until::Without("a".to_owned())));
        assert!(until("with a").is_err() && until("NONE or").is_err());
    }

    #[test]
    fn what_belongs_nowhere_is_refused() {
        let schemas = Schemas::read().expect("they are there");
        for text in
            ["> A", "== Nothing: x", "== Metadata\n", "== -: x\n  answer", "== -: x\n! jump", "== -: x\n> A b=[", "x"]
        {
            assert!(Script::parse(text, &schemas).is_err(), "{text}");
        }
    }
}
