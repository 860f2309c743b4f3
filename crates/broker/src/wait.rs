//! Requests that wait for an offset: a produce for the high watermark to pass its records, a fetch for anything new.
//!
//! Each partition keeps one [`Waits`]. Whoever moves the offset wakes those whose threshold it reached; a request that
//! gives up (its deadline, its connection) takes itself out again. Nobody polls.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use ottla_types::Offset;
use parking_lot::Mutex;
use tokio::sync::Notify;

/// Those who wait for one partition's offset to move.
#[derive(Debug)]
pub(crate) struct Waits {
    list: Mutex<Vec<Wait>>,
    /// The lowest threshold in the list, so that moving an offset that nobody waits for takes no lock.
    lowest: AtomicI64,
}

#[derive(Debug)]
struct Wait {
    reaches: Offset,
    wake: Arc<Notify>,
}

/// Takes the waiter out of the list when dropped.
#[derive(Debug)]
pub(crate) struct Registration<'a> {
    waits: &'a Waits,
    wake: Arc<Notify>,
}

impl Default for Waits {
    fn default() -> Self {
        Self { list: Mutex::default(), lowest: AtomicI64::new(i64::MAX) }
    }
}

impl Waits {
    /// Wakes `wake` once the offset is at least `reaches`. The caller looks at the offset after registering, so that a
    /// move in between is not missed.
    pub(crate) fn register(&self, reaches: Offset, wake: &Arc<Notify>) -> Registration<'_> {
        let mut list = self.list.lock();
        list.push(Wait { reaches, wake: wake.clone() });
        self.lowest.fetch_min(reaches.0, Ordering::SeqCst);
        Registration { waits: self, wake: wake.clone() }
    }

    /// Wakes those who waited for an offset up to `offset`.
    pub(crate) fn reached(&self, offset: Offset) {
        if offset.0 < self.lowest.load(Ordering::SeqCst) {
            return;
        }
        self.wake_where(|wait| wait.reaches <= offset);
    }

    /// Wakes everyone: the partition failed or is going away, and each must look for itself.
    pub(crate) fn wake_all(&self) {
        self.wake_where(|_| true);
    }

    fn wake_where(&self, mut due: impl FnMut(&Wait) -> bool) {
        let mut list = self.list.lock();
        list.retain(|wait| {
            let due = due(wait);
            if due {
                wait.wake.notify_one();
            }
            !due
        });
        self.set_lowest(&list);
    }

    fn set_lowest(&self, list: &[Wait]) {
        let lowest = list.iter().map(|wait| wait.reaches.0).min().unwrap_or(i64::MAX);
        self.lowest.store(lowest, Ordering::SeqCst);
    }
}

impl Drop for Registration<'_> {
    fn drop(&mut self) {
        let mut list = self.waits.list.lock();
        if let Some(at) = list.iter().position(|wait| Arc::ptr_eq(&wait.wake, &self.wake)) {
            list.swap_remove(at);
            self.waits.set_lowest(&list);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn is_woken(wake: &Notify) -> bool {
        tokio::select! {
            biased;
            () = wake.notified() => true,
            () = std::future::ready(()) => false,
        }
    }

    #[tokio::test]
    async fn wakes_those_whose_offset_is_reached_and_no_others() {
        let waits = Waits::default();
        let (near, far) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
        let _near = waits.register(Offset(5), &near);
        let _far = waits.register(Offset(9), &far);
        waits.reached(Offset(4));
        assert!(!is_woken(&near).await);
        waits.reached(Offset(5));
        assert!(is_woken(&near).await);
        assert!(!is_woken(&far).await);
        waits.wake_all();
        assert!(is_woken(&far).await);
    }

    #[test]
    fn who_gives_up_leaves_the_list() {
        let waits = Waits::default();
        let wake = Arc::new(Notify::new());
        drop(waits.register(Offset(5), &wake));
        assert!(waits.list.lock().is_empty());
        assert_eq!(waits.lowest.load(Ordering::SeqCst), i64::MAX);
    }
}
