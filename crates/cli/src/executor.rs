//! The threads that run the broker's tasks, and who sees to it that one of them always waits for the system's events.
//!
//! A thread that takes events and then works on one of them for long leaves the waiting to the others, but if they sleep
//! nobody wakes them for it, and no connection is served. A task from outside wakes one; having nothing to do, it waits
//! for events. [`Listening`] gives that task: while threads are at work it looks every [`LOOK`] whether one of them went to
//! rest since the last time, for who goes to rest waits for events if nobody else does. While none is at work it sleeps,
//! and the first that begins to work wakes it: an idle broker has no clock that ticks. Before it sleeps for long it has the
//! allocator give back what was freed ([`memory`]).

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::thread::{self, JoinHandle, Thread};
use std::time::{Duration, Instant};

use tokio::runtime::{Builder, Handle, Runtime};

use crate::failure::Failure;
use crate::memory::{self, Trims};

/// A thread that works for long keeps all others from hearing of new requests for twice this at most.
const LOOK: Duration = Duration::from_millis(25);

/// The bits of [`Threads::state`] that count threads at work; above them rests are counted.
const AT_WORK: u64 = (1 << REST_SHIFT) - 1;
const REST_SHIFT: u32 = 16;

/// An executor of `threads` threads.
pub(crate) fn executor(name: &'static str, threads: usize) -> Result<Runtime, Failure> {
    build(&mut builder(name, threads))
}

/// The same, one of whose threads always waits for events, whatever the others are at, as long as the second is held.
pub(crate) fn listening_executor(name: &'static str, threads: usize) -> Result<(Runtime, Listening), Failure> {
    let observed = Arc::new(Threads::new(threads));
    let (resting, working) = (observed.clone(), observed.clone());
    let mut builder = builder(name, threads);
    builder.on_thread_park(move || resting.rests()).on_thread_unpark(move || working.works());
    let runtime = build(&mut builder)?;
    let listening = Listening::start(observed, runtime.handle().clone())?;
    Ok((runtime, listening))
}

fn builder(name: &'static str, threads: usize) -> Builder {
    let mut builder = Builder::new_multi_thread();
    builder.worker_threads(threads).thread_name(name).enable_all();
    builder
}

fn build(builder: &mut Builder) -> Result<Runtime, Failure> {
    builder.build().map_err(|error| Failure::new(format!("no executor: {error}")))
}

/// What an executor's threads are at.
struct Threads {
    count: u64,
    /// How many are at work ([`AT_WORK`]), and how often one has gone to rest. They begin at work.
    state: AtomicU64,
    /// Nobody looks: the first that begins to work wakes who does.
    looks_no_more: AtomicBool,
    looker: OnceLock<Thread>,
    ended: AtomicBool,
}

/// A look at the threads.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Seen {
    at_work: u64,
    rests: u64,
}

impl Threads {
    fn new(count: usize) -> Self {
        let count = count as u64;
        Self { count, state: count.into(), looks_no_more: false.into(), looker: OnceLock::new(), ended: false.into() }
    }

    fn rests(&self) {
        self.state.fetch_add((1 << REST_SHIFT) - 1, Ordering::SeqCst);
    }

    /// Sequentially consistent with [`look`](Self::look) behind a store to `looks_no_more`: either this thread sees the
    /// store, or the look sees this thread.
    fn works(&self) {
        self.state.fetch_add(1, Ordering::SeqCst);
        if self.looks_no_more.load(Ordering::SeqCst)
            && let Some(looker) = self.looker.get()
        {
            looker.unpark();
        }
    }

    fn look(&self) -> Seen {
        let state = self.state.load(Ordering::SeqCst);
        Seen { at_work: state & AT_WORK, rests: state >> REST_SHIFT }
    }

    /// Sleeps until a thread is at work, or all is over; but for the time at which memory should be given back.
    fn sleep(&self, trims: &mut Trims) {
        self.looks_no_more.store(true, Ordering::SeqCst);
        while self.look().at_work == 0 && !self.ended.load(Ordering::SeqCst) {
            match trims.due_in(Instant::now()) {
                Some(Duration::ZERO) => {
                    memory::give_back();
                    trims.done(Instant::now());
                }
                Some(wait) => thread::park_timeout(wait),
                None => thread::park(),
            }
        }
        trims.worked();
        self.looks_no_more.store(false, Ordering::SeqCst);
    }

