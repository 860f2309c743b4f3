//! Stdout: buffered, flushed when the command says so, and quiet when its reader goes away.

use std::io::{self, BufWriter, Write};

use crate::failure::Failure;

/// Bytes that are collected before they are written.
const BUFFER_BYTES: usize = 256 << 10;

/// A buffered stdout.
pub(crate) struct Output(BufWriter<io::Stdout>);

impl Output {
    /// The process's stdout.
    pub(crate) fn stdout() -> Self {
        Self(BufWriter::with_capacity(BUFFER_BYTES, io::stdout()))
    }

    /// Writes bytes as they are.
    pub(crate) fn write(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        self.0.write_all(bytes).map_err(|error| Failure::of_output(&error))
    }

    /// Writes a line of text.
    pub(crate) fn line(&mut self, text: &str) -> Result<(), Failure> {
        self.write(text.as_bytes())?;
        self.write(b"\n")
    }

    /// Shows all that was written.
    pub(crate) fn flush(&mut self) -> Result<(), Failure> {
        self.0.flush().map_err(|error| Failure::of_output(&error))
    }
}
