//! Whatever happens in whatever order, the five formulas at the head of the crate hold.

use ottla_replication::{BecomeLeader, Input, Leader, Output, Progress};
use ottla_types::{BrokerId, LeaderEpoch, Offset};
use proptest::prelude::*;

const LOCAL: BrokerId = BrokerId(1);
const REPLICAS: [BrokerId; 3] = [LOCAL, BrokerId(2), BrokerId(3)];

fn offset() -> impl Strategy<Value = Offset> {
    (0..40i64).prop_map(Offset)
}

fn progress() -> impl Strategy<Value = Progress> {
    (offset(), offset()).prop_map(|(end, flushed)| Progress { end, flushed })
}

fn isr() -> impl Strategy<Value = Vec<BrokerId>> {
    (any::<bool>(), any::<bool>()).prop_map(|(second, third)| {
        let present = [true, second, third];
        REPLICAS.into_iter().zip(present).filter(|(_, present)| *present).map(|(replica, _)| replica).collect()
    })
}

fn input() -> impl Strategy<Value = Input> {
    let fetched = (1..5i32, 0..3i32, progress());
    prop_oneof![
        3 => offset().prop_map(Input::LocalEndAdvanced),
        3 => offset().prop_map(Input::LocalFlushed),
        1 => offset().prop_map(Input::LocalStartAdvanced),
        6 => fetched.prop_map(|(replica, epoch, progress)| Input::FollowerFetched {
            replica: BrokerId(replica),
            epoch: LeaderEpoch(epoch),
            progress,
        }),
        2 => isr().prop_map(Input::IsrChanged),
        1 => any::<bool>().prop_map(Input::FlushChanged),
    ]
}

/// What the model remembers: the newest settings, and the high watermark as the outputs told it.
struct Model {
    flush: bool,
    high_watermark: Offset,
}

fn check(leader: &Leader, model: &Model) {
    let local = leader.local();
    let isr: Vec<_> = leader.isr().collect();
    for replica in REPLICAS {
        let progress = leader.progress(replica).expect("a replica");
        assert!(Offset::ZERO <= progress.flushed && progress.flushed <= progress.end, "(1) {replica}: {progress}");
        assert!(progress.end <= local.end, "(2) {replica}: {progress}, leader {local}");
    }
    assert!(isr.contains(&LOCAL) && isr.iter().all(|replica| REPLICAS.contains(replica)), "(3) {isr:?}");
    assert!(leader.start_offset() <= leader.high_watermark() && leader.high_watermark() <= local.end, "(5)");
    assert_eq!(leader.high_watermark(), model.high_watermark, "(4)");
}

fn least_safe(leader: &Leader, flush: bool) -> Offset {
    let progress = leader.isr().map(|replica| leader.progress(replica).expect("a replica"));
    progress.map(|progress| if flush { progress.flushed } else { progress.end }).min().expect("the leader at least")
}

proptest! {
    #[test]
    fn formulas_hold_after_every_input(flush in any::<bool>(), inputs in prop::collection::vec(input(), 0..60)) {
        let begin = BecomeLeader {
            epoch: LeaderEpoch(1),
            replicas: REPLICAS.to_vec(),
            isr: REPLICAS.to_vec(),
            start_offset: Offset::ZERO,
            local: Progress { end: Offset(5), flushed: Offset(3) },
            high_watermark: Offset::ZERO,
        };
        let mut leader = Leader::new(LOCAL, flush, begin);
        let mut model = Model { flush, high_watermark: Offset::ZERO };
        for input in inputs {
            if let Input::FlushChanged(flush) = input {
                model.flush = flush;
            }
            let _ = leader.handle(input);
            // (4): the greatest that the minimum ever was, and every rise is told.
            let before = model.high_watermark;
            model.high_watermark = before.max(least_safe(&leader, model.flush));
            let told: Vec<_> = std::iter::from_fn(|| leader.poll()).collect();
            let rise = (model.high_watermark > before).then_some(Output::HighWatermarkAdvanced(model.high_watermark));
            prop_assert_eq!(told, rise.into_iter().collect::<Vec<_>>());
            check(&leader, &model);
        }
    }
}
