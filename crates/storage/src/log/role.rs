//! Who may change the files of a log: one job at a time.
//!
//! Writing the queue, rolling, cutting, saving indexes: each is a job that holds the role. Before a job gives the role
//! back it writes whatever was queued meanwhile, for appenders that found the role taken have gone away in that trust.
//! So there is always a writer while there is something to write, with one exception: whoever polls the job may be
//! dropped in the middle. Then the rest of the job stays here, [`Progress::writer_wanted`](super::Progress) is called,
//! and the next one who wants the role finishes that job first. A broker runs jobs that do not complete at once on tasks
//! that nobody cancels, and never sees this.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use super::Log;
use crate::fault::StorageFault;

/// A job under way. It gives the role back itself, as its last act.
type Job<T> = Pin<Box<dyn Future<Output = T> + Send>>;

#[derive(Default)]
pub(super) struct RoleState {
    taken: bool,
    /// The rest of a job whose caller was dropped.
    left: Option<Job<()>>,
    waiting: Vec<Waker>,
}

/// What one who wants the role meets.
enum Taking {
    Busy,
    Free,
    Left(Job<()>),
}

impl RoleState {
    fn take(&mut self) -> Taking {
        if self.taken {
            return Taking::Busy;
        }
        self.taken = true;
        self.left.take().map_or(Taking::Free, Taking::Left)
    }

    /// Gives the role back. The wakers are for the caller to wake once the lock is released.
    #[must_use]
    pub(super) fn give_back(&mut self) -> Vec<Waker> {
        self.taken = false;
        std::mem::take(&mut self.waiting)
    }
}

impl Log {
    /// Does `job` if the role is free. If it is not, answers `None`: whoever holds it writes all that is queued by now.
    pub(super) async fn unless_busy<T, J>(&self, job: impl FnOnce(Arc<Self>) -> J) -> Option<T>
    where
        T: Send + 'static,
        J: Future<Output = T> + Send + 'static,
    {
        loop {
            let taking = self.state.lock().role.take();
            match taking {
                Taking::Busy => return None,
                Taking::Left(left) => self.run(left).await,
                Taking::Free => {
                    let job = Box::pin(job(self.arc()));
                    return Some(self.run(job).await);
                }
            }
        }
    }

    /// Waits for the role, then does `job` and writes what was queued meanwhile.
    pub(super) async fn alone<T, J>(&self, job: impl FnOnce(Arc<Self>) -> J) -> Result<T, StorageFault>
    where
        T: Send + 'static,
        J: Future<Output = Result<T, StorageFault>> + Send + 'static,
    {
        while let Taking::Left(left) = std::future::poll_fn(|context| self.poll_take(context)).await {
            self.run(left).await;
        }
        let (log, job) = (self.arc(), job(self.arc()));
        let whole = async move {
            let answer = job.await;
            // Whose batches these are is told through Progress.
            let _ = log.write_all().await;
            answer
        };
        self.run(Box::pin(whole)).await
    }

    fn poll_take(&self, context: &mut Context<'_>) -> Poll<Taking> {
        let mut state = self.state.lock();
        match state.role.take() {
            Taking::Busy => {
                state.role.waiting.push(context.waker().clone());
                Poll::Pending
            }
            taken => Poll::Ready(taken),
        }
    }

    fn run<T: Send + 'static>(&self, job: Job<T>) -> Running<T> {
        Running { log: self.arc(), job: Some(job) }
    }

    pub(super) fn arc(&self) -> Arc<Self> {
        self.myself.upgrade().expect("a log is only ever made within an Arc, and somebody calls its methods")
    }
}

/// A job that its caller polls.
struct Running<T: Send + 'static> {
    log: Arc<Log>,
    job: Option<Job<T>>,
}

impl<T: Send + 'static> Future for Running<T> {
    type Output = T;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<T> {
        let job = self.job.as_mut().expect("a finished job is not polled again");
        let answer = std::task::ready!(job.as_mut().poll(context));
        self.job = None;
        Poll::Ready(answer)
    }
}

impl<T: Send + 'static> Drop for Running<T> {
    fn drop(&mut self) {
        let Some(job) = self.job.take() else { return };
        let wakers = {
            let mut state = self.log.state.lock();
            // A job that panicked cannot go on. The role stays taken and nothing is written any more.
            if std::thread::panicking() {
                return;
            }
            state.role.left = Some(Box::pin(async move {
                job.await;
            }));
            state.role.give_back()
        };
        wakers.into_iter().for_each(Waker::wake);
        if let Some(progress) = self.log.progress.get() {
            progress.writer_wanted();
        }
    }
}
