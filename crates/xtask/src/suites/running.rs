//! Runs tests, each a process of its own, several at a time, so that one that never ends harms no other.
//!
//! What a test's program is and who built it, `crates` and `modules` know; what is expected of it, `expected`.

use std::path::PathBuf;
use std::process::{Command, ExitStatus};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use super::expected::{Exception, Expected, Outcome};
use super::{Source, Suite, told};
use crate::process::Running;

/// How long a test may take.
const TEST_MAX: Duration = Duration::from_secs(90);
/// How long a test may take that is expected to fail: many of these wait for ever. On Kafka they take up to 13 s.
const FAILING_TEST_MAX: Duration = Duration::from_secs(20);
/// Tests at a time: they wait more than they work.
const AT_A_TIME: usize = 12;
/// Lines of a failed test's output that are shown.
const LINES_MAX: usize = 12;
/// An address where nobody listens.
pub(super) const NOBODY: &str = "127.0.0.1:1";

/// A test, and the program that holds it.
#[derive(Debug, Clone)]
pub(super) struct Test {
    /// `PROGRAM::TEST`, as the lists name it.
    pub(super) name: String,
    /// Where the program lies.
    pub(super) program: PathBuf,
    /// The name within the program.
    pub(super) within: String,
    /// Where it wants to run.
    pub(super) folder: PathBuf,
}

/// Runs all tests that ask a broker but those that are skipped. With [`NOBODY`]'s address, those that ask nobody.
pub(super) fn run_tests(suite: &Suite, expected: &Expected, tests: &[Test], address: &str) -> Vec<(String, Outcome)> {
    let chosen = |test: &&Test| match expected.is_alone(&test.name) {
        true => address == NOBODY,
        false => address != NOBODY && expected.exception(&test.name) != Some(Exception::Skipped),
    };
    let chosen: Vec<&Test> = tests.iter().filter(chosen).collect();
    let (next, outcomes) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..AT_A_TIME {
            scope.spawn(|| {
                while let Some(test) = chosen.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let ended = run_test(suite, expected, test, address);
                    outcomes.lock().expect("no worker panics").extend(ended);
                }
            });
        }
    });
    outcomes.into_inner().expect("no worker panics")
}

/// Runs one test; how it ended, or how those ended that it holds.
fn run_test(suite: &Suite, expected: &Expected, test: &Test, address: &str) -> Vec<(String, Outcome)> {
    let within = if expected.exception(&test.name).is_some() { FAILING_TEST_MAX } else { TEST_MAX };
    let mut command = Command::new(&test.program);
    command.current_dir(&test.folder);
    for (name, value) in suite.environment {
        command.env(name, value.replace("ADDRESS", address));
    }
    match suite.source {
        Source::Crate => {
            command.args(["--exact", &test.within, "--nocapture", "--include-ignored"]);
            vec![(test.name.clone(), run_program(command, within).outcome("1 passed;"))]
        }
        Source::Module(_) => {
            let program =
                test.name.strip_suffix(&test.within).expect("a test's name ends with its name in the program");
            command.args(["-test.v", "-test.run", &exactly(&test.within)]);
            let skipped = expected.skipped_within(&test.name).into_iter().filter_map(|name| name.strip_prefix(program));
            let skipped: Vec<String> = skipped.map(exactly).collect();
            if !skipped.is_empty() {
                command.args(["-test.skip", &skipped.join("|")]);
            }
            let ran = run_program(command, within);
            let whole = |name: &str| {
                let name = format!("{program}{name}");
                expected.exception(&name).is_some() || expected.is_alone(&name)
            };
            match told::outcomes(&test.within, &ran.lines, whole) {
                told if told.is_empty() => vec![(test.name.clone(), ran.outcome("no line says so"))],
                told => told.into_iter().map(|(name, passed)| (format!("{program}{name}"), ran.of(passed))).collect(),
            }
        }
    }
}

/// A pattern of Go's for one test, or one within another, by its name.
fn exactly(name: &str) -> String {
    let parts = name.split('/').map(|part| {
        let quoted: String =
            part.chars().flat_map(|c| c.is_ascii_punctuation().then_some('\\').into_iter().chain([c])).collect();
        format!("^{quoted}$")
    });
    parts.collect::<Vec<_>>().join("/")
}

/// What a program wrote, and how it ended: `Err` if it did not by itself.
struct Ran {
    lines: Vec<String>,
    status: Result<ExitStatus, String>,
}

/// Runs a program to its end, or until the time is over.
fn run_program(mut command: Command, within: Duration) -> Ran {
    let mut lines = Vec::new();
    let status = Running::start(&mut command, true).and_then(|mut running| {
        running.close_input();
        running.finish(within, |line| lines.push(line))
    });
    Ran { lines, status }
}

impl Ran {
    /// Passed if the program ended well and a line has `word`.
    fn outcome(&self, word: &str) -> Outcome {
        let well = self.status.as_ref().is_ok_and(ExitStatus::success);
        self.of(well && self.lines.iter().any(|line| line.contains(word)))
    }

    /// That a test passed, or that it did not, with what its program wrote last.
    fn of(&self, passed: bool) -> Outcome {
        let last = &self.lines[self.lines.len().saturating_sub(LINES_MAX)..];
        match (passed, &self.status) {
            (true, _) => Outcome::Passed,
            (false, Ok(status)) => Outcome::Failed(format!("{status}\n    | {}", last.join("\n    | "))),
            (false, Err(why)) => Outcome::Failed(why.clone()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome(script: &str) -> Outcome {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        run_program(command, Duration::from_secs(20)).outcome("1 passed;")
    }

    #[test]
    fn a_test_passes_only_if_it_ran_and_its_program_ended_well() {
        assert_eq!(outcome("echo 'test result: ok. 1 passed; 0 failed'"), Outcome::Passed);
        assert!(matches!(outcome("echo 'test result: ok. 0 passed; 0 failed'"), Outcome::Failed(_)));
        assert!(matches!(outcome("echo 'test result: ok. 1 passed; 0 failed'; exit 1"), Outcome::Failed(_)));
        let Outcome::Failed(why) = outcome("echo the reason; exit 3") else { panic!("it failed") };
        assert!(why.contains("the reason"), "{why}");
    }

    #[test]
    fn a_test_that_never_ends_has_failed() {
        let mut endless = Command::new("sh");
        endless.args(["-c", "sleep 1000"]);
        let ended = run_program(endless, Duration::from_millis(10)).outcome("1 passed;");
        let Outcome::Failed(why) = ended else { panic!("it never ends") };
        assert!(why.contains("killed"), "{why}");
    }

    #[test]
    fn a_pattern_means_one_test_whatever_its_name_holds() {
        assert_eq!(exactly("TestConn/a_(b)"), r"^TestConn$/^a\_\(b\)$");
    }
}
