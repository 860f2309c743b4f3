//! The last record: docs/benchmarks.json, the picture made of it, and the table between two marks of docs/benchmarks.md.

use std::fs;
use std::path::PathBuf;

use super::json::Record;
use super::rows::FAMILIES;
use super::{Entry, svg, table};
use crate::process;

/// Between these lines docs/benchmarks.md is written by `--record`.
const BEGIN: &str = "<!-- bench:begin -->";
const END: &str = "<!-- bench:end -->";

fn docs(name: &str) -> PathBuf {
    process::root().join("docs").join(name)
}

/// What was recorded last, if anything was.
pub(crate) fn last() -> Result<Option<Record>, String> {
    let path = docs("benchmarks.json");
    match fs::read_to_string(&path) {
        Ok(text) => Record::from_json(&text).map(Some).map_err(|error| format!("{}: {error}", path.display())),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(format!("{}: {error}", path.display())),
    }
}

/// Keeps a run in docs/. Rows that it did not measure stay as they were, with their own dates.
pub(crate) fn keep(record: Record, before: Option<Record>) -> Result<(), String> {
    let record = joined(record, before);
    let page = docs("benchmarks.md");
    let text = fs::read_to_string(&page).map_err(|error| format!("{}: {error}", page.display()))?;
    let text = between(&text, &told(&record)).ok_or(format!("{} has lost its marks {BEGIN}, {END}", page.display()))?;
    for (path, text) in
        [(page, text), (docs("benchmarks.json"), record.to_json()), (docs("benchmarks.svg"), svg::picture(&record))]
    {
        fs::write(&path, text).map_err(|error| format!("{}: {error}", path.display()))?;
    }
    Ok(())
}

/// The rows of both in the table's order, of each the newer one.
fn joined(record: Record, before: Option<Record>) -> Record {
    let ids = FAMILIES.iter().flat_map(|family| (family.rows)()).map(|row| row.id());
    let old = before.map(|before| before.entries).unwrap_or_default();
    let find = |id: &String| record.entries.iter().chain(&old).find(|entry| entry.row.id() == *id).cloned();
    let entries: Vec<Entry> = ids.filter_map(|id| find(&id)).collect();
    Record { entries, ..record }
}

/// What stands between the marks.
fn told(record: &Record) -> String {
    let dates = record.entries.iter().map(|entry| entry.date.as_str());
    let (first, last) = (dates.clone().min().unwrap_or_default(), dates.max().unwrap_or_default());
    let when = if first == last { last.to_owned() } else { format!("{first} to {last}") };
    let machine = &record.machine;
    let scale = if record.scale == 1.0 { String::new() } else { format!(", `--scale {}`", record.scale) };
    format!(
        "{when}, `cargo xtask bench kafka --record`, rounds: {}{scale}. {} cores ({}), {:.0} GB, Linux {}. {} beside \
         Kafka 4.3.1 (3.9.1 for old clients), Java 17, heap 1 GB.\n\n![How many times better Ottla is than \
         Kafka](benchmarks.svg)\n\n{}",
        record.rounds,
        machine.cores,
        machine.model,
        machine.memory_mb as f64 / 1000.0,
        machine.kernel,
        record.ottla,
        table::beside_kafka(record),
    )
}

/// `text` with `inner` between the marks.
fn between(text: &str, inner: &str) -> Option<String> {
    let (head, rest) = text.split_once(BEGIN)?;
    let (_, tail) = rest.split_once(END)?;
    Some(format!("{head}{BEGIN}\n{}\n{END}{tail}", inner.trim_end()))
}

#[cfg(test)]
mod tests {
    use super::super::json::tests::record;
    use super::*;

    #[test]
    fn only_what_stands_between_the_marks_is_replaced() {
        let text = format!("before\n{BEGIN}\nold\n{END}\nafter\n");
        assert_eq!(between(&text, "new\n"), Some(format!("before\n{BEGIN}\nnew\n{END}\nafter\n")));
        assert_eq!(between("no marks", "new"), None);
    }

    #[test]
    fn rows_that_were_not_measured_stay_with_their_dates() {
        let row = |at: usize| FAMILIES.iter().flat_map(|family| (family.rows)()).nth(at).expect("there are rows");
        let entry = |at: usize, date: &str| Entry { date: date.to_owned(), ..Entry::new(row(at)) };
        let old = Record { entries: vec![entry(0, "2026-11-21"), entry(1, "2026-11-21")], ..record() };
        let new = Record { entries: vec![entry(1, "2026-11-22")], ..record() };
        let joined = joined(new, Some(old));
        let dates: Vec<_> = joined.entries.iter().map(|entry| entry.date.as_str()).collect();
        assert_eq!(dates, ["2026-11-21", "2026-11-22"]);
        assert!(told(&joined).starts_with("2026-11-21 to 2026-11-22, "));
    }

    #[test]
    fn the_page_has_its_marks_and_the_record_can_be_read() {
        let page = fs::read_to_string(docs("benchmarks.md")).expect("the page is there");
        assert!(between(&page, "x").is_some());
        assert!(last().is_ok());
    }
}
