//! `cargo xtask suites`: the broker tests that client crates carry, against a running broker.
//!
//! The tests are others'; `carried` fetches and builds them, the lists in `interop/rust` say what is expected, and
//! `expected` judges. Each test is a process of its own, several at a time, so that one that never ends harms no other.

mod carried;
mod expected;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use crate::broker::{self, Broker};
use crate::interop;
use crate::process::{self, Running};
use carried::Test;
use expected::{Exception, Expected, Outcome};

/// How long a test may take.
const TEST_MAX: Duration = Duration::from_secs(90);
/// How long a test may take that is expected to fail: many of these wait for ever. On Kafka they take up to 13 s.
const FAILING_TEST_MAX: Duration = Duration::from_secs(20);
/// Tests at a time: they wait more than they work.
const AT_A_TIME: usize = 12;
/// Lines of a failed test's output that are shown.
const LINES_MAX: usize = 12;
/// What the tests want of a broker: topics made on demand have three partitions, its id is 0.
const SETTINGS: [&str; 2] = ["num.partitions=3", "node.id=0"];

/// A crate with tests.
#[derive(Debug)]
pub(crate) struct Suite {
    name: &'static str,
    /// How its tests learn of the broker: variables of the environment, `ADDRESS` being its address.
    environment: &'static [(&'static str, &'static str)],
}

pub(crate) const SUITES: &[Suite] = &[
    Suite { name: "rdkafka", environment: &[("KAFKA_HOST", "ADDRESS")] },
    Suite {
        name: "rskafka",
        environment: &[("KAFKA_CONNECT", "ADDRESS"), ("TEST_INTEGRATION", "1"), ("TEST_BROKER_IMPL", "kafka")],
    },
];

impl Suite {
    /// What is expected of it.
    fn expected(&self) -> Result<Expected, String> {
        let path = process::root().join("interop/rust").join(format!("{}.txt", self.name));
        let text = std::fs::read_to_string(&path).map_err(|e| format!("{}: {e}", path.display()))?;
        Expected::parse(&text).map_err(|why| format!("{}: {why}", path.display()))
    }
}

/// What the command line asks for.
struct Options {
    suites: Vec<&'static Suite>,
    bootstrap: Option<String>,
    binary: PathBuf,
}

fn parse(arguments: &[String]) -> Result<Options, String> {
    let mut options = Options { suites: Vec::new(), bootstrap: None, binary: broker::release_binary() };
    let mut rest = arguments.iter();
    while let Some(argument) = rest.next() {
        let mut value = || rest.next().cloned().ok_or(format!("{argument} needs a value"));
        match argument.as_str() {
            "--bootstrap" => options.bootstrap = Some(value()?),
            "--binary" => options.binary = value()?.into(),
            name => match SUITES.iter().find(|suite| suite.name == name) {
                Some(suite) => options.suites.push(suite),
                None => return Err(format!("no suite {name}; there are rdkafka and rskafka")),
            },
        }
    }
    if options.suites.is_empty() {
        options.suites.extend(SUITES);
    }
    Ok(options)
}

/// Runs the suites that were asked for, or all, and says what did not end as expected.
pub(crate) fn run(arguments: &[String]) -> Result<(), String> {
    let options = parse(arguments)?;
    interop::install("rust")?;
    let mut wrong = 0;
    for suite in &options.suites {
        wrong += run_suite(suite, &options)?;
    }
    if wrong > 0 { Err(format!("{wrong} findings; interop/README.md tells how to read them")) } else { Ok(()) }
}

