//! Groups under random schedules: members that come, go, fall silent, answer late; a coordinator that is read anew from its
//! log at any point, with or without what it had appended last. Four kinds of seeds take turns: groups of one protocol, or
//! clients of both in the same groups; topics that stay, or come, go and grow, and patterns to read them by.
//!
//! A seed makes a schedule, a list of steps, and nothing else is random, so a seed always does the same. A schedule that
//! breaks a promise is made shorter as long as it still does, and what is left is printed. The promises are listed at
//! `schedules/promises.rs`.
//!
//! `OTTLA_SCHEDULES=N` runs N seeds, `OTTLA_SCHEDULES_FROM=SEED` begins with that one; `cargo xtask schedules N SEED` does
//! that with the optimiser on.

#[path = "schedules/classic.rs"]
mod classic;
#[path = "schedules/client.rs"]
mod client;
#[path = "schedules/consumer.rs"]
mod consumer;
#[path = "schedules/promises.rs"]
mod promises;
#[path = "schedules/reads.rs"]
mod reads;
#[path = "schedules/standings.rs"]
mod standings;
#[path = "schedules/steps.rs"]
mod steps;
#[path = "scripts/topics.rs"]
mod topics;
#[path = "schedules/world.rs"]
mod world;

use std::panic::{AssertUnwindSafe, catch_unwind};

use steps::{Schedule, Step};
use world::World;

/// How many seeds the tests run.
const SEEDS: u64 = 400;

#[test]
fn groups_keep_their_promises_under_random_schedules() {
    let (seeds, first) = (number("OTTLA_SCHEDULES").unwrap_or(SEEDS), number("OTTLA_SCHEDULES_FROM").unwrap_or(0));
    for seed in first..first + seeds {
        let schedule = Schedule::of(seed);
        if let Err(why) = play(&schedule) {
            let (schedule, why) = shrunk(schedule, why);
            let steps: Vec<_> = schedule.steps.iter().map(|step| format!("  {step:?}")).collect();
            panic!("seed {seed}: {why}\nafter {} steps:\n{}", steps.len(), steps.join("\n"));
        }
    }
}

/// A number in the environment.
#[expect(clippy::disallowed_methods, reason = "how many seeds, and nothing that a seed does")]
fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

/// Plays a schedule; an error is the promise that was broken.
fn play(schedule: &Schedule) -> Result<(), String> {
    let play = || {
        let mut world = World::new(schedule);
        schedule.steps.iter().try_for_each(|step| world.step(*step))?;
        world.settle()
    };
    // What the coordinator takes for impossible breaks a promise as well.
    catch_unwind(AssertUnwindSafe(play)).unwrap_or_else(|_| Err("the coordinator panicked".to_owned()))
}

/// Takes steps away, half of what is left at first and single ones at last, as long as a promise is broken.
fn shrunk(mut schedule: Schedule, mut why: String) -> (Schedule, String) {
    let mut size = schedule.steps.len().div_ceil(2);
    while size > 0 {
        let mut at = 0;
        while at < schedule.steps.len() {
            let mut steps = schedule.steps.clone();
            steps.drain(at..(at + size).min(schedule.steps.len()));
            let shorter = Schedule { steps, ..schedule.clone() };
            match play(&shorter) {
                Err(reason) => (schedule, why) = (shorter, reason),
                Ok(()) => at += size,
            }
        }
        size /= 2;
    }
    (schedule, why)
}

#[test]
fn a_schedule_is_made_shorter_down_to_what_breaks_a_promise() {
    let mut schedule = Schedule::of(1);
    schedule.steps.insert(20, Step::Break);
    let why = play(&schedule).expect_err("it is broken on purpose");
    let (schedule, why) = shrunk(schedule, why);
    assert_eq!((&schedule.steps[..], &*why), (&[Step::Break][..], "broken on purpose"));
}
