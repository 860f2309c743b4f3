//! Saving and leaving a log.
