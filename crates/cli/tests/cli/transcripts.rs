//! What commands print, as golden transcripts: `tests/transcripts/*.txt`, each against a broker of its own.
//!
//! A command is a command line without `--bootstrap`. `lines a b | produce t` gives a command these words as lines of
//! its input. What is printed to stderr stands behind `! `, an exit code that is not 0 last. Ids and ports, which are
//! new each time, are told as `ID` and `PORT`; `…` is a time or a rate.

use std::io::{BufRead, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use ottla_testkit::run_scripts;

#[test]
fn commands_print_what_their_transcripts_say() {
    run_scripts(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/transcripts"), || {
        let broker = Broker::start();
        move |line: &str| broker.run(line)
    });
}

/// A broker on a free port, which ends with the test.
struct Broker {
    process: Child,
    address: String,
    directory: tempfile::TempDir,
}

impl Broker {
    fn start() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let mut process = Command::new(env!("CARGO_BIN_EXE_ottla"))
            .args(["start", "listeners=PLAINTEXT://127.0.0.1:0", "group.initial.rebalance.delay.ms=0"])
            .args(["ottla.http.listener=", "offsets.topic.num.partitions=2"])
            .current_dir(directory.path())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let said = BufReader::new(process.stdout.take().unwrap());
        let line = said.lines().map_while(Result::ok).find(|line| line.contains("listening on ")).expect("it starts");
        let address = line.split("listening on ").nth(1).and_then(|rest| rest.split(' ').next()).unwrap().to_owned();
        Self { process, address, directory }
    }

    fn run(&self, line: &str) -> String {
        let (input, line) = line.split_once(" | ").unwrap_or(("", line));
        let input: String = input.split_whitespace().skip(1).map(|word| format!("{word}\n")).collect();
        let mut child = self.command(self.directory.path(), line);
        child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
        let output = child.wait_with_output().unwrap();
        let mut text = String::from_utf8(output.stdout).unwrap();
        for line in String::from_utf8(output.stderr).unwrap().lines() {
            text += &format!("! {line}\n");
        }
        if let Some(code) = output.status.code().filter(|code| *code != 0) {
            text += &format!("exit code {code}\n");
        }
        self.settled(&text)
    }

    fn command(&self, directory: &Path, line: &str) -> Child {
        Command::new(env!("CARGO_BIN_EXE_ottla"))
            .args(line.split_whitespace())
            .env("OTTLA_BOOTSTRAP", &self.address)
            .current_dir(directory)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap()
    }

    /// The text without what is new each time.
    fn settled(&self, text: &str) -> String {
        let port = self.address.rsplit(':').next().unwrap();
        let text = text.replace(&format!(":{port}"), ":PORT");
        let mut lines = Vec::new();
        for line in text.lines() {
            lines.push(match line.split_once(" written to ") {
                Some((count, rest)) => format!("{count} written to {} …", rest.split(' ').next().unwrap()),
                None => line.to_owned(),
            });
        }
        lines.join("\n") + if lines.is_empty() { "" } else { "\n" }
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
