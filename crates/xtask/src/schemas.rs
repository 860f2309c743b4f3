//! `cargo xtask schemas RELEASE CLASSPATH [--write]`: prints what a Kafka release says of its messages and records,
//! and compares it with the facts that the tests of `protocol` and `wire` go by. Needs Java 17.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::process::{output, root};

/// Prints and compares.
pub(crate) fn run(arguments: &[String]) -> Result<(), String> {
    let (release, classpath, write) = match arguments {
        [release, classpath] => (release, classpath, false),
        [release, classpath, flag] if flag == "--write" => (release, classpath, true),
        _ => return Err("usage: cargo xtask schemas RELEASE CLASSPATH [--write]".to_owned()),
    };
    let facts = |name: &str| root().join(format!("crates/{name}/tests/facts/kafka-{release}.txt"));
    let mut differ = Vec::new();
    let messages = facts("protocol");
    // A release may have APIs that its file leaves out on purpose; facts/README.md says which.
    let names = titles(&messages)?;
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    differ.extend(settle(&messages, &print(classpath, &names)?, write)?);
    let records = facts("wire");
    if records.exists() || write {
        differ.extend(settle(&records, &print(classpath, &["--records"])?, write)?);
    }
    if differ.is_empty() { Ok(()) } else { Err(differ.join("\n")) }
}

fn print(classpath: &str, arguments: &[&str]) -> Result<String, String> {
    let printer = root().join("crates/protocol/tests/facts/PrintSchemas.java");
    output(Command::new("java").args(["-cp", classpath]).arg(printer).args(arguments))
}

/// The APIs that a file has facts of; none if there is no such file yet, which stands for all.
fn titles(file: &Path) -> Result<BTreeSet<String>, String> {
    if !file.exists() {
        return Ok(BTreeSet::new());
    }
    let text = read(file)?;
    let titles = text.lines().filter(|line| !line.starts_with(' '));
    Ok(titles.filter_map(|line| line.split(' ').next()).map(str::to_owned).collect())
}

/// Writes what was printed, or says where it differs from the file.
fn settle(file: &PathBuf, printed: &str, write: bool) -> Result<Option<String>, String> {
    if write {
        fs::write(file, printed).map_err(|e| format!("{}: {e}", file.display()))?;
        return Ok(None);
    }
    let kept = read(file)?;
    let line = kept.lines().zip(printed.lines()).position(|(kept, printed)| kept != printed);
    let line = line.unwrap_or_else(|| kept.lines().count().min(printed.lines().count())) + 1;
    Ok((kept != printed).then(|| format!("{}:{line}: the release prints something else from here", file.display())))
}

fn read(file: &Path) -> Result<String, String> {
    fs::read_to_string(file).map_err(|e| format!("{}: {e}", file.display()))
}
