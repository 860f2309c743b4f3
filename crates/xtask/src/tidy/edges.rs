//! The crates and their edges against ARCHITECTURE.md: its table, and its rule on who links the async runtime.
//!
//! An edge is a dependency of one workspace crate on another that its users build too: normal or build, not dev.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::{Breach, File, file_at};
use crate::process;

const ARCHITECTURE: &str = "ARCHITECTURE.md";
const BEGIN: &str = "<!-- edges:begin -->";
const END: &str = "<!-- edges:end -->";

/// What a crate depends on, dependencies of tests left out.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
struct Uses {
    /// Crates of the workspace, by the names of their folders.
    own: BTreeSet<String>,
    /// Whether it names the async runtime or a part of it.
    tokio: bool,
}

/// A row of the table: where it stands, and the crates that this one may use.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Row {
    line: usize,
    uses: BTreeSet<String>,
}

/// Compares the table and the rule on the runtime with the real graph.
pub(super) fn check(files: &[File]) -> Result<Vec<Breach>, String> {
    let page = file_at(files, ARCHITECTURE)?;
    let graph = graph()?;
    let mut breaches = compare(page, &table(page)?, &graph);
    breaches.extend(runtime(page, &graph)?);
    Ok(breaches)
}

/// The graph that cargo sees: folder name of each workspace crate, and what it uses.
fn graph() -> Result<BTreeMap<String, Uses>, String> {
    let text = process::output(&mut process::cargo(&["metadata", "--format-version", "1", "--no-deps"]))?;
    let metadata: Value = serde_json::from_str(&text).map_err(|e| format!("cargo metadata: {e}"))?;
    read_graph(&metadata).ok_or_else(|| "cargo metadata has another shape than expected".to_owned())
}

fn read_graph(metadata: &Value) -> Option<BTreeMap<String, Uses>> {
    let mut graph = BTreeMap::new();
    for package in metadata["packages"].as_array()? {
        let name = folder(package["manifest_path"].as_str()?.strip_suffix("/Cargo.toml")?);
        let uses: &mut Uses = graph.entry(name).or_default();
        for dependency in package["dependencies"].as_array()? {
            if dependency["kind"].as_str() == Some("dev") {
                continue;
            }
            if let Some(path) = dependency["path"].as_str() {
                uses.own.insert(folder(path));
            }
            let name = dependency["name"].as_str()?;
            uses.tokio |= name == "tokio" || name.starts_with("tokio-");
        }
    }
    Some(graph)
}

/// The last part of a path.
fn folder(path: &str) -> String {
    path.rsplit('/').next().unwrap_or(path).to_owned()
}

/// Reads the rows between the two marks: `` | `crate` | what | a, b | ``.
fn table(page: &File) -> Result<BTreeMap<String, Row>, String> {
    let marked = page.lines().skip_while(|(_, line)| *line != BEGIN).take_while(|(_, line)| *line != END);
    let mut rows = BTreeMap::new();
    for (line, text) in marked {
        let cells: Vec<&str> = text.trim().trim_matches('|').split('|').map(str::trim).collect();
        let Some(name) = cells[0].strip_prefix('`').and_then(|cell| cell.strip_suffix('`')) else { continue };
        let uses = cells.last().expect("split gives at least one").split(',').map(|name| name.trim().to_owned());
        let uses = uses.filter(|name| name != "–" && !name.is_empty()).collect();
        if rows.insert(name.to_owned(), Row { line, uses }).is_some() {
            return Err(format!("{ARCHITECTURE}:{line}: {name} has two rows"));
        }
    }
    if rows.is_empty() { Err(format!("{ARCHITECTURE} has no table between {BEGIN} and {END}")) } else { Ok(rows) }
}

/// Every crate has its row with exactly its edges, every row its crate, and a row uses only rows above it.
fn compare(page: &File, rows: &BTreeMap<String, Row>, graph: &BTreeMap<String, Uses>) -> Vec<Breach> {
    let mut breaches = Vec::new();
    for (name, uses) in graph {
        let Some(row) = rows.get(name) else {
            breaches.push(page.breach(1, "edges", format!("crate {name} has no row: add one in its place")));
            continue;
        };
        for edge in uses.own.difference(&row.uses) {
            let what = format!("{name} uses {edge}, which its row does not name: a new edge is a commit of its own");
            breaches.push(page.breach(row.line, "edges", what));
        }
        for edge in row.uses.difference(&uses.own) {
            let what = format!("{name} does not use {edge}: take it from the row");
            breaches.push(page.breach(row.line, "edges", what));
        }
    }
    for (name, row) in rows {
        if !graph.contains_key(name) {
            breaches.push(page.breach(row.line, MISSING, format!("there is no crate {name}: take the row out")));
        }
        for used in &row.uses {
            if rows.get(used).is_none_or(|other| other.line >= row.line) {
                breaches.push(page.breach(row.line, "edges", format!("{name} may use {used} only from a row above")));
            }
        }
    }
    breaches
}

/// The rule that a row without a crate breaks.
const MISSING: &str = "edges-missing";

