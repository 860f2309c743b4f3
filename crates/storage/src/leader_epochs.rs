//! Which leader epoch wrote which offsets (KIP-101), and the file that carries it (`leader-epoch-checkpoint`).
//!
//! A list of (epoch, first offset), both strictly rising. A follower or a consumer asks where an epoch ended, and cuts
//! or complains about what it has beyond.

use std::path::Path;

use ottla_types::{LeaderEpoch, Offset};

use crate::checkpoint;
use crate::fault::StorageFault;

/// The file's name within the partition's directory.
pub(crate) const FILE: &str = "leader-epoch-checkpoint";

/// Where an epoch ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct EpochEnd {
    /// The largest epoch at or below the one asked for that the log knows (or the one asked for, if all are larger).
    pub epoch: LeaderEpoch,
    /// The first offset that does not belong to it.
    pub end_offset: Offset,
}

/// The epochs of one log.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub(crate) struct LeaderEpochs {
    starts: Vec<(LeaderEpoch, Offset)>,
}

impl LeaderEpochs {
    /// Notes that `epoch` writes from `start` on. What contradicts it (later epochs, later starts) is dropped. Answers
    /// whether anything changed.
    pub(crate) fn assign(&mut self, epoch: LeaderEpoch, start: Offset) -> bool {
        if epoch.0 < 0 {
            return false;
        }
        if self.starts.last().is_some_and(|last| last.0 == epoch && start >= last.1) {
            return false;
        }
        while self.starts.last().is_some_and(|last| last.0 >= epoch || last.1 >= start) {
            self.starts.pop();
        }
        self.starts.push((epoch, start));
        true
    }

    /// The same for a batch found in the log: only an epoch above all known ones counts.
    pub(crate) fn assign_if_newer(&mut self, epoch: LeaderEpoch, start: Offset) {
        // Messages of magic 0 and 1 name none.
        if epoch > self.latest().unwrap_or(LeaderEpoch::UNKNOWN) {
            self.assign(epoch, start);
        }
    }

    /// Where the newest epoch starts.
    pub(crate) fn latest_start(&self) -> Option<Offset> {
        self.starts.last().map(|(_, start)| *start)
    }

    /// The newest epoch.
    pub(crate) fn latest(&self) -> Option<LeaderEpoch> {
        self.starts.last().map(|last| last.0)
    }

    /// The epoch that wrote `offset`.
    pub(crate) fn epoch_of(&self, offset: Offset) -> Option<LeaderEpoch> {
        let after = self.starts.partition_point(|(_, start)| *start <= offset);
        after.checked_sub(1).map(|i| self.starts[i].0)
    }

    /// Where `epoch` ended, the log ending at `log_end`; `None` for an epoch newer than all, or unknown.
    pub(crate) fn end_of(&self, epoch: LeaderEpoch, log_end: Offset) -> Option<EpochEnd> {
        if epoch == LeaderEpoch::UNKNOWN {
            return None;
        }
        if self.latest() == Some(epoch) {
            return Some(EpochEnd { epoch, end_offset: log_end });
        }
        let above = self.starts.partition_point(|(known, _)| *known <= epoch);
        let (_, end_offset) = *self.starts.get(above)?;
        let floor = above.checked_sub(1).map_or(epoch, |i| self.starts[i].0);
        Some(EpochEnd { epoch: floor, end_offset })
    }

    /// Drops the epochs that start at `end` or later. Answers whether anything changed.
    pub(crate) fn truncate_from_end(&mut self, end: Offset) -> bool {
        let before = self.starts.len();
        self.starts.retain(|(_, start)| *start < end);
        self.starts.len() != before
    }

    /// Drops the epochs that end at or before `start`; the one that holds `start` begins there then.
    pub(crate) fn truncate_from_start(&mut self, start: Offset) -> bool {
        let after = self.starts.partition_point(|(_, first)| *first <= start);
        let Some(floor) = after.checked_sub(1) else { return false };
        if floor == 0 && self.starts[0].1 == start {
            return false;
        }
        self.starts.drain(..floor);
        self.starts[0].1 = start;
        true
    }

    /// The epochs and where each starts.
    pub(crate) fn into_starts(self) -> Vec<(LeaderEpoch, Offset)> {
        self.starts
    }

    /// The file's text.
    pub(crate) fn encode(&self) -> String {
        checkpoint::encode(self.starts.iter().map(|(epoch, start)| format!("{epoch} {start}")))
    }

    /// Reads the file's text.
    pub(crate) fn decode(text: &[u8], path: &Path) -> Result<Self, StorageFault> {
        let mut epochs = Self::default();
        for line in checkpoint::decode(text, path)? {
            let [epoch, start] = line.fields()?;
            epochs.assign(LeaderEpoch(line.number(epoch)?), Offset(line.number(start)?));
        }
        Ok(epochs)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn epochs(starts: &[(i32, i64)]) -> LeaderEpochs {
        let mut epochs = LeaderEpochs::default();
        for (epoch, start) in starts {
            epochs.assign(LeaderEpoch(*epoch), Offset(*start));
        }
        epochs
    }

    fn end(epochs: &LeaderEpochs, epoch: i32) -> Option<(i32, i64)> {
        epochs.end_of(LeaderEpoch(epoch), Offset(100)).map(|end| (end.epoch.0, end.end_offset.0))
    }

    #[test]
    fn ends_are_the_starts_of_the_next() {
        let known = epochs(&[(2, 10), (4, 30)]);
        assert_eq!(end(&known, -1), None);
        assert_eq!(end(&known, 1), Some((1, 10)));
        assert_eq!(end(&known, 2), Some((2, 30)));
        assert_eq!(end(&known, 3), Some((2, 30)));
        assert_eq!(end(&known, 4), Some((4, 100)));
        assert_eq!(end(&known, 5), None);
        assert_eq!(known.epoch_of(Offset(9)), None);
        assert_eq!(known.epoch_of(Offset(29)), Some(LeaderEpoch(2)));
    }

    #[test]
    fn what_contradicts_a_new_epoch_is_dropped() {
        assert_eq!(epochs(&[(1, 10), (2, 10)]), epochs(&[(2, 10)]));
        assert_eq!(epochs(&[(1, 0), (5, 10), (3, 20)]), epochs(&[(1, 0), (3, 20)]));
        assert_eq!(epochs(&[(1, 0), (1, 7)]), epochs(&[(1, 0)]));
        assert_eq!(epochs(&[(-1, 0)]), LeaderEpochs::default());
    }

    #[test]
    fn cuts_at_both_ends() {
        let mut known = epochs(&[(1, 0), (2, 10), (4, 30)]);
        assert!(!known.truncate_from_end(Offset(31)));
        assert!(known.truncate_from_end(Offset(30)));
        assert_eq!(known, epochs(&[(1, 0), (2, 10)]));
        assert!(known.truncate_from_start(Offset(12)));
        assert_eq!(known, epochs(&[(2, 12)]));
        assert!(!known.truncate_from_start(Offset(12)));
    }

    #[test]
    fn the_file_is_kafkas() {
        let known = epochs(&[(0, 0), (2, 15)]);
        assert_eq!(known.encode(), "0\n2\n0 0\n2 15\n");
        assert_eq!(LeaderEpochs::decode(known.encode().as_bytes(), Path::new("x")).expect("good"), known);
        assert!(LeaderEpochs::decode(b"0\n1\n0 0 0\n", Path::new("x")).is_err());
    }
}
