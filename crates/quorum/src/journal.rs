//! The log's entries on disk: a `storage::Log`, each entry a batch, durable when it is appended.
//!
//! This file knows how a Kafka log is opened, written, read and cut; `batch` knows how an entry looks in it, `log_store`
//! what openraft wants of it. One caller at a time, so nothing here waits for another's write.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use ottla_record::BatchHeader;
use ottla_runtime::Clock;
use ottla_storage::disk::Disk;
use ottla_storage::{AppendRefusal, Batch, Log, LogConfig, ReadRefusal, Recovery};
use ottla_types::Offset;

use crate::QuorumFault;
use crate::batch::{Stored, malformed, read_batches};

/// Bytes that are read from a segment at a time; the first entry comes whole, whatever its size.
const READ_BYTES: usize = 1024 * 1024;

/// More than an entry takes beside its value: the header of a batch and the framing of its one record.
const ENTRY_OVERHEAD_MAX: usize = 128;

/// How long a full device is left alone.
const PAUSE: Duration = Duration::from_millis(200);

/// The entries on disk, from [`Journal::start`] to before [`Journal::end`].
pub(crate) struct Journal {
    log: Arc<Log>,
    directory: PathBuf,
    clock: Arc<dyn Clock>,
}

impl Journal {
    /// Opens the log in `directory`, or makes one. What lies behind the first bad batch is cut off: only what no append
    /// had finished can be there. Below `durable` nothing is scanned.
    pub(crate) async fn open(
        disk: Arc<dyn Disk>,
        directory: &Path,
        segment_bytes: u32,
        durable: u64,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, QuorumFault> {
        let config = LogConfig { segment_bytes, segment_ms: i64::MAX, ..LogConfig::default() };
        let recovery = Recovery { recovery_point: offset(durable), ..Recovery::UNKNOWN };
        let log = Log::open(disk, directory, config, recovery).await?;
        Ok(Self { log, directory: directory.to_owned(), clock })
    }

    /// The index of the first entry; [`Journal::end`] if there is none.
    pub(crate) fn start(&self) -> u64 {
        index(self.log.ends().log_start)
    }

    /// The index that the next entry gets.
    pub(crate) fn end(&self) -> u64 {
        index(self.log.ends().log_end)
    }

    /// Sees to it that entries whose values have `bytes` bytes together will find room.
    pub(crate) async fn set_aside(&mut self, bytes: usize) -> Result<(), QuorumFault> {
        Ok(self.log.set_aside((bytes + ENTRY_OVERHEAD_MAX) as u64, self.clock.wall()).await?)
    }

    /// Appends entries, which must count on from the end. Durable once this returns. If the device is full, those that
    /// found no room are not in the log, and may be appended again.
    pub(crate) async fn append(&mut self, entries: &[Stored]) -> Result<(), QuorumFault> {
        let now = self.clock.wall();
        for entry in entries {
            let bytes = entry.batch(&self.directory, now)?;
            let header = BatchHeader::parse(&bytes).expect("the batch was built just now");
            match self.log.append_given(Batch { header, bytes }, now) {
                Ok(_) => {}
                Err(AppendRefusal::DiskFull(fault)) => return Err(fault.into()),
                Err(refusal) => return Err(self.fault(format!("entry {}: {refusal}", entry.index))),
            }
        }
        self.log.write_queued().await?;
        let (flushed, end) = (self.log.flush().await?, self.log.ends().log_end);
        if flushed < end {
            return Err(self.fault(format!("flushed up to {flushed} only, of {end}")));
        }
        Ok(())
    }

    /// Waits until a full device may be tried again.
    pub(crate) async fn pause(&self) {
        self.clock.sleep_until(self.clock.now() + PAUSE).await;
    }

    /// The entries from `from` to before `to`, all of which must be there.
    pub(crate) async fn read(&mut self, from: u64, to: u64) -> Result<Vec<Stored>, QuorumFault> {
        let mut entries: Vec<Stored> = Vec::new();
        let mut next = from;
        while next < to {
            let slice = self.log.read(offset(next), READ_BYTES, offset(to), true).await;
            let slice = slice.map_err(|refusal| self.unread(next, refusal))?;
            let slice = slice.ok_or_else(|| malformed(&self.directory, next, "it is not there".to_owned()))?;
            let path = self.directory.join(format!("{:020}.log", slice.segment_base.0));
            let bytes = slice.read().await.map_err(QuorumFault::disk(&path, "read"))?;
            let read = read_batches(&self.directory, &bytes, next)?;
            if read.is_empty() {
                return Err(malformed(&self.directory, next, "its batch is cut".to_owned()));
            }
            next += read.len() as u64;
            entries.extend(read);
        }
        Ok(entries)
    }

    /// Cuts off the entries from `end` on. Durable once this returns.
    pub(crate) async fn truncate(&mut self, end: u64) -> Result<(), QuorumFault> {
        Ok(self.log.truncate_to(offset(end)).await?)
    }

    /// Removes the segments whose entries are all below `index`. The entry at `index` stays.
    pub(crate) async fn forget_before(&mut self, index: u64) -> Result<(), QuorumFault> {
        Ok(self.log.delete_before(offset(index)).await?)
    }

    /// Drops everything and begins anew with `boundary`.
    pub(crate) async fn reset(&mut self, boundary: Stored) -> Result<(), QuorumFault> {
        self.log.restart_at(offset(boundary.index)).await?;
        self.append(&[boundary]).await
    }

    /// Leaves the log so that the next start finds its indexes. Nothing can be appended any more.
    pub(crate) async fn close(&mut self) -> Result<(), QuorumFault> {
        self.log.close().await?;
        Ok(())
    }

    fn unread(&self, index: u64, refusal: ReadRefusal) -> QuorumFault {
        match refusal {
            ReadRefusal::Fault(fault) => fault.into(),
            ReadRefusal::OutOfRange { .. } => malformed(&self.directory, index, refusal.to_string()),
        }
    }

    fn fault(&self, what: String) -> QuorumFault {
        QuorumFault::Log { directory: self.directory.clone(), what }
    }
}

fn offset(index: u64) -> Offset {
    Offset(i64::try_from(index).unwrap_or(i64::MAX))
}

fn index(offset: Offset) -> u64 {
    u64::try_from(offset.0).expect("offsets in a log are 0 or more")
}
