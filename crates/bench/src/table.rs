//! The figures of all rounds as a Markdown table: medians, with the lowest and the highest, and ratios.

use std::fmt;

/// Which figures are good.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Better {
    /// Low ones: a cost.
    Low,
    /// High ones: a speed.
    High,
}

/// One line: a work and one of its figures, for every column.
#[derive(Debug)]
struct Row {
    work: &'static str,
    unit: &'static str,
    better: Better,
    /// What was measured, by column.
    figures: Vec<Vec<f64>>,
}

/// The table. Rows come in the order in which they were first told of. The last column is what the others are compared
/// with, if there are more than Ottla's two.
#[derive(Debug)]
pub(crate) struct Table {
    columns: Vec<String>,
    rows: Vec<Row>,
}

/// How many columns are Ottla's.
const OWN: usize = 2;

impl Table {
    pub(crate) fn new<'a>(columns: impl Iterator<Item = &'a str>) -> Self {
        Self { columns: columns.map(str::to_owned).collect(), rows: Vec::new() }
    }

    /// The name of column `at`.
    pub(crate) fn column(&self, at: usize) -> &str {
        &self.columns[at]
    }

    /// Adds what one round measured in column `at`.
    pub(crate) fn add(&mut self, work: &'static str, unit: &'static str, better: Better, at: usize, figure: f64) {
        let known = self.rows.iter().position(|row| row.work == work && row.unit == unit);
        let row = known.unwrap_or_else(|| {
            let figures = vec![Vec::new(); self.columns.len()];
            self.rows.push(Row { work, unit, better, figures });
            self.rows.len() - 1
        });
        self.rows[row].figures[at].push(figure);
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let compared = self.columns.len() > OWN;
        write!(f, "| work | measured in |")?;
        for (at, column) in self.columns.iter().enumerate() {
            write!(f, " {column} |")?;
            if compared && at < OWN {
                write!(f, " times better |")?;
            }
        }
        let width = 2 + self.columns.len() + if compared { OWN } else { 0 };
        writeln!(f, "\n|{}", "---|".repeat(width))?;
        for row in &self.rows {
            write!(f, "| {} | {} |", row.work, row.unit)?;
            let reference = row.figures.get(OWN).and_then(|figures| median(figures));
            for (at, figures) in row.figures.iter().enumerate() {
                write!(f, " {} |", cell(figures))?;
                if compared && at < OWN {
                    write!(f, " {} |", ratio(row.better, median(figures), reference))?;
                }
            }
            writeln!(f)?;
        }
        Ok(())
    }
}

/// The middle one; of an even number the mean of the two in the middle.
fn median(figures: &[f64]) -> Option<f64> {
    let mut sorted = figures.to_vec();
    sorted.sort_by(f64::total_cmp);
    let (low, high) = (sorted.get(sorted.len().checked_sub(1)? / 2)?, sorted.get(sorted.len() / 2)?);
    Some(f64::midpoint(*low, *high))
}

/// How many times better than the reference: above 1 the reference is worse, below 1 Ottla is.
fn ratio(better: Better, own: Option<f64>, reference: Option<f64>) -> String {
    match (own, reference) {
        (Some(own), Some(reference)) => {
            let times = if better == Better::Low { reference / own } else { own / reference };
            format!("{times:.2}")
        }
        _ => "–".to_owned(),
    }
}

fn cell(figures: &[f64]) -> String {
    let Some(middle) = median(figures) else { return "–".to_owned() };
    let least = figures.iter().copied().fold(f64::INFINITY, f64::min);
    let most = figures.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    match figures {
        [only] => short(*only),
        _ => format!("{} ({}–{})", short(middle), short(least), short(most)),
    }
}

/// Three digits are more than the noise leaves.
fn short(figure: f64) -> String {
    match figure {
        f if f >= 100.0 => format!("{f:.0}"),
        f if f >= 10.0 => format!("{f:.1}"),
        f => format!("{f:.2}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn medians_of_odd_even_and_no_figures() {
        assert_eq!(median(&[3.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(median(&[4.0, 1.0, 2.0, 3.0]), Some(2.5));
        assert_eq!(median(&[]), None);
    }

    #[test]
    fn a_ratio_above_one_is_always_in_favour_of_ottla() {
        assert_eq!(ratio(Better::Low, Some(1.0), Some(2.0)), "2.00");
        assert_eq!(ratio(Better::High, Some(1.0), Some(2.0)), "0.50");
        assert_eq!(ratio(Better::Low, Some(1.0), None), "–");
    }

    #[test]
    fn rows_are_markdown_in_the_order_of_their_first_figure() {
        let mut table = Table::new(["on", "off", "K"].into_iter());
        for (at, figure) in [(0, 2.0), (1, 1.0), (2, 4.0), (2, 6.0), (2, 4.0)] {
            table.add("produce", "CPU s/GB", Better::Low, at, figure);
        }
        table.add("idle", "MB", Better::Low, 1, 123.4);
        let expected = "| work | measured in | on | times better | off | times better | K |\n\
            |---|---|---|---|---|---|---|\n\
            | produce | CPU s/GB | 2.00 | 2.00 | 1.00 | 4.00 | 4.00 (4.00–6.00) |\n\
            | idle | MB | – | – | 123 | – | – |\n";
        assert_eq!(table.to_string(), expected);
        let alone = Table::new(["on", "off"].into_iter()).to_string();
        assert_eq!(alone, "| work | measured in | on | off |\n|---|---|---|---|\n");
    }
}
