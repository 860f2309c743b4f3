//! What can go wrong below a log: the disk, or bytes on it that are not what they must be.
//!
//! A fault is never the client's doing. What a client did wrong is an [`AppendRefusal`](crate::AppendRefusal) or a
//! [`ReadRefusal`](crate::ReadRefusal).

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ottla_types::{ErrorCode, Offset, Uuid};
use rustix::io::Errno;

/// A failure of the disk or of what is on it. Cheap to clone, for everyone who waits on a log is told.
#[derive(Clone, Debug, thiserror::Error)]
pub enum StorageFault {
    /// The operating system refused an operation.
    #[error("cannot {action} {}: {error}{}", path.display(), remedy(error))]
    Io {
        /// What was tried, as an infinitive: "write", "sync".
        action: &'static str,
        /// The file or directory.
        path: PathBuf,
        /// What the system said.
        error: Arc<io::Error>,
    },
    /// A file's content cannot be understood.
    #[error("{} is damaged at byte {position}: {reason}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// Where in the file, in bytes.
        position: u64,
        /// What is there, and what was expected.
        reason: String,
    },
    /// A file belongs to something else: another cluster, another node, another topic.
    #[error("{} has {key}={got}, expected {expected}", path.display())]
    Mismatch {
        /// The file.
        path: PathBuf,
        /// The field that differs.
        key: &'static str,
        /// What the file says.
        got: String,
        /// What it should say.
        expected: String,
    },
    /// A log directory that held partitions is not there, or is empty.
    #[error(
        "{} was the log directory with directory.id={id}, and is empty or not there now: mount its disk and start again. If \
         what it held is lost for good, take its line out of {}",
        path.display(),
        known.display()
    )]
    Vanished {
        /// The directory.
        path: PathBuf,
        /// Its id, when it was there.
        id: Uuid,
        /// The file that knows it.
        known: PathBuf,
    },
    /// Something else stands where a log directory should be.
    #[error("{} is not a directory: log.dirs must name directories", path.display())]
    NoDirectoryThere {
        /// The path.
        path: PathBuf,
    },
    /// Another process works in the log directory.
    #[error("the log directory {} is in use by another process, which holds its .lock", path.display())]
    Locked {
        /// The directory.
        path: PathBuf,
    },
    /// A partition that is to be made is there already, or one that is asked for is not.
    #[error("the partition directory {} {state}", path.display())]
    Partition {
        /// The directory.
        path: PathBuf,
        /// "is there already" or "is not there".
        state: &'static str,
    },
    /// The log was closed or deleted while the operation ran.
    #[error("the log {} is closed", path.display())]
    Closed {
        /// The log's directory.
        path: PathBuf,
    },
    /// No log directory is there to take a partition.
    #[error("no log directory is online that takes partitions")]
    NoDirectory,
    /// A cut or purge was asked for outside of what the log holds.
    #[error("offset {offset} is outside of {} to {} in {}", start, end, path.display())]
    OutOfRange {
        /// The log's directory.
        path: PathBuf,
        /// What was asked for.
        offset: Offset,
        /// The log's first offset.
        start: Offset,
        /// The log's end offset.
        end: Offset,
    },
}

impl StorageFault {
    /// What a client is answered when its request met a fault.
    #[must_use]
    pub const fn error_code(&self) -> ErrorCode {
        ErrorCode::KafkaStorageError
    }

    /// Whether a directory whose own files meet this fault is to be given up: its device fails, is read only, or is not
    /// there any more. Not so where the device is full, or this process or machine is short of something else.
    #[must_use]
    pub fn is_the_devices(&self) -> bool {
        const SHORT: [Errno; 7] =
            [Errno::NOSPC, Errno::DQUOT, Errno::MFILE, Errno::NFILE, Errno::NOMEM, Errno::INTR, Errno::AGAIN];
        let Self::Io { error, .. } = self else { return false };
        Errno::from_io_error(error).is_none_or(|errno| !SHORT.contains(&errno))
    }

    /// Whether a device, or a quota, has no room left for what was to be written. A sync that says so is none of these: what
    /// it should have made durable is unknown then.
    #[must_use]
    pub fn is_full(&self) -> bool {
        const KINDS: [io::ErrorKind; 2] = [io::ErrorKind::StorageFull, io::ErrorKind::QuotaExceeded];
        matches!(self, Self::Io { action, error, .. } if *action != "sync" && KINDS.contains(&error.kind()))
    }

