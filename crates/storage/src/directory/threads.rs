//! Doing the same with many partitions: on several threads, or in the caller's own task with pauses for others.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Poll;

use parking_lot::Mutex;

use crate::disk::block_on;

/// So many are done before others on the caller's thread have their turn.
const BETWEEN_PAUSES: usize = 256;

/// What is to be done for one number. Boxed, for only so can the whole be told to be `Send`.
pub(super) type Work<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Does `job` for each number below `count` and answers in their order. With more than one of `threads` the caller's
/// thread blocks while [`BETWEEN_PAUSES`] of them are done; with one, all is done in the caller's own task, as a
/// simulation wants it.
pub(super) async fn for_each<'a, T: Send>(
    count: usize,
    threads: usize,
    job: impl Fn(usize) -> Work<'a, T> + Sync,
) -> Vec<T> {
    let mut answers = Vec::with_capacity(count);
    while answers.len() < count {
        let first = answers.len();
        let end = count.min(first + BETWEEN_PAUSES);
        if threads > 1 && end - first > 1 {
            answers.extend(side_by_side(first, end, threads, &job));
        } else {
            for number in first..end {
                answers.push(job(number).await);
            }
        }
        if end < count {
            pause().await;
        }
    }
    answers
}

fn side_by_side<'a, T: Send>(
    first: usize,
    end: usize,
    threads: usize,
    job: &(impl Fn(usize) -> Work<'a, T> + Sync),
) -> Vec<T> {
    let next = AtomicUsize::new(first);
    let slots: Vec<Mutex<Option<T>>> = (first..end).map(|_| Mutex::new(None)).collect();
    std::thread::scope(|scope| {
        for _ in 0..threads.min(end - first) {
            scope.spawn(|| {
                while let Some(number) = Some(next.fetch_add(1, Ordering::Relaxed)).filter(|number| *number < end) {
                    *slots[number - first].lock() = Some(block_on(job(number)));
                }
            });
        }
    });
    slots.into_iter().map(|slot| slot.into_inner().expect("every number was taken by one of the threads")).collect()
}

/// Lets others on this thread go first.
async fn pause() {
    let mut paused = false;
    poll_fn(|context| {
        if std::mem::replace(&mut paused, true) {
            return Poll::Ready(());
        }
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_number_has_its_turn_and_its_place() {
        for (count, threads) in [(0, 4), (1, 4), (1000, 1), (1000, 4)] {
            let answers = block_on(for_each(count, threads, |number| Box::pin(async move { number * 2 })));
            assert_eq!(answers, (0..count).map(|number| number * 2).collect::<Vec<_>>());
        }
    }
}
