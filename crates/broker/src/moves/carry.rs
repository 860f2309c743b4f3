//! One move, from its first byte to the moment at which the copy is the partition.
//!
//! A worker copies pieces until little is left, makes them durable, and then has the log closed, the rest copied and the
//! other log served: that is short, and appends wait for it. Whatever goes wrong before leaves the partition where it is.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use ottla_storage::{LogDirectory, Move, MoveFailed, StorageFault};
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

use super::throttle::{piece_bytes, rest_bytes};
use super::{Moves, Underway, give_up_future};
use crate::partition::Partition;

/// How long a worker sleeps before it looks whether it should go on, and at which rate.
const NAP: Duration = Duration::from_secs(1);

/// How a move ended.
enum End {
    Moved,
    /// It is not wanted any more; who says so removes the copy.
    Cancelled,
    /// The broker stops: it goes on at the next start.
    Stopped,
    /// One of the directories is offline: it goes on when both are back.
    DirectoryLost,
    /// The partition stays where it is.
    Failed(StorageFault),
    /// Only the next start can tell where the partition is.
    Unknown(StorageFault),
}

/// What a worker has in its hands.
struct Carried<'a> {
    underway: &'a Arc<Underway>,
    partition: Arc<Partition>,
    source: Arc<LogDirectory>,
    target: Arc<LogDirectory>,
    stop: &'a CancellationToken,
}

impl Moves {
    /// Carries out one move after the other until the broker stops.
    pub(crate) async fn work(self: Arc<Self>, stop: CancellationToken) {
        loop {
            while let Some(underway) = self.take_next() {
                let end = self.carry(&underway, &stop).await.unwrap_or_else(|end| end);
                self.tell(&underway, &end);
                if let End::Failed(_) = end
                    && let Some(target) = self.directories.online_at(&underway.target)
                {
                    give_up_future(&target, &underway.name).await;
                }
                self.forget(&underway);
                if stop.is_cancelled() {
                    return;
                }
            }
            tokio::select! {
                biased;
                () = stop.cancelled() => return,
                () = self.wanted.notified() => {}
            }
        }
    }

    async fn carry(&self, underway: &Arc<Underway>, stop: &CancellationToken) -> Result<End, End> {
        let name = &underway.name;
        let partition = self.partitions.get(underway.topic_id, name.partition).ok_or(End::DirectoryLost)?;
        let source = self.directories.holder(name).ok_or(End::DirectoryLost)?;
        let target = self.directories.online_at(&underway.target).ok_or(End::DirectoryLost)?;
        let random = self.runtime.random.wide_bits();
        let begun = Move::begin(source.clone(), target.clone(), name, random).await;
        let carried = Carried { underway, partition, source, target, stop };
        let mut moving = begun.map_err(|fault| self.blame(&carried, fault))?;
        loop {
            self.copy(&mut moving, &carried).await?;
            moving.sync().await.map_err(|fault| self.blame(&carried, fault))?;
            if moving.remaining() <= rest_bytes(self.settings.present().move_bytes_per_second_max) {
                break;
            }
        }
        self.go_on(&carried)?;
        self.exchange(moving, &carried).await
    }

    /// Copies until little is left.
    async fn copy(&self, moving: &mut Move, carried: &Carried<'_>) -> Result<(), End> {
        let mut failed_before = false;
        loop {
            self.go_on(carried)?;
            let rate = self.settings.present().move_bytes_per_second_max;
            if rate == Some(0) {
                self.sleep(NAP, carried).await;
                continue;
            }
            let copied = match moving.step(piece_bytes(rate)).await {
                Ok(copied) => copied,
                // Retention may have taken a segment away between the look at it and its copy.
                Err(_) if !std::mem::replace(&mut failed_before, true) => continue,
                Err(fault) => return Err(self.blame(carried, fault)),
            };
            failed_before = false;
            carried.underway.bytes.store(moving.bytes(), Ordering::Relaxed);
            carried.underway.end.store(moving.end().0, Ordering::Relaxed);
            if copied == 0 || moving.remaining() <= rest_bytes(rate) {
                return Ok(());
            }
            self.pace(copied, rate, carried).await;
        }
    }

