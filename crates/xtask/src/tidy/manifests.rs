//! What every crate's folder must hold: the workspace's lints, and in the pure crates the ban on the outside world.

use std::collections::BTreeSet;

use super::edges::quoted;
use super::{Breach, File};

/// The clippy settings of the whole workspace.
const ROOT_SETTINGS: &str = "clippy.toml";
/// The pure crate whose settings are the others' too.
const PURE_MODEL: &str = "crates/types/clippy.toml";
/// Pure crates that are machines: what they say must not depend on the order of a hash map.
const MACHINES: [&str; 3] = ["metadata", "controller", "replication"];

/// Runs every rule of this file.
pub(super) fn check(files: &[File]) -> Vec<Breach> {
    let mut breaches: Vec<Breach> = files.iter().filter_map(lints).collect();
    breaches.extend(pure(files));
    breaches
}

/// A crate without this line has none of the workspace's lints.
fn lints(file: &File) -> Option<Breach> {
    let inside = file.path.strip_prefix("crates/")?.strip_suffix("/Cargo.toml")?;
    if inside.contains('/') {
        return None;
    }
    let mut lines = file.text.lines().skip_while(|line| line.trim() != "[lints]").skip(1);
    let inherits = lines.next().is_some_and(|line| line.trim() == "workspace = true");
    (!inherits).then(|| file.breach(1, "lints", "add [lints] with workspace = true"))
}

/// Every pure crate that ARCHITECTURE.md names has a `clippy.toml` that keeps the world out.
///
/// A crate's file takes the place of the root's, so it repeats the root's settings; all pure crates repeat those of
/// `types` and may add to them.
fn pure(files: &[File]) -> Vec<Breach> {
    let at = |path: &str| files.iter().find(|file| file.path == path);
    let (Some(page), Some(root)) = (at("ARCHITECTURE.md"), at(ROOT_SETTINGS)) else { return Vec::new() };
    let mut breaches = Vec::new();
    let Some(model) = at(PURE_MODEL) else {
        return vec![root.breach(1, "pure", format!("{PURE_MODEL} is not there"))];
    };
    breaches.extend(missing(root, model));
    for name in pure_crates(page) {
        let (manifest, path) = (format!("crates/{name}/Cargo.toml"), format!("crates/{name}/clippy.toml"));
        let Some(manifest) = at(&manifest) else { continue };
        match at(&path) {
            None => breaches.push(manifest.breach(1, "pure", format!("{path} is not there: copy {PURE_MODEL}"))),
            Some(file) => {
                breaches.extend(missing(model, file));
                if MACHINES.contains(&name.as_str()) && !bans_hash_order(file) {
                    breaches.push(file.breach(1, "pure", "ban std's HashMap and HashSet by disallowed-types"));
                }
            }
        }
    }
    breaches
}

/// The settings of `model` that `file` does not repeat.
fn missing(model: &File, file: &File) -> Vec<Breach> {
    let lines = settings(model).filter(|line| !settings(file).any(|other| other == *line));
    lines.map(|line| file.breach(1, "pure", format!("repeat this line of {}: {line}", model.path))).collect()
}

fn settings(file: &File) -> impl Iterator<Item = &str> {
    file.text.lines().filter(|line| !line.is_empty() && !line.starts_with('#'))
}

fn bans_hash_order(file: &File) -> bool {
    let bans = |name: &str| settings(file).any(|line| line.contains(&format!("std::collections::{name}\"")));
    settings(file).any(|line| line.starts_with("disallowed-types")) && bans("HashMap") && bans("HashSet")
}

/// The crates of the rule "... do no I/O".
fn pure_crates(page: &File) -> BTreeSet<String> {
    let rule =
        page.text.lines().find_map(|line| line.strip_prefix("- `").map(|_| line).filter(|l| l.contains("do no I/O")));
    rule.map(|line| quoted(line.split("do no I/O").next().unwrap_or_default())).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::super::tests::file;
    use super::*;

    #[test]
    fn a_crate_without_the_workspace_lints_is_found() {
        assert!(lints(&file("crates/a/Cargo.toml", "[package]\nname = \"a\"\n")).is_some());
        assert!(lints(&file("crates/a/Cargo.toml", "[lints]\nrust.unsafe_code = \"allow\"\n")).is_some());
        assert_eq!(lints(&file("crates/a/Cargo.toml", "[lints]\nworkspace = true\n")), None);
        assert_eq!(lints(&file("crates/a/fuzz/Cargo.toml", "[package]\n")), None);
    }

    const MODEL: &str = "limit = 70\nbans = [\n  { path = \"now\" },\n]\n";
    const HASHES: &str = "disallowed-types = [\n  { path = \"std::collections::HashMap\" },\n  { path = \"std::collections::HashSet\" },\n]\n";

    /// What is found if `types` has `model` and `metadata` has `machine`.
    fn found(model: &str, machine: Option<&str>) -> Vec<String> {
        let mut files = vec![
            file("ARCHITECTURE.md", "- `types`, `metadata` do no I/O, start no task.\n- Only `cli` prints.\n"),
            file("clippy.toml", "limit = 70\n"),
            file("crates/types/Cargo.toml", ""),
            file("crates/types/clippy.toml", model),
            file("crates/metadata/Cargo.toml", ""),
        ];
        files.extend(machine.map(|text| file("crates/metadata/clippy.toml", text)));
        pure(&files).into_iter().map(|breach| breach.to_string()).collect()
    }

    #[test]
    fn pure_crates_with_their_bans_pass() {
        assert_eq!(found(MODEL, Some(&format!("{MODEL}{HASHES}"))), [""; 0]);
    }

    #[test]
    fn missing_or_weaker_bans_are_found() {
        for (model, machine, expected) in [
            (MODEL, None, "crates/metadata/Cargo.toml:1: pure: crates/metadata/clippy.toml is not there"),
            (MODEL, Some(MODEL.to_owned()), "crates/metadata/clippy.toml:1: pure: ban std's HashMap"),
            (
                MODEL,
                Some(format!("limit = 70\nbans = [\n]\n{HASHES}")),
                "crates/metadata/clippy.toml:1: pure: repeat this line of",
            ),
            (
                "x = 1\n",
                Some(format!("x = 1\n{HASHES}")),
                "crates/types/clippy.toml:1: pure: repeat this line of clippy.toml: limit",
            ),
        ] {
            let found = found(model, machine.as_deref());
            assert!(found.len() == 1 && found[0].starts_with(expected), "{expected}: {found:?}");
        }
    }
}
