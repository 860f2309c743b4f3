//! What is expected of a suite: the list that says which tests fail and which are not run, and why; and the judgement.
//!
//! Pure. The lists are `interop/rust/NAME.txt` and `interop/go/NAME.txt`.

use std::collections::{BTreeMap, BTreeSet};

/// What a list says of one test.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Exception {
    /// It runs and does not pass.
    Fails,
    /// It is not run.
    Skipped,
}

/// A list.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Expected {
    /// How many of the suite's tests ask a broker.
    tests: usize,
    exceptions: BTreeMap<String, Exception>,
    alone: BTreeSet<String>,
}

/// How a test ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Outcome {
    Passed,
    /// With why, or the end of what it wrote.
    Failed(String),
}

impl Expected {
    /// Reads `tests N`, `fails TEST REASON`, `skipped TEST REASON` and `alone TEST...`; `#` opens a remark.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let (mut tests, mut exceptions, mut alone) = (None, BTreeMap::new(), BTreeSet::new());
        for (number, line) in (1..).zip(text.lines()) {
            let words: Vec<&str> = line.split_whitespace().collect();
            let exception = match words[..] {
                [] => continue,
                [word, ..] if word.starts_with('#') => continue,
                ["tests", count] => {
                    tests = Some(count.parse().map_err(|_| format!("line {number}: {count} is no number of tests"))?);
                    continue;
                }
                ["alone", ref names @ ..] => {
                    alone.extend(names.iter().map(|name| (*name).to_owned()));
                    continue;
                }
                ["fails", _, _, ..] => Exception::Fails,
                ["skipped", _, _, ..] => Exception::Skipped,
                _ => {
                    return Err(format!(
                        "line {number}: tests N, fails TEST REASON, skipped TEST REASON or alone TEST..., not: {line}"
                    ));
                }
            };
            if exceptions.insert(words[1].to_owned(), exception).is_some() {
                return Err(format!("line {number}: {} stands there already", words[1]));
            }
        }
        let both = alone.iter().find(|test| exceptions.contains_key(*test));
        match both {
            Some(test) => Err(format!("{test} asks nobody, and is listed as one that does")),
            None => {
                Ok(Self { tests: tests.ok_or("no line says how many tests ask a broker: tests N")?, exceptions, alone })
            }
        }
    }

    /// How many of the suite's tests ask a broker.
    pub(super) fn tests(&self) -> usize {
        self.tests
    }

    /// Whether a test is said to ask nobody.
    pub(super) fn is_alone(&self, test: &str) -> bool {
        self.alone.contains(test)
    }

    /// What is not run, but for whole tests: the tests within `test` that are skipped.
    pub(super) fn skipped_within(&self, test: &str) -> Vec<&str> {
        let skipped = self.exceptions.iter().filter(|(_, exception)| **exception == Exception::Skipped);
        let within = |name: &str| name.strip_prefix(test).is_some_and(|rest| rest.starts_with('/'));
        skipped.map(|(name, _)| name.as_str()).filter(|name| within(name)).collect()
    }

    /// What the list says of a test, if anything.
    pub(super) fn exception(&self, test: &str) -> Option<Exception> {
        self.exceptions.get(test).copied()
    }

    /// What is wrong with the tests that were found to ask a broker: fewer than known, more, or not those that are listed.
    pub(super) fn of_found(&self, found: &BTreeSet<String>) -> Vec<String> {
        let mut wrong = Vec::new();
        if found.len() != self.tests {
            wrong.push(format!("{} tests that ask a broker were found, the list knows {}", found.len(), self.tests));
        }
        let gone = self.exceptions.keys().filter(|test| !found.contains(*test));
        wrong.extend(gone.map(|test| format!("{test} is listed and not there")));
        wrong
    }

    /// What is wrong with how a test ended.
    pub(super) fn of_outcome(&self, test: &str, outcome: &Outcome) -> Option<String> {
        match (self.exception(test), outcome) {
            (None, Outcome::Failed(why)) => Some(format!("{test} failed: {why}")),
            (Some(Exception::Fails), Outcome::Passed) => {
                Some(format!("{test} passes, and is listed as failing: take its line out"))
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIST: &str = "# a remark\n\ntests 3\nfails a::groups   there are none\nskipped b::port  whoever listens\n";

    fn failed() -> Outcome {
        Outcome::Failed("it said so".into())
    }

    #[test]
    fn an_unlisted_failure_and_a_listed_success_are_wrong_and_nothing_else() {
        let expected = Expected::parse(LIST).expect("legal");
        assert_eq!(expected.of_outcome("a::new", &Outcome::Passed), None);
        assert_eq!(expected.of_outcome("a::groups", &failed()), None);
        assert!(expected.of_outcome("a::new", &failed()).is_some_and(|why| why.contains("it said so")));
        assert!(
            expected.of_outcome("a::groups", &Outcome::Passed).is_some_and(|why| why.contains("take its line out"))
        );
    }

    #[test]
    fn a_test_too_few_or_too_many_is_wrong_and_so_is_one_that_is_gone() {
        let expected = Expected::parse(LIST).expect("legal");
        let found = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<BTreeSet<_>>();
        assert_eq!(expected.of_found(&found(&["a::groups", "b::port", "c"])), Vec::<String>::new());
        assert_eq!(expected.of_found(&found(&["a::groups", "b::port"])).len(), 1);
        assert_eq!(expected.of_found(&found(&["a::groups", "b::port", "c", "d"])).len(), 1);
        assert_eq!(expected.of_found(&found(&["a::groups", "c", "d"])), ["b::port is listed and not there"]);
    }

    #[test]
    fn a_list_names_its_faults() {
        for (list, what) in [
            ("fails a x\n", "no line says"),
            ("tests many\n", "line 1: many"),
            ("tests 1\nfails a x\nalone b a\n", "a asks nobody"),
            ("tests 1\nfails a\n", "line 2: tests N"),
            ("tests 1\nfails a x\nskipped a y\n", "line 3: a stands there"),
            ("tests 1\npasses a x\n", "line 2"),
        ] {
            let why = Expected::parse(list).expect_err(list);
            assert!(why.contains(what), "{why}");
        }
    }

    #[test]
    fn the_lists_of_this_repository_can_be_read() {
        for suite in super::super::SUITES {
            suite.expected().expect(suite.name);
        }
    }
}
