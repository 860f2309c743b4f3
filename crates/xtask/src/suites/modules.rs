//! The tests that a published Go module carries, built and listed. Not those of crates, which are in `crates`.
//!
//! Go fetches the module and verifies it by `interop/go/go.sum`, and what its tests need by the module's own `go.sum`.
//! A copy is built, since some tests have a broker's address in their text: `REPLACED` says what is written in its place.

use std::path::Path;
use std::process::Command;

use serde_json::Value;

use super::copied;
use super::running::{self, Test};
use crate::process;

/// A module with tests.
#[derive(Debug)]
pub(crate) struct Module {
    /// As Go names it.
    pub(super) path: &'static str,
    /// The packages whose tests ask a broker: folder, and the name that the tests' files give it.
    pub(super) packages: &'static [(&'static str, &'static str)],
    /// Whether `localhost:9092` stands in the tests' text.
    pub(super) fixed_address: bool,
}

/// What stands in the text of tests that know where the broker is, and what takes its place: the functions of
/// `interop/go/_address/address_test.go`. Each has to occur.
const REPLACED: &[(&str, &str)] = &[
    (r#""localhost:9092""#, r#"brokerAt("localhost")"#),
    (r#""127.0.0.1:9092""#, r#"brokerAt("127.0.0.1")"#),
    (r#""example.com:9092""#, r#"brokerAt("example.com")"#),
    (r#"address:  "example.com""#, r#"address: brokerAt("example.com")"#),
    (r#"TCP("localhost")"#, r#"TCP(brokerAt("localhost"))"#),
    ("Port: 9092", "Port: brokerPort"),
    ("Port != 9092", "Port != brokerPort"),
    ("const broker = brokerAt", "var broker = brokerAt"),
    ("const (\n\t\ttcp ", "var (\n\t\ttcp "),
];
/// Tests that are left as they are: one that reads addresses and asks nobody, and examples.
const LEFT: [&str; 2] = ["address_test.go", "example_"];

/// Fetches the module, builds the test programs of its packages and lists their tests.
pub(super) fn tests(name: &str, module: &Module) -> Result<Vec<Test>, String> {
    let sources = process::root().join("interop/go");
    let mut download = Command::new("go");
    download.args(["mod", "download", "-json", module.path]).current_dir(&sources);
    let told = process::output(&mut download).map_err(|why| format!("{why}\nthe tests of Go modules need Go 1.26"))?;
    let (version, from) = found(&told)?;
    let address = sources.join("_address/address_test.go");
    let address = std::fs::read_to_string(&address).map_err(|e| format!("{}: {e}", address.display()))?;
    let recipe = if module.fixed_address { format!("{REPLACED:?}{LEFT:?}{address}") } else { String::new() };
    let copy = copied::copy(name, &version, Path::new(&from), &recipe, |folder| match module.fixed_address {
        true => replace_address(folder, module.packages, &address),
        false => Ok(()),
    })?;
    let mut tests = Vec::new();
    for (package, called) in module.packages {
        tests.extend(built(&copy.join(package), &copy.join(format!("{called}.test")), called)?);
    }
    Ok(tests)
}

/// The version and the folder in what `go mod download -json` says.
fn found(told: &str) -> Result<(String, String), String> {
    let told: Value = serde_json::from_str(told).map_err(|e| format!("go mod download: {e}"))?;
    match (told["Version"].as_str(), told["Dir"].as_str()) {
        (Some(version), Some(folder)) => Ok((version.to_owned(), folder.to_owned())),
        _ => Err("go mod download says neither version nor folder".to_owned()),
    }
}

/// Lets the tests of all packages ask the broker that is told to them, instead of the one on port 9092.
fn replace_address(folder: &Path, packages: &[(&str, &str)], address: &str) -> std::io::Result<()> {
    let mut occurred = [false; REPLACED.len()];
    for (package, called) in packages {
        let package = folder.join(package);
        for entry in std::fs::read_dir(&package)? {
            let path = entry?.path();
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            if name.ends_with("_test.go") && !LEFT.iter().any(|left| name.starts_with(left)) {
                std::fs::write(&path, replaced(std::fs::read_to_string(&path)?, &mut occurred))?;
            }
        }
        std::fs::write(
            package.join("broker_address_test.go"),
            address.replace("package main", &format!("package {called}")),
        )?;
    }
    match REPLACED.iter().zip(occurred).find(|(_, occurred)| !occurred) {
        Some(((text, _), _)) => {
            Err(std::io::Error::other(format!("no test has {text:?}: crates/xtask/src/suites/modules.rs")))
        }
        None => Ok(()),
    }
}

fn replaced(mut text: String, occurred: &mut [bool; REPLACED.len()]) -> String {
    for ((from, to), occurred) in REPLACED.iter().zip(occurred) {
        *occurred |= text.contains(from);
        text = text.replace(from, to);
    }
    text
}

/// Builds the test program of the package in `folder` and lists its tests.
fn built(folder: &Path, program: &Path, package: &str) -> Result<Vec<Test>, String> {
    let mut build = Command::new("go");
    // A module's own go.mod may be of an older form than this Go writes; the copy may be brought up to date.
    build.args(["test", "-c", "-mod=mod", "-o"]).arg(program).arg(".").current_dir(folder).env("CGO_ENABLED", "0");
    process::output(&mut build)?;
    let mut list = Command::new(program);
    list.args(["-test.list", "^Test"]).current_dir(folder).env("KAFKA_ADDRESS", running::NOBODY);
    let listed = process::output(&mut list)?;
    let names = listed.lines().filter(|line| line.starts_with("Test"));
    Ok(names
        .map(|within| Test {
            name: format!("{package}::{within}"),
            program: program.to_owned(),
            within: within.to_owned(),
            folder: folder.to_owned(),
        })
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_where_go_put_a_module() {
        let told = r#"{"Path":"example.org/m","Version":"v1.2.3","Dir":"/m@v1.2.3","Sum":"h1:x"}"#;
        assert_eq!(found(told), Ok(("v1.2.3".into(), "/m@v1.2.3".into())));
        assert!(found(r#"{"Path":"example.org/m","Error":"no"}"#).is_err());
    }

    #[test]
    fn addresses_are_replaced_and_nothing_else() {
        let mut occurred = [false; REPLACED.len()];
        let text =
            "\tconst (\n\t\ttcp   = \"tcp\"\n\t\tkafka = \"localhost:9092\"\n\t)\n\tb.Port != 9092\n\tPort: 9093";
        let expected = "\tvar (\n\t\ttcp   = \"tcp\"\n\t\tkafka = brokerAt(\"localhost\")\n\t)\n\tb.Port != brokerPort\n\tPort: 9093";
        assert_eq!(replaced(text.to_owned(), &mut occurred), expected);
        assert_eq!(occurred.iter().filter(|occurred| **occurred).count(), 3);
    }
}
