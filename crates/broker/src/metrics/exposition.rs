//! The text that Prometheus reads (format 0.0.4), written family by family.

use std::fmt::{Display, Write};

use ottla_types::Instant;

use super::histogram::Histogram;

/// The quantiles that Kafka tells.
const QUANTILES: [f64; 6] = [0.5, 0.75, 0.95, 0.98, 0.99, 0.999];

/// What a family's numbers are.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Kind {
    /// It only grows, until the broker is started again.
    Counter,
    /// It goes up and down.
    Gauge,
    /// Quantiles, a sum and a count.
    Summary,
}

/// The text so far.
#[derive(Debug, Default)]
pub(crate) struct Exposition {
    text: String,
}

/// One family of samples, being written.
#[derive(Debug)]
pub(crate) struct Family<'a> {
    text: &'a mut String,
    name: &'a str,
}

/// Labels and their values.
pub(crate) type Labels<'a> = &'a [(&'a str, &'a str)];

impl Exposition {
    /// Begins a family. Each name may be begun once.
    pub(crate) fn family<'a>(&'a mut self, name: &'a str, kind: Kind, help: &str) -> Family<'a> {
        let kind = match kind {
            Kind::Counter => "counter",
            Kind::Gauge => "gauge",
            Kind::Summary => "summary",
        };
        let help = help.replace('\\', "\\\\").replace('\n', "\\n");
        self.push(format_args!("# HELP {name} {help}\n# TYPE {name} {kind}\n"));
        Family { text: &mut self.text, name }
    }

    /// A gauge of one number.
    pub(crate) fn gauge(&mut self, name: &str, help: &str, value: impl Display) {
        self.family(name, Kind::Gauge, help).sample(&[], value);
    }

    /// A counter of one number.
    pub(crate) fn counter(&mut self, name: &str, help: &str, value: impl Display) {
        self.family(name, Kind::Counter, help).sample(&[], value);
    }

    /// All that was written.
    pub(crate) fn into_text(self) -> String {
        self.text
    }

    fn push(&mut self, what: std::fmt::Arguments<'_>) {
        self.text.write_fmt(what).expect("a string takes everything");
    }
}

impl Family<'_> {
    /// One number.
    pub(crate) fn sample(&mut self, labels: Labels<'_>, value: impl Display) {
        self.line("", labels, None, &value);
    }

    /// A quantile of a summary.
    pub(crate) fn quantile(&mut self, labels: Labels<'_>, quantile: f64, value: impl Display) {
        self.line("", labels, Some(quantile), &value);
    }

    /// A whole summary of times in milliseconds, of which there were `count`.
    pub(crate) fn times(&mut self, labels: Labels<'_>, histogram: &Histogram, count: u64, now: Instant) {
        for (quantile, us) in QUANTILES.iter().zip(histogram.quantiles(now, QUANTILES).unwrap_or_default()) {
            self.quantile(labels, *quantile, us as f64 / 1000.0);
        }
        self.sum_and_count(labels, histogram.sum_us() as f64 / 1000.0, count);
    }

    /// The sum and the count of a summary.
    pub(crate) fn sum_and_count(&mut self, labels: Labels<'_>, sum: impl Display, count: u64) {
        self.line("_sum", labels, None, &sum);
        self.line("_count", labels, None, &count);
    }

    fn line(&mut self, suffix: &str, labels: Labels<'_>, quantile: Option<f64>, value: &dyn Display) {
        self.text.push_str(self.name);
        self.text.push_str(suffix);
        let mut before = '{';
        for (label, value) in labels {
            self.text.push(before);
            self.text.push_str(label);
            self.text.push_str("=\"");
            escape(self.text, value);
            self.text.push('"');
            before = ',';
        }
        if let Some(quantile) = quantile {
            write!(self.text, "{before}quantile=\"{quantile}\"").expect("a string takes everything");
            before = ',';
        }
        if before == ',' {
            self.text.push('}');
        }
        writeln!(self.text, " {value}").expect("a string takes everything");
    }
}

/// Writes a label's value: what would end it is escaped.
fn escape(text: &mut String, value: &str) {
    for character in value.chars() {
        match character {
            '\\' => text.push_str("\\\\"),
            '"' => text.push_str("\\\""),
            '\n' => text.push_str("\\n"),
            other => text.push(other),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn families_look_as_prometheus_wants_them() {
        let mut exposition = Exposition::default();
        exposition.gauge("a", "Of\none.", 3);
        let mut family = exposition.family("b_total", Kind::Counter, "Two.");
        family.sample(&[("topic", "q\"\\\n"), ("x", "y")], 1.5);
        let mut family = exposition.family("c", Kind::Summary, "Three.");
        family.quantile(&[], 0.99, 7);
        family.sum_and_count(&[("k", "v")], 2, 1);
        let expected = "# HELP a Of\\none.\n# TYPE a gauge\na 3\n# HELP b_total Two.\n# TYPE b_total counter\n\
                        b_total{topic=\"q\\\"\\\\\\n\",x=\"y\"} 1.5\n# HELP c Three.\n# TYPE c summary\n\
                        c{quantile=\"0.99\"} 7\nc_sum{k=\"v\"} 2\nc_count{k=\"v\"} 1\n";
        assert_eq!(exposition.into_text(), expected);
    }
}