/// Runs one suite against a broker of its own, or the one that was named; how much was wrong.
fn run_suite(suite: &Suite, options: &Options) -> Result<usize, String> {
    let expected = suite.expected()?;
    let began = Instant::now();
    let folder = carried::copy(suite.name)?;
    let tests = carried::tests(&folder)?;
    println!("== {}: {} tests, built in {:.0} s", suite.name, tests.len(), began.elapsed().as_secs_f32());
    let names: Vec<String> = tests.iter().map(|test| test.name.clone()).collect();
    let mut wrong = expected.of_found(&names);

    let began = Instant::now();
    let outcomes = match &options.bootstrap {
        Some(address) => run_tests(suite, &expected, &tests, &folder, address),
        None => {
            let scratch = interop::scratch(suite.name)?;
            let mut broker = Broker::start_with(&options.binary, &scratch, 0, &SETTINGS)?;
            let outcomes = run_tests(suite, &expected, &tests, &folder, &broker.address());
            let stopped = broker.stop();
            stopped.map_err(|why| format!("{why}\n{}", broker.log()))?;
            std::fs::remove_dir_all(scratch).map_err(|e| e.to_string())?;
            outcomes
        }
    };
    let judged = outcomes.iter().filter_map(|(test, outcome)| expected.of_outcome(&test.name, outcome));
    wrong.extend(judged);
    let passed = outcomes.iter().filter(|(_, outcome)| *outcome == Outcome::Passed).count();
    for finding in &wrong {
        println!("{finding}");
    }
    println!(
        "{}: {passed} passed, {} not, {} not run, in {:.0} s; {} not as expected",
        suite.name,
        outcomes.len() - passed,
        tests.len() - outcomes.len(),
        began.elapsed().as_secs_f32(),
        wrong.len()
    );
    Ok(wrong.len())
}

/// Runs all tests but those that are skipped.
fn run_tests<'a>(
    suite: &Suite,
    expected: &Expected,
    tests: &'a [Test],
    folder: &Path,
    address: &str,
) -> Vec<(&'a Test, Outcome)> {
    let chosen: Vec<&Test> =
        tests.iter().filter(|test| expected.exception(&test.name) != Some(Exception::Skipped)).collect();
    let (next, outcomes) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..AT_A_TIME {
            scope.spawn(|| {
                while let Some(test) = chosen.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let listed = expected.exception(&test.name).is_some();
                    let within = if listed { FAILING_TEST_MAX } else { TEST_MAX };
                    let outcome = run_test(command(suite, test, folder, address), within);
                    outcomes.lock().expect("no worker panics").push((*test, outcome));
                }
            });
        }
    });
    outcomes.into_inner().expect("no worker panics")
}

fn command(suite: &Suite, test: &Test, folder: &Path, address: &str) -> Command {
    let mut command = Command::new(&test.program);
    command.args(["--exact", &test.within, "--nocapture", "--include-ignored"]).current_dir(folder);
    for (name, value) in suite.environment {
        command.env(name, value.replace("ADDRESS", address));
    }
    command
}

/// Runs one test to its end, or until the time is over.
fn run_test(mut command: Command, within: Duration) -> Outcome {
    let mut lines = Vec::new();
    let ended = Running::start(&mut command, true).and_then(|mut running| {
        running.close_input();
        running.finish(within, |line| lines.push(line))
    });
    match ended {
        Ok(status) if status.success() && lines.iter().any(|line| line.contains("1 passed;")) => Outcome::Passed,
        Ok(status) => {
            let last = &lines[lines.len().saturating_sub(LINES_MAX)..];
            Outcome::Failed(format!("{status}\n    | {}", last.join("\n    | ")))
        }
        Err(why) => Outcome::Failed(why),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome(script: &str) -> Outcome {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        run_test(command, Duration::from_secs(20))
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
        let Outcome::Failed(why) = run_test(endless, Duration::from_millis(10)) else { panic!("it never ends") };
        assert!(why.contains("killed"), "{why}");
    }

    #[test]
    fn all_suites_run_unless_some_are_named() {
        let names = |line: &str| {
            let arguments: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
            parse(&arguments).map(|options| options.suites.iter().map(|suite| suite.name).collect::<Vec<_>>())
        };
        assert_eq!(names(""), Ok(vec!["rdkafka", "rskafka"]));
        assert_eq!(names("rskafka --bootstrap a:1"), Ok(vec!["rskafka"]));
        assert!(names("librdkafka").is_err());
    }
}
