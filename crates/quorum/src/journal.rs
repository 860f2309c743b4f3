//! INTERIM: one file of batches, until `storage::Log` is there.
use std::path::{Path, PathBuf};
use std::sync::Arc;
use bytes::Bytes;
use ottla_runtime::Clock;
use ottla_storage::disk::{Disk, FileHandle, Open};
use crate::QuorumFault;
use crate::batch::{Stored, read_batches};

pub(crate) struct Journal { directory: PathBuf, disk: Arc<dyn Disk>, clock: Arc<dyn Clock>, file: FileHandle, start: u64, positions: Vec<u64>, length: u64 }

impl Journal {
    pub(crate) async fn open(disk: Arc<dyn Disk>, directory: &Path, clock: Arc<dyn Clock>) -> Result<Self, QuorumFault> {
        let path = directory.join("interim.log");
        let file = disk.open(&path, Open::Create).await.map_err(QuorumFault::disk(&path, "open"))?;
        disk.sync_directory(directory).await.map_err(QuorumFault::disk(&path, "sync dir"))?;
        let length = file.length().await.map_err(QuorumFault::disk(&path, "len"))?;
        let bytes = file.read(0, length as usize).await.map_err(QuorumFault::disk(&path, "read"))?;
        let start = if bytes.len() >= 8 { u64::from_be_bytes(bytes[..8].try_into().unwrap()) } else { 0 };
        let mut journal = Self { directory: directory.to_owned(), disk, clock, file, start, positions: vec![], length: 0 };
        let mut at = 0usize;
        while bytes.len() >= at + 12 {
            let len = 12 + u32::from_be_bytes(bytes[at + 8..at + 12].try_into().unwrap()) as usize;
            if len < 61 || bytes.len() < at + len || read_batches(directory, &bytes.slice(at..at + len), start + journal.positions.len() as u64).is_err() { break; }
            journal.positions.push(at as u64);
            at += len;
        }
        journal.length = at as u64;
        journal.file.truncate(at as u64).await.map_err(QuorumFault::disk(directory, "cut"))?;
        journal.sync().await?;
        Ok(journal)
    }
    async fn sync(&self) -> Result<(), QuorumFault> { self.file.sync().await.map_err(QuorumFault::disk(&self.directory, "sync")) }
    pub(crate) fn start(&self) -> u64 { self.start }
    pub(crate) fn end(&self) -> u64 { self.start + self.positions.len() as u64 }
    pub(crate) async fn append(&mut self, entries: &[Stored]) -> Result<(), QuorumFault> {
        for e in entries {
            let b = e.batch(&self.directory, self.clock.wall())?;
            self.positions.push(self.length);
            let at = self.length; self.length += b.len() as u64;
            self.file.write(at, vec![b]).await.map_err(QuorumFault::disk(&self.directory, "write"))?;
        }
        self.sync().await
    }
    pub(crate) async fn read(&mut self, from: u64, to: u64) -> Result<Vec<Stored>, QuorumFault> {
        let a = self.positions[(from - self.start) as usize];
        let b = self.positions.get((to - self.start) as usize).copied().unwrap_or(self.length);
        let bytes = self.file.read(a, (b - a) as usize).await.map_err(QuorumFault::disk(&self.directory, "read"))?;
        read_batches(&self.directory, &bytes, from)
    }
    pub(crate) async fn truncate(&mut self, end: u64) -> Result<(), QuorumFault> {
        if end >= self.end() { return Ok(()); }
        let keep = (end - self.start) as usize;
        self.length = self.positions[keep]; self.positions.truncate(keep);
        self.file.truncate(self.length).await.map_err(QuorumFault::disk(&self.directory, "cut"))?;
        self.sync().await
    }
    pub(crate) async fn forget_before(&mut self, _index: u64) -> Result<(), QuorumFault> { let _ = &self.disk; let _: Option<Bytes> = None; Ok(()) }
    pub(crate) async fn reset(&mut self, boundary: Stored) -> Result<(), QuorumFault> {
        self.positions.clear(); self.length = 0; self.start = boundary.index;
        self.file.truncate(0).await.map_err(QuorumFault::disk(&self.directory, "cut"))?;
        self.append(&[boundary]).await
    }
    pub(crate) async fn close(&mut self) -> Result<(), QuorumFault> { self.sync().await }
}
