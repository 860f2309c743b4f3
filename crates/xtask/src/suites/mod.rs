//! `cargo xtask suites`: the broker tests that clients carry, against a running broker.
//!
//! The tests are others'; `crates` and `modules` fetch and build them, the lists in `interop/rust` and `interop/go` say
//! what is expected, `running` runs them, and `expected` judges.

mod copied;
mod crates;
mod expected;
mod modules;
mod running;
mod told;

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::process::Command;
use std::time::Instant;

use crate::broker::{self, Broker};
use crate::interop;
use crate::process;
use expected::{Exception, Expected, Outcome};
use modules::Module;
use running::{NOBODY, Test};

/// A client with tests.
#[derive(Debug)]
pub(crate) struct Suite {
    name: &'static str,
    source: Source,
    /// How its tests learn of the broker: variables of the environment, `ADDRESS` being its address.
    environment: &'static [(&'static str, &'static str)],
    /// What they want of a broker, as `KEY=VALUE`.
    settings: &'static [&'static str],
    /// A topic that has to be there before, where a test wants any.
    topic: Option<&'static str>,
}

/// Where a suite is published.
#[derive(Debug)]
enum Source {
    /// In cargo's registry, under the suite's name.
    Crate,
    /// As a Go module.
    Module(Module),
}

pub(crate) const SUITES: &[Suite] = &[
    Suite {
        name: "rdkafka",
        source: Source::Crate,
        environment: &[("KAFKA_HOST", "ADDRESS")],
        settings: &["num.partitions=3", "node.id=0"],
        topic: None,
    },
    Suite {
        name: "rskafka",
        source: Source::Crate,
        environment: &[("KAFKA_CONNECT", "ADDRESS"), ("TEST_INTEGRATION", "1"), ("TEST_BROKER_IMPL", "kafka")],
        settings: &["num.partitions=3", "node.id=0"],
        topic: None,
    },
    Suite {
        name: "franz-go",
        source: Source::Module(Module {
            path: "github.com/twmb/franz-go",
            packages: &[("pkg/kgo", "kgo")],
            fixed_address: false,
        }),
        environment: &[
            ("KGO_SEEDS", "ADDRESS"),
            ("KGO_TEST_RF", "1"),
            ("KGO_TEST_RECORDS", "10000"),
            ("KGO_LOG_LEVEL", "none"),
        ],
        settings: &[],
        topic: None,
    },
    Suite {
        name: "kafka-go",
        source: Source::Module(Module {
            path: "github.com/segmentio/kafka-go",
            packages: &[(".", "kafka"), ("compress", "compress_test"), ("topics", "topics"), ("sasl", "sasl_test")],
            fixed_address: true,
        }),
        environment: &[("KAFKA_ADDRESS", "ADDRESS"), ("KAFKA_VERSION", "4.3.1")],
        settings: &["advertised.listeners=PLAINTEXT://localhost:0", "message.max.bytes=200000000"],
        topic: Some("suites"),
    },
];

impl Suite {
    /// What is expected of it.
    fn expected(&self) -> Result<Expected, String> {
        let folder = match self.source {
            Source::Crate => "interop/rust",
            Source::Module(_) => "interop/go",
        };
        let path = process::root().join(folder).join(format!("{}.txt", self.name));
        let text = std::fs::read_to_string(&path).map_err(|e| format!("{}: {e}", path.display()))?;
        Expected::parse(&text).map_err(|why| format!("{}: {why}", path.display()))
    }

    /// Fetches and builds its tests.
    fn tests(&self) -> Result<Vec<Test>, String> {
        match &self.source {
            Source::Crate => crates::tests(self.name),
            Source::Module(module) => modules::tests(self.name, module),
        }
    }
}

/// What the command line asks for.
struct Options {
    suites: Vec<&'static Suite>,
    bootstrap: Option<String>,
    binary: PathBuf,
    /// Whether it is the tests that ask nobody that shall run.
    alone: bool,
}