    pub(crate) fn damaged(path: &Path, position: u64, reason: impl Into<String>) -> Self {
        Self::Damaged { path: path.to_owned(), position, reason: reason.into() }
    }

    /// Whether the system said that there is no such file.
    pub(crate) fn is_not_found(&self) -> bool {
        matches!(self, Self::Io { error, .. } if error.kind() == io::ErrorKind::NotFound)
    }
}

/// What can be done about an error of the system, where that is the same for every file. Begins with a semicolon.
#[must_use]
pub fn remedy(error: &io::Error) -> &'static str {
    match Errno::from_io_error(error) {
        Some(Errno::NOSPC | Errno::DQUOT) => "; free some space",
        Some(Errno::ACCESS | Errno::PERM) => "; the user that runs the broker must be able to read and write it",
        Some(Errno::ROFS) => {
            "; the kernel makes a file system read-only when its device fails, and its log (dmesg) tells"
        }
        Some(Errno::IO) => "; the device fails, and the kernel's log (dmesg) tells more",
        Some(Errno::MFILE) => "; raise the broker's limit of open files (ulimit -n)",
        Some(Errno::NFILE) => "; raise the system's limit of open files (fs.file-max)",
        _ => "",
    }
}

/// Adds what was tried and where to the system's answer.
pub(crate) trait Trying<T> {
    /// `action` is an infinitive: "write".
    fn trying(self, action: &'static str, path: &Path) -> Result<T, StorageFault>;

    /// The same where it succeeds so often that the path's name is not made for nothing.
    fn trying_at(self, action: &'static str, path: impl FnOnce() -> PathBuf) -> Result<T, StorageFault>;
}

impl<T> Trying<T> for io::Result<T> {
    fn trying(self, action: &'static str, path: &Path) -> Result<T, StorageFault> {
        self.trying_at(action, || path.to_owned())
    }

    fn trying_at(self, action: &'static str, path: impl FnOnce() -> PathBuf) -> Result<T, StorageFault> {
        self.map_err(|error| StorageFault::Io { action, path: path(), error: Arc::new(error) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_say_what_where_and_why() {
        let fault = Err::<(), _>(io::Error::from(io::ErrorKind::StorageFull))
            .trying("write", Path::new("/d/t-0/00000000000000000000.log"))
            .expect_err("an error");
        assert_eq!(fault.to_string(), "cannot write /d/t-0/00000000000000000000.log: no storage space");
        assert!(fault.is_full());
        let fault = StorageFault::damaged(Path::new("/d/x"), 12, "version 7, expected 0");
        assert_eq!(fault.to_string(), "/d/x is damaged at byte 12: version 7, expected 0");
        assert_eq!(fault.error_code(), ErrorCode::KafkaStorageError);
        assert!(!fault.is_full());
        for errno in [rustix::io::Errno::NOSPC, rustix::io::Errno::DQUOT] {
            let failed = |action| Err::<(), _>(io::Error::from(errno)).trying(action, Path::new("/d/x"));
            assert!(failed("write").is_err_and(|fault| fault.is_full()));
            assert!(!failed("sync").is_err_and(|fault| fault.is_full()));
        }
    }

    #[test]
    fn what_can_be_done_is_said() {
        let told = |errno: Errno| {
            let failed = Err::<(), _>(io::Error::from(errno)).trying("write", Path::new("/d/x"));
            failed.expect_err("an error").to_string()
        };
        assert!(told(Errno::MFILE).ends_with("(os error 24); raise the broker's limit of open files (ulimit -n)"));
        assert!(told(Errno::ACCESS).contains("the user that runs the broker"));
        assert!(told(Errno::IO).contains("dmesg") && told(Errno::ROFS).contains("read-only"));
        assert!(told(Errno::NOENT).ends_with("(os error 2)"));
    }

    #[test]
    fn a_directory_is_given_up_for_its_device_and_not_for_want_of_space() {
        let fault = |errno: Errno| Err::<(), _>(io::Error::from(errno)).trying("sync", Path::new("/d"));
        for lost in [Errno::IO, Errno::ROFS, Errno::NOENT, Errno::NODEV, Errno::ACCESS] {
            assert!(fault(lost).expect_err("an error").is_the_devices(), "{lost:?}");
        }
        for short in [Errno::NOSPC, Errno::DQUOT, Errno::MFILE, Errno::NFILE, Errno::NOMEM] {
            assert!(!fault(short).expect_err("an error").is_the_devices(), "{short:?}");
        }
        assert!(!StorageFault::damaged(Path::new("/d/x"), 12, "?").is_the_devices());
    }
}
