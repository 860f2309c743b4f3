//! What a Go test program tells of its tests: the lines `--- PASS: NAME (1.00s)`, of tests and of the tests within them.
//!
//! Pure. A test that holds others counts as those others, so that a list can name one of them.

use std::collections::BTreeMap;

/// Whether `test` and what it holds passed, given what its program wrote, and which are to be told by their own line
/// whatever they hold. Empty if the program did not say how `test` ended.
pub(super) fn outcomes(test: &str, lines: &[String], whole: impl Fn(&str) -> bool) -> Vec<(String, bool)> {
    let told: BTreeMap<&str, bool> = lines.iter().filter_map(|line| verdict(line)).collect();
    if !told.contains_key(test) {
        return Vec::new();
    }
    let holds = |name: &str, other: &str| other.strip_prefix(name).is_some_and(|rest| rest.starts_with('/'));
    let hidden = |name: &str| told.keys().any(|other| holds(other, name) && whole(other));
    let mut out = Vec::new();
    for (&name, &passed) in told.iter().filter(|(name, _)| !hidden(name)) {
        let held: Vec<bool> =
            told.iter().filter(|(other, _)| holds(name, other) && !hidden(other)).map(|(_, p)| *p).collect();
        let explained = passed || held.contains(&false);
        if held.is_empty() || !explained {
            out.push((name.to_owned(), passed));
        }
    }
    out
}

/// The test, and whether it passed, if the line says so. One that skipped itself has not.
fn verdict(line: &str) -> Option<(&str, bool)> {
    let (word, rest) = line.trim_start().strip_prefix("--- ")?.split_once(": ")?;
    let (name, _) = rest.rsplit_once(" (")?;
    matches!(word, "PASS" | "FAIL" | "SKIP").then_some((name, word == "PASS"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(whole: &str, lines: &str) -> Vec<(String, bool)> {
        let lines: Vec<String> = lines.lines().map(str::to_owned).collect();
        outcomes("T", &lines, |name| name == whole)
    }

    fn of(outcomes: &[(&str, bool)]) -> Vec<(String, bool)> {
        outcomes.iter().map(|(name, passed)| ((*name).to_owned(), *passed)).collect()
    }

    #[test]
    fn a_test_that_holds_others_counts_as_those() {
        let lines = "=== RUN   T\n--- FAIL: T (1.00s)\n    --- PASS: T/a (0.10s)\n    --- FAIL: T/b_c (0.10s)\nFAIL";
        assert_eq!(told("", lines), of(&[("T/a", true), ("T/b_c", false)]));
        assert_eq!(told("", "--- PASS: T (1.00s)\nPASS"), of(&[("T", true)]));
        assert_eq!(told("", "--- SKIP: T (1.00s)\nPASS"), of(&[("T", false)]));
    }

    #[test]
    fn a_listed_test_is_one_whatever_it_holds() {
        let lines =
            "--- FAIL: T (1s)\n--- FAIL: T/a (1s)\n--- PASS: T/a/x (1s)\n--- FAIL: T/a/y (1s)\n--- PASS: T/b (1s)";
        assert_eq!(told("T/a", lines), of(&[("T/a", false), ("T/b", true)]));
        assert_eq!(told("T", lines), of(&[("T", false)]));
    }

    #[test]
    fn a_test_that_fails_by_itself_has_failed_though_all_it_holds_passed() {
        assert_eq!(told("", "--- FAIL: T (1s)\n--- PASS: T/a (1s)"), of(&[("T", false), ("T/a", true)]));
    }

    #[test]
    fn a_program_that_died_says_nothing() {
        assert_eq!(told("", "    --- PASS: T/a (1s)\npanic: no"), of(&[]));
    }
}
