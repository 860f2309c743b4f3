//! Deadlines that hardly ever come, kept by one sleeper for all of them.
//!
//! A request that waits has a deadline and nearly always ends long before it. With a timer of its own each would, as the
//! earliest of its executor, have a thread woken only to sleep again a little shorter: two system calls and two switches
//! of thread for something that is given up a moment later. Here a deadline is an entry in a map. One task sleeps until
//! the earliest that it knew of when it fell asleep, and is woken only for an earlier one; it ends when nothing waits.

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use parking_lot::Mutex;
use tokio::sync::Notify;
use tokio::time::Instant;

/// When somebody's patience ends, and which one of those that end then.
type Key = (Instant, u64);

/// All deadlines of one clock.
#[derive(Default)]
pub(crate) struct Timeouts {
    state: Mutex<State>,
    /// An earlier deadline came than the keeper knows of.
    earlier: Notify,
}

#[derive(Default)]
struct State {
    waiting: BTreeMap<Key, Waker>,
    /// Tells those apart that have the same deadline.
    next: u64,
    /// When the keeper looks again; none if there is no keeper.
    looks_at: Option<Instant>,
}

/// What a new deadline asks for.
enum Call {
    Nothing,
    Wake,
    Start,
}

impl Timeouts {
    /// Completes at `deadline`. To be polled inside an executor.
    pub(crate) fn at(self: &Arc<Self>, deadline: Instant) -> Timeout {
        Timeout { timeouts: self.clone(), deadline, key: None }
    }

    fn add(self: &Arc<Self>, key: Option<Key>, deadline: Instant, waker: &Waker) -> Key {
        let mut state = self.state.lock();
        let key = key.unwrap_or_else(|| {
            state.next += 1;
            (deadline, state.next)
        });
        state.waiting.insert(key, waker.clone());
        let call = match state.looks_at {
            None => Call::Start,
            Some(looks_at) if deadline < looks_at => Call::Wake,
            Some(_) => Call::Nothing,
        };
        if !matches!(call, Call::Nothing) {
            state.looks_at = Some(deadline);
        }
        drop(state);
        match call {
            Call::Nothing => {}
            Call::Wake => self.earlier.notify_one(),
            Call::Start => drop(tokio::spawn(Keeper { timeouts: self.clone(), is_done: false }.run())),
        }
        key
    }

    fn remove(&self, key: Key) {
        self.state.lock().waiting.remove(&key);
    }
}

/// The one that sleeps for all.
struct Keeper {
    timeouts: Arc<Timeouts>,
    /// Nothing waited when it looked last: it is no keeper any more.
    is_done: bool,
}

impl Keeper {
    async fn run(mut self) {
        while let Some(earliest) = self.look(Instant::now()) {
            tokio::select! {
                biased;
                () = self.timeouts.earlier.notified() => {}
                () = tokio::time::sleep_until(earliest) => {}
            }
        }
    }

    /// Wakes those whose time has come; the earliest deadline of the others.
    fn look(&mut self, now: Instant) -> Option<Instant> {
        let mut state = self.timeouts.state.lock();
        let later = state.waiting.split_off(&(now, u64::MAX));
        let due = std::mem::replace(&mut state.waiting, later);
        let earliest = state.waiting.keys().next().map(|(deadline, _)| *deadline);
        state.looks_at = earliest;
        self.is_done = earliest.is_none();
        drop(state);
        due.into_values().for_each(Waker::wake);
        earliest
    }
}

impl Drop for Keeper {
    /// If its executor ends before its time, those who wait on other executors find another keeper.
    fn drop(&mut self) {
        if self.is_done {
            return;
        }
        let left = {
            let mut state = self.timeouts.state.lock();
            state.looks_at = None;
            std::mem::take(&mut state.waiting)
        };
        left.into_values().for_each(Waker::wake);
    }
}

/// One deadline. Dropped, it is given up.
pub(crate) struct Timeout {
    timeouts: Arc<Timeouts>,
    deadline: Instant,
    /// Its place among those that wait, once it was polled.
    key: Option<Key>,
}

impl Future for Timeout {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        if Instant::now() >= self.deadline {
            return Poll::Ready(());
        }
        let key = self.timeouts.add(self.key, self.deadline, context.waker());
        self.key = Some(key);
        Poll::Pending
    }
}

impl Drop for Timeout {
    fn drop(&mut self) {
        if let Some(key) = self.key {
            self.timeouts.remove(key);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn looks_at(timeouts: &Timeouts) -> Option<Instant> {
        timeouts.state.lock().looks_at
    }

    #[tokio::test(start_paused = true)]
    async fn each_completes_at_its_own_time_whatever_the_order_in_which_they_came() {
        let timeouts = Arc::new(Timeouts::default());
        let start = Instant::now();
        let wait = |seconds: u32| {
            let timeout = timeouts.at(start + seconds * SECOND);
            async move {
                timeout.await;
                Instant::now() - start
            }
        };
        let ended = tokio::join!(wait(3), wait(1), wait(2), wait(1), wait(0));
        let seconds = |ended: Duration| ended.as_secs_f64().round() as u32;
        assert_eq!([ended.0, ended.1, ended.2, ended.3, ended.4].map(seconds), [3, 1, 2, 1, 0]);
    }

    #[tokio::test(start_paused = true)]
    async fn who_gives_up_is_forgotten_and_the_keeper_goes_when_nobody_waits() {
        let timeouts = Arc::new(Timeouts::default());
        let at = Instant::now() + SECOND;
        tokio::select! {
            biased;
            () = timeouts.at(at) => panic!("too early"),
            () = tokio::task::yield_now() => {}
        }
        assert!(timeouts.state.lock().waiting.is_empty());
        assert_eq!(looks_at(&timeouts), Some(at), "it looks again at the time that it knew of, and not before");
        tokio::time::sleep(2 * SECOND).await;
        assert_eq!(looks_at(&timeouts), None);
        timeouts.at(Instant::now() + SECOND).await;
    }

    #[tokio::test(start_paused = true)]
    async fn only_an_earlier_deadline_has_the_keeper_look_anew() {
        let timeouts = Arc::new(Timeouts::default());
        let start = Instant::now();
        let mut looked = Vec::new();
        let mut held = Vec::new();
        for seconds in [5, 9, 7, 2, 3] {
            let mut timeout = Box::pin(timeouts.at(start + seconds * SECOND));
            assert!(poll_once(timeout.as_mut()).await.is_pending());
            held.push(timeout);
            looked.push((looks_at(&timeouts).expect("a keeper") - start).as_secs());
        }
        assert_eq!(looked, [5, 5, 5, 2, 2]);
    }

    async fn poll_once(mut timeout: Pin<&mut Timeout>) -> Poll<()> {
        std::future::poll_fn(|context| Poll::Ready(timeout.as_mut().poll(context))).await
    }

    #[test]
    fn those_of_another_executor_do_not_wait_for_a_keeper_that_is_gone() {
        let executor = || tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let (first, second) = (executor(), executor());
        let timeouts = Arc::new(Timeouts::default());
        let mut far = Box::pin(timeouts.at(Instant::now() + 3600 * SECOND));
        first.block_on(async { assert!(poll_once(far.as_mut()).await.is_pending()) });
        // Known to the first executor's keeper, which goes with it.
        let near = timeouts.at(Instant::now() + Duration::from_millis(20));
        let waits = second.spawn(near);
        drop(first);
        second.block_on(async { tokio::time::timeout(60 * SECOND, waits).await.expect("in time").expect("no panic") });
    }
}
