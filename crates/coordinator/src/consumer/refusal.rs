//! Why a request of the consumer protocol is refused.

use std::fmt;

use ottla_types::ErrorCode;

/// An error, and what a person should know about it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Refusal {
    /// What clients go by.
    pub error: ErrorCode,
    /// What was expected, and what was found.
    pub message: String,
}

impl Refusal {
    pub(crate) fn new(error: ErrorCode, message: impl Into<String>) -> Self {
        Self { error, message: message.into() }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.error, self.message)
    }
}
