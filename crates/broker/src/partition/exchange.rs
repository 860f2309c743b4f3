//! Another log for a partition that is served: what a move between directories does at its end.
//!
//! Appends wait while the old log is closed; reads go on, from whichever log they found, and ask again if its files went
//! away below them. Whoever waits for records of the old log is answered by what the new one holds: it begins where the
//! old one ended, with everything flushed.
//!
//! Who moves partitions, and when, is in `moves/`.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use ottla_replication::Input;
use ottla_runtime::Runtime;
use ottla_storage::{AppendRefusal, Log, StorageFault};
use ottla_types::{Instant, Offset};
use tokio::sync::Notify;

use super::{Partition, Watcher, log_config};

impl Partition {
    /// From here to [`end_exchange`](Self::end_exchange) a closed log is no failed one.
    pub(crate) fn begin_exchange(&self) {
        self.exchanging.store(true, Ordering::SeqCst);
    }

    /// Serves from `log`, which holds all that the one before held.
    pub(crate) fn exchange(self: &Arc<Self>, log: Arc<Log>) {
        log.attach(Arc::new(Watcher(Arc::downgrade(self))));
        {
            // What changes under this lock, changes the log that it finds.
            let leader = self.leader.lock();
            log.configure(log_config(&self.config.load()));
            log.assign_leader_epoch(leader.epoch());
            self.log.store(log.clone());
        }
        let ends = log.ends();
        self.tell(Input::LocalEndAdvanced(ends.written));
        self.tell(Input::LocalFlushed(ends.flushed));
    }

    /// Whoever waited goes on with the log that is there now.
    pub(crate) fn end_exchange(&self) {
        self.exchanging.store(false, Ordering::SeqCst);
        self.wake_all();
    }

    /// Whether records in `log` can come no further. One that was closed for another's sake is none of these: the other
    /// one has them.
    pub(super) fn is_offline(&self, log: &Arc<Log>) -> bool {
        log.failed().is_some() && !self.exchanging.load(Ordering::SeqCst) && Arc::ptr_eq(log, &self.log.load())
    }

    /// Whether an append that was refused is worth another attempt: the log was closed for an exchange, which is over when
    /// this returns.
    pub(crate) async fn comes_again(&self, refusal: &AppendRefusal, runtime: &Runtime, deadline: Instant) -> bool {
        matches!(refusal, AppendRefusal::Offline(StorageFault::Closed { .. }))
            && self.exchanged(runtime, deadline).await
    }

    /// Waits while the log is being exchanged, until the deadline. Whether there is a log then that takes something.
    pub(crate) async fn exchanged(&self, runtime: &Runtime, deadline: Instant) -> bool {
        let wake = Arc::new(Notify::new());
        while self.exchanging.load(Ordering::SeqCst) {
            let _registered = self.written.register(Offset(i64::MAX), &wake);
            if !self.exchanging.load(Ordering::SeqCst) {
                break;
            }
            tokio::select! {
                biased;
                () = wake.notified() => {}
                () = runtime.clock.sleep_until(deadline) => return false,
            }
        }
        !self.is_closed() && self.log.load().failed().is_none()
    }

    /// Asks the log; and the one that took its place meanwhile, if the answer is an error.
    pub(crate) async fn ask_log<T, E, F>(&self, ask: impl Fn(Arc<Log>) -> F) -> Result<T, E>
    where
        F: Future<Output = Result<T, E>>,
    {
        let mut log = self.log();
        loop {
            let answer = ask(log.clone()).await;
            let present = self.log();
            if answer.is_ok() || Arc::ptr_eq(&log, &present) {
                return answer;
            }
            log = present;
        }
    }
}
