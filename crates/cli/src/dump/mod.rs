//! `ottla dump`: what is in the files of a log, without a broker. Reads, and changes nothing.
//!
//! As a table it prints the lines that Kafka's own dump tool prints, so that scripts which read those read these; as
//! JSON an object a line. What is wrong with a file is told on stderr and makes the command fail, after everything that
//! can be read was printed.
//!
//! This file finds out what a path is; `batches` reads segments, `records` what is in them, `decoders` those of the brokers'
//! own topics; `small_files` indexes, snapshots and the rest.

mod batches;
pub(crate) mod decoders;
mod records;
mod remote_log;
mod small_files;

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};

use ottla_types::Offset;
use serde_json::Value;

use crate::args::{DumpArgs, OutputForm};
use crate::failure::{Failure, say};
use crate::output::Output;

/// Dumps every path in turn.
pub(crate) fn run(args: &DumpArgs, form: OutputForm) -> Result<(), Failure> {
    let mut dump = Dump { args, form, output: Output::stdout(), problems: 0 };
    for path in &args.paths {
        if path.is_dir() {
            for file in files_in(path)? {
                dump.file(&file)?;
            }
        } else {
            dump.file(path)?;
        }
    }
    dump.output.flush()?;
    match dump.problems {
        0 => Ok(()),
        1 => Err(Failure::new("1 thing is wrong")),
        count => Err(Failure::new(format!("{count} things are wrong"))),
    }
}

/// The files of a partition, in the order of their names: those of one segment stand together.
fn files_in(directory: &Path) -> Result<Vec<PathBuf>, Failure> {
    let listed = fs::read_dir(directory).and_then(|entries| entries.map(|entry| Ok(entry?.path())).collect());
    let mut files: Vec<PathBuf> = listed.map_err(|error| unreadable(directory, &error))?;
    files.retain(|path| path.is_file());
    files.sort();
    Ok(files)
}

/// One run of the command.
struct Dump<'a> {
    args: &'a DumpArgs,
    form: OutputForm,
    output: Output,
    /// How many were told.
    problems: usize,
}

impl Dump<'_> {
    fn file(&mut self, path: &Path) -> Result<(), Failure> {
        if self.prints_text() {
            self.output.line(&format!("Dumping {}", path.display()))?;
        }
        let name = path.file_name().and_then(OsStr::to_str).unwrap_or_default();
        // A file that is to be deleted is still what it was.
        let kind = name.strip_suffix(".deleted").unwrap_or(name);
        let (stem, ending) = kind.rsplit_once('.').unwrap_or((kind, ""));
        let base = stem.parse().map(Offset);
        match (ending, base) {
            ("log", Ok(base)) => batches::dump(self, path, Some(base)),
            ("checkpoint", _) => batches::dump(self, path, None),
            ("index", Ok(base)) => small_files::offset_index(self, path, base),
            ("timeindex", Ok(base)) => small_files::time_index(self, path, base),
            ("txnindex", Ok(base)) => small_files::transaction_index(self, path, base),
            ("snapshot", Ok(_)) => small_files::producer_snapshot(self, path),
            _ if small_files::is_text(name) => small_files::text(self, path),
            _ => {
                say(&format!("ottla: {}: not a file of a log, passed over", path.display()));
                Ok(())
            }
        }
    }

    /// Whether lines for people are wanted.
    fn prints_text(&self) -> bool {
        self.form == OutputForm::Table && !self.args.verify
    }

    /// Prints an entry: as `text` or as `json`, whichever is wanted. Neither is made in vain.
    fn entry(&mut self, text: impl FnOnce() -> String, json: impl FnOnce() -> Value) -> Result<(), Failure> {
        if self.args.verify {
            return Ok(());
        }
        match self.form {
            OutputForm::Table => self.output.line(&text()),
            OutputForm::Json => self.output.line(&json().to_string()),
        }
    }

    /// Tells that something is wrong, behind what was printed before.
    fn problem(&mut self, path: &Path, what: &str) -> Result<(), Failure> {
        self.output.flush()?;
        self.problems += 1;
        say(&format!("ottla: {}: {what}", path.display()));
        Ok(())
    }
}

fn unreadable(path: &Path, error: &std::io::Error) -> Failure {
    Failure::new(format!("{}: {error}", path.display()))
}
