//! What commands print, as golden transcripts: `tests/transcripts/*.txt`, each against a broker of its own.
//!
//! A command is a command line without `--bootstrap`. `lines a b | produce t` gives a command these words as lines of
//! its input. `begin NAME consume t --group g` starts a member and waits until it has said what it reads; `end NAME`
//! interrupts it and shows what it printed. What is printed to stderr stands behind `! `, an exit code that is not 0
//! last. Ids and ports, which are new each time, are told as zeros and `PORT`; `…` is a time or a rate.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::path::Path;
use std::process::{Child, ChildStderr, Command, Stdio};

use ottla_testkit::run_scripts;

/// What stands for a UUID, of the same length, so that columns stay where they are.
const UUID: &str = "00000000-0000-0000-0000-000000000000";

#[test]
fn commands_print_what_their_transcripts_say() {
    run_scripts(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/transcripts"), || {
        let mut broker = Broker::start();
        move |line: &str| broker.run(line)
    });
}

/// A broker on a free port, which ends with the test.
struct Broker {
    process: Child,
    address: String,
    directory: tempfile::TempDir,
    /// Commands that run meanwhile, and what they have said.
    begun: BTreeMap<String, (Child, BufReader<ChildStderr>)>,
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
        Self { process, address, directory, begun: BTreeMap::new() }
    }

    fn run(&mut self, line: &str) -> String {
        if let Some((name, line)) = line.strip_prefix("begin ").and_then(|rest| rest.split_once(' ')) {
            return self.begin(name, line);
        }
        if let Some(name) = line.strip_prefix("end ") {
            return self.end(name);
        }
        let (input, line) = line.split_once(" | ").unwrap_or(("", line));
        let input: String = input.split_whitespace().skip(1).map(|word| format!("{word}\n")).collect();
        let mut child = self.command(self.directory.path(), line);
        child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
        let output = child.wait_with_output().unwrap();
        self.told(&output.stdout, &String::from_utf8(output.stderr).unwrap(), output.status.code())
    }

    fn begin(&mut self, name: &str, line: &str) -> String {
        let mut child = self.command(self.directory.path(), line);
        let mut stderr = BufReader::new(child.stderr.take().unwrap());
        let mut said = String::new();
        while !said.contains("this member reads") {
            assert_ne!(stderr.read_line(&mut said).unwrap(), 0, "it ended: {said}");
        }
        self.begun.insert(name.to_owned(), (child, stderr));
        self.told(b"", &said, None)
    }

    fn end(&mut self, name: &str) -> String {
        let (child, mut stderr) = self.begun.remove(name).expect("it was begun");
        let interrupted = Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
        assert!(interrupted.success());
        let mut said = String::new();
        stderr.read_to_string(&mut said).unwrap();
        let output = child.wait_with_output().unwrap();
        self.told(&output.stdout, &said, output.status.code())
    }

    fn told(&self, stdout: &[u8], stderr: &str, code: Option<i32>) -> String {
        let mut text = String::from_utf8(stdout.to_vec()).unwrap();
        for line in stderr.lines() {
            text += format!("! {line}").trim_end();
            text += "\n";
        }
        if let Some(code) = code.filter(|code| *code != 0) {
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
            let line = match line.split_once(" written to ") {
                Some((count, rest)) => format!("{count} written to {} …", rest.split(' ').next().unwrap()),
                None => line.to_owned(),
            };
            lines.push(without_uuid(&line));
        }
        lines.join("\n") + if lines.is_empty() { "" } else { "\n" }
    }
}

/// The line with the UUID in it, if there is one, as that of nobody.
fn without_uuid(line: &str) -> String {
    let is_uuid = |text: &str| {
        text.bytes().zip(UUID.bytes()).all(|(byte, model)| match model {
            b'-' => byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        })
    };
    let at = |at: &usize| line.get(*at..at + UUID.len()).is_some_and(is_uuid);
    match (0..line.len()).find(at) {
        Some(at) => format!("{}{UUID}{}", &line[..at], &line[at + UUID.len()..]),
        None => line.to_owned(),
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        for (child, _) in self.begun.values_mut() {
            let _ = child.kill();
            let _ = child.wait();
        }
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
