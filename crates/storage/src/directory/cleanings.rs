//! Who may clean a partition, and who keeps others from it: a partition is cleaned by one at a time, and by nobody while
//! it is cut, moved or deleted (`LogCleanerManager`'s states).

use std::collections::BTreeMap;
use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Poll, Waker};

use ottla_types::TopicPartition;
use parking_lot::Mutex;

/// The partitions that are being cleaned, or may not be.
#[derive(Clone, Default, Debug)]
pub(super) struct Cleanings(Arc<Mutex<State>>);

#[derive(Default, Debug)]
struct State {
    partitions: BTreeMap<TopicPartition, Standing>,
    /// Nothing is cleaned any more.
    is_closed: bool,
    /// Wait for a cleaning to end.
    wakers: Vec<Waker>,
}

#[derive(Default, Debug)]
struct Standing {
    is_running: bool,
    pauses: usize,
}

impl Standing {
    fn is_nothing(&self) -> bool {
        !self.is_running && self.pauses == 0
    }
}

/// A cleaning under way; dropping it ends it.
#[derive(Debug)]
pub(super) struct Running {
    all: Cleanings,
    name: TopicPartition,
}

/// As long as it is held nobody cleans the partition.
#[must_use = "cleaning goes on when it is dropped"]
#[derive(Debug)]
pub(super) struct Pause {
    all: Cleanings,
    name: TopicPartition,
}

impl Cleanings {
    /// Begins to clean a partition. `None` if somebody is at it, or it is paused.
    pub(super) fn begin(&self, name: &TopicPartition) -> Option<Running> {
        let mut state = self.0.lock();
        if state.is_closed {
            return None;
        }
        let standing = state.partitions.entry(name.clone()).or_default();
        if !standing.is_nothing() {
            return None;
        }
        standing.is_running = true;
        Some(Running { all: self.clone(), name: name.clone() })
    }

    /// Whether the partition could be cleaned at this moment.
    pub(super) fn may_begin(&self, name: &TopicPartition) -> bool {
        !self.0.lock().partitions.contains_key(name)
    }

    /// Has whoever cleans the partition stop, and waits for that.
    pub(super) async fn pause(&self, name: &TopicPartition) -> Pause {
        self.0.lock().partitions.entry(name.clone()).or_default().pauses += 1;
        let pause = Pause { all: self.clone(), name: name.clone() };
        poll_fn(|context| {
            let mut state = self.0.lock();
            if state.partitions.get(name).is_some_and(|standing| standing.is_running) {
                state.wakers.push(context.waker().clone());
                return Poll::Pending;
            }
            Poll::Ready(())
        })
        .await;
        pause
    }

    /// Has whoever cleans something stop, and waits for that. Nobody begins any more.
    pub(super) async fn close(&self) {
        self.0.lock().is_closed = true;
        poll_fn(|context| {
            let mut state = self.0.lock();
            if state.partitions.values().any(|standing| standing.is_running) {
                state.wakers.push(context.waker().clone());
                return Poll::Pending;
            }
            Poll::Ready(())
        })
        .await;
    }

    fn change(&self, name: &TopicPartition, change: impl FnOnce(&mut Standing)) {
        let wakers = {
            let mut state = self.0.lock();
            if let Some(standing) = state.partitions.get_mut(name) {
                change(standing);
                if standing.is_nothing() {
                    state.partitions.remove(name);
                }
            }
            std::mem::take(&mut state.wakers)
        };
        wakers.into_iter().for_each(Waker::wake);
    }
}

impl Running {
    /// Whether somebody waits for it to end.
    pub(super) fn is_unwanted(&self) -> bool {
        let state = self.all.0.lock();
        state.is_closed || state.partitions.get(&self.name).is_some_and(|standing| standing.pauses > 0)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.all.change(&self.name, |standing| standing.is_running = false);
    }
}

impl Drop for Pause {
    fn drop(&mut self) {
        self.all.change(&self.name, |standing| standing.pauses -= 1);
    }
}

#[cfg(test)]
mod tests {
    use std::future::Future;
    use std::pin::pin;
    use std::task::Context;

    use ottla_types::{PartitionIndex, TopicName};

    use super::*;
    use crate::disk::block_on;

    #[test]
    fn a_pause_waits_for_the_cleaning_to_end_and_keeps_others_from_beginning() {
        let name = TopicPartition { topic: TopicName::new("t").expect("legal"), partition: PartitionIndex(0) };
        let all = Cleanings::default();
        let running = all.begin(&name).expect("nobody is at it");
        assert!(all.begin(&name).is_none() && !all.may_begin(&name) && !running.is_unwanted());
        let mut pausing = pin!(all.pause(&name));
        assert!(pausing.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
        assert!(running.is_unwanted());
        drop(running);
        let first = block_on(pausing);
        let second = block_on(all.pause(&name));
        drop(first);
        assert!(all.begin(&name).is_none());
        drop(second);
        assert!(all.begin(&name).is_some() && all.may_begin(&name));
    }
}
