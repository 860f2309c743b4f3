//! `cargo xtask instructions [PART-OF-A-NAME...] [--record]`: how many instructions the inner loops take, by valgrind.
//!
//! The loops are in `benches/loops` of the crates below, the harness that runs one of them by its name is `ottla-loops`.
//! valgrind's callgrind counts what happens below one function of the harness, so that what prepares a loop is not
//! counted. What was found before is in docs/instructions.json; `--record` writes it anew.
//!
//! A count tells of this compiler, these libraries and what valgrind makes the processor look like (no AVX-512: the CRC of
//! batches takes another way than on newer machines). It is for comparing one change with the one before it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};

use crate::process::{self, cargo, root};

const CRATES: [&str; 4] = ["ottla-record", "ottla-protocol", "ottla-storage", "ottla-metadata"];
/// How often a loop is run; what is told is the mean.
const RUNS: u64 = 8;
/// A change by less than this is not pointed out: the place of memory decides over so much.
const CHANGE_PERCENT_MIN: f64 = 2.0;

/// What one run of a loop takes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Count {
    instructions: u64,
    /// How many things the run deals with: records, partitions.
    elements: u64,
}

/// Counts the loops in whose names one of the words is, or all.
pub(crate) fn run(arguments: &[String]) -> Result<(), String> {
    let record = arguments.iter().any(|word| word == "--record");
    let words: Vec<&String> = arguments.iter().filter(|word| *word != "--record").collect();
    if let Some(unknown) = words.iter().find(|word| word.starts_with("--")) {
        return Err(format!("{unknown}: usage: cargo xtask instructions [PART-OF-A-NAME...] [--record]"));
    }
    let valgrind = process::output(Command::new("valgrind").arg("--version"))?;
    let path = root().join("docs/instructions.json");
    let mut known = recorded(&path)?;
    let (mut counted, mut changed) = (0, 0);
    println!("{:<58} {:>13} {:>10} {:>9}", "loop", "instructions", "for each", "change");
    for program in build()? {
        let names = process::output(Command::new(&program).arg("--names"))?;
        let wanted = |name: &&str| words.is_empty() || words.iter().any(|word| name.contains(word.as_str()));
        for name in names.lines().filter(wanted) {
            let count = count(&program, name)?;
            let before = known.insert(name.to_owned(), count);
            let change = before.map(|before| change_percent(before, count));
            changed += u32::from(change.is_some_and(|percent| percent.abs() >= CHANGE_PERCENT_MIN));
            counted += 1;
            println!("{}", line(name, count, change));
        }
    }
    println!(
        "{counted} loops, of which {changed} changed by {CHANGE_PERCENT_MIN} % or more since docs/instructions.json"
    );
    if record {
        let text = format!("{:#}\n", to_json(valgrind.trim(), &known));
        std::fs::write(&path, text).map_err(|e| format!("{}: {e}", path.display()))?;
    }
    Ok(())
}

fn line(name: &str, count: Count, change: Option<f64>) -> String {
    let each = count.instructions / count.elements.max(1);
    let change = match change {
        None => "new".to_owned(),
        Some(percent) if percent.abs() < CHANGE_PERCENT_MIN => String::new(),
        Some(percent) => format!("{percent:+.1} %"),
    };
    format!("{name:<58} {:>13} {each:>10} {change:>9}", count.instructions).trim_end().to_owned()
}

fn change_percent(before: Count, after: Count) -> f64 {
    (after.instructions as f64 / before.instructions.max(1) as f64 - 1.0) * 100.0
}

/// Builds the benches; their programs in the order of the crates.
fn build() -> Result<Vec<PathBuf>, String> {
    let mut command = cargo(&["bench", "--bench", "loops", "--no-run", "--message-format=json-render-diagnostics"]);
    command.args(CRATES.iter().flat_map(|name| ["-p", name]));
    let messages = process::output(&mut command)?;
    let mut programs: Vec<(usize, PathBuf)> = messages.lines().filter_map(bench_program).collect();
    programs.sort();
    if programs.len() != CRATES.len() {
        return Err(format!("cargo names {} programs of {} benches", programs.len(), CRATES.len()));
    }
    Ok(programs.into_iter().map(|(_, program)| program).collect())
}

