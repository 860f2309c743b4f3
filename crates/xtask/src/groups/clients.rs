//! The members: what each is called, what it needs, how it is started, and which Kafka still serves it.
//!
//! One program is one client; a row is a client, a protocol and a release.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::process;

/// A client in one protocol.
pub(super) struct Client {
    pub(super) name: &'static str,
    /// What `interop/install.sh` calls its needs.
    pub(super) needs: &'static str,
    /// The program, from the folder of what is installed.
    pub(super) program: fn(&Path) -> Command,
    /// The group protocol, as the program is told: `classic`, `consumer`, or `old` for the versions of 2016.
    pub(super) protocol: &'static str,
    /// Whether it speaks versions that Kafka no longer serves since 4.0.
    pub(super) before_4: bool,
}

/// A row of the table.
const fn row(name: &'static str, needs: &'static str, program: fn(&Path) -> Command, protocol: &'static str) -> Client {
    Client { name, needs, program, protocol, before_4: false }
}

/// A row of a client that Kafka no longer serves.
const fn old(name: &'static str, needs: &'static str, program: fn(&Path) -> Command, protocol: &'static str) -> Client {
    Client { name, needs, program, protocol, before_4: true }
}

pub(super) const CLIENTS: &[Client] = &[
    row("franz-go", "go", |into| go(into, "franzmember"), "classic"),
    row("sarama", "go", |into| go(into, "saramamember"), "classic"),
    old("sarama-0.10.2", "go", |into| go(into, "saramamember"), "old"),
    old("sarama-cluster", "go", |into| go(into, "clustermember"), "old"),
    row("confluent-kafka-go", "go", |into| go(into, "confluentmember"), "classic"),
    row("kafka-go", "go", |into| go(into, "kafkagomember"), "classic"),
    row("confluent-kafka", "python", |into| python(into, "python", "confluent_member.py"), "classic"),
    row("kafka-python", "python", |into| python(into, "python", "kafka_python_member.py"), "classic"),
    row("kafka-python-2.0", "python-old", |into| python(into, "python-old", "kafka_python_member.py"), "classic"),
    row("aiokafka", "python", |into| python(into, "python", "aiokafka_member.py"), "classic"),
    row("kafkajs", "node", node, "classic"),
    old("java-0.9.0.1", "java-0.9.0.1", |into| java(into, "0.9.0.1"), "classic"),
    old("java-0.10.0.1", "java-0.10.0.1", |into| java(into, "0.10.0.1"), "classic"),
    row("java-2.5.1", "java-2.5.1", |into| java(into, "2.5.1"), "classic"),
    row("java-3.9.1", "java-3.9.1", |into| java(into, "3.9.1"), "classic"),
    row("java", "java-4.3.1", |into| java(into, "4.3.1"), "classic"),
    row("franz-go-848", "go", |into| go(into, "franzmember"), "consumer"),
    row("confluent-kafka-go-848", "go", |into| go(into, "confluentmember"), "consumer"),
    row("confluent-kafka-848", "python", |into| python(into, "python", "confluent_member.py"), "consumer"),
    row("java-3.9.1-848", "java-3.9.1", |into| java(into, "3.9.1"), "consumer"),
    row("java-848", "java-4.3.1", |into| java(into, "4.3.1"), "consumer"),
];

fn go(into: &Path, program: &str) -> Command {
    Command::new(into.join("go").join(program))
}

fn python(into: &Path, environment: &str, script: &str) -> Command {
    let interpreter: PathBuf = into.join(environment).join("bin/python");
    let mut command = Command::new(interpreter);
    command.arg("-B").arg(process::root().join("interop/python").join(script));
    command
}

fn node(into: &Path) -> Command {
    let mut command = Command::new("node");
    command.env("NODE_PATH", into.join("node/node_modules")).env("KAFKAJS_NO_PARTITIONER_WARNING", "1");
    command.arg(process::root().join("interop/node/member.js"));
    command
}

/// Kafka's consumer of a release; what makes a Java program start soon counts, and what makes it fast later does not.
fn java(into: &Path, release: &str) -> Command {
    let libs = into.join("java").join(release);
    let mut command = Command::new("java");
    command.args(["-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Xshare:auto", "-Xmx64m"]);
    command.arg("-Dorg.slf4j.simpleLogger.defaultLogLevel=off");
    command.arg("-cp").arg(format!("{0}:{0}/*", libs.display())).arg("Member");
    command
}
