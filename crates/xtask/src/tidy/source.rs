//! Rules on single Rust files: the opening, the length, names, and words that have no place in finished code.

use super::{Breach, File};

/// Lines of production code in one file at most. An alarm: most files should be half as long.
const LINES_MAX: usize = 500;

/// Files that are longer for now, with their length: `(path, lines)`. The list only ever gets shorter.
const LONG_FILES: [(&str, usize); 0] = [];

/// Words that say nothing about what a type or a module is.
const EMPTY_WORDS: [&str; 9] = ["manager", "helper", "util", "common", "misc", "service", "impl", "data", "info"];

/// Runs every rule of this file.
pub(super) fn check(files: &[File]) -> Vec<Breach> {
    let mut breaches = Vec::new();
    for file in files.iter().filter(|file| file.is_rust() && !file.is_generated()) {
        breaches.extend(opening(file));
        breaches.extend(length(file, &LONG_FILES));
        breaches.extend(names(file));
        breaches.extend(unfinished(file));
    }
    let gone = LONG_FILES.iter().filter(|(path, _)| !files.iter().any(|file| file.path == *path));
    breaches.extend(gone.map(|(path, _)| Breach {
        path: (*path).to_owned(),
        line: 1,
        rule: "length",
        what: "is no more: take it from the list of long files".to_owned(),
    }));
    breaches
}

/// A file says what it is before anything else.
fn opening(file: &File) -> Option<Breach> {
    let first = file.text.lines().next().unwrap_or_default();
    let opens = first.strip_prefix("//!").is_some_and(|rest| !rest.trim().is_empty());
    (!opens).then(|| file.breach(1, "opening", "begin with //! and say what this file is, what it is not, where next"))
}

/// A file is not longer than one can keep in mind; what is listed as too long already does not grow.
fn length(file: &File, listed: &[(&str, usize)]) -> Option<Breach> {
    let lines = production(file).count();
    match listed.iter().find(|(path, _)| *path == file.path) {
        None if lines > LINES_MAX => Some(file.breach(
            LINES_MAX + 1,
            "length",
            format!("{lines} lines without tests, {LINES_MAX} are the limit: split it by what it does"),
        )),
        Some((_, allowed)) if lines > *allowed => {
            Some(file.breach(1, "length", format!("{lines} lines: it is listed as too long and grew from {allowed}")))
        }
        Some((_, allowed)) if lines < *allowed => {
            Some(file.breach(1, "length", format!("now {lines} lines: lower the {allowed} in the list of long files")))
        }
        _ => None,
    }
}

/// Where a walk through a file is.
enum Part {
    Production,
    /// Behind a `#[cfg(test)]` of this indentation, before what it marks.
    Marked(usize),
    /// In a test item, until its closing brace in this column.
    Tests(usize),
}

/// The numbered lines of a file that are not for tests: without what `#[cfg(test)]` marks.
///
/// It trusts the formatter: the brace that closes an item stands below the item's beginning.
fn production(file: &File) -> impl Iterator<Item = (usize, &str)> {
    let tests_only = file.path.contains("/tests/") || file.path.ends_with("/tests.rs");
    let mut part = Part::Production;
    file.lines().filter(move |(_, line)| {
        let code = line.trim();
        let column = line.len() - line.trim_start().len();
        match part {
            Part::Production if code == "#[cfg(test)]" => part = Part::Marked(column),
            Part::Production => return !tests_only,
            Part::Marked(_) if code.starts_with("#[") || code.starts_with("//") => {}
            Part::Marked(_) if code.ends_with([';', '}']) => part = Part::Production,
            Part::Marked(begin) => part = Part::Tests(begin),
            Part::Tests(begin) if column == begin && code.starts_with('}') => part = Part::Production,
            Part::Tests(_) => {}
        }
        false
    })
}

/// Types and modules have names that say what they are.
fn names(file: &File) -> Vec<Breach> {
    let mut found = Vec::new();
    let mut judge = |line, name: &str| {
        let word = words(name).into_iter().find(|word| {
            let singular = word.strip_suffix('s').unwrap_or(word);
            EMPTY_WORDS.contains(&word.as_str()) || EMPTY_WORDS.contains(&singular)
        });
        if let Some(word) = word {
            let what = format!("\"{word}\" in {name} says nothing: name it for what it holds or does");
            found.push(file.breach(line, "names", what));
        }
    };
    let path = file.path.strip_suffix(".rs").unwrap_or(&file.path);
    for part in path.split('/') {
        judge(1, part);
    }
    for (line, text) in file.lines() {
        if let Some(name) = declared(text) {
            judge(line, name);
        }
    }
    found
}

/// The name that a line declares, if it begins a type or a module.
///
/// An indented `type X = ...` fills in a trait's type: whoever wrote the trait chose that name.
fn declared(line: &str) -> Option<&str> {
    if line.starts_with("    type ") && line.contains('=') {
        return None;
    }
    let mut words = line.trim_start().split([' ', '<', '(', '{', ';', ':', '=']).filter(|word| !word.is_empty());
    let mut word = words.next()?;
    // `pub(in a::b) struct` splits into some words more; none of them is one of these.
    while matches!(word, "pub" | "crate)" | "super)" | "unsafe" | "auto") {
        word = words.next()?;
    }
    matches!(word, "struct" | "enum" | "trait" | "union" | "type" | "mod").then(|| words.next())?
}

