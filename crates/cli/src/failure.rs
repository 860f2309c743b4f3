//! How a command fails: what is said on stderr, and the exit code.

use std::io::{self, Write as _};
use std::process::ExitCode;

use ottla_client::{ClientError, ProduceError};

/// A command did not do what was asked.
#[derive(Debug)]
pub(crate) enum Failure {
    /// Whoever reads stdout has had enough: no failure at all, but nothing more to do.
    OutputClosed,
    /// What to say.
    Message(String),
}

impl Failure {
    /// A failure that reads so.
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Self::Message(message.into())
    }

    /// Says it, and turns it into an exit code.
    pub(crate) fn report(self) -> ExitCode {
        match self {
            Self::OutputClosed => ExitCode::SUCCESS,
            Self::Message(message) => {
                say(&format!("ottla: {message}"));
                ExitCode::FAILURE
            }
        }
    }

    /// Takes an error of stdout.
    pub(crate) fn of_output(error: &io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::BrokenPipe => Self::OutputClosed,
            _ => Self::Message(format!("stdout: {error}")),
        }
    }
}

impl From<ClientError> for Failure {
    fn from(error: ClientError) -> Self {
        Self::Message(match &error {
            ClientError::UnknownTopic(name) => format!("{error}; `ottla topic create {name}` makes it"),
            ClientError::Unreachable(_) => format!("{error}; --bootstrap says where to look"),
            _ => error.to_string(),
        })
    }
}

impl From<ProduceError> for Failure {
    fn from(error: ProduceError) -> Self {
        match error {
            ProduceError::Client(error) => error.into(),
            error => Self::Message(error.to_string()),
        }
    }
}

/// A line for the user on stderr. That nobody reads it is no reason to fail.
pub(crate) fn say(line: &str) {
    let _ = writeln!(io::stderr().lock(), "{line}");
}
