//! Threads that do the disk's work, and the bounded queue before them.
//!
//! They know nothing of files: a job is a closure.

use std::collections::VecDeque;
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread::{self, JoinHandle};

use parking_lot::{Condvar, Mutex};

/// Jobs that may wait before one kind of threads. Beyond that the submitter does its job itself, which slows it down.
const QUEUE_MAX: usize = 1024;

/// Something to do on a thread.
pub(super) type Job = Box<dyn FnOnce() + Send>;

/// Where jobs wait, in the order in which they came.
#[derive(Default)]
pub(super) struct Queue {
    waiting: Mutex<Waiting>,
    arrived: Condvar,
}

#[derive(Default)]
struct Waiting {
    jobs: VecDeque<Job>,
    /// Threads that take jobs. None: nothing may wait.
    threads: usize,
}

/// The threads before one queue. Dropped, it lets them finish what waits, and waits for them.
pub(super) struct Workers {
    queue: Arc<Queue>,
    threads: Vec<JoinHandle<()>>,
}

impl Queue {
    /// Hands a job to the threads; done here if too many wait, or no thread is there.
    pub(super) fn run(&self, job: Job) {
        if let Err(job) = self.push(job) {
            job();
        }
    }

    fn push(&self, job: Job) -> Result<(), Job> {
        let mut waiting = self.waiting.lock();
        if waiting.threads == 0 || waiting.jobs.len() >= QUEUE_MAX {
            return Err(job);
        }
        waiting.jobs.push_back(job);
        drop(waiting);
        self.arrived.notify_one();
        Ok(())
    }

    /// Whether there is a thread to hand jobs to.
    pub(super) fn has_threads(&self) -> bool {
        self.waiting.lock().threads > 0
    }

    /// The next job, as soon as there is one; none once the threads shall end and nothing waits.
    fn next(&self) -> Option<Job> {
        let mut waiting = self.waiting.lock();
        loop {
            if let Some(job) = waiting.jobs.pop_front() {
                return Some(job);
            }
            if waiting.threads == 0 {
                return None;
            }
            self.arrived.wait(&mut waiting);
        }
    }
}

impl Workers {
    /// Starts a thread for each number, called `name-number` (15 bytes of it are what Linux shows). Fewer if the system refuses: then with a warning.
    pub(super) fn start(name: &str, numbers: Range<usize>) -> Self {
        let queue = Arc::new(Queue::default());
        queue.waiting.lock().threads = numbers.len();
        let mut threads = Vec::with_capacity(numbers.len());
        for number in numbers {
            let jobs = queue.clone();
            let started = thread::Builder::new().name(format!("{name}-{number}")).spawn(move || work(&jobs));
            match started {
                Ok(thread) => threads.push(thread),
                Err(error) => {
                    tracing::warn!(%error, name, "a disk thread could not be started; others do its work");
                    queue.waiting.lock().threads -= 1;
                }
            }
        }
        Self { queue, threads }
    }

    pub(super) const fn queue(&self) -> &Arc<Queue> {
        &self.queue
    }
}

impl Drop for Workers {
    fn drop(&mut self) {
        self.queue.waiting.lock().threads = 0;
        self.queue.arrived.notify_all();
        for thread in self.threads.drain(..) {
            // The last owner may be woken by one of these threads, and let go of the disk there.
            if thread.thread().id() != thread::current().id() {
                thread.join().expect("a job's panic is caught");
            }
        }
    }
}

fn work(queue: &Queue) {
    while let Some(job) = queue.next() {
        // A job wakes whoever waits for it, so code that is not ours runs here. A panic of its must not end the thread
        // that a device's writes depend on; the panic hook has told of it.
        if catch_unwind(AssertUnwindSafe(job)).is_err() {
            tracing::error!("a disk thread's job panicked");
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Barrier;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::sync::mpsc;

    use super::*;

    #[test]
    fn never_runs_on_more_threads_than_asked_for() {
        let workers = Workers::start("test", 0..3);
        let (sender, names) = mpsc::channel();
        let together = Arc::new(Barrier::new(3));
        for _ in 0..30 {
            let (sender, together) = (sender.clone(), together.clone());
            workers.queue().run(Box::new(move || {
                // Three at a time, so all three threads take part.
                together.wait();
                sender.send(thread::current().name().unwrap().to_owned()).unwrap();
            }));
        }
        drop(sender);
        drop(workers);
        let mut names: Vec<String> = names.iter().collect();
        assert_eq!(names.len(), 30);
        names.sort();
        names.dedup();
        assert_eq!(names, ["test-0", "test-1", "test-2"]);
    }

    #[test]
    fn finishes_what_waits_before_it_ends() {
        let workers = Workers::start("test", 0..1);
        let done = Arc::new(AtomicUsize::new(0));
        let (go, gate) = mpsc::channel::<()>();
        workers.queue().run(Box::new(move || gate.recv().unwrap()));
        for _ in 0..100 {
            let done = done.clone();
            workers.queue().run(Box::new(move || {
                done.fetch_add(1, Ordering::Relaxed);
            }));
        }
        assert_eq!(done.load(Ordering::Relaxed), 0);
        go.send(()).unwrap();
        drop(workers);
        assert_eq!(done.load(Ordering::Relaxed), 100);
    }

    #[test]
    fn a_full_queue_and_an_ended_one_run_the_job_in_the_submitter() {
        let workers = Workers::start("test", 0..1);
        let queue = workers.queue().clone();
        let (go, gate) = mpsc::channel::<()>();
        let (taken, is_taken) = mpsc::channel();
        queue.run(Box::new(move || {
            taken.send(()).unwrap();
            gate.recv().unwrap();
        }));
        is_taken.recv().unwrap();
        for _ in 0..QUEUE_MAX {
            queue.run(Box::new(|| {}));
        }
        let runs_here = |queue: &Queue| {
            let (sender, ran_on) = mpsc::channel();
            queue.run(Box::new(move || sender.send(thread::current().id()).unwrap()));
            ran_on.try_recv() == Ok(thread::current().id())
        };
        assert!(runs_here(&queue));
        go.send(()).unwrap();
        drop(workers);
        assert!(runs_here(&queue));
    }

    #[test]
    fn a_panicking_job_does_not_end_the_thread() {
        let workers = Workers::start("test", 0..1);
        workers.queue().run(Box::new(|| panic!("as the test wants it")));
        let (sender, ran_on) = mpsc::channel();
        workers.queue().run(Box::new(move || sender.send(thread::current().name().unwrap().to_owned()).unwrap()));
        assert_eq!(ran_on.recv().unwrap(), "test-0");
    }
}