/// Only the crates that ARCHITECTURE.md names link the async runtime.
fn runtime(page: &File, graph: &BTreeMap<String, Uses>) -> Result<Vec<Breach>, String> {
    let rule = page.lines().find(|(_, line)| line.starts_with("- Only ") && line.contains("link the async runtime"));
    let (number, line) = rule.ok_or(format!("{ARCHITECTURE} has no line \"- Only ... link the async runtime\""))?;
    let named = quoted(line.split("link the async runtime").next().unwrap_or_default());
    let linking = graph.iter().filter(|(name, uses)| uses.tokio && !named.contains(*name));
    let what = |name| format!("{name} links the async runtime, which this rule forbids it");
    Ok(linking.map(|(name, _)| page.breach(number, "runtime", what(name))).collect())
}

/// The words in backticks.
pub(super) fn quoted(text: &str) -> BTreeSet<String> {
    text.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::super::{files, tests::file};
    use super::*;

    const PAGE: &str = "
<!-- edges:begin -->
| crate | what it is | may use |
|---|---|---|
| `a` | first | – |
| `b` | second | a |
| `c` | third | a, b |
<!-- edges:end -->
| `z` | not in the table | a |
- Only `b`, `c` link the async runtime (tokio). `a` does not.
";

    /// A graph from `crate: uses uses`, with `tokio` standing for itself.
    fn graph(crates: &[&str]) -> BTreeMap<String, Uses> {
        let read = |line: &&str| {
            let (name, uses) = line.split_once(':').expect("name: uses");
            let (tokio, own) = uses.split_whitespace().map(str::to_owned).partition::<Vec<_>, _>(|u| u == "tokio");
            (name.to_owned(), Uses { own: own.into_iter().collect(), tokio: !tokio.is_empty() })
        };
        crates.iter().map(read).collect()
    }

    fn breaches(page: &str, crates: &[&str]) -> Vec<String> {
        let page = file(ARCHITECTURE, page);
        let mut found = compare(&page, &table(&page).expect("a table"), &graph(crates));
        found.extend(runtime(&page, &graph(crates)).expect("a rule"));
        found.into_iter().map(|breach| breach.to_string()).collect()
    }

    #[test]
    fn a_graph_as_the_table_says_passes() {
        assert_eq!(breaches(PAGE, &["a:", "b: a tokio", "c: a b"]), [""; 0]);
    }

    #[test]
    fn every_difference_is_found_at_its_row() {
        let cases: [(&[&str], &str); 5] = [
            (&["a:", "b:", "c: a b"], "ARCHITECTURE.md:6: edges: b does not use a"),
            (&["a: b", "b: a", "c: a b"], "ARCHITECTURE.md:5: edges: a uses b"),
            (&["a:", "b: a", "c: a b", "z:"], "ARCHITECTURE.md:1: edges: crate z has no row"),
            (&["a:", "b: a"], "ARCHITECTURE.md:7: edges-missing: there is no crate c"),
            (&["a: tokio", "b: a", "c: a b"], "ARCHITECTURE.md:10: runtime: a links the async runtime"),
        ];
        for (crates, expected) in cases {
            let found = breaches(PAGE, crates);
            assert!(found.len() == 1 && found[0].starts_with(expected), "{expected}: {found:?}");
        }
    }

    #[test]
    fn arrows_point_upwards_only() {
        let page = PAGE.replace("| first | – |", "| first | b |");
        let found = breaches(&page, &["a: b", "b: a", "c: a b"]);
        assert_eq!(found, ["ARCHITECTURE.md:5: edges: a may use b only from a row above"]);
    }

    #[test]
    fn a_page_without_its_table_or_with_a_row_twice_is_refused() {
        assert!(table(&file(ARCHITECTURE, "| `a` | x | – |")).is_err());
        assert!(table(&file(ARCHITECTURE, &PAGE.replace("`c`", "`b`"))).is_err());
        assert!(runtime(&file(ARCHITECTURE, "no rule"), &graph(&[])).is_err());
    }

    #[test]
    fn dependencies_of_tests_and_from_outside_are_no_edges() {
        let text = r#"{"packages": [{"manifest_path": "/x/crates/b/Cargo.toml", "dependencies": [
            {"name": "ottla-a", "path": "/x/crates/a", "kind": null},
            {"name": "ottla-c", "path": "/x/crates/c", "kind": "dev"},
            {"name": "tokio", "kind": "dev"}, {"name": "serde", "kind": null},
            {"name": "ottla-d", "path": "/x/crates/d", "kind": "build"}]}]}"#;
        let read = read_graph(&serde_json::from_str(text).expect("JSON"));
        assert_eq!(read, Some(graph(&["b: a d"])));
        assert_eq!(read_graph(&Value::Null), None);
    }

    #[test]
    fn the_real_graph_is_the_real_table() {
        let files = files().expect("git lists");
        let mut found = check(&files).expect("both are there");
        // The table may run ahead of the crates while they are being written; `cargo xtask tidy` says so.
        found.retain(|breach| breach.rule != MISSING);
        assert_eq!(found.iter().map(ToString::to_string).collect::<Vec<_>>(), [""; 0]);
    }
}
