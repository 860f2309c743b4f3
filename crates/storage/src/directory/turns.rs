//! Taking turns without a runtime: a lock that is awaited.

use std::future::poll_fn;
use std::task::{Poll, Waker};

use parking_lot::Mutex;

/// One at a time.
#[derive(Default, Debug)]
pub(super) struct Turns(Mutex<Waiting>);

#[derive(Default, Debug)]
struct Waiting {
    taken: bool,
    wakers: Vec<Waker>,
}

/// A turn; dropping it ends it.
pub(super) struct Turn<'a>(&'a Turns);

impl Turns {
    /// Waits for a turn.
    pub(super) async fn next(&self) -> Turn<'_> {
        poll_fn(|context| {
            let mut waiting = self.0.lock();
            if waiting.taken {
                waiting.wakers.push(context.waker().clone());
                return Poll::Pending;
            }
            waiting.taken = true;
            Poll::Ready(Turn(self))
        })
        .await
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        // All are woken: one that was dropped meanwhile must not swallow the turn.
        let wakers = {
            let mut waiting = self.0.0.lock();
            waiting.taken = false;
            std::mem::take(&mut waiting.wakers)
        };
        wakers.into_iter().for_each(Waker::wake);
    }
}
