//! The leader of one partition. What holds after every input is written at the crate, (1) to (5).

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fmt;

use ottla_types::{BrokerId, ErrorCode, LeaderEpoch, Offset};

/// How far a replica has come.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Progress {
    /// One beyond the last record of its log.
    pub end: Offset,
    /// One beyond the last record that survives a loss of power; (1) `flushed ≤ end`.
    pub flushed: Offset,
}

/// The leader of one partition.
#[derive(Clone, Debug)]
pub struct Leader {
    /// This broker; (3) in `isr`.
    local: BrokerId,
    /// The epoch of this leadership.
    epoch: LeaderEpoch,
    /// Where the log ended when the epoch began.
    epoch_start: Offset,
    /// Whether only what is flushed counts as safe.
    flush: bool,
    /// Where the log begins.
    start_offset: Offset,
    /// All replicas, this one too.
    replicas: BTreeMap<BrokerId, Progress>,
    /// The replicas that must have a record before it is safe.
    isr: BTreeSet<BrokerId>,
    /// Below it all is safe; (4) never goes back.
    high_watermark: Offset,
    outputs: VecDeque<Output>,
}

/// What a leadership begins with.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct BecomeLeader {
    /// The epoch of the leadership.
    pub epoch: LeaderEpoch,
    /// All replicas, this one among them.
    pub replicas: Vec<BrokerId>,
    /// The in-sync replicas, this one among them.
    pub isr: Vec<BrokerId>,
    /// Where the local log begins.
    pub start_offset: Offset,
    /// How far the local log goes.
    pub local: Progress,
    /// The high watermark that this replica last knew; cut to where the local log begins and ends.
    pub high_watermark: Offset,
}

/// What happens to a partition that this broker leads.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Input {
    /// The leadership is renewed under a higher epoch, as happens at every restart; the epoch must be higher.
    BecomeLeader(BecomeLeader),
    /// Records were appended to the local log.
    LocalEndAdvanced(Offset),
    /// The local log is flushed up to here, and so goes up to here at least: of two threads, one that appended and one
    /// that flushed, either may be heard first.
    LocalFlushed(Offset),
    /// The local log begins later now: its head was deleted.
    LocalStartAdvanced(Offset),
    /// A follower asked for what comes at `progress.end`, so it has all below. Ignored from a broker that is no replica.
    FollowerFetched {
        /// The follower.
        replica: BrokerId,
        /// The epoch in which it follows.
        epoch: LeaderEpoch,
        /// How far it has come.
        progress: Progress,
    },
    /// The controller changed the in-sync replicas.
    IsrChanged(Vec<BrokerId>),
    /// What an acknowledgement means has changed.
    FlushChanged(bool),
}

/// What follows.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Output {
    /// All below is safe: producers that wait for it are answered, consumers may read it.
    HighWatermarkAdvanced(Offset),
}

/// The epoch that an input names is not the one it must name; it changed nothing.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct OtherEpoch {
    /// The epoch of the leadership there is.
    pub epoch: LeaderEpoch,
    /// The epoch that the input names.
    pub got: LeaderEpoch,
}

impl OtherEpoch {
    /// Kafka's code for it: who names a lower epoch has not heard yet, who names a higher one knows more than the leader
    /// (KIP-320).
    #[must_use]
    pub const fn code(self) -> ErrorCode {
        if self.got.0 > self.epoch.0 { ErrorCode::UnknownLeaderEpoch } else { ErrorCode::FencedLeaderEpoch }
    }
}

impl Leader {
    /// The leader that broker `local` now is. With `flush`, only what is flushed counts as safe.
    ///
    /// # Panics
    /// If `local` is not among the replicas and the in-sync replicas: the controller has never made such a leader.
    #[must_use]
    pub fn new(local: BrokerId, flush: bool, begin: BecomeLeader) -> Self {
        let mut leader = Self {
            local,
            epoch: begin.epoch,
            epoch_start: Offset::ZERO,
            flush,
            start_offset: Offset::ZERO,
            replicas: BTreeMap::new(),
            isr: BTreeSet::new(),
            high_watermark: Offset::ZERO,
            outputs: VecDeque::new(),
        };
        leader.begin(begin);
        leader
    }

    /// Takes in what happened. After an error nothing has changed.
    pub fn handle(&mut self, input: Input) -> Result<(), OtherEpoch> {
        match input {
            Input::BecomeLeader(begin) if begin.epoch <= self.epoch => {
                return Err(OtherEpoch { epoch: self.epoch, got: begin.epoch });
            }
            Input::BecomeLeader(begin) => self.begin(begin),
            Input::LocalEndAdvanced(end) => {
                let local = self.local_mut();
                local.end = local.end.max(end);
            }
            Input::LocalFlushed(flushed) => {
                // What is flushed was appended, even if the word of the flush is the first to arrive.
                let local = self.local_mut();
                local.flushed = local.flushed.max(flushed);
                local.end = local.end.max(local.flushed);
            }
            Input::LocalStartAdvanced(start) => {
                self.start_offset = self.start_offset.max(start).min(self.high_watermark)
            }
            Input::FollowerFetched { replica, epoch, progress } => self.follow(replica, epoch, progress)?,
            Input::IsrChanged(isr) => self.set_isr(isr),
            Input::FlushChanged(flush) => self.flush = flush,
        }
        self.advance();
        Ok(())
    }

