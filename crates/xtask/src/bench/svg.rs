//! A run as a picture: a bar for each row that has a goal beside Kafka, as long as Ottla is better, on a scale of
//! logarithms, with the goal marked. Written by hand; readable on light and on dark ground.

use std::fmt::Write as _;

use super::Entry;
use super::figures::{median, short};
use super::json::Record;
use super::row::{Goal, Subject};

const WIDTH: f64 = 960.0;
/// Where labels end, and where the scale begins and ends.
const LABELS: f64 = 440.0;
const LEFT: f64 = 452.0;
const RIGHT: f64 = 890.0;
/// Above the first bar: heading, legend and the scale's numbers.
const TOP: f64 = 84.0;
const LINE: f64 = 22.0;
const BAR: f64 = 12.0;
/// A letter's width, roughly, and how many a label may have.
const LETTERS_MAX: usize = 70;

const STYLE: &str = "
  text { font: 12px system-ui, sans-serif; fill: #24292f }
  .head { font-size: 15px; font-weight: 600 } .quiet { fill: #6e7781 }
  .grid { stroke: #d0d7de } .one { stroke: #6e7781 } .goal { stroke: #24292f; stroke-width: 2.5 }
  .met { fill: #2a78d6 } .missed { fill: #d9822b }
  @media (prefers-color-scheme: dark) {
    text { fill: #e6edf3 } .quiet { fill: #9198a1 } .grid { stroke: #3d444d } .one { stroke: #9198a1 }
    .goal { stroke: #e6edf3 } .met { fill: #539bf5 } .missed { fill: #e09b53 }
  }
";

/// One bar.
struct Bar<'a> {
    label: &'a str,
    /// Times better than Kafka.
    times: f64,
    /// Times better than Kafka that it is to be.
    goal: f64,
}

/// The bar of a row, if it compares costs with a Kafka's and has a goal.
fn bar(entry: &Entry) -> Option<Bar<'_>> {
    let row = &entry.row;
    let is_kafka = row.against.is_some_and(Subject::is_kafka);
    let times = entry.ratio().filter(|times| is_kafka && *times > 0.0)?;
    let goal = match row.goal {
        Goal::Times(times) => times,
        // A limit that is no cost, as of a ratio, has no place on this scale.
        Goal::AtMost(most) if row.unit != "times" => median(&entry.reference)? / most,
        Goal::AtMost(_) | Goal::Told => return None,
    };
    Some(Bar { label: &row.what, times, goal })
}

/// A logarithmic scale with the numbers that are written on it.
struct Scale {
    low: f64,
    high: f64,
}

impl Scale {
    fn of(bars: &[Bar<'_>]) -> Self {
        let figures = || bars.iter().flat_map(|bar| [bar.times, bar.goal]);
        let low = figures().fold(0.8, f64::min);
        let high = figures().fold(10.0, f64::max);
        // Room for the number behind the longest bar.
        Self { low, high: high * 1.2 }
    }

    fn x(&self, times: f64) -> f64 {
        LEFT + (times / self.low).ln() / (self.high / self.low).ln() * (RIGHT - LEFT)
    }

    fn ticks(&self) -> impl Iterator<Item = f64> + '_ {
        let decades = (-3..5).flat_map(|power| [1.0, 2.0, 5.0].map(|digit| digit * 10f64.powi(power)));
        decades.filter(|tick| (self.low..=self.high).contains(tick))
    }
}

/// The text of docs/benchmarks.svg.
pub(crate) fn picture(record: &Record) -> String {
    let bars: Vec<Bar<'_>> = record.entries.iter().filter_map(bar).collect();
    let scale = Scale::of(&bars);
    let bottom = TOP + LINE * bars.len() as f64;
    let height = bottom + 28.0;
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" width=\"{WIDTH}\" height=\"{height}\" \
         role=\"img\" aria-label=\"How many times better Ottla is than Kafka, row by row\">\n<style>{STYLE}</style>\n"
    );
    head(&mut out, record);
    for tick in scale.ticks() {
        let (x, class) = (scale.x(tick), if tick == 1.0 { "one" } else { "grid" });
        let _ = writeln!(
            out,
            "<line class=\"{class}\" x1=\"{x:.1}\" x2=\"{x:.1}\" y1=\"{:.1}\" y2=\"{bottom:.1}\"/>",
            TOP - 6.0
        );
        let _ = writeln!(
            out,
            "<text class=\"quiet\" x=\"{x:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{tick}</text>",
            TOP - 12.0
        );
    }
    for (at, bar) in bars.iter().enumerate() {
        draw(&mut out, bar, &scale, TOP + LINE * at as f64);
    }
    let _ = writeln!(
        out,
        "<text class=\"quiet\" x=\"{LABELS}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>",
        bottom + 18.0,
        escaped(&format!("{}, {} cores, {}", record.date, record.machine.cores, record.machine.model))
    );
    out + "</svg>\n"
}

fn head(out: &mut String, record: &Record) {
    let title = format!("{} beside {}: times better", record.ottla, Subject::Kafka.name());
    let _ = writeln!(out, "<text class=\"head\" x=\"16\" y=\"26\">{}</text>", escaped(&title));
    let legend = [("met", "goal met"), ("missed", "goal missed")];
    for (at, (class, words)) in legend.into_iter().enumerate() {
        let x = 16.0 + 110.0 * at as f64;
        let _ = writeln!(out, "<rect class=\"{class}\" x=\"{x}\" y=\"40\" width=\"14\" height=\"{BAR}\" rx=\"2\"/>");
        let _ = writeln!(out, "<text x=\"{}\" y=\"50\">{words}</text>", x + 20.0);
    }
    let _ = writeln!(
        out,
        "<line class=\"goal\" x1=\"246\" x2=\"246\" y1=\"38\" y2=\"54\"/><text x=\"254\" y=\"50\">goal</text>"
    );
    let _ = writeln!(
        out,
        "<text class=\"quiet\" x=\"{RIGHT}\" y=\"50\" text-anchor=\"end\">1 is as Kafka; to the right is better</text>"
    );
}

fn draw(out: &mut String, bar: &Bar<'_>, scale: &Scale, y: f64) {
    let (from, to) = (scale.x(1.0), scale.x(bar.times));
    let (left, width) = (from.min(to), (from - to).abs().max(1.0));
    let class = if bar.times >= bar.goal { "met" } else { "missed" };
    let middle = y + LINE / 2.0;
    let text = middle + 4.0;
    let _ =
        writeln!(out, "<text x=\"{LABELS}\" y=\"{text:.1}\" text-anchor=\"end\">{}</text>", escaped(&cut(bar.label)));
    let top = middle - BAR / 2.0;
    let _ = writeln!(
        out,
        "<rect class=\"{class}\" x=\"{left:.1}\" y=\"{top:.1}\" width=\"{width:.1}\" height=\"{BAR}\" rx=\"2\"/>"
    );
    let goal = scale.x(bar.goal);
    let _ = writeln!(
        out,
        "<line class=\"goal\" x1=\"{goal:.1}\" x2=\"{goal:.1}\" y1=\"{:.1}\" y2=\"{:.1}\"/>",
        top - 2.0,
        top + BAR + 2.0
    );
    // Behind whatever is drawn last, so that neither covers the number.
    let end = if (goal - to).abs() < 40.0 { to.max(goal) } else { to }.max(from);
    let _ = writeln!(out, "<text x=\"{:.1}\" y=\"{text:.1}\">{}</text>", end + 6.0, short(bar.times));
}

fn cut(label: &str) -> String {
    if label.chars().count() <= LETTERS_MAX {
        return label.to_owned();
    }
    label.chars().take(LETTERS_MAX - 1).chain(['…']).collect()
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::super::json::tests::record;
    use super::*;

    #[test]
    fn rows_with_a_goal_and_both_figures_have_a_bar() {
        let record = record();
        let bars: Vec<_> =
            record.entries.iter().filter_map(bar).map(|bar| (bar.label.to_owned(), bar.times, bar.goal)).collect();
        assert_eq!(bars, [("produce 1 KB".to_owned(), 4.0, 5.0), ("start".to_owned(), 75.0, 1.5 / 0.03)]);
        let text = picture(&record);
        assert_eq!(text.matches("class=\"missed\"").count(), 2, "one bar and the legend");
        assert_eq!(text.matches("class=\"met\"").count(), 2);
        assert!(text.starts_with("<svg ") && text.ends_with("</svg>\n"));
    }

    #[test]
    fn the_scale_is_logarithmic_and_holds_everything() {
        let bars = [Bar { label: "a", times: 0.5, goal: 100.0 }, Bar { label: "b", times: 10.0, goal: 2.0 }];
        let scale = Scale::of(&bars);
        assert!((scale.x(0.5) - LEFT).abs() < 1e-9 && scale.x(100.0) < RIGHT);
        assert!((scale.x(10.0) - scale.x(1.0) - (scale.x(100.0) - scale.x(10.0))).abs() < 1e-9);
        assert_eq!(scale.ticks().collect::<Vec<_>>(), [0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0]);
    }

    #[test]
    fn labels_are_cut_and_escaped() {
        assert_eq!(escaped("a < b & c"), "a &lt; b &amp; c");
        assert_eq!(cut(&"x".repeat(100)).chars().count(), LETTERS_MAX);
    }
}