/// The words of a `CamelCase` or `snake_case` name, in lower case.
fn words(name: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    for c in name.chars() {
        if c.is_uppercase() || matches!(c, '_' | '-') {
            words.push(String::new());
        }
        if c.is_alphanumeric() {
            words.last_mut().expect("it begins with one").extend(c.to_lowercase());
        }
    }
    words
}

/// Words that mark code as not finished or as a guess about time. Written in halves, so that this file passes.
const UNFINISHED: [(&str, &str); 4] = [
    (concat!("to", "do!"), "write it, or leave the caller out"),
    (concat!("unimple", "mented!"), "write it, or leave the caller out"),
    (concat!("#[ig", "nore"), "a test that does not run is none: repair it or take it out"),
    (concat!("thread::", "sleep"), "wait for what you wait for: a channel, a condition, a process"),
];

/// No code that is only promised, no test that does not run, no sleeping instead of waiting.
fn unfinished(file: &File) -> Vec<Breach> {
    let may_sleep = ["crates/sim/", "crates/bench/"].iter().any(|folder| file.path.starts_with(folder));
    let code = file.lines().filter(|(_, line)| !line.trim_start().starts_with("//"));
    code.flat_map(|(number, line)| {
        let words = UNFINISHED.iter().filter(move |(word, _)| line.contains(word));
        let words = words.filter(move |(word, _)| !(may_sleep && word.starts_with("thread")));
        words.map(move |(word, remedy)| file.breach(number, "unfinished", format!("{word}: {remedy}")))
    })
    .collect()
}

#[cfg(test)]
mod tests {
    use super::super::tests::file;
    use super::*;

    #[test]
    fn a_file_opens_by_saying_what_it_is() {
        for bad in ["", "use std::fmt;\n", "//!\n", "// A comment.\n", "\n//! Late.\n"] {
            assert!(opening(&file("a.rs", bad)).is_some(), "{bad:?}");
        }
        assert_eq!(opening(&file("a.rs", "//! What it is.\n")), None);
    }

    #[test]
    fn a_file_of_501_production_lines_is_too_long_and_its_tests_do_not_count() {
        let code = |lines| "let x = 1;\n".repeat(lines);
        let tests = "#[cfg(test)]\nmod tests {\n".to_owned() + &"    x\n".repeat(600) + "}\n";
        assert_eq!(length(&file("a.rs", &(code(500) + &tests)), &[]), None);
        assert!(length(&file("a.rs", &(code(250) + &tests + &code(251))), &[]).is_some());
        assert_eq!(length(&file("c/tests/a.rs", &code(501)), &[]), None);
    }

    #[test]
    fn a_test_module_in_its_own_file_hides_nothing_behind_it() {
        let text = "#[cfg(test)]\nmod tests;\n".to_owned() + &"x\n".repeat(501);
        assert!(length(&file("a.rs", &text), &[]).is_some());
    }

    #[test]
    fn a_listed_file_may_neither_grow_nor_keep_a_number_too_high() {
        let long = file("a.rs", &"x\n".repeat(600));
        assert_eq!(length(&long, &[("a.rs", 600)]), None);
        assert!(length(&long, &[("a.rs", 599)]).is_some());
        assert!(length(&long, &[("a.rs", 601)]).is_some());
    }

    #[test]
    fn empty_words_in_types_and_modules_are_found_and_others_not() {
        for bad in [
            "pub struct TopicManager;",
            "pub(crate) enum StringUtils {",
            "trait AclHelper {",
            "    type PartitionInfo;",
            "type PartitionInfo = u8;",
            "mod common;",
            "struct Data<T>(T);",
        ] {
            assert_eq!(names(&file("a.rs", bad)).len(), 1, "{bad}");
        }
        for good in [
            "struct Metadata;",
            "struct Information;",
            "impl Serviceable {",
            "let data = 1;",
            "// struct Data",
            "    type Data = u8;",
        ] {
            assert_eq!(names(&file("a.rs", good)), [], "{good}");
        }
        assert_eq!(names(&file("crates/a/src/log_utils.rs", "")).len(), 1);
        assert_eq!(names(&file("crates/metadata/src/image.rs", "")), []);
    }

    #[test]
    fn unfinished_code_is_found_outside_comments() {
        for (word, _) in UNFINISHED {
            assert_eq!(unfinished(&file("crates/a/src/b.rs", &format!("    {word}(x)"))).len(), 1, "{word}");
            assert_eq!(unfinished(&file("crates/a/src/b.rs", &format!("    // {word}(x)"))), [], "{word}");
        }
    }

    #[test]
    fn only_simulation_and_benchmarks_may_sleep() {
        let sleeps = format!("std::{}(x);", UNFINISHED[3].0);
        assert_eq!(unfinished(&file("crates/sim/src/a.rs", &sleeps)), []);
        assert_eq!(unfinished(&file("crates/broker/src/a.rs", &sleeps)).len(), 1);
    }
}
