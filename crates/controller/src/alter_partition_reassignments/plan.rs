//! The arithmetic of a reassignment: who keeps a partition while it moves, and when it has moved (KIP-455).
//!
//! ```text
//!   replicas 1 2 ──► target 2 3:  replicas 2 3 1, adding 3, removing 1   ── 3 is in sync ──►   replicas 2 3
//! ```

use ottla_metadata::Partition;
use ottla_types::BrokerId;

/// Who keeps a partition: the part of its state that a reassignment decides.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Plan {
    pub(crate) replicas: Vec<BrokerId>,
    pub(crate) isr: Vec<BrokerId>,
    pub(crate) adding: Vec<BrokerId>,
    pub(crate) removing: Vec<BrokerId>,
}

/// The way of `partition` to `target`, which takes the place of a way that it may be on. It is at its end at once where
/// nobody has to catch up.
pub(crate) fn towards(partition: &Partition, target: &[BrokerId]) -> Plan {
    let settled = without(&partition.replicas, &partition.adding);
    let removing = without(&partition.replicas, target);
    let plan = Plan {
        replicas: [target, &removing].concat(),
        isr: partition.isr.clone(),
        adding: without(target, &settled),
        removing,
    };
    plan.completed()
}

/// The way back to where `partition` was; `None` if nobody who was there is in sync.
pub(crate) fn reverted(partition: &Partition) -> Option<Plan> {
    let isr = without(&partition.isr, &partition.adding);
    let replicas = without(&partition.replicas, &partition.adding);
    (!isr.is_empty()).then_some(Plan { replicas, isr, adding: Vec::new(), removing: Vec::new() })
}

/// How many replicas `partition` has, or will have when it has moved.
pub(crate) fn replication_factor(partition: &Partition) -> usize {
    without(&partition.replicas, &partition.removing).len()
}

impl Plan {
    /// The end of the way, if it can be reached now: all who are added are in sync; and where there will be fewer
    /// replicas than before, all of those, for the partition must not have fewer in-sync replicas by moving.
    fn completed(self) -> Self {
        let replicas = without(&self.replicas, &self.removing);
        let isr = without(&self.isr, &self.removing);
        let in_sync = |ids: &[BrokerId]| ids.iter().all(|id| isr.contains(id));
        let shrinks = self.adding.len() < self.removing.len();
        if isr.is_empty() || !in_sync(&self.adding) || shrinks && !in_sync(&replicas) {
            return self;
        }
        Self { replicas, isr, adding: Vec::new(), removing: Vec::new() }
    }
}

fn without(ids: &[BrokerId], others: &[BrokerId]) -> Vec<BrokerId> {
    ids.iter().copied().filter(|id| !others.contains(id)).collect()
}

#[cfg(test)]
mod tests {
    use ottla_metadata::PartitionEpoch;
    use ottla_types::LeaderEpoch;

    use super::*;

    fn ids(ids: &[i32]) -> Vec<BrokerId> {
        ids.iter().copied().map(BrokerId).collect()
    }

    fn partition(replicas: &[i32], isr: &[i32], adding: &[i32], removing: &[i32]) -> Partition {
        Partition {
            replicas: ids(replicas),
            isr: ids(isr),
            adding: ids(adding),
            removing: ids(removing),
            leader: BrokerId(isr[0]),
            leader_epoch: LeaderEpoch(0),
            partition_epoch: PartitionEpoch(0),
        }
    }

    fn plan(replicas: &[i32], isr: &[i32], adding: &[i32], removing: &[i32]) -> Plan {
        Plan { replicas: ids(replicas), isr: ids(isr), adding: ids(adding), removing: ids(removing) }
    }

    #[test]
    fn who_is_new_has_to_catch_up_before_others_go() {
        let before = partition(&[1, 2], &[1, 2], &[], &[]);
        assert_eq!(towards(&before, &ids(&[2, 3])), plan(&[2, 3, 1], &[1, 2], &[3], &[1]));
        assert_eq!(towards(&before, &ids(&[1, 2, 3])), plan(&[1, 2, 3], &[1, 2], &[3], &[]));
    }

    #[test]
    fn nobody_new_means_done_at_once() {
        let before = partition(&[1, 2, 3], &[2, 1, 3], &[], &[]);
        assert_eq!(towards(&before, &ids(&[3, 2, 1])), plan(&[3, 2, 1], &[2, 1, 3], &[], &[]));
        assert_eq!(towards(&before, &ids(&[3])), plan(&[3], &[3], &[], &[]));
    }

    #[test]
    fn fewer_replicas_wait_until_all_of_them_are_in_sync() {
        let before = partition(&[1, 2, 3], &[1, 2], &[], &[]);
        assert_eq!(towards(&before, &ids(&[2, 3])), plan(&[2, 3, 1], &[1, 2], &[], &[1]));
        assert_eq!(towards(&before, &ids(&[3])), plan(&[3, 1, 2], &[1, 2], &[], &[1, 2]));
    }

    #[test]
    fn another_target_on_the_way_starts_from_where_it_came() {
        let moving = partition(&[2, 3, 1], &[1, 2], &[3], &[1]);
        assert_eq!(towards(&moving, &ids(&[3, 4])), plan(&[3, 4, 2, 1], &[1, 2], &[3, 4], &[2, 1]));
        assert_eq!(towards(&moving, &ids(&[1, 2])), plan(&[1, 2], &[1, 2], &[], &[]));
        assert_eq!(replication_factor(&moving), 2);
    }

    #[test]
    fn way_back_needs_one_in_sync_who_was_there() {
        let moving = partition(&[2, 3, 1], &[1, 3], &[3], &[1]);
        assert_eq!(reverted(&moving), Some(plan(&[2, 1], &[1], &[], &[])));
        assert_eq!(reverted(&partition(&[2, 3, 1], &[3], &[3], &[1])), None);
    }
}
