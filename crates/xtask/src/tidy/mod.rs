//! `cargo xtask tidy`: the house rules that a machine can check.
//!
//! Each rule is a small function from text to breaches, with its failing example in its test. [`source`] has those on
//! single Rust files, [`text`] those on all files, [`links`] those on Markdown, [`edges`] the crates against
//! ARCHITECTURE.md, [`rows`] the table of deviations, [`manifests`] what every crate's folder must hold, [`settings`] that
//! typed settings are read. Lints that clippy knows are clippy's.

mod edges;
mod links;
mod manifests;
mod rows;
mod settings;
mod source;
mod text;

use std::fmt;

use crate::process;

/// One breach of one rule. Prints as `path:line: rule: what to do`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
struct Breach {
    /// The file, from the root.
    path: String,
    /// The line, from 1 on.
    line: usize,
    /// The name of the rule.
    rule: &'static str,
    /// What is wrong and what to do.
    what: String,
}

impl fmt::Display for Breach {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}: {}", self.path, self.line, self.rule, self.what)
    }
}

/// A text file of the repository.
#[derive(Clone, Debug)]
struct File {
    /// Where it is, from the root, with `/`.
    path: String,
    /// What it holds.
    text: String,
}

impl File {
    fn breach(&self, line: usize, rule: &'static str, what: impl Into<String>) -> Breach {
        Breach { path: self.path.clone(), line, rule, what: what.into() }
    }

    /// Its lines, numbered from 1.
    fn lines(&self) -> impl Iterator<Item = (usize, &str)> {
        (1..).zip(self.text.lines())
    }

    fn is_rust(&self) -> bool {
        self.path.ends_with(".rs")
    }

    /// Written by a program of ours: its generator is read instead.
    fn is_generated(&self) -> bool {
        self.path.contains("/generated/")
    }
}

/// Checks the whole repository and prints every breach.
pub(crate) fn run() -> Result<(), String> {
    let files = files()?;
    let mut breaches = source::check(&files);
    breaches.extend(text::check(&files));
    breaches.extend(rows::check(&files));
    breaches.extend(links::check(&files));
    breaches.extend(edges::check(&files)?);
    breaches.extend(manifests::check(&files));
    breaches.extend(settings::check(&files));
    breaches.sort();
    for breach in &breaches {
        println!("{breach}");
    }
    if breaches.is_empty() { Ok(()) } else { Err(format!("{} breaches of the house rules", breaches.len())) }
}

/// Every text file that git tracks or would take. What is not UTF-8 is no text.
fn files() -> Result<Vec<File>, String> {
    let mut git = std::process::Command::new("git");
    git.args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"]).current_dir(process::root());
    let listed = process::output(&mut git)?;
    let paths = listed.split('\0').filter(|path| !path.is_empty());
    // A file that is deleted but not yet committed so is still listed.
    let read = |path: &str| std::fs::read(process::root().join(path)).ok();
    let file = |path: &str| Some(File { path: path.to_owned(), text: String::from_utf8(read(path)?).ok()? });
    Ok(paths.filter_map(file).collect())
}

/// The file at `path`, which must be there.
fn file_at<'a>(files: &'a [File], path: &str) -> Result<&'a File, String> {
    files.iter().find(|file| file.path == path).ok_or_else(|| format!("{path} is not there"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A file for the tests of rules.
    pub(super) fn file(path: &str, text: &str) -> File {
        File { path: path.to_owned(), text: text.to_owned() }
    }

    #[test]
    fn a_breach_names_place_rule_and_remedy() {
        let breach = file("a/b.rs", "").breach(3, "rule", "do it");
        assert_eq!(breach.to_string(), "a/b.rs:3: rule: do it");
    }

    #[test]
    fn the_repository_has_files_and_this_is_one() {
        let files = files().expect("git lists");
        assert!(file_at(&files, "crates/xtask/src/tidy/mod.rs").is_ok());
        assert!(file_at(&files, "target/nothing").is_err());
    }
}
