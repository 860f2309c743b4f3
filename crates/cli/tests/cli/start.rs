//! `ottla start` with the files that users bring along.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

use crate::support::{ottla, stderr, stdout};

/// A file of Kafka 0.8, and keys that came and went later.
const OLD: &str = "broker.id=4
zookeeper.connect=localhost:2181
zookeeper.connection.timeout.ms=6000
port=0
host.name=127.0.0.1
advertised.host.name=127.0.0.1
log.dir=logs
inter.broker.protocol.version=0.10.0
log.message.format.version=0.9.0
log.cleaner.enable=false
offsets.topic.replication.factor=1
";

/// Ends the broker with the test.
struct Ended(Child);

impl Drop for Ended {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn a_file_of_old_starts_a_broker_that_serves_and_says_once_what_has_no_effect() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("server.properties"), OLD).unwrap();
    let log = std::fs::File::create(directory.path().join("log")).unwrap();
    let mut broker = Ended(
        Command::new(env!("CARGO_BIN_EXE_ottla"))
            .args(["start", "--config", "server.properties"])
            .current_dir(directory.path())
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
            .unwrap(),
    );
    // It says where it listens when clients are served.
    let said = BufReader::new(broker.0.stdout.take().unwrap());
    let line = said.lines().map_while(Result::ok).find(|line| line.contains("listening on ")).expect("it starts");
    let address = line.split("listening on ").nth(1).and_then(|rest| rest.split(' ').next()).unwrap().to_owned();
    assert!(address.starts_with("127.0.0.1:") && !address.ends_with(":0"), "{line}");

    let created = ottla(directory.path(), &["topic", "create", "t", "--bootstrap", &address]);
    assert!(created.status.success(), "{}", stderr(&created));
    let listed = ottla(directory.path(), &["topic", "list", "--bootstrap", &address]);
    assert_eq!(stdout(&listed).trim(), "t");
    assert!(directory.path().join("logs/t-0").is_dir());

    let log = std::fs::read_to_string(directory.path().join("log")).unwrap();
    for key in ["zookeeper.connect", "zookeeper.connection.timeout.ms", "log.message.format.version"] {
        assert_eq!(log.matches(&format!(" {key}: ")).count(), 1, "{key} in {log}");
    }
}