    /// Whether somebody may have to be woken to wait for events: some work, some sleep, and none went to rest since.
    fn may_be_deaf(&self, before: Seen, now: Seen) -> bool {
        (1..self.count).contains(&now.at_work) && now.rests == before.rests
    }
}

/// Keeps an executor listening until it is dropped.
pub(crate) struct Listening {
    threads: Arc<Threads>,
    looker: Option<JoinHandle<()>>,
}

impl Listening {
    fn start(threads: Arc<Threads>, executor: Handle) -> Result<Self, Failure> {
        let observed = threads.clone();
        let looker =
            thread::Builder::new().name("ottla-listening".to_owned()).spawn(move || look(&observed, &executor));
        let looker = looker.map_err(|error| Failure::new(format!("no thread: {error}")))?;
        Ok(Self { threads, looker: Some(looker) })
    }
}

impl Drop for Listening {
    fn drop(&mut self) {
        self.threads.ended.store(true, Ordering::SeqCst);
        if let Some(looker) = self.looker.take() {
            looker.thread().unpark();
            looker.join().expect("looking does not panic");
        }
    }
}

fn look(threads: &Threads, executor: &Handle) {
    // Before it can be asleep.
    threads.looker.get_or_init(thread::current);
    let mut trims = Trims::begin(Instant::now());
    let mut before = threads.look();
    while !threads.ended.load(Ordering::SeqCst) {
        thread::park_timeout(LOOK);
        let now = threads.look();
        if now.at_work == 0 {
            threads.sleep(&mut trims);
        } else if threads.may_be_deaf(before, now) {
            drop(executor.spawn(async {}));
        }
        before = threads.look();
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::TcpStream;
    use std::sync::mpsc;

    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    use super::*;

    const PATIENCE: Duration = Duration::from_secs(20);

    fn until_asleep(listening: &Listening) {
        let began = Instant::now();
        while !listening.threads.looks_no_more.load(Ordering::SeqCst) {
            assert!(began.elapsed() < PATIENCE, "it still looks");
            thread::yield_now();
        }
    }

    #[test]
    fn a_thread_that_works_for_long_does_not_keep_others_from_hearing() {
        let (data, listening) = listening_executor("data", 2).unwrap();
        let listener = data.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
        let address = listener.local_addr().unwrap();
        let ((began, has_begun), (end, may_end)) = (mpsc::channel(), mpsc::channel());
        data.spawn(async move {
            let ((mut long, _), (mut short, _)) = (listener.accept().await.unwrap(), listener.accept().await.unwrap());
            tokio::spawn(async move {
                long.read_u8().await.unwrap();
                began.send(()).unwrap();
                // The thread that heard of this byte works from here on.
                may_end.recv_timeout(PATIENCE)
            });
            let byte = short.read_u8().await.unwrap();
            short.write_u8(byte).await.unwrap();
        });
        let mut long = TcpStream::connect(address).unwrap();
        let mut short = TcpStream::connect(address).unwrap();
        short.set_read_timeout(Some(PATIENCE / 2)).unwrap();
        until_asleep(&listening);
        long.write_all(&[1]).unwrap();
        has_begun.recv_timeout(PATIENCE).unwrap();
        short.write_all(&[2]).unwrap();
        short.read_exact(&mut [0]).unwrap();
        end.send(()).unwrap();
    }

    #[test]
    fn while_nothing_is_at_work_nobody_looks() {
        let (data, listening) = listening_executor("data", 2).unwrap();
        until_asleep(&listening);
        let (done, is_done) = mpsc::channel();
        data.spawn(async move { done.send(()).unwrap() });
        is_done.recv_timeout(PATIENCE).unwrap();
        until_asleep(&listening);
        drop((listening, data));
    }

    #[test]
    fn somebody_may_be_deaf_who_sleeps_while_others_work_and_none_goes_to_rest() {
        let threads = Threads::new(2);
        let all_at_work = threads.look();
        assert_eq!(all_at_work, Seen { at_work: 2, rests: 0 });
        assert!(!threads.may_be_deaf(all_at_work, all_at_work));
        threads.rests();
        let one_at_work = threads.look();
        assert_eq!(one_at_work, Seen { at_work: 1, rests: 1 });
        // Who went to rest since waits for events.
        assert!(!threads.may_be_deaf(all_at_work, one_at_work));
        assert!(threads.may_be_deaf(one_at_work, one_at_work));
        threads.rests();
        let none = threads.look();
        assert!(!threads.may_be_deaf(none, none));
        threads.works();
        assert_eq!(threads.look(), Seen { at_work: 1, rests: 2 });
    }
}
