//! Bugs put in on purpose, so that the tests that must find them can be seen to: `cargo xtask sown`.
//!
//! A build with the feature `sown` has all of them, and the environment says which of them is at work ([`VARIABLE`]). Any
//! other build has none: [`is`] is `false` there for the compiler already, and a build for release refuses the feature.
//! Each bug is one line where it is asked for; what it breaks stands here.

#[cfg(all(feature = "sown", not(debug_assertions)))]
compile_error!("the feature `sown` puts bugs in; nothing for release is built with it");

/// The environment variable that names the bug at work: a bug's name in lower case with hyphens.
pub const VARIABLE: &str = "OTTLA_SOWN";

/// A bug that can be put in.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Bug {
    /// A flush syncs no file.
    NoFlush,
    /// Producers are answered when their records are written, not when they are flushed.
    NoFlushBeforeAcknowledgement,
    /// A flush does not sync the directories of files that were made.
    NoDirectorySync,
    /// A log that is saved alone does not sync the names of files that were made since its flush.
    NoSyncOfNewNames,
    /// A saved log answers a recovery point that was not flushed.
    CheckpointBeforeFlush,
    /// A recovery begins at the last segment, wherever the recovery point is.
    RecoveryFromWrongPoint,
    /// A recovery believes batches without a look at their CRC.
    NoCrcAtRecovery,
    /// A recovery keeps segments that lie behind a hole.
    SegmentsBehindHole,
    /// A cut at the end is answered before it is durable.
    CutNotSynced,
    /// A small file takes the place of another before its bytes are durable.
    RenameWithoutSync,
    /// A small file's new name is not synced.
    NameOfReplacedNotSynced,
    /// A sync that failed counts as one that did not.
    FailedSyncIgnored,
    /// What a full disk refused stays in the log's memory of its producers.
    ProducersNotTakenBack,
    /// The mark of a clean stop stays when the directory is opened.
    CleanMarkStays,
    /// A start knows no producers.
    ProducersForgotten,
    /// Producers' sequences are not checked.
    NoSequenceCheck,
    /// An index entry is believed without a look at the batch that it points to.
    IndexNotChecked,
    /// Segments leave from the newest to the oldest.
    RetiredFromWrongEnd,
    /// A partition's copy takes its place before its bytes are durable.
    CopyNotSynced,
    /// A partition's copy does not say what it is a copy of.
    CopyWithoutOrigin,
    /// DeleteRecords is answered before the log's new start is saved.
    LogStartNotSaved,
    /// A start leads the partitions in the epoch that they had.
    EpochNotRaised,
    /// Cleaned segments take the place of others before their bytes are durable.
    SwapNotSynced,
    /// Compaction drops tombstones as soon as it meets them.
    TombstonesDroppedAtOnce,
    /// Compaction keeps nothing of a producer's last batch.
    LastBatchNotKept,
    /// Compaction drops a producer's batch for the sake of a later one that is not durable.
    CleanedBeforeLastBatch,
    /// Compaction counts aborted records as later ones of their keys.
    AbortedSupersede,
    /// How far a log was cleaned is saved before it is.
    CleanedBeforeSwap,
}

/// Whether this bug is at work.
#[cfg(not(feature = "sown"))]
#[must_use]
#[inline(always)]
pub const fn is(_bug: Bug) -> bool {
    false
}

/// Whether this bug is at work.
#[cfg(feature = "sown")]
#[must_use]
pub fn is(bug: Bug) -> bool {
    static CHOSEN: std::sync::OnceLock<Option<String>> = std::sync::OnceLock::new();
    let chosen = CHOSEN.get_or_init(|| std::env::var(VARIABLE).ok());
    chosen.as_ref().is_some_and(|chosen| *chosen == name(bug))
}

/// `NoFlush` is `no-flush`.
#[cfg(feature = "sown")]
fn name(bug: Bug) -> String {
    let mut name = String::new();
    for letter in format!("{bug:?}").chars() {
        if letter.is_ascii_uppercase() && !name.is_empty() {
            name.push('-');
        }
        name.push(letter.to_ascii_lowercase());
    }
    name
}
