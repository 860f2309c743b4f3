//! What was measured so far, row by row. How it is told is in `table`, `json` and `svg`.

use super::row::{Row, Subject};

/// A row and every round's figures.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Entry {
    /// The row.
    pub(crate) row: Row,
    /// Figures of whom it is compared with, in the order of the rounds.
    pub(crate) reference: Vec<f64>,
    /// Ottla's figures.
    pub(crate) ottla: Vec<f64>,
    /// Why figures lack.
    pub(crate) trouble: Option<String>,
    /// The day it was measured; empty until the run is over.
    pub(crate) date: String,
}

impl Entry {
    /// A row of which nothing is known yet.
    pub(crate) fn new(row: Row) -> Self {
        Self { row, reference: Vec::new(), ottla: Vec::new(), trouble: None, date: String::new() }
    }

    /// How many times better than whom it is compared with.
    pub(crate) fn ratio(&self) -> Option<f64> {
        self.row.ratio(&self.reference, &self.ottla)
    }

    /// How many times better than the goal.
    pub(crate) fn met_by(&self) -> Option<f64> {
        self.row.met_by(&self.reference, &self.ottla)
    }
}

/// All rows, in the table's order.
#[derive(Default, Debug)]
pub(crate) struct Ledger {
    entries: Vec<Entry>,
}

impl Ledger {
    /// Rows to be measured.
    pub(crate) fn new(rows: impl IntoIterator<Item = Row>) -> Self {
        Self { entries: rows.into_iter().map(Entry::new).collect() }
    }

    /// Adds what one round measured of `subject`, to every row that tells of it.
    pub(crate) fn add(&mut self, key: &str, subject: Subject, figure: f64) {
        for entry in self.entries.iter_mut().filter(|entry| entry.row.key == key) {
            if entry.row.ottla == subject {
                entry.ottla.push(figure);
            }
            if entry.row.against == Some(subject) {
                entry.reference.push(figure);
            }
        }
    }

    /// Says why rows that begin with `key` and tell of `subject` lack figures; the first reason stays.
    pub(crate) fn trouble(&mut self, key: &str, subject: Option<Subject>, why: &str) {
        let is_meant = |row: &Row| {
            let begins = row.key == key || row.key.strip_prefix(key).is_some_and(|rest| rest.starts_with('/'));
            begins && subject.is_none_or(|subject| row.ottla == subject || row.against == Some(subject))
        };
        for entry in self.entries.iter_mut().filter(|entry| is_meant(&entry.row)) {
            let who = subject.map(|subject| format!("{}: ", subject.name())).unwrap_or_default();
            entry.trouble.get_or_insert_with(|| format!("{who}{why}"));
        }
    }

    /// The rows, with what is known of them.
    pub(crate) fn entries(&self) -> &[Entry] {
        &self.entries
    }
}

#[cfg(test)]
mod tests {
    use super::super::row::tests::row;
    use super::super::row::{Better, Goal};
    use super::*;

    fn ledger() -> Ledger {
        let off = row(Better::Low, Goal::Told);
        let on = Row { ottla: Subject::FlushOn, ..off.clone() };
        let other = Row { key: "produce/1kilo/cpu".to_owned(), ..off.clone() };
        Ledger::new([off, on, other])
    }

    #[test]
    fn a_figure_reaches_every_row_that_tells_of_it() {
        let mut ledger = ledger();
        for (subject, figure) in [(Subject::Kafka, 4.0), (Subject::FlushOff, 1.0), (Subject::FlushOn, 2.0)] {
            ledger.add("produce/1k/cpu", subject, figure);
        }
        let told: Vec<_> =
            ledger.entries().iter().map(|entry| (entry.reference.clone(), entry.ottla.clone())).collect();
        assert_eq!(told, [(vec![4.0], vec![1.0]), (vec![4.0], vec![2.0]), (vec![], vec![])]);
    }

    #[test]
    fn trouble_is_told_where_it_belongs_and_the_first_stays() {
        let mut ledger = ledger();
        ledger.trouble("produce/1k", Some(Subject::FlushOn), "it ended");
        ledger.trouble("produce/1k", None, "later");
        let told: Vec<_> = ledger.entries().iter().map(|entry| entry.trouble.as_deref()).collect();
        assert_eq!(told, [Some("later"), Some("Ottla, flush on: it ended"), None]);
    }
}
