//! `cargo xtask logs`: asks real Kafkas for the files that the broker's test `log_files` compares Ottla's with.
//!
//! For each script a Kafka of its release is started on an empty directory, is sent the commands by the test itself, and
//! is stopped; a script of several runs has it started again on the same one. Then the test compares Ottla with what lies
//! there, and `--write` keeps it in the repository. Nothing is decided here: the commands, the comparison and its masks
//! are in `crates/broker/tests/log_files`.

use std::path::{Path, PathBuf};
use std::time::Instant;

use crate::interop;
use crate::kafka::{self, Kafka};
use crate::process;

/// Where the scripts are, below the root.
const SCRIPTS: &str = "crates/broker/tests/log_files";
/// Blocks of commands that end a run.
const ENDS: [&str; 2] = ["restart", "kill"];

/// What the command line asks for.
#[derive(Debug, PartialEq, Eq)]
struct Options {
    /// `RELEASE/NAME`, or nothing for all.
    scripts: Vec<String>,
    write: bool,
}

fn parse(arguments: &[String]) -> Options {
    let (options, scripts): (Vec<_>, Vec<_>) = arguments.iter().cloned().partition(|argument| argument == "--write");
    Options { scripts, write: !options.is_empty() }
}

/// Asks a Kafka for each script that was named, or for all.
pub(crate) fn run(arguments: &[String]) -> Result<(), String> {
    let mut options = parse(arguments);
    if options.scripts.is_empty() {
        options.scripts = scripts()?;
    }
    let scratch = interop::scratch("logs")?;
    for script in &options.scripts {
        let began = Instant::now();
        println!("== {script}");
        one(script, &scratch.join(script), options.write)?;
        println!("  passed in {:.1} s", began.elapsed().as_secs_f32());
    }
    std::fs::remove_dir_all(&scratch).map_err(|e| format!("{}: {e}", scratch.display()))
}

/// The names of all scripts.
fn scripts() -> Result<Vec<String>, String> {
    let list = |path: PathBuf| -> Result<Vec<PathBuf>, String> {
        let entries = std::fs::read_dir(&path).map_err(|e| format!("{}: {e}", path.display()))?;
        entries.map(|entry| entry.map(|entry| entry.path()).map_err(|e| e.to_string())).collect()
    };
    let root = process::root().join(SCRIPTS);
    let mut names = Vec::new();
    for release in list(root.clone())?.iter().filter(|path| path.is_dir()) {
        let paths = list(release.clone())?;
        let paths = paths.iter().filter(|path| path.extension().is_some_and(|ending| ending == "txt"));
        let name = |path: &Path| path.strip_prefix(&root).ok()?.with_extension("").to_str().map(str::to_owned);
        names.extend(paths.filter_map(|path| name(path)));
    }
    names.sort();
    Ok(names)
}

/// One script: its runs on one Kafka, then the comparison.
fn one(script: &str, folder: &Path, write: bool) -> Result<(), String> {
    let path = process::root().join(SCRIPTS).join(script).with_extension("txt");
    let text = std::fs::read_to_string(&path).map_err(|e| format!("{}: {e}", path.display()))?;
    let release = script.split('/').next().unwrap_or_default();
    interop::install(&format!("tools-{release}"))?;
    std::fs::create_dir_all(folder).map_err(|e| format!("{}: {e}", folder.display()))?;
    let data = folder.join("kafka");
    let rewrite = if write { "1" } else { "" };
    let settings = kafka::format(release, std::slice::from_ref(&data), &broker_settings(&text))?;
    for (run, end) in ends(&text).into_iter().enumerate() {
        let mut kafka = Kafka::start(release, &settings)?;
        let (address, one) = (kafka.address(), format!("{script}:{run}"));
        let asked = test(&[("OTTLA_ORACLE", &address), ("OTTLA_LOG_FILES", &one), ("OTTLA_REWRITE", rewrite)]);
        let ended = match end {
            "kill" => {
                kafka.kill();
                Ok(())
            }
            _ => kafka.stop(),
        };
        asked.and(ended).map_err(|why| format!("{script}, run {run}: {why}\n{}", kafka.log()))?;
    }
    let data = data.display().to_string();
    test(&[("OTTLA_KAFKA_FILES", &data), ("OTTLA_LOG_FILES", script), ("OTTLA_REWRITE", rewrite)])
}

/// How each run of a script ends; the last in order.
fn ends(script: &str) -> Vec<&str> {
    script.lines().filter(|line| ENDS.contains(line)).chain(["restart"]).collect()
}

/// The lines for `server.properties` in a script's `start KEY=VALUE…`.
fn broker_settings(script: &str) -> Vec<&str> {
    let starts = script.lines().filter_map(|line| line.strip_prefix("start "));
    starts.flat_map(str::split_whitespace).collect()
}

/// Runs the broker's test in an environment that says what it is to do.
fn test(environment: &[(&str, &str)]) -> Result<(), String> {
    let mut command = process::cargo(&["test", "--quiet", "--package", "ottla-broker", "--test", "broker"]);
    command.args(["--", "--exact", "log_files::every_file_is_what_kafka_wrote"]);
    process::run(command.envs(environment.iter().copied()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_script_is_as_many_runs_as_it_has_ends_and_one_more() {
        assert_eq!(ends("# Purpose.\n\nproduce a/0\n----\n"), ["restart"]);
        assert_eq!(
            ends("produce a/0\n----\n\nkill\n----\n\nrestart\n----\n\nproduce a/0\n"),
            ["kill", "restart", "restart"]
        );
    }

    #[test]
    fn the_settings_of_the_broker_are_those_of_the_script() {
        let script = "# Purpose.\n\nstart a=b c.d=e,f\ncreate-topics x config:k=v\n----\n";
        assert_eq!(broker_settings(script), ["a=b", "c.d=e,f"]);
    }

    #[test]
    fn all_scripts_are_asked_for_unless_some_are_named() {
        let words = |line: &str| line.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
        assert_eq!(parse(&words("--write")), Options { scripts: Vec::new(), write: true });
        assert_eq!(parse(&words("4.3.1/codecs")), Options { scripts: words("4.3.1/codecs"), write: false });
        assert!(scripts().is_ok_and(|all| all.contains(&"4.3.1/codecs".to_owned())), "{:?}", scripts());
    }
}
