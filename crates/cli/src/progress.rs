//! How far a long command has come: a line on stderr that is drawn anew, if stderr is a terminal.

use std::io::IsTerminal as _;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

/// How often the line is drawn at most.
const INTERVAL: Duration = Duration::from_millis(200);

/// Counts records and bytes.
pub(crate) struct Progress {
    bar: ProgressBar,
    records: u64,
}

impl Progress {
    /// A line that begins with `what`, or nothing if it is not wanted or nobody could see it. `shares_terminal` says
    /// that what the command prints goes to the same terminal, where a line of progress would stand in its way.
    pub(crate) fn start(what: &'static str, quiet: bool, shares_terminal: bool) -> Self {
        let bar = if quiet || shares_terminal || !std::io::stderr().is_terminal() {
            ProgressBar::hidden()
        } else {
            let bar = ProgressBar::new_spinner().with_message(what);
            let style = ProgressStyle::with_template("{msg} {prefix} records, {bytes}, {bytes_per_sec}, {elapsed}");
            bar.set_style(style.expect("the template is a constant"));
            bar.enable_steady_tick(INTERVAL);
            bar
        };
        Self { bar, records: 0 }
    }

    /// Counts `records` of `bytes` together.
    pub(crate) fn add(&mut self, records: u64, bytes: u64) {
        self.records += records;
        if !self.bar.is_hidden() {
            self.bar.inc(bytes);
            self.bar.set_prefix(self.records.to_string());
        }
    }

    /// How many records were counted.
    pub(crate) fn records(&self) -> u64 {
        self.records
    }

    /// Removes the line.
    pub(crate) fn finish(&self) {
        self.bar.finish_and_clear();
    }
}
