//! Which records belong to aborted transactions, and which markers nobody needs any more: kept while batches go by in the
//! order of the log (Kafka's `CleanedTransactionMetadata`).
//!
//! A marker may go once no batch of its transaction is left. Whether one is left is seen in the same pass: what a pass
//! removes keeps its marker until the next one.

use std::collections::{BTreeMap, HashMap, HashSet};

use ottla_record::BatchHeader;
use ottla_types::{Offset, ProducerId};

use crate::producers::marker::Marker;
use crate::transaction_index::AbortedTransaction;

/// A control batch, as the cleaner sees it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Control {
    /// Emptied by an earlier pass.
    Empty,
    /// The end of a transaction.
    Marker(Marker),
    /// Something else that a broker wrote.
    Other,
}

/// The transactions around the place at which a pass is.
#[derive(Debug, Default)]
pub(crate) struct Transactions {
    /// Aborted ones that begin further on.
    coming: BTreeMap<(Offset, ProducerId), AbortedTransaction>,
    /// Aborted ones that have begun, and whether a batch of theirs was seen.
    aborted: HashMap<ProducerId, (AbortedTransaction, bool)>,
    /// Producers of which a batch was seen whose transaction will be committed.
    committed: HashSet<ProducerId>,
}

impl Transactions {
    /// More of the transactions that were aborted; one may be told more than once.
    pub(crate) fn add(&mut self, aborted: impl IntoIterator<Item = AbortedTransaction>) {
        self.coming.extend(aborted.into_iter().map(|aborted| ((aborted.first_offset, aborted.producer_id), aborted)));
    }

    /// Takes note of a batch of records. Answers whether they were aborted.
    pub(crate) fn batch(&mut self, header: &BatchHeader) -> bool {
        self.begin_up_to(header.last_offset());
        if !header.is_current() || !header.attributes.is_transactional() {
            return false;
        }
        match self.aborted.get_mut(&header.producer_id) {
            Some((_, seen)) => *seen = true,
            None => {
                self.committed.insert(header.producer_id);
                return false;
            }
        }
        true
    }

    /// Takes note of a control batch. Answers whether it may go, and the transaction that must stay in the index with it.
    pub(crate) fn control(&mut self, header: &BatchHeader, control: Control) -> (bool, Option<AbortedTransaction>) {
        self.begin_up_to(header.last_offset());
        match control {
            Control::Empty => (true, None),
            Control::Other => (false, None),
            Control::Marker(Marker { aborts: false, .. }) => (!self.committed.remove(&header.producer_id), None),
            Control::Marker(Marker { aborts: true, .. }) => match self.aborted.remove(&header.producer_id) {
                Some((aborted, true)) => (false, Some(aborted)),
                _ => (true, None),
            },
        }
    }

    fn begin_up_to(&mut self, offset: Offset) {
        while let Some(first) = self.coming.first_entry().filter(|first| first.key().0 <= offset) {
            let aborted = first.remove();
            self.aborted.entry(aborted.producer_id).or_insert((aborted, false));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing;

    const COMMIT: Control = Control::Marker(Marker { aborts: false, coordinator_epoch: 0 });
    const ABORT: Control = Control::Marker(Marker { aborts: true, coordinator_epoch: 0 });

    fn aborted(id: i64, first: i64, last: i64) -> AbortedTransaction {
        let (first_offset, last_offset) = (Offset(first), Offset(last));
        AbortedTransaction {
            producer_id: ProducerId(id),
            first_offset,
            last_offset,
            last_stable_offset: Offset(last + 1),
        }
    }

    fn data(id: i64, offset: i64) -> BatchHeader {
        testing::transactional(id, offset, 0).header
    }

    fn end(id: i64, offset: i64) -> BatchHeader {
        testing::marker(id, offset, false).header
    }

    #[test]
    fn aborted_records_are_known_from_where_their_transaction_begins_to_its_marker() {
        let mut transactions = Transactions::default();
        transactions.add([aborted(1, 5, 8), aborted(2, 6, 9), aborted(1, 5, 8)]);
        assert!(!transactions.batch(&data(1, 3)), "a transaction before");
        assert_eq!(transactions.control(&end(1, 4), COMMIT), (false, None));
        assert!(transactions.batch(&data(1, 5)));
        assert!(!transactions.batch(&testing::produced(1, 0, 1).header), "not of a transaction");
        assert_eq!(transactions.control(&end(1, 8), ABORT), (false, Some(aborted(1, 5, 8))));
        assert!(!transactions.batch(&data(1, 9)));
        // Of the other one nothing is left but the marker.
        assert_eq!(transactions.control(&end(2, 9), ABORT), (true, None));
    }

    #[test]
    fn markers_may_go_when_nothing_of_their_transaction_is_left() {
        let mut transactions = Transactions::default();
        assert_eq!(transactions.control(&end(1, 4), COMMIT), (true, None));
        assert!(!transactions.batch(&data(1, 5)));
        assert_eq!(transactions.control(&end(1, 6), COMMIT), (false, None));
        assert_eq!(transactions.control(&end(1, 7), COMMIT), (true, None));
        assert_eq!(transactions.control(&end(1, 8), Control::Empty), (true, None));
        assert_eq!(transactions.control(&end(1, 9), Control::Other), (false, None));
    }
}
