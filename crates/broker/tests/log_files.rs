//! What lies on the disk after the same requests: Ottla's files beside those that a real Kafka wrote.
//!
//! `tests/log_files/RELEASE/NAME.txt` is a script in the language of [`crate::scripts`], and the folder `NAME` beside it
//! the log directory of a Kafka of that release to which the script was sent, stopped in order; [`recorded`] tells how it
//! is kept. Here the script is sent to a broker on a simulated disk, which is stopped too. Then every file is compared:
//! byte for byte, but for what [`told`] lists.
//!
//! Times are the script's (`time=`), for a real Kafka has a clock of its own. Blocks that consist of `restart` or `kill`
//! end one run of the broker. `cargo xtask logs` asks a Kafka:
//! - `OTTLA_ORACLE=HOST:PORT` sends one run's commands there and compares nothing but the answers, which with
//!   `OTTLA_REWRITE=1` are kept;
//! - `OTTLA_KAFKA_FILES=FOLDER` compares with that folder, and with `OTTLA_REWRITE=1` keeps it;
//! - `OTTLA_LOG_FILES=RELEASE/NAME:RUN` says which script, and which run of it, counted from 0.

mod recorded;
mod told;

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use ottla_record::Batches;
use ottla_testkit::{Block, Command, REWRITE, Script};

use self::recorded::Files;
use self::told::Compared;
use crate::scripts::session::{ORACLE, Session};
use crate::support::Running;

/// Names a folder of Kafka's that takes the place of what was kept.
const KAFKA_FILES: &str = "OTTLA_KAFKA_FILES";
/// Names one script and one run of it.
const ONE: &str = "OTTLA_LOG_FILES";
/// The releases that were asked: the newest, and for what it no longer serves the last that did.
const RELEASES: [&str; 2] = ["3.9.1", "4.3.1"];

/// Where the broker on the simulated disk has its files.
const LOG_DIRECTORY: &str = "/kafka";

/// One script.
struct Scenario {
    /// Without its ending; beside it lies the folder of this name.
    path: PathBuf,
    script: Script,
}