    /// Waits until the rate allows the next piece.
    async fn pace(&self, copied: u64, rate: Option<u64>, carried: &Carried<'_>) {
        let Some(bytes_per_second) = rate else {
            self.throttle.lock().forget();
            tokio::task::yield_now().await;
            return;
        };
        let clock = &self.runtime.clock;
        let next = self.throttle.lock().copied(clock.now(), copied, bytes_per_second);
        while clock.now() < next && self.go_on(carried).is_ok() {
            if self.settings.present().move_bytes_per_second_max != rate {
                self.throttle.lock().forget();
                return;
            }
            self.sleep(next.since(clock.now()).min(NAP), carried).await;
        }
    }

    async fn sleep(&self, time: Duration, carried: &Carried<'_>) {
        let clock = &self.runtime.clock;
        tokio::select! {
            biased;
            () = carried.stop.cancelled() => {}
            () = carried.underway.cancelled.cancelled() => {}
            () = clock.sleep_until(clock.now() + time) => {}
        }
    }

    /// Whether the move is to go on.
    fn go_on(&self, carried: &Carried<'_>) -> Result<(), End> {
        let is_lost = |directory: &LogDirectory| self.directories.online_at(directory.path()).is_none();
        if carried.underway.cancelled.is_cancelled() {
            Err(End::Cancelled)
        } else if carried.stop.is_cancelled() {
            Err(End::Stopped)
        } else if is_lost(&carried.source) || is_lost(&carried.target) || carried.partition.is_closed() {
            Err(End::DirectoryLost)
        } else {
            Ok(())
        }
    }

    /// What a fault means: it may be the first sign of a directory that is lost.
    fn blame(&self, carried: &Carried<'_>, fault: StorageFault) -> End {
        self.go_on(carried).err().unwrap_or(End::Failed(fault))
    }

    /// Puts the copy in the log's place.
    async fn exchange(&self, moving: Move, carried: &Carried<'_>) -> Result<End, End> {
        let Carried { partition, source, .. } = carried;
        partition.begin_exchange();
        let finished = moving.finish().await;
        let log = match &finished {
            Ok(moved) => Some(moved.log.clone()),
            Err(failed) => failed.log.clone(),
        };
        if let Some(log) = log.filter(|log| !Arc::ptr_eq(log, &partition.log())) {
            partition.exchange(log);
        }
        partition.end_exchange();
        match finished {
            Ok(moved) => {
                if let Some(left) = moved.leave(self.runtime.random.wide_bits()).await
                    && let Err(fault) = source.remove_deleted(&left).await
                {
                    warn!(%fault, "the old files are still there; the next start removes them");
                }
                Ok(End::Moved)
            }
            Err(MoveFailed { fault, log: Some(_) }) => Err(self.blame(carried, fault)),
            Err(MoveFailed { fault, log: None }) => Err(End::Unknown(fault)),
        }
    }

    fn tell(&self, underway: &Underway, end: &End) {
        let (partition, to) = (&underway.name, underway.target.display());
        match end {
            End::Moved => info!(%partition, %to, "moved"),
            End::Cancelled => info!(%partition, %to, "the move is cancelled"),
            End::Stopped => info!(%partition, %to, "the move goes on at the next start"),
            End::DirectoryLost => warn!(%partition, %to, "a directory is offline; the move waits until both are back"),
            End::Failed(fault) => error!(%partition, %to, %fault, "the move failed; the partition stays where it is"),
            End::Unknown(fault) => {
                error!(%partition, %to, %fault, "the move failed at its end; the partition is offline until the next start");
            }
        }
    }
}
