//! A log against the plainest model of one: a list of batches. Random operations from a seed, everything compared.
//!
//! A run is a list of operations, each with dice of its own, so that one can be left out without changing what the others
//! do: a run that fails is made shorter as long as it fails, and what is left is printed. `OTTLA_MODEL_SEEDS=N` runs N
//! seeds (`cargo xtask model N`). What the operations do and what is compared is in [`world`], of compaction in
//! [`cleaning`].

mod batches;
mod cleaning;
mod world;

use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::disk::block_on;
use crate::testing::Dice;
use world::World;

/// What a run can do. The dice of the operation say the rest.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Kind {
    Append,
    AppendTransactional,
    NewEpoch,
    Write,
    Flush,
    Read,
    Search,
    Save,
    Stop,
    Kill,
    LosePower,
    Truncate,
    RestartAt,
    DeleteBefore,
    Retire,
    CopyOn,
    Move,
    Clean,
    Fill,
}

/// Operations and how often of a thousand each comes.
const WEIGHTS: [(Kind, u64); 19] = [
    (Kind::Append, 395),
    (Kind::AppendTransactional, 80),
    (Kind::NewEpoch, 10),
    (Kind::Write, 150),
    (Kind::Flush, 40),
    (Kind::Read, 150),
    (Kind::Search, 30),
    (Kind::Save, 15),
    (Kind::Stop, 8),
    (Kind::Kill, 8),
    (Kind::LosePower, 12),
    (Kind::Truncate, 10),
    (Kind::RestartAt, 2),
    (Kind::DeleteBefore, 10),
    (Kind::Retire, 10),
    (Kind::CopyOn, 25),
    (Kind::Move, 10),
    (Kind::Clean, 25),
    (Kind::Fill, 10),
];

#[derive(Clone, Copy, Debug)]
struct Operation {
    kind: Kind,
    dice: u64,
}

/// What a run came upon, so that a test can see that it was worth it.
#[derive(Clone, Copy, Default, Debug)]
struct Met {
    operations: usize,
    segments_max: usize,
    fulls: usize,
    power_failures: usize,
    lost_batches: usize,
    moves: usize,
    left: usize,
    /// Rounds of compaction that came to their end, and those that did not; the latter by the end of the process, too.
    rounds: usize,
    rounds_ended: usize,
    rounds_crashed: usize,
    /// Segments that others took the place of.
    exchanged: usize,
}

fn operations(seed: u64, count: usize) -> Vec<Operation> {
    let mut dice = Dice(seed);
    let mut one = || {
        let mut at = dice.below(WEIGHTS.iter().map(|(_, weight)| weight).sum());
        let kind = WEIGHTS.iter().find(|(_, weight)| {
            let is_it = at < *weight;
            at = at.saturating_sub(*weight);
            is_it
        });
        Operation { kind: kind.expect("below the sum").0, dice: dice.below(u64::MAX) }
    };
    (0..count).map(|_| one()).collect()
}

/// Does them one after the other.
fn run(seed: u64, operations: &[Operation]) -> Met {
    block_on(async {
        // Filling the disk is for every other run: it keeps others from getting far.
        let mut world = World::new(seed, seed.is_multiple_of(2)).await;
        for operation in operations {
            world.perform(operation.kind, Dice(operation.dice)).await;
        }
        world.met
    })
}

/// The shortest part of `operations` found for which `fails` still holds: ever smaller pieces are left out.
fn shortened(mut operations: Vec<Operation>, fails: impl Fn(&[Operation]) -> bool) -> Vec<Operation> {
    let mut piece = operations.len() / 2;
    while piece > 0 {
        let mut at = 0;
        while at < operations.len() {
            let mut fewer = operations.clone();
            fewer.drain(at..(at + piece).min(operations.len()));
            if fails(&fewer) {
                operations = fewer;
            } else {
                at += piece;
            }
        }
        piece /= 2;
    }
    operations
}

#[test]
fn behaves_as_a_list_of_batches() {
    let seeds = std::env::var("OTTLA_MODEL_SEEDS").ok().and_then(|seeds| seeds.parse().ok()).unwrap_or(120);
    let mut all = Met::default();
    for seed in 0..seeds {
        let operations = operations(seed, 400);
        let fails = |some: &[Operation]| catch_unwind(AssertUnwindSafe(|| run(seed, some))).is_err();
        match catch_unwind(AssertUnwindSafe(|| run(seed, &operations))) {
            Ok(met) => all.add(met),
            Err(panic) => {
                let shortest = shortened(operations, fails);
                println!("seed {seed} fails with these {} operations:", shortest.len());
                shortest.iter().for_each(|operation| println!("{operation:?}"));
                run(seed, &shortest);
                std::panic::resume_unwind(panic);
            }
        }
    }
    println!("{seeds} seeds: {all:?}");
    assert!(all.segments_max > 5 && all.fulls > 200 && all.lost_batches > 100, "{all:?}");
    assert!(all.power_failures > 100 && all.moves > 50 && all.left > 50, "{all:?}");
    assert!(all.rounds > 100 && all.rounds_ended > 30 && all.rounds_crashed > 20 && all.exchanged > 100, "{all:?}");
}

#[test]
fn a_run_that_fails_is_made_as_short_as_it_can_be() {
    let count = |some: &[Operation], kind: Kind| some.iter().filter(|operation| operation.kind == kind).count();
    let fails = |some: &[Operation]| count(some, Kind::Truncate) >= 2 && count(some, Kind::Save) >= 1;
    let shortest = shortened(operations(3, 400), fails);
    assert_eq!((shortest.len(), count(&shortest, Kind::Truncate)), (3, 2));
}

impl Met {
    fn add(&mut self, other: Self) {
        self.operations += other.operations;
        self.segments_max = self.segments_max.max(other.segments_max);
        self.fulls += other.fulls;
        self.power_failures += other.power_failures;
        self.lost_batches += other.lost_batches;
        self.moves += other.moves;
        self.left += other.left;
        self.rounds += other.rounds;
        self.rounds_ended += other.rounds_ended;
        self.rounds_crashed += other.rounds_crashed;
        self.exchanged += other.exchanged;
    }
}