impl Scenario {
    fn read(path: &Path) -> Self {
        let text = std::fs::read_to_string(path.with_extension("txt")).expect("listed, or named by the user");
        let script = Script::parse(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        Self { path: path.to_owned(), script }
    }

    /// Sends the commands to a broker of its own, and compares its files with Kafka's.
    fn run(mut self, kafkas: &Files) -> Compared {
        let mut session = Session::new();
        let answers = self.script.run(|line| answered(&mut session, line));
        let mut running = session.end();
        let ours = recorded::on_disk(&running.disk, LOG_DIRECTORY);
        let mut compared = told::compare(&ours, kafkas);
        compared.differences.splice(..0, answers);
        for clean in [true, false] {
            let taken_over = take_over(&mut running, kafkas, clean);
            let when = if clean { "opened by Ottla" } else { "recovered by Ottla" };
            let mut differences = told::compare(&taken_over, kafkas).differences;
            differences.retain(|difference| clean || !self.has_own_interval(difference));
            compared.differences.extend(differences.iter().map(|difference| format!("{when}: {difference}")));
        }
        compared
    }

    /// Whether this is an index of a topic that says itself how dense it is: a recovery does not know that
    /// (docs/deviations.md).
    fn has_own_interval(&self, difference: &str) -> bool {
        let path = difference.lines().next().unwrap_or_default();
        let commands = self.script.blocks.iter().flat_map(|block| &block.commands);
        let topics = commands.filter(|line| line.contains("config:index.interval.bytes="));
        let mut topics = topics.filter_map(|line| line.split(' ').nth(1));
        path.ends_with("index") && topics.any(|topic| path.starts_with(&format!("{topic}-")))
    }

    /// Sends one run's commands to a Kafka; what it answers differently.
    fn ask(mut self, run: usize) -> Vec<String> {
        let is_end = |block: &Block| block.commands.iter().all(|line| line == "restart" || line == "kill");
        let mut runs: Vec<_> = self.script.blocks.split(is_end).map(<[Block]>::to_vec).collect();
        let before: usize = runs[..run].iter().map(|blocks| blocks.len() + 1).sum();
        let head = self.script.head.clone();
        let mut asked = Script { head, blocks: runs.swap_remove(run) };
        let mut session = Session::new();
        session.settle();
        // The topics of the runs before have their ids.
        session.run(&Command::parse("metadata all v=12"));
        let differences = asked.run(|line| answered(&mut session, line));
        if !is_rewriting() {
            return differences;
        }
        self.script.blocks[before..before + asked.blocks.len()].clone_from_slice(&asked.blocks);
        std::fs::write(self.path.with_extension("txt"), self.script.to_string()).expect("it was read");
        Vec::new()
    }
}

/// Starts the broker on Kafka's files in the place of its own, after a stop in order or without one, and stops it; what
/// the files are then.
fn take_over(running: &mut Running, kafkas: &Files, clean: bool) -> Files {
    let id = |path: &&String| !path.ends_with("partition.metadata") && *path != "meta.properties";
    for path in recorded::on_disk(&running.disk, LOG_DIRECTORY).keys().filter(id) {
        recorded::remove(&running.disk, LOG_DIRECTORY, path);
    }
    for (path, bytes) in kafkas.iter().filter(|(path, _)| id(path)) {
        // Without these two nothing is known of how far the files can be trusted.
        if clean || (path != ".kafka_cleanshutdown" && path != "recovery-point-offset-checkpoint") {
            recorded::put(&running.disk, LOG_DIRECTORY, path, bytes);
        }
    }
    running.start_again();
    running.stop();
    recorded::on_disk(&running.disk, LOG_DIRECTORY)
}

/// The answer, but for what says nothing of the files: error messages, times, where the log starts.
fn answered(session: &mut Session, line: &str) -> String {
    let answer = session.run(&Command::parse(line));
    let mut out = String::new();
    for line in answer.lines() {
        let words = line.split_once(": ").map_or(line, |(head, _)| head).split(' ');
        let words = words.filter(|word| !word.starts_with("append-time=") && !word.starts_with("start="));
        let _ = writeln!(out, "{}", words.collect::<Vec<_>>().join(" "));
    }
    out
}

fn is_rewriting() -> bool {
    std::env::var(REWRITE).is_ok_and(|value| value == "1")
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/log_files")
}

/// All scripts, or the one that the environment names.
fn scenarios() -> Vec<PathBuf> {
    if let Ok(one) = std::env::var(ONE) {
        let name = one.split(':').next().expect("the first of some");
        return vec![folder().join(name)];
    }
    let mut paths = Vec::new();
    for release in RELEASES {
        let entries = std::fs::read_dir(folder().join(release)).expect("a folder for each release");
        let listed = entries.map(|entry| entry.expect("listed").path());
        paths.extend(listed.filter(|path| path.extension().is_some_and(|ending| ending == "txt")));
    }
    paths.sort();
    paths.iter().map(|path| path.with_extension("")).collect()
}

#[test]
fn every_file_is_what_kafka_wrote() {
    let (mut failures, mut same, mut masked) = (String::new(), 0, 0);
    for path in scenarios() {
        let scenario = Scenario::read(&path);
        let differences = if std::env::var(ORACLE).is_ok() {
            let one = std::env::var(ONE).expect("a Kafka is asked for one run of one script");
            let (_, run) = one.split_once(':').expect("RELEASE/NAME:RUN");
            scenario.ask(run.parse().expect("a number"))
        } else {
            let kept = match std::env::var(KAFKA_FILES) {
                Ok(folder) => recorded::in_folder(folder.as_ref()),
                Err(_) => recorded::in_folder(&scenario.path),
            };
            if is_rewriting() {
                recorded::keep(&kept, &scenario.path);
            }
            let compared = scenario.run(&kept);
            (same, masked) = (same + compared.same, masked + compared.masked);
            compared.differences
        };
        if !differences.is_empty() {
            let _ = writeln!(failures, "{}:\n{}", path.display(), differences.concat());
        }
    }
    show(same, masked);
    assert!(failures.is_empty(), "\n{failures}");
}

#[expect(clippy::print_stdout, reason = "the figures, for who asks with --nocapture")]
fn show(same: usize, masked: usize) {
    println!("{same} files are the same bytes, {masked} read alike behind the masks");
}

#[test]
fn a_move_between_directories_keeps_markers_and_what_is_known_of_transactions() {
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("../storage/tests/data/kafka-4.3.1-transactions");
    let mut kafkas = recorded::in_folder(&data);
    kafkas.retain(|path, _| path.starts_with("transactions-0/"));
    assert!(kafkas.keys().any(|path| path.ends_with(".txnindex")));
    let mut session = Session::new();
    let commands = [
        "start log.dirs=/kafka,/other",
        "copy transactions",
        "alter-replica-log-dirs dir2:transactions/0",
        "describe-log-dirs transactions/0 settled",
    ];
    let answers: Vec<_> = commands.iter().map(|line| session.run(&Command::parse(line))).collect();
    let running = session.end();
    let mut moved = recorded::on_disk(&running.disk, "/other");
    moved.retain(|path, _| path.starts_with("transactions-0/"));
    let compared = told::compare(&moved, &kafkas);
    assert!(compared.differences.is_empty(), "{answers:?}\n{}", compared.differences.concat());
    // The topic's id is another one.
    assert_eq!(compared.masked, 1, "{answers:?}");
}

#[test]
fn every_byte_behind_no_mask_counts() {
    for name in ["4.3.1/producers", "4.3.1/restarts"] {
        let files = recorded::in_folder(&folder().join(name));
        for (path, bytes) in files.iter().filter(|(_, bytes)| bytes.len() < 1000) {
            let mut other = files.clone();
            for at in 0..bytes.len() {
                other.insert(path.clone(), bytes.clone());
                // One that leaves a text a text.
                other.get_mut(path).expect("just put")[at] ^= 4;
                let is_seen = !told::compare(&other, &files).differences.is_empty();
                assert!(is_seen || is_masked(path, bytes, at), "{name}/{path}, byte {at}");
            }
        }
    }
}

/// Whether a mask may hide this byte.
fn is_masked(path: &str, bytes: &[u8], at: usize) -> bool {
    let line = bytes[..at].iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
    let begins_with = |begin: &str| bytes[line..].starts_with(begin.as_bytes()) && at >= line + begin.len();
    match path.rsplit_once('.').map_or(path, |(_, ending)| ending) {
        "metadata" => begins_with("topic_id: "),
        "properties" => ["#", "cluster.id=", "directory.id="].iter().any(|begin| begins_with(begin)),
        "kafka_cleanshutdown" => begins_with("{\"version\":0,"),
        "log" => {
            let starts = Batches::new(bytes).flatten().scan(0, |next, batch| {
                let start = *next;
                *next += batch.bytes().len();
                Some(start)
            });
            // The leader's epoch.
            starts.filter(|start| *start <= at).last().is_some_and(|start| (12..16).contains(&(at - start)))
        }
        // The order of the epochs stays.
        path => path.ends_with("leader-epoch-checkpoint"),
    }
}
