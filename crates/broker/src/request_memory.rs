//! How much memory requests may hold: a machine that grants it, with neither memory nor waiting in it.
//!
//! A connection asks before it makes room for more of a request that is not small. While less than the limit is held the
//! answer is yes, even if the limit is passed by that, as in Kafka's memory pool; then everyone waits in line. Requests
//! grow step by step, so all that is held can belong to requests that wait for more: then one of them, and only one at a
//! time, goes beyond the limit until it is whole. So what is held is at most the limit and one request.
//!
//! Asking and waiting is `memory.rs`; that a peer which stopped sending gives up what it holds, `sweep.rs`.

use std::collections::VecDeque;

/// One piece of memory that was asked for.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct PieceId(pub(crate) u64);

/// A request for a piece.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ask {
    pub(crate) piece: PieceId,
    /// The connection that wants it.
    pub(crate) owner: u64,
    pub(crate) bytes: u64,
    /// What the connection holds already of the same request.
    pub(crate) held: u64,
}

/// The machine. `used` is the sum of all granted pieces; `waiting` is empty or `used ≥ limit` or nobody could go on.
#[derive(Debug)]
pub(crate) struct RequestMemory {
    limit: u64,
    used: u64,
    waiting: VecDeque<Ask>,
    /// The connection that was let beyond the limit, until its request is whole.
    beyond: Option<u64>,
}

impl RequestMemory {
    pub(crate) const fn new(limit: u64) -> Self {
        Self { limit, used: 0, waiting: VecDeque::new(), beyond: None }
    }

    /// Asks for a piece. Returns who is granted by that: the piece itself; or another one, since the asker waits too now;
    /// or nobody, and a later call returns it.
    pub(crate) fn ask(&mut self, ask: Ask) -> Vec<PieceId> {
        self.waiting.push_back(ask);
        self.grant()
    }

    /// A granted piece is given back. Returns who is granted by that, in order.
    pub(crate) fn give_back(&mut self, bytes: u64) -> Vec<PieceId> {
        self.used -= bytes;
        self.grant()
    }

    /// A piece that waits is no longer wanted.
    pub(crate) fn forget(&mut self, piece: PieceId) -> Vec<PieceId> {
        self.waiting.retain(|ask| ask.piece != piece);
        self.grant()
    }

    /// A connection's request is whole, or the connection is gone.
    pub(crate) fn settle(&mut self, owner: u64) -> Vec<PieceId> {
        if self.beyond != Some(owner) {
            return Vec::new();
        }
        self.beyond = None;
        self.grant()
    }

    /// Bytes of all granted pieces.
    pub(crate) const fn used(&self) -> u64 {
        self.used
    }

    /// The most that is held, but for one request.
    pub(crate) const fn limit(&self) -> u64 {
        self.limit
    }

    /// How many wait.
    pub(crate) fn waiting(&self) -> usize {
        self.waiting.len()
    }

    fn grant(&mut self) -> Vec<PieceId> {
        let mut granted = Vec::new();
        while let Some(at) = self.next() {
            let ask = self.waiting.remove(at).expect("next names one that waits");
            self.used += ask.bytes;
            granted.push(ask.piece);
        }
        granted
    }

    /// Who in line is granted next, if anyone.
    fn next(&mut self) -> Option<usize> {
        let first = self.waiting.front()?;
        if self.used < self.limit {
            return Some(0);
        }
        let held_by_waiting: u64 = self.waiting.iter().map(|ask| ask.held).sum();
        if held_by_waiting < self.used {
            return None;
        }
        match self.beyond {
            None => {
                self.beyond = Some(first.owner);
                Some(0)
            }
            Some(owner) => self.waiting.iter().position(|ask| ask.owner == owner),
        }
    }
}

#[cfg(test)]
mod tests {
    use ottla_testkit::{Command, run_scripts};

    use super::*;

    /// `limit BYTES`; `ask PIECE owner= bytes= held=`; `back BYTES`; `forget PIECE`; `settle OWNER`; answers are the
    /// pieces that are granted, and what is used.
    fn run(memory: &mut RequestMemory, command: &Command<'_>) -> String {
        let number = |at: usize| command.words[at].parse::<u64>().expect("a number");
        let argument = |key: &str| {
            let found = command.arguments.iter().find(|(name, _)| *name == key);
            found.map_or(0, |(_, value)| value.parse::<u64>().expect("a number"))
        };
        let granted = match command.name {
            "limit" => {
                *memory = RequestMemory::new(number(0));
                return String::new();
            }
            "ask" => {
                let piece = PieceId(number(0));
                let ask = Ask { piece, owner: argument("owner"), bytes: argument("bytes"), held: argument("held") };
                memory.ask(ask)
            }
            "back" => memory.give_back(number(0)),
            "forget" => memory.forget(PieceId(number(0))),
            "settle" => memory.settle(number(0)),
            name => panic!("no command is called {name}"),
        };
        let granted: Vec<_> = granted.iter().map(|piece| piece.0.to_string()).collect();
        let granted = if granted.is_empty() { "nobody".to_owned() } else { granted.join(" ") };
        format!("granted {granted}, used {} of {}, waiting {}", memory.used(), memory.limit(), memory.waiting())
    }

    #[test]
    fn request_memory_scripts() {
        run_scripts(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/machines/request_memory"), || {
            let mut memory = RequestMemory::new(u64::MAX);
            move |line: &str| run(&mut memory, &Command::parse(line))
        });
    }
}
