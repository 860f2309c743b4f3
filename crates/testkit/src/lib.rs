//! Golden scripts: tests as text files of commands and what they answer.
//!
//! A script is read like this:
//!
//! ```text
//! # What this script shows. One or more lines, each with a `#`; every script has such a head.
//!
//! create-topic orders partitions=3
//! create-topic orders
//! ----
//! proposed: topic-created orders …
//! refused: TOPIC_ALREADY_EXISTS …
//!
//! # A line like this may stand before any block.
//! commit
//! ----
//! replied
//! ```
//!
//! Blocks are separated by blank lines. A block is one command per line, then `----`, then all that the commands of the
//! block answer, joined, each on lines of its own. A block whose commands answer nothing ends with `----`.
//! A line of an answer that is blank is written as `.`, for a blank line would end the block.
//!
//! What the commands mean is the test's business: [`run_scripts`] takes what makes a fresh interpreter for each script.
//! An interpreter is a closure from a command line to its answer; it holds the machine under test.
//!
//! With `OTTLA_REWRITE=1` in the environment the expectations are replaced by the answers, and the test passes. The
//! change is then reviewed as any other.

mod script;

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

pub use script::{Block, MalformedScript, Script};

/// The variable that, set to `1`, has expectations rewritten instead of compared.
pub const REWRITE: &str = "OTTLA_REWRITE";

/// Runs every `*.txt` in `dir`, in the order of their names, each against an interpreter of its own that `start` makes.
///
/// # Panics
/// If `dir` holds no script, a script is malformed, or an answer differs from what is expected; the message shows every
/// block that differs in every script.
pub fn run_scripts<I: FnMut(&str) -> String>(dir: impl AsRef<Path>, mut start: impl FnMut() -> I) {
    let dir = dir.as_ref();
    let rewrite = std::env::var(REWRITE).is_ok_and(|value| value == "1");
    let mut failures = String::new();
    for path in scripts_in(dir) {
        let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let mut script = Script::parse(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let differences = script.run(start());
        if rewrite {
            let new = script.to_string();
            if new != text {
                fs::write(&path, new).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
            }
        } else if !differences.is_empty() {
            let _ = writeln!(failures, "{}:", path.display());
            failures.extend(differences);
        }
    }
    assert!(failures.is_empty(), "\n{failures}\nwith {REWRITE}=1 these answers become what is expected\n");
}

/// The scripts of `dir` by name.
fn scripts_in(dir: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(dir).unwrap_or_else(|error| panic!("{}: {error}", dir.display()));
    let mut paths: Vec<_> = entries
        .map(|entry| entry.unwrap_or_else(|error| panic!("{}: {error}", dir.display())).path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "txt"))
        .collect();
    paths.sort();
    assert!(!paths.is_empty(), "{} holds no script", dir.display());
    paths
}

/// The words of a command line: `create-topic a partitions=3` is the words `create-topic` and `a` and the argument
/// `partitions`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Command<'a> {
    /// The first word.
    pub name: &'a str,
    /// The words without `=`, in order.
    pub words: Vec<&'a str>,
    /// The words with `=`, taken apart at the first one, in order.
    pub arguments: Vec<(&'a str, &'a str)>,
}

impl<'a> Command<'a> {
    /// Takes a line apart at its spaces.
    #[must_use]
    pub fn parse(line: &'a str) -> Self {
        let mut rest = line.split_whitespace();
        let name = rest.next().unwrap_or("");
        let (mut words, mut arguments) = (Vec::new(), Vec::new());
        for word in rest {
            match word.split_once('=') {
                Some(argument) => arguments.push(argument),
                None => words.push(word),
            }
        }
        Self { name, words, arguments }
    }

    /// The value of the argument `key`, if it is there.
    #[must_use]
    pub fn argument(&self, key: &str) -> Option<&'a str> {
        self.arguments.iter().find(|(name, _)| *name == key).map(|(_, value)| *value)
    }

    /// Whether the word `word` is there.
    #[must_use]
    pub fn has(&self, word: &str) -> bool {
        self.words.contains(&word)
    }

    /// The argument `key` as a `T`; `default` if it is absent.
    ///
    /// # Panics
    /// If it is there and no `T`: the script is wrong.
    #[must_use]
    pub fn parsed<T: std::str::FromStr>(&self, key: &str, default: T) -> T {
        match self.argument(key) {
            None => default,
            Some(text) => text.parse().unwrap_or_else(|_| panic!("{key}={text} does not parse")),
        }
    }
}
