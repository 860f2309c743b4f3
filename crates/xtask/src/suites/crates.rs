//! The tests that a published crate carries, built and listed. Not those of Go modules, which are in `modules`.
//!
//! Cargo fetches and verifies it, by `interop/rust/Cargo.lock`; a copy is needed because cargo builds the tests only of
//! what it takes for a package of one's own.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use super::copied;
use super::running::Test;
use crate::{interop, process};

/// Fetches the crate and copies it; the folder of the copy.
fn copy(name: &str) -> Result<PathBuf, String> {
    let sources = process::root().join("interop/rust");
    let manifest = sources.join("Cargo.toml");
    let mut metadata = process::cargo(&["metadata", "--locked", "--format-version", "1", "--manifest-path"]);
    let metadata = process::output(metadata.arg(&manifest))?;
    let (version, from) = find(&metadata, name)?;
    copied::copy(name, &version, &from, "", |folder| prepare(folder, &sources.join(format!("{name}.lock"))))
}

/// The version and the folder of a package in what `cargo metadata` says.
fn find(metadata: &str, name: &str) -> Result<(String, PathBuf), String> {
    let metadata: Value = serde_json::from_str(metadata).map_err(|e| format!("cargo metadata: {e}"))?;
    let packages = metadata["packages"].as_array().into_iter().flatten();
    let package = packages.into_iter().find(|package| package["name"] == name);
    let package = package.ok_or(format!("interop/rust/Cargo.toml does not name {name}"))?;
    let manifest = package["manifest_path"].as_str().and_then(|path| Path::new(path).parent());
    match (package["version"].as_str(), manifest) {
        (Some(version), Some(folder)) => Ok((version.to_owned(), folder.to_owned())),
        _ => Err(format!("cargo metadata says neither version nor folder of {name}")),
    }
}

/// Makes a workspace of the copy, built by our toolchain; `lock` takes the place of its own where there is one.
fn prepare(folder: &Path, lock: &Path) -> std::io::Result<()> {
    let manifest = folder.join("Cargo.toml");
    let text = std::fs::read_to_string(&manifest)?;
    std::fs::write(&manifest, text + "\n[workspace]\n")?;
    if lock.exists() {
        std::fs::copy(lock, folder.join("Cargo.lock"))?;
    }
    match std::fs::remove_file(folder.join("rust-toolchain.toml")) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Fetches the crate, builds its test programs and lists their tests.
pub(super) fn tests(name: &str) -> Result<Vec<Test>, String> {
    interop::install("rust")?;
    built(&copy(name)?)
}

/// Builds the test programs in `folder` and lists their tests.
fn built(folder: &Path) -> Result<Vec<Test>, String> {
    let built = interop::folder().join("suites/build");
    let arguments = ["test", "--locked", "--no-run", "--test", "*", "--quiet", "--message-format", "json"];
    let mut cargo = process::cargo(&arguments);
    cargo.current_dir(folder).env("CARGO_TARGET_DIR", built);
    // Built once and run: neither debug information nor a cache for the next build is of use.
    cargo.env("CARGO_INCREMENTAL", "0").env("CARGO_PROFILE_DEV_DEBUG", "0");
    let messages = process::output(&mut cargo)?;
    let mut tests = Vec::new();
    for (program, path) in programs(&messages) {
        let mut list = Command::new(&path);
        let listed = process::output(list.args(["--list", "--format", "terse"]).current_dir(folder))?;
        let names = listed.lines().filter_map(|line| line.strip_suffix(": test"));
        tests.extend(names.map(|within| Test {
            name: format!("{program}::{within}"),
            program: path.clone(),
            within: within.to_owned(),
            folder: folder.to_owned(),
        }));
    }
    Ok(tests)
}

/// The names and paths of test programs in cargo's messages.
fn programs(messages: &str) -> Vec<(String, PathBuf)> {
    let messages = messages.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let built = messages.filter(|message| message["profile"]["test"] == true);
    built
        .filter_map(|message| {
            let name = message["target"]["name"].as_str()?;
            Some((name.to_owned(), message["executable"].as_str()?.into()))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_a_package_among_others() {
        let metadata = r#"{"packages":[
            {"name":"other","version":"9.9.9","manifest_path":"/r/other/Cargo.toml"},
            {"name":"rdkafka","version":"0.39.0","manifest_path":"/r/rdkafka-0.39.0/Cargo.toml"}]}"#;
        assert_eq!(find(metadata, "rdkafka"), Ok(("0.39.0".into(), "/r/rdkafka-0.39.0".into())));
        assert!(find(metadata, "rskafka").is_err());
    }

    #[test]
    fn takes_test_programs_and_nothing_else_from_what_was_built() {
        let messages = concat!(
            r#"{"reason":"compiler-artifact","target":{"name":"serde"},"profile":{"test":false},"executable":null}"#,
            "\n",
            r#"{"reason":"compiler-artifact","target":{"name":"client"},"profile":{"test":true},"executable":"/b/client-1"}"#,
            "\n",
            r#"{"reason":"build-finished","success":true}"#,
        );
        assert_eq!(programs(messages), [("client".to_owned(), PathBuf::from("/b/client-1"))]);
    }
}