/// Of which crate, and which program it is, that one of cargo's messages tells of, if it is a bench.
fn bench_program(message: &str) -> Option<(usize, PathBuf)> {
    let message: Value = serde_json::from_str(message).ok()?;
    let is_bench = message["target"]["kind"].as_array()?.iter().any(|kind| kind == "bench");
    let program = message["executable"].as_str().filter(|_| is_bench)?;
    let package = message["package_id"].as_str()?;
    Some((CRATES.iter().position(|name| package.contains(name))?, PathBuf::from(program)))
}

fn count(program: &Path, name: &str) -> Result<Count, String> {
    let mut command = Command::new("valgrind");
    command.args(["--tool=callgrind", "--callgrind-out-file=/dev/null", "--toggle-collect=*counted_runs*"]);
    command.arg(program).args(["--count", name, &RUNS.to_string()]);
    let out = command.output().map_err(|e| format!("valgrind: {e}"))?;
    let told = String::from_utf8_lossy(&out.stderr);
    let collected = collected(&told).filter(|instructions| *instructions > 0 && out.status.success());
    let elements = String::from_utf8_lossy(&out.stdout).trim().parse().ok();
    match (collected, elements) {
        (Some(instructions), Some(elements)) => Ok(Count { instructions: instructions / RUNS, elements }),
        _ => Err(format!("{name}: valgrind counted nothing: {told}")),
    }
}

/// The number in callgrind's line `==PID== Collected : NUMBER`.
fn collected(told: &str) -> Option<u64> {
    told.lines().find_map(|line| line.split_once("Collected : ")?.1.trim().parse().ok())
}

/// What was recorded, by name; nothing if there is no record.
fn recorded(path: &Path) -> Result<BTreeMap<String, Count>, String> {
    let Ok(text) = std::fs::read_to_string(path) else { return Ok(BTreeMap::new()) };
    from_json(&text).ok_or_else(|| format!("{} is not what --record writes", path.display()))
}

fn from_json(text: &str) -> Option<BTreeMap<String, Count>> {
    let record: Value = serde_json::from_str(text).ok()?;
    let count = |(name, count): (&String, &Value)| {
        let number = |key: &str| count[key].as_u64();
        Some((name.clone(), Count { instructions: number("instructions")?, elements: number("elements")? }))
    };
    record["loops"].as_object()?.iter().map(count).collect()
}

fn to_json(valgrind: &str, counts: &BTreeMap<String, Count>) -> Value {
    let count = |(name, count): (&String, &Count)| {
        (name.clone(), json!({ "instructions": count.instructions, "elements": count.elements }))
    };
    json!({ "valgrind": valgrind, "loops": counts.iter().map(count).collect::<serde_json::Map<_, _>>() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_read_as_it_was_written() {
        let counts = BTreeMap::from([("check lz4".to_owned(), Count { instructions: 12_345, elements: 7 })]);
        assert_eq!(from_json(&to_json("valgrind-3.19.0", &counts).to_string()), Some(counts));
        assert_eq!(from_json("{}"), None);
        assert_eq!(from_json(r#"{"loops":{"check lz4":{"instructions":"many"}}}"#), None);
    }

    #[test]
    fn only_changes_that_say_something_are_pointed_out() {
        let (before, after) = (Count { instructions: 1000, elements: 10 }, Count { instructions: 1100, elements: 10 });
        assert!(line("a", after, Some(change_percent(before, after))).ends_with(" 110   +10.0 %"));
        assert!(line("a", after, Some(change_percent(after, after))).ends_with(" 110"));
        assert!(line("a", after, None).ends_with("new"));
    }

    #[test]
    fn valgrinds_sum_and_cargos_program_are_found() {
        assert_eq!(collected("==7== Events    : Ir\n==7== Collected : 6709507\n"), Some(6_709_507));
        assert_eq!(collected("==7== no such tool"), None);
        let bench =
            r#"{"target":{"kind":["bench"]},"package_id":"path+file:///x#ottla-storage@0","executable":"/t/1"}"#;
        assert_eq!(bench_program(bench), Some((2, PathBuf::from("/t/1"))));
        assert_eq!(bench_program(&bench.replace("[\"bench\"]", "[\"lib\"]")), None);
        assert_eq!(bench_program("   Compiling ottla-record"), None);
    }
}
