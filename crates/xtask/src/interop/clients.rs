//! The clients: what each is called, what it needs, and the command that runs it on an address.
//!
//! Old ones stand beside new ones: they speak versions of the protocol that new ones never send.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::process;

/// A client.
pub(super) struct Client {
    pub(super) name: &'static str,
    /// What `interop/install.sh` calls its needs.
    pub(super) needs: &'static str,
    /// The command, from the folder of what is installed; the address of the broker is appended.
    pub(super) command: fn(&Path) -> Command,
}

pub(super) const CLIENTS: &[Client] = &[
    Client { name: "kcat", needs: "kcat", command: |_| script("python3".into(), "kcat.py") },
    Client { name: "confluent-kafka", needs: "python", command: |into| script(venv(into, "python"), "librdkafka.py") },
    Client { name: "kafka-python", needs: "python", command: |into| script(venv(into, "python"), "kafka_python.py") },
    Client {
        name: "kafka-python-2.0",
        needs: "python-old",
        command: |into| script(venv(into, "python-old"), "kafka_python.py"),
    },
    Client { name: "aiokafka", needs: "python", command: |into| script(venv(into, "python"), "aio_kafka.py") },
    Client { name: "franz-go", needs: "go", command: |into| Command::new(into.join("go/franz")) },
    Client { name: "sarama", needs: "go", command: |into| Command::new(into.join("go/sarama")) },
    Client { name: "sarama-0.10", needs: "go", command: |into| Command::new(into.join("go/sarama010")) },
    Client { name: "confluent-kafka-go", needs: "go", command: |into| Command::new(into.join("go/confluent")) },
    Client { name: "kafka-go", needs: "go", command: |into| Command::new(into.join("go/kafkago")) },
    Client { name: "kafkajs", needs: "node", command: node },
    Client { name: "java-0.8.2.2", needs: "java-0.8.2.2", command: |into| java(into, "0.8.2.2", "Interop08") },
    Client { name: "java-0.9.0.1", needs: "java-0.9.0.1", command: |into| java(into, "0.9.0.1", "Interop08") },
    Client { name: "java-0.10.0.1", needs: "java-0.10.0.1", command: |into| java(into, "0.10.0.1", "Interop010") },
    Client { name: "java-0.10.2.2", needs: "java-0.10.2.2", command: |into| java(into, "0.10.2.2", "Interop0102") },
    Client { name: "java-0.11.0.3", needs: "java-0.11.0.3", command: |into| java(into, "0.11.0.3", "Interop011") },
    Client { name: "java-1.1.1", needs: "java-1.1.1", command: |into| java(into, "1.1.1", "Interop011") },
    Client { name: "java-2.5.1", needs: "java-2.5.1", command: |into| java(into, "2.5.1", "Interop011") },
    Client { name: "java-3.9.1", needs: "java-3.9.1", command: |into| java(into, "3.9.1", "Interop") },
    Client { name: "java", needs: "java-4.3.1", command: |into| java(into, "4.3.1", "Interop") },
];

fn venv(into: &Path, name: &str) -> PathBuf {
    into.join(name).join("bin/python")
}

fn script(interpreter: PathBuf, script: &str) -> Command {
    let mut command = Command::new(interpreter);
    command.arg("-B").arg(process::root().join("interop/python").join(script));
    command
}

fn node(into: &Path) -> Command {
    let mut command = Command::new("node");
    command.env("NODE_PATH", into.join("node/node_modules")).env("KAFKAJS_NO_PARTITIONER_WARNING", "1");
    command.arg(process::root().join("interop/node/kafkajs.js"));
    command
}

/// Kafka's clients of a release, by the program that fits them.
fn java(into: &Path, release: &str, program: &str) -> Command {
    let libs = into.join("java").join(release);
    let name =
        if program == "Interop" && release.starts_with('4') { "java".to_owned() } else { format!("java-{release}") };
    let mut command = Command::new("java");
    command.arg("-Dorg.slf4j.simpleLogger.defaultLogLevel=error").arg(format!("-Dinterop.name={name}"));
    command.arg("-cp").arg(format!("{0}:{0}/*", libs.display())).arg(program);
    command
}
