//! One transcript on one broker: each command in a shell of its own, in the order of the file.
//!
//! Commands find the tools of the transcript's release first on their path, and `$BOOTSTRAP` and `$DATA` in their
//! environment. What they write is put into the form that [`super::normal`] describes.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use super::normal::{self, Names};
use super::transcript::{Side, Transcript, difference};
use crate::process::Running;

/// How long one command may take.
const COMMAND_MAX: Duration = Duration::from_secs(120);

/// The broker that is asked, and where.
pub(super) struct Asked {
    pub(super) side: Side,
    /// `HOST:PORT` of the broker.
    pub(super) bootstrap: String,
    /// Its log directory.
    pub(super) data: PathBuf,
    /// An empty folder in which the commands run.
    pub(super) work: PathBuf,
}

impl Asked {
    fn names(&self) -> Names {
        let (data, work) = (self.data.display().to_string(), self.work.display().to_string());
        [(self.bootstrap.clone(), "BOOTSTRAP"), (data, "DATA"), (work, "WORK")]
    }

    /// Runs every command with the tools in `bin`; the answers that were not expected replace those in `transcript` and
    /// are told, each with its command.
    pub(super) fn run(&self, transcript: &mut Transcript, bin: &Path) -> Result<Vec<String>, String> {
        let names = self.names();
        let mut told = Vec::new();
        for step in &mut transcript.steps {
            let got = self.ask(&step.command(), bin, &names)?;
            let expected = step.expected(self.side);
            if got != expected {
                told.push(format!("$ {}\n{}", step.command(), difference(expected, &got)));
                step.expect(self.side, got);
            }
        }
        Ok(told)
    }

    fn ask(&self, command: &str, bin: &Path, names: &Names) -> Result<Vec<String>, String> {
        let path = std::env::var("PATH").unwrap_or_default();
        let mut shell = Command::new("bash");
        // Both outputs through one pipe, so that their lines stand in the order in which they were written.
        shell.arg("-c").arg(format!("set -o pipefail\nexec 2>&1\n{command}"));
        shell.current_dir(&self.work).env("PATH", format!("{}:{path}", bin.display()));
        shell.env("BOOTSTRAP", &self.bootstrap).env("DATA", &self.data).env("LC_ALL", "C.UTF-8").env("TZ", "UTC");
        let mut running = Running::start(&mut shell, true)?;
        running.close_input();
        let mut lines = Vec::new();
        let status = running.finish(COMMAND_MAX, |line| lines.push(line)).map_err(|why| format!("{command}: {why}"))?;
        Ok(normal::answer(&lines, status.code(), names))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked() -> Asked {
        let work = std::env::temp_dir();
        Asked { side: Side::Ottla, bootstrap: "h:1".to_owned(), data: "/nowhere/data".into(), work }
    }

    #[test]
    fn answers_hold_both_outputs_in_order_and_the_exit_code() {
        let asked = asked();
        let command = "echo a $BOOTSTRAP; echo b >&2; false | cat; echo $?; (exit 3)";
        let got = asked.ask(command, Path::new("/nowhere"), &asked.names()).expect("bash is there");
        assert_eq!(got, ["a BOOTSTRAP", "b", "1", "(exit 3)"]);
    }

    #[test]
    fn what_was_not_expected_is_told_and_kept() {
        let mut transcript = Transcript::parse("$ echo a\n  a\n$ echo b\n  c\n").expect("legal");
        let told = asked().run(&mut transcript, Path::new("/nowhere")).expect("bash is there");
        assert_eq!(told, ["$ echo b\n- c\n+ b\n"]);
        assert_eq!(transcript.render(), "$ echo a\n  a\n$ echo b\n- c\n+ b\n");
    }
}
