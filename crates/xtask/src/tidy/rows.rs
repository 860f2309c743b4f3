//! The rule on docs/deviations.md: each row is told once. A row is known by its first cell, which other files name, and two
//! branches that change one row leave two of it behind.

use std::collections::BTreeMap;

use super::{Breach, File};

/// The file whose rows are known by their names.
const DEVIATIONS: &str = "docs/deviations.md";

/// Finds rows that stand there twice.
pub(super) fn check(files: &[File]) -> Vec<Breach> {
    let mut breaches = Vec::new();
    for file in files.iter().filter(|file| file.path == DEVIATIONS) {
        let mut table = BTreeMap::new();
        for (number, line) in file.lines() {
            let Some(name) = line.strip_prefix('|').and_then(|row| row.split('|').next()) else {
                table.clear();
                continue;
            };
            if let Some(first) = table.insert(name.trim().to_owned(), number) {
                let what = format!("line {first} is about the same: make them one row");
                breaches.push(file.breach(number, "repeated-row", what));
            }
        }
    }
    breaches
}

#[cfg(test)]
mod tests {
    use super::super::tests::file;
    use super::*;

    #[test]
    fn a_row_that_stands_twice_in_a_table_is_found() {
        let text = "| what | Kafka |\n|---|---|\n| acks | a |\n| ids | b |\n| acks | c |\n\n| what | how |\n|---|---|\n| ids | d |\n";
        let breaches = check(&[file(DEVIATIONS, text), file("docs/records.md", text)]);
        assert_eq!(breaches.iter().map(|breach| breach.line).collect::<Vec<_>>(), [5]);
    }
}
