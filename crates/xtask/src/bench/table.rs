//! The rows as a Markdown table: beside Kafka with goals, or Ottla alone beside the last record.

use std::fmt::Write as _;

use super::Entry;
use super::figures::{cell, median, short};
use super::json::Record;
use super::row::{Goal, Subject};

/// All rows of a run beside Kafka: what both cost, how many times better Ottla is, and whether that is the goal.
pub(crate) fn beside_kafka(record: &Record) -> String {
    let mut out = String::from(
        "| row | measured in | Kafka 4.3.1 | Ottla | times better | goal | met? |\n|---|---|---|---|---|---|---|\n",
    );
    for entry in &record.entries {
        let row = &entry.row;
        let whose = match row.against {
            Some(Subject::Kafka) | None => String::new(),
            Some(other) => format!(" ({})", other.name()),
        };
        let ratio = entry.ratio().map_or("–".to_owned(), short);
        let reference = if entry.reference.is_empty() { "–".to_owned() } else { cell(&entry.reference) + &whose };
        let _ = writeln!(
            out,
            "| {} | {} | {reference} | {} | {ratio} | {} | {} |",
            row.what,
            row.unit,
            cell(&entry.ottla),
            row.goal_in_words(),
            verdict(entry),
        );
    }
    out
}

/// Ottla's figures beside those of the last record.
pub(crate) fn beside_record(record: &Record, before: Option<&Record>) -> String {
    let mut out = String::from(
        "| row | measured in | Ottla | recorded | change | goal | met? |\n|---|---|---|---|---|---|---|\n",
    );
    for entry in &record.entries {
        let id = entry.row.id();
        let recorded = before.and_then(|before| before.entries.iter().find(|entry| entry.row.id() == id));
        let recorded = recorded.map(|entry| entry.ottla.as_slice()).unwrap_or_default();
        // Without Kafka only goals that name a figure, or compare with the floor, can be judged.
        let verdict = match entry.row.goal {
            Goal::Times(_) if entry.reference.is_empty() && entry.trouble.is_none() => "–".to_owned(),
            _ => verdict(entry),
        };
        let _ = writeln!(
            out,
            "| {} | {} | {} | {} | {} | {} | {verdict} |",
            entry.row.what,
            entry.row.unit,
            cell(&entry.ottla),
            cell(recorded),
            change(recorded, &entry.ottla),
            entry.row.goal_in_words(),
        );
    }
    out
}

/// How many percent more or less than before.
fn change(before: &[f64], now: &[f64]) -> String {
    match (median(before), median(now)) {
        (Some(before), Some(now)) if before != 0.0 => format!("{:+.0} %", (now / before - 1.0) * 100.0),
        _ => "–".to_owned(),
    }
}

/// Whether a goal is met and by how much, or why nobody knows.
fn verdict(entry: &Entry) -> String {
    let trouble = entry.trouble.as_ref().map(|why| why.replace('|', "\\|"));
    let judged = match entry.met_by() {
        Some(times) if times >= 1.0 => Some(format!("yes, {} times over", short(times))),
        Some(times) => Some(format!("**no**, by {} times", short(1.0 / times))),
        None if entry.row.goal == Goal::Told => None,
        None => Some("not known".to_owned()),
    };
    match (judged, trouble) {
        (Some(judged), Some(trouble)) => format!("{judged}; {trouble}"),
        (None, Some(one)) | (Some(one), None) => one,
        (None, None) => "–".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::json::tests::record;
    use super::*;

    #[test]
    fn a_row_tells_by_how_much_its_goal_is_met_or_missed() {
        let text = beside_kafka(&record());
        let lines: Vec<_> = text.lines().skip(2).collect();
        assert_eq!(
            lines,
            [
                "| produce 1 KB | CPU s/GB | 2.00 (1.00–3.00) | 0.50 (0.40–0.60) | 4.00 | 1/5 | **no**, by 1.25 times |",
                "| start | s | 1.50 | 0.020 | 75.0 | at most 0.03 | yes, 1.50 times over |",
                "| idle | MB | – | – | – | 1/5 | not known; Ottla, flush off: it ended \\| so |",
            ]
        );
    }

    #[test]
    fn alone_it_is_compared_with_the_record() {
        let mut now = record();
        now.entries[0].reference.clear();
        now.entries[0].ottla = vec![0.6];
        let text = beside_record(&now, Some(&record()));
        let lines: Vec<_> = text.lines().skip(2).collect();
        assert_eq!(lines[0], "| produce 1 KB | CPU s/GB | 0.60 | 0.50 (0.40–0.60) | +20 % | 1/5 | – |");
        assert!(lines[1].ends_with("| 0.020 | 0.020 | +0 % | at most 0.03 | yes, 1.50 times over |"), "{}", lines[1]);
        assert!(beside_record(&now, None).contains("| 0.60 | – | – |"));
    }
}
