//! Exchanges of segments that a crash has interrupted: what a start makes of `.cleaned` and `.swap` files, Ottla's and
//! Kafka's (`LogLoader.removeTempFilesAndCollectSwapFiles`).
//!
//! A `.log.swap` is a whole segment, and takes the place of those that begin within it. Unless there is a `.cleaned` at the
//! same offset or below: then its names were still being given, and nothing of it counts. What the old segments held is
//! there in either case.

use std::collections::BTreeSet;

use ottla_types::Offset;

use super::compact::{CLEANED, FILES, SWAP};
use super::recover::Loader;
use crate::fault::{StorageFault, Trying};
use crate::segment::Kind;
use crate::walk::{SCAN, Step, Walk};

impl Loader {
    /// Finishes what was interrupted, or takes it back. What is in the directory is listed anew then.
    pub(super) async fn finish_exchanges(&mut self) -> Result<(), StorageFault> {
        let of = |ending: &str| -> BTreeSet<(Offset, usize)> {
            let parsed = self.names.iter().filter_map(|name| Kind::parse(name.name.strip_suffix(ending)?));
            parsed.filter_map(|(kind, base)| Some((base, FILES.iter().position(|it| *it == kind)?))).collect()
        };
        let (cleaned, swaps) = (of(CLEANED), of(SWAP));
        if cleaned.is_empty() && swaps.is_empty() {
            return Ok(());
        }
        let lowest_cleaned = cleaned.first().map(|(base, _)| *base);
        let log = FILES.len() - 1;
        let counts = |base: Offset| swaps.contains(&(base, log)) && lowest_cleaned.is_none_or(|lowest| base < lowest);
        for (base, kind) in swaps.iter().filter(|(base, _)| !counts(*base)) {
            self.remove(&self.directory.join(FILES[*kind].name_with(*base, SWAP))).await?;
        }
        for (base, kind) in &cleaned {
            self.remove(&self.directory.join(FILES[*kind].name_with(*base, CLEANED))).await?;
        }
        let bases: BTreeSet<Offset> = swaps.iter().map(|(base, _)| *base).filter(|base| counts(*base)).collect();
        for base in bases {
            let kinds =
                FILES.into_iter().enumerate().filter(|(i, _)| swaps.contains(&(base, *i))).map(|(_, kind)| kind);
            self.finish_exchange(base, kinds.collect()).await?;
        }
        self.disk.sync_directory(&self.directory).await.trying("sync", &self.directory)?;
        self.names = self.disk.list(&self.directory).await.trying("list", &self.directory)?;
        Ok(())
    }

    async fn finish_exchange(&self, base: Offset, kinds: Vec<Kind>) -> Result<(), StorageFault> {
        let end = self.end_of_swap(base).await?;
        tracing::info!(directory = %self.directory.display(), %base, %end, "a compaction was interrupted; finishing it");
        for name in &self.names {
            let goes = match Kind::parse(&name.name) {
                // It says what was before the segment.
                Some((Kind::Snapshot, at)) => at > base && at < end,
                Some((_, at)) => at == base || (at > base && at < end),
                None => false,
            };
            if goes {
                self.remove(&self.directory.join(&name.name)).await?;
            }
        }
        // Or else old and new ones could meet after another crash.
        self.disk.sync_directory(&self.directory).await.trying("sync", &self.directory)?;
        for kind in kinds {
            let from = self.directory.join(kind.name_with(base, SWAP));
            let to = self.directory.join(kind.name(base));
            self.disk.rename(&from, &to).await.trying("rename", &from)?;
        }
        self.disk.sync_directory(&self.directory).await.trying("sync", &self.directory)
    }

    /// The offset behind the last batch of a segment that takes the place of others.
    async fn end_of_swap(&self, base: Offset) -> Result<Offset, StorageFault> {
        let path = self.directory.join(Kind::Log.name_with(base, SWAP));
        let file = self.disk.open(&path, crate::disk::Open::Read).await.trying("open", &path)?;
        let bytes = file.length().await.trying("measure", &path)?;
        let mut walk = Walk::new(&file, &path, 0, bytes, SCAN);
        let mut end = base;
        loop {
            match walk.header().await? {
                Step::Batch { header, .. } => end = end.max(header.next_offset()),
                Step::End => return Ok(end),
                Step::Bad { position, reason } => return Err(StorageFault::damaged(&path, position, reason)),
            }
        }
    }
}