fn parse(arguments: &[String]) -> Result<Options, String> {
    let mut options = Options { suites: Vec::new(), bootstrap: None, binary: broker::release_binary(), alone: false };
    let mut rest = arguments.iter();
    while let Some(argument) = rest.next() {
        let mut value = || rest.next().cloned().ok_or(format!("{argument} needs a value"));
        match argument.as_str() {
            "--bootstrap" => options.bootstrap = Some(value()?),
            "--binary" => options.binary = value()?.into(),
            "--alone" => options.alone = true,
            name => match SUITES.iter().find(|suite| suite.name == name) {
                Some(suite) => options.suites.push(suite),
                None => {
                    let names: Vec<_> = SUITES.iter().map(|suite| suite.name).collect();
                    return Err(format!("no suite {name}; there are {}", names.join(", ")));
                }
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
    let mut wrong = 0;
    for suite in &options.suites {
        wrong += run_suite(suite, &options)?;
    }
    if wrong > 0 { Err(format!("{wrong} findings; interop/README.md tells how to read them")) } else { Ok(()) }
}

/// Builds and runs one suite; how much was wrong.
fn run_suite(suite: &Suite, options: &Options) -> Result<usize, String> {
    let expected = suite.expected()?;
    let began = Instant::now();
    let tests = suite.tests()?;
    println!("== {}: built in {:.0} s", suite.name, began.elapsed().as_secs_f32());

    let began = Instant::now();
    let (outcomes, mut wrong) = if options.alone {
        (running::run_tests(suite, &expected, &tests, NOBODY), Vec::new())
    } else {
        let outcomes = ask_a_broker(suite, &expected, &tests, options)?;
        let wrong = expected.of_found(&found(&tests, &expected, &outcomes));
        (outcomes, wrong)
    };
    wrong.extend(outcomes.iter().filter_map(|(test, outcome)| expected.of_outcome(test, outcome)));
    for finding in &wrong {
        println!("{finding}");
    }
    let passed = outcomes.iter().filter(|(_, outcome)| *outcome == Outcome::Passed).count();
    let all = if options.alone { outcomes.len() } else { expected.tests() };
    println!(
        "{}: {all} tests that ask {}: {passed} passed, {} not, {} not run, in {:.0} s; {} not as expected",
        suite.name,
        if options.alone { "nobody" } else { "a broker" },
        outcomes.len() - passed,
        all.saturating_sub(outcomes.len()),
        began.elapsed().as_secs_f32(),
        wrong.len()
    );
    Ok(wrong.len())
}

/// Runs the tests against a broker of their own, or the one that was named.
fn ask_a_broker(
    suite: &Suite,
    expected: &Expected,
    tests: &[Test],
    options: &Options,
) -> Result<Vec<(String, Outcome)>, String> {
    if let Some(address) = &options.bootstrap {
        return Ok(running::run_tests(suite, expected, tests, address));
    }
    let scratch = interop::scratch(suite.name)?;
    let mut broker = Broker::start_with(&options.binary, &scratch, 0, suite.settings)?;
    if let Some(topic) = suite.topic {
        let mut create = Command::new(&options.binary);
        process::output(create.args(["topic", "create", topic, "--bootstrap", &broker.address()]))?;
    }
    let outcomes = running::run_tests(suite, expected, tests, &broker.address());
    let stopped = broker.stop();
    stopped.map_err(|why| format!("{why}\n{}", broker.log()))?;
    std::fs::remove_dir_all(scratch).map_err(|e| e.to_string())?;
    Ok(outcomes)
}

/// The names of the tests that ask a broker: those that ran, and those that are skipped and there.
fn found(tests: &[Test], expected: &Expected, ran: &[(String, Outcome)]) -> BTreeSet<String> {
    let skipped = |test: &&Test| expected.exception(&test.name) == Some(Exception::Skipped);
    let whole = tests.iter().filter(skipped).map(|test| test.name.clone());
    // One within another shows only when it runs.
    let within = tests.iter().flat_map(|test| expected.skipped_within(&test.name)).map(str::to_owned);
    ran.iter().map(|(test, _)| test.clone()).chain(whole).chain(within).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_suites_run_unless_some_are_named() {
        let names = |line: &str| {
            let arguments: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
            parse(&arguments).map(|options| options.suites.iter().map(|suite| suite.name).collect::<Vec<_>>())
        };
        assert_eq!(names(""), Ok(vec!["rdkafka", "rskafka", "franz-go", "kafka-go"]));
        assert_eq!(names("rskafka --bootstrap a:1"), Ok(vec!["rskafka"]));
        assert!(names("librdkafka").is_err());
    }
}
