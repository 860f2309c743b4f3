//! Memory for requests, asked for and waited for. Who is granted is decided in `request_memory.rs`.

use std::collections::BTreeMap;
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::Notify;

use crate::request_memory::{Ask, PieceId, RequestMemory};

/// What all connections share of it.
#[derive(Debug)]
pub(crate) struct Memory {
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    machine: RequestMemory,
    next: u64,
    /// Those that wait.
    wakes: BTreeMap<PieceId, Arc<Notify>>,
}

/// How full the memory is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Fill {
    /// Bytes held by requests that are not small.
    pub(crate) used: u64,
    /// Bytes from which on no more is granted.
    pub(crate) limit: u64,
    /// Connections that wait for some.
    pub(crate) waiting: usize,
}

/// Memory for what a request becomes when it is opened: a few bytes of it may be hundreds then. Dropped, it is given back.
#[derive(Debug)]
pub(crate) struct Room {
    memory: Arc<Memory>,
    owner: u64,
    /// Present until it is dropped.
    piece: Option<Piece>,
}

/// A piece that was asked for. Dropped, it is given back, or no longer wanted.
#[derive(Debug)]
pub(crate) struct Piece {
    memory: Arc<Memory>,
    id: PieceId,
    bytes: u64,
    /// Present until the piece is known to be granted.
    wake: Option<Arc<Notify>>,
}

impl Memory {
    pub(crate) fn new(limit: u64) -> Self {
        let machine = RequestMemory::new(limit);
        Self { state: Mutex::new(State { machine, next: 0, wakes: BTreeMap::new() }) }
    }

    /// Asks for `bytes` for a request of connection `owner`, which holds `held` of the same request already.
    pub(crate) fn ask(self: &Arc<Self>, owner: u64, bytes: u64, held: u64) -> Piece {
        let mut state = self.state.lock();
        let id = PieceId(state.next);
        state.next += 1;
        let mut granted = state.machine.ask(Ask { piece: id, owner, bytes, held });
        let at_once = granted.iter().position(|piece| *piece == id).map(|at| granted.remove(at)).is_some();
        let wake = (!at_once).then(|| {
            let wake = Arc::new(Notify::new());
            state.wakes.insert(id, wake.clone());
            wake
        });
        state.wake(&granted);
        drop(state);
        Piece { memory: self.clone(), id, bytes, wake }
    }

    /// Room for `bytes`, as soon as there is some, for a request of connection `owner` that holds `held` already.
    pub(crate) async fn room(self: &Arc<Self>, owner: u64, bytes: u64, held: u64) -> Room {
        // Before it is granted: whoever is cancelled here may have been let beyond the limit.
        let mut room = Room { memory: self.clone(), owner, piece: Some(self.ask(owner, bytes, held)) };
        if let Some(piece) = &mut room.piece {
            piece.granted().await;
        }
        room
    }

    /// The request of connection `owner` is whole, or the connection is gone.
    pub(crate) fn settle(&self, owner: u64) {
        let mut state = self.state.lock();
        let granted = state.machine.settle(owner);
        state.wake(&granted);
    }

    pub(crate) fn fill(&self) -> Fill {
        let state = self.state.lock();
        let machine = &state.machine;
        Fill { used: machine.used(), limit: machine.limit(), waiting: machine.waiting() }
    }
}

impl State {
    fn wake(&mut self, granted: &[PieceId]) {
        for piece in granted {
            if let Some(wake) = self.wakes.remove(piece) {
                wake.notify_one();
            }
        }
    }
}

impl Piece {
    /// Completes when the memory may be used. Cancelling it keeps the place in line.
    pub(crate) async fn granted(&mut self) {
        if let Some(wake) = &self.wake {
            wake.notified().await;
            self.wake = None;
        }
    }

    pub(crate) const fn bytes(&self) -> u64 {
        self.bytes
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        drop(self.piece.take());
        self.memory.settle(self.owner);
    }
}

impl Drop for Piece {
    fn drop(&mut self) {
        let mut state = self.memory.state.lock();
        // One that was granted has nobody to wake, even if it did not hear of it yet.
        let waits = self.wake.is_some() && state.wakes.remove(&self.id).is_some();
        let granted = if waits { state.machine.forget(self.id) } else { state.machine.give_back(self.bytes) };
        state.wake(&granted);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn room_beyond_the_limit_is_for_one_at_a_time_and_comes_back() {
        let memory = Arc::new(Memory::new(20));
        let frames = [memory.ask(1, 6, 0), memory.ask(2, 6, 0)];
        let first = memory.room(1, 100, 6).await;
        let mut second = Box::pin(memory.room(2, 100, 6));
        tokio::select! {
            biased;
            _ = &mut second => panic!("the first is not done"),
            () = std::future::ready(()) => {}
        }
        drop(first);
        drop(second.await);
        // One that gives up holds up nobody.
        let first = memory.room(1, 100, 6).await;
        let mut second = Box::pin(memory.room(2, 100, 6));
        tokio::select! {
            biased;
            _ = &mut second => panic!("the first is not done"),
            () = std::future::ready(()) => {}
        }
        drop((first, second));
        drop(memory.room(2, 100, 6).await);
        drop(frames);
        assert_eq!(memory.fill(), Fill { used: 0, limit: 20, waiting: 0 });
    }

    #[tokio::test]
    async fn whoever_waits_is_woken_and_nothing_is_lost_by_giving_up() {
        let memory = Arc::new(Memory::new(10));
        let mut first = memory.ask(1, 10, 0);
        first.granted().await;
        let (second, mut third) = (memory.ask(2, 5, 0), memory.ask(3, 5, 0));
        drop(second);
        // Cancelled once, it still waits.
        tokio::select! {
            biased;
            () = third.granted() => panic!("nothing was given back"),
            () = std::future::ready(()) => {}
        }
        drop(first);
        third.granted().await;
        assert_eq!(memory.fill(), Fill { used: 5, limit: 10, waiting: 0 });
        let (fourth, fifth) = (memory.ask(4, 100, 0), memory.ask(5, 1, 0));
        drop(fourth);
        // Granted by that, and dropped before it heard so.
        drop(fifth);
        drop(third);
        assert_eq!(memory.fill(), Fill { used: 0, limit: 10, waiting: 0 });
    }
}
