//! What the scripts cover of what Ottla serves: versions of APIs, and errors. The header of an API's handler lists the
//! errors that it can answer; each of them stands in an answer of Ottla's, or in `interop/diff/errors.txt` with the reason
//! why no request from outside can provoke it.
//!
//! A line of that file is `API ERROR  # reason`; `*` stands for every API whose handler lists the error. It takes no part
//! in playing scripts; [`super::report`] asks when all were played.

use std::collections::{BTreeMap, BTreeSet};

use super::script::{Act, Question, Script};
use super::talk::NO_FIELDS;
use crate::process;
use ottla_types::ErrorCode;

/// What Ottla's kept answers show.
#[derive(Default)]
pub(super) struct Seen {
    /// Versions of APIs that were answered.
    versions: BTreeSet<(String, i16)>,
    /// Errors by API.
    errors: BTreeMap<String, BTreeSet<String>>,
}

/// What Ottla says that it serves: the versions of each API.
pub(super) type Served = BTreeMap<String, (i16, i16)>;

impl Seen {
    /// Adds what a script shows.
    pub(super) fn add(&mut self, script: &Script) {
        for step in script.scenes.iter().flat_map(|scene| &scene.steps) {
            let (api, version) = match &step.act {
                Act::Ask(Question { api, version, .. }) | Act::Receive(api, version) => (api, *version),
                _ => continue,
            };
            for (at, answers) in &step.answers {
                if !answers.ottla.first().is_some_and(|line| line.starts_with('(') && line != NO_FIELDS) {
                    self.versions.insert((api.clone(), version.unwrap_or(*at)));
                }
                let words = answers.ottla.iter().flat_map(|line| line.split(['=', ' ', '}', ',', ']']));
                let errors = words.filter(|word| is_error(word)).map(str::to_owned);
                self.errors.entry(api.clone()).or_default().extend(errors);
            }
        }
    }

    /// How many of the versions that are served were answered, and how many there are.
    pub(super) fn count(&self, served: &Served) -> (usize, usize) {
        let all: Vec<_> = versions(served).collect();
        (all.iter().filter(|pair| self.versions.contains(pair)).count(), all.len())
    }
}

fn versions(served: &Served) -> impl Iterator<Item = (String, i16)> + '_ {
    served.iter().flat_map(|(api, (from, to))| (*from..=*to).map(move |version| (api.clone(), version)))
}

/// Errors that cannot be provoked, each with its API, or `*`.
pub(super) struct Unseen(Vec<(String, String)>);

impl Unseen {
    /// Reads the file; an error names the line.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let mut pairs = Vec::new();
        for (number, line) in (1..).zip(text.lines()).filter(|(_, line)| !line.is_empty() && !line.starts_with('#')) {
            let (pair, reason) = line.split_once('#').unwrap_or((line, ""));
            match pair.split_whitespace().collect::<Vec<_>>()[..] {
                [api, error] if !reason.trim().is_empty() && is_error(error) => {
                    pairs.push((api.to_owned(), error.to_owned()));
                }
                _ => return Err(format!("errors.txt:{number}: a line is API ERROR # reason")),
            }
        }
        Ok(Self(pairs))
    }

    /// The place of the line that names `error` for `api`.
    fn place(&self, api: &str, error: &str) -> Option<usize> {
        self.0.iter().position(|(known, unseen)| unseen == error && (known == api || known == "*"))
    }
}

fn is_error(word: &str) -> bool {
    word != "NONE" && (-1..200).filter_map(ErrorCode::from_raw).any(|error| error.name() == word)
}

/// The errors that a handler says in its header that it can answer.
fn listed(handler: &str) -> BTreeSet<String> {
    let header = handler.lines().take_while(|line| line.starts_with("//!"));
    let words = header.flat_map(|line| line.split(|c: char| !c.is_ascii_uppercase() && c != '_'));
    words.filter(|word| is_error(word)).map(str::to_owned).collect()
}

/// The text of an API's handler: `list_offsets.rs` or `produce/mod.rs`.
pub(super) fn handler(api: &str) -> Result<String, String> {
    let mut name = String::new();
    for c in api.chars() {
        if c.is_ascii_uppercase() && !name.is_empty() {
            name.push('_');
        }
        name.push(c.to_ascii_lowercase());
    }
    let folder = process::root().join("crates/broker/src/handlers");
    let (file, inner) = (folder.join(format!("{name}.rs")), folder.join(name).join("mod.rs"));
    super::read(if file.exists() { &file } else { &inner })
}