    /// The next thing that follows.
    pub fn poll(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// The epoch of this leadership.
    #[must_use]
    pub const fn epoch(&self) -> LeaderEpoch {
        self.epoch
    }

    /// Where the log ended when the epoch began.
    #[must_use]
    pub const fn epoch_start(&self) -> Offset {
        self.epoch_start
    }

    /// Where the log begins.
    #[must_use]
    pub const fn start_offset(&self) -> Offset {
        self.start_offset
    }

    /// Below it all is safe.
    #[must_use]
    pub const fn high_watermark(&self) -> Offset {
        self.high_watermark
    }

    /// How far the local log goes.
    #[must_use]
    pub fn local(&self) -> Progress {
        self.replicas[&self.local]
    }

    /// All replicas, in the order of their ids.
    pub fn replicas(&self) -> impl ExactSizeIterator<Item = BrokerId> {
        self.replicas.keys().copied()
    }

    /// The replicas that must have a record before it is safe, in the order of their ids.
    pub fn isr(&self) -> impl ExactSizeIterator<Item = BrokerId> {
        self.isr.iter().copied()
    }

    /// How far a replica has come, as far as the leader knows; `None` if it is none.
    #[must_use]
    pub fn progress(&self, replica: BrokerId) -> Option<Progress> {
        self.replicas.get(&replica).copied()
    }

    /// Whether a replica may join the in-sync replicas: it has all that is safe, and all that earlier leaders wrote.
    #[must_use]
    pub fn has_caught_up(&self, replica: BrokerId) -> bool {
        self.progress(replica).is_some_and(|progress| progress.end >= self.high_watermark.max(self.epoch_start))
    }

    fn begin(&mut self, begin: BecomeLeader) {
        let BecomeLeader { epoch, replicas, isr, start_offset, local, high_watermark } = begin;
        let unknown = Progress { end: start_offset, flushed: start_offset };
        self.replicas = replicas.into_iter().map(|replica| (replica, unknown)).collect();
        assert!(self.replicas.contains_key(&self.local), "the leader is a replica");
        self.replicas.insert(self.local, Progress { end: local.end, flushed: local.flushed.min(local.end) });
        self.epoch = epoch;
        self.epoch_start = local.end;
        self.start_offset = start_offset;
        // What an earlier leadership of this replica has shown stays shown.
        self.high_watermark = self.high_watermark.max(high_watermark).clamp(start_offset, local.end.max(start_offset));
        self.set_isr(isr);
        self.advance();
    }

    fn set_isr(&mut self, isr: Vec<BrokerId>) {
        self.isr = isr.into_iter().filter(|replica| self.replicas.contains_key(replica)).collect();
        assert!(self.isr.contains(&self.local), "the leader is in sync");
    }

    fn follow(&mut self, replica: BrokerId, epoch: LeaderEpoch, reached: Progress) -> Result<(), OtherEpoch> {
        if epoch != self.epoch {
            return Err(OtherEpoch { epoch: self.epoch, got: epoch });
        }
        let end = self.local().end;
        if let Some(progress) = self.replicas.get_mut(&replica).filter(|_| replica != self.local) {
            // A follower may have cut its log since it last fetched: its end goes back, and says so.
            progress.end = reached.end.min(end);
            progress.flushed = reached.flushed.min(progress.end);
        }
        Ok(())
    }

    /// (4): raises the high watermark to the least that is safe on every in-sync replica.
    fn advance(&mut self) {
        let safe = |replica: &BrokerId| {
            let progress = self.replicas[replica];
            if self.flush { progress.flushed } else { progress.end }
        };
        let least = self.isr.iter().map(safe).min().expect("the leader is in sync");
        if least > self.high_watermark {
            self.high_watermark = least;
            self.outputs.push_back(Output::HighWatermarkAdvanced(least));
        }
    }

    fn local_mut(&mut self) -> &mut Progress {
        self.replicas.get_mut(&self.local).expect("the leader is a replica")
    }
}

impl fmt::Display for Output {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::HighWatermarkAdvanced(offset) => write!(f, "high-watermark {offset}"),
        }
    }
}

impl fmt::Display for Progress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "end={} flushed={}", self.end, self.flushed)
    }
}

impl fmt::Display for OtherEpoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the leader epoch is {}, not {}", self.epoch, self.got)
    }
}

impl std::error::Error for OtherEpoch {}
