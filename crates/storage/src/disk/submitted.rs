//! The answer to an operation that was handed to the disk: there already, or to come.
//!
//! A future without a runtime. The common case, an operation done inline, is a value without any allocation.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};

use parking_lot::Mutex;

/// What an operation will answer. Awaited; or [`Submitted::wait`]ed for where blocking is right (start-up, tools).
#[must_use = "an operation's failure is only seen by who awaits it"]
#[derive(Debug)]
pub struct Submitted<T>(State<T>);

#[derive(Debug)]
enum State<T> {
    Done(Option<io::Result<T>>),
    Pending(Arc<Mutex<Slot<T>>>),
}

#[derive(Debug)]
struct Slot<T> {
    answer: Option<io::Result<T>>,
    waker: Option<Waker>,
}

/// The disk's end of a pending [`Submitted`]. Dropped without an answer, it answers with an error.
#[derive(Debug)]
pub struct Completer<T>(Arc<Mutex<Slot<T>>>);

impl<T> Submitted<T> {
    /// An operation that is done.
    pub const fn done(answer: io::Result<T>) -> Self {
        Self(State::Done(Some(answer)))
    }

    /// An operation that will be completed through the [`Completer`].
    pub fn pending() -> (Completer<T>, Self) {
        let slot = Arc::new(Mutex::new(Slot { answer: None, waker: None }));
        (Completer(slot.clone()), Self(State::Pending(slot)))
    }

    /// Blocks the thread until the operation is done. Not for threads that run tasks.
    pub fn wait(self) -> io::Result<T> {
        block_on(self)
    }
}

impl<T> Completer<T> {
    /// Hands the answer over and wakes whoever awaits it.
    pub fn complete(self, answer: io::Result<T>) {
        self.set(answer);
    }

    fn set(&self, answer: io::Result<T>) {
        let waker = {
            let mut slot = self.0.lock();
            slot.answer = Some(answer);
            slot.waker.take()
        };
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

impl<T> Drop for Completer<T> {
    fn drop(&mut self) {
        // The last reference but one is the waiter's. An answer that was taken already leaves `answer` empty too, but
        // then nobody polls again, so the error goes unseen.
        let unanswered = self.0.lock().answer.is_none();
        if unanswered {
            self.set(Err(io::Error::other("the disk went away before the operation was done")));
        }
    }
}

// Nothing in it is ever pinned: the answer is moved out.
impl<T> Unpin for Submitted<T> {}

impl<T> Future for Submitted<T> {
    type Output = io::Result<T>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        match &mut self.0 {
            State::Done(answer) => Poll::Ready(answer.take().expect("a finished operation is not polled again")),
            State::Pending(slot) => {
                let mut slot = slot.lock();
                if let Some(answer) = slot.answer.take() {
                    return Poll::Ready(answer);
                }
                slot.waker = Some(context.waker().clone());
                Poll::Pending
            }
        }
    }
}

struct Unpark(std::thread::Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

/// Runs a future of storage to its end on this thread, blocking it. For start-up threads and tools.
pub fn block_on<F: Future>(future: F) -> F::Output {
    let waker = Waker::from(Arc::new(Unpark(std::thread::current())));
    let mut context = Context::from_waker(&waker);
    let mut future = std::pin::pin!(future);
    loop {
        if let Poll::Ready(answer) = future.as_mut().poll(&mut context) {
            return answer;
        }
        std::thread::park();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pending_operation_completes_from_another_thread() {
        let (completer, submitted) = Submitted::pending();
        let disk = std::thread::spawn(move || completer.complete(Ok(7)));
        assert_eq!(submitted.wait().expect("completed"), 7);
        disk.join().expect("no panic");
    }

    #[test]
    fn a_dropped_completer_is_an_error() {
        let (completer, submitted) = Submitted::<u8>::pending();
        drop(completer);
        assert!(submitted.wait().is_err());
    }
}