/// What lacks: versions that no script has an answer of; errors that no script shows and `unseen` does not name, or both
/// do; such as no header lists; and lines of `unseen` that say nothing. `handlers` are their texts by the API.
pub(super) fn lacks(served: &Served, handlers: &BTreeMap<String, String>, seen: &Seen, unseen: &Unseen) -> Vec<String> {
    let missing = versions(served).filter(|pair| !seen.versions.contains(pair));
    let mut told: Vec<_> =
        missing.map(|(api, version)| format!("no script has an answer of {api} v{version}")).collect();
    let (mut used, none) = (BTreeSet::new(), BTreeSet::new());
    for (api, handler) in handlers {
        let (listed, shown) = (listed(handler), seen.errors.get(api).unwrap_or(&none));
        for error in &listed {
            match (shown.contains(error), unseen.place(api, error)) {
                (false, None) => told.push(format!("{api}: no script shows {error}")),
                (false, Some(place)) => drop(used.insert(place)),
                (true, Some(_)) => {
                    told.push(format!("{api}: errors.txt says that {error} cannot be provoked, and a script does"));
                }
                (true, None) => {}
            }
        }
        told.extend(shown.difference(&listed).map(|error| format!("{api}: {error} is not in its handler's header")));
    }
    let idle = unseen.0.iter().enumerate().filter(|(place, _)| !used.contains(place));
    told.extend(idle.map(|(_, (api, error))| format!("errors.txt: \"{api} {error}\" is not needed")));
    told
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diff::schemas::Schemas;

    fn told(shown: &[&str], unseen: &str) -> Vec<String> {
        let text = "//! Key 1, HTTP.\n//! Errors: INVALID_REQUEST and NOT_CONTROLLER.\n\n// CORRUPT_MESSAGE\n";
        let handlers = BTreeMap::from([("SomeApi".to_owned(), text.to_owned())]);
        let shown = shown.iter().map(|word| (*word).to_owned()).collect();
        let errors = BTreeMap::from([("SomeApi".to_owned(), shown)]);
        let seen = Seen { errors, ..Seen::default() };
        lacks(&Served::new(), &handlers, &seen, &Unseen::parse(unseen).expect("legal"))
    }

    #[test]
    fn every_version_that_is_served_has_an_answer_that_is_one() {
        let text = "== Metadata 0-2: a\n> Metadata topics=[]\n@ v0-1\n  error_code=NONE topics=[{error_code=INVALID_REQUEST}]\n\
            @ v2\n  (closed)\n~ Metadata@2\n\n== -: b\n> ApiVersions@3\n  (no fields)\n";
        let mut seen = Seen::default();
        seen.add(&Script::parse(text, &Schemas::read().expect("they are there")).expect("legal"));
        assert_eq!(seen.errors["Metadata"], BTreeSet::from(["INVALID_REQUEST".to_owned()]));
        let served = Served::from([("Metadata".to_owned(), (0, 2)), ("ApiVersions".to_owned(), (3, 3))]);
        assert_eq!(seen.count(&served), (3, 4));
        let lacks = lacks(&served, &BTreeMap::new(), &seen, &Unseen::parse("").expect("legal"));
        assert_eq!(lacks, ["no script has an answer of Metadata v2"]);
    }

    #[test]
    fn every_api_served_has_a_header_to_look_into() {
        for api in ["Produce", "ListOffsets", "DescribeTopicPartitions"] {
            assert!(!listed(&handler(api).expect("it is there")).is_empty(), "{api}");
        }
    }

    #[test]
    fn every_error_that_a_header_lists_is_shown_or_has_a_reason() {
        let one = "* NOT_CONTROLLER # one node\n";
        assert_eq!(told(&["INVALID_REQUEST"], one), [""; 0]);
        assert_eq!(told(&["INVALID_REQUEST", "NOT_CONTROLLER"], "# none\n"), [""; 0]);
        assert_eq!(told(&["INVALID_REQUEST"], ""), ["SomeApi: no script shows NOT_CONTROLLER"]);
        assert_eq!(told(&["INVALID_REQUEST", "CORRUPT_MESSAGE"], one).len(), 1);
        assert_eq!(told(&["INVALID_REQUEST"], "* NOT_CONTROLLER # x\nSomeApi CORRUPT_MESSAGE # y\n").len(), 1);
        assert!(told(&["INVALID_REQUEST", "NOT_CONTROLLER"], one).len() > 1);
    }

    #[test]
    fn a_line_has_an_error_and_a_reason() {
        for text in ["A INVALID_REQUEST", "A INVALID_REQUEST #", "A NOTHING # x", "INVALID_REQUEST # x"] {
            assert!(Unseen::parse(text).is_err(), "{text}");
        }
    }
}
