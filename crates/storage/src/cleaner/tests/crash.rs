//! The power goes at every operation of a life with rounds of compaction in it. Whatever the disk loses of what was not
//! synced, every key has its last value, every producer its last sequence, and what counts as clean is.

use std::sync::Arc;

use ottla_types::TopicId;

use super::super::Stopped;
use super::world::{World, cleaner, config, name, open};
use crate::PartitionOffsets;
use crate::StorageFault;
use crate::disk::block_on;
use crate::disk::simulated::{Faults, SimulatedDisk};
use crate::testing::Dice;

fn fault(stopped: Stopped) -> StorageFault {
    match stopped {
        Stopped::Fault(fault) => fault,
        // Found offline, which is a fault told elsewhere.
        Stopped::Changed => StorageFault::Closed { path: "/d/t-0".into() },
    }
}

/// Writes, cleans with little and with much memory, stops and starts, cleans again.
async fn scenario(disk: &Arc<SimulatedDisk>, seed: u64, world: &mut World) -> Result<(), StorageFault> {
    let mut dice = Dice(seed);
    let directory = open(disk).await?;
    let log = directory.create(&name(), TopicId::from_random(1), config()).await?;
    world.write(&log, &mut dice, 40, true).await?;
    world.flush(&log).await?;
    world.clean(&directory, &mut cleaner(8), true).await.map_err(fault)?;
    world.write(&log, &mut dice, 15, false).await?;
    directory.write_checkpoints(&PartitionOffsets::new()).await?;
    world.clean(&directory, &mut cleaner(100), false).await.map_err(fault)?;
    world.write(&log, &mut dice, 15, true).await?;
    world.flush(&log).await?;
    // Tombstones of the first rounds may go.
    world.now += 5000;
    world.write(&log, &mut dice, 10, true).await?;
    world.clean(&directory, &mut cleaner(100), true).await.map_err(fault)?;
    world.write(&log, &mut dice, 5, true).await?;
    directory.close(&PartitionOffsets::new()).await?;
    world.flushed = world.end;
    drop((directory, log));
    let directory = open(disk).await?;
    let log = directory.get(&name()).expect("there").log;
    world.write(&log, &mut dice, 15, true).await?;
    world.clean(&directory, &mut cleaner(100), true).await.map_err(fault)?;
    Ok(())
}

async fn check(disk: &Arc<SimulatedDisk>, world: &World) {
    let directory = open(disk).await.expect("opens after a crash");
    if directory.get(&name()).is_none() {
        assert_eq!((world.flushed, directory.faulty(&name()).map(|fault| fault.to_string())), (0, None));
        return;
    }
    world.check(&directory).await;
    // A round finds its way, whatever was left, and so does the next start.
    let cleaned = world.clean(&directory, &mut cleaner(100), true).await.expect("cleaned");
    world.check(&directory).await;
    drop(directory);
    disk.crash();
    let directory = open(disk).await.expect("opens again");
    assert!(cleaned.is_none() || directory.cleaned_up_to(&name()) == cleaned);
    let log = directory.get(&name()).expect("there").log;
    let names = crate::disk::Disk::list(&**disk, log.directory()).await.expect("listed");
    assert!(names.iter().all(|entry| !entry.name.ends_with("ed") && !entry.name.ends_with("swap")), "{names:?}");
    world.check(&directory).await;
}

/// Says where a test was when it panicked.
struct SaidOnPanic(String);

impl Drop for SaidOnPanic {
    fn drop(&mut self) {
        if std::thread::panicking() {
            println!("{}", self.0);
        }
    }
}

fn crash_everywhere(seed: u64, faults: &Faults) {
    block_on(async {
        let whole = SimulatedDisk::with_faults(seed, faults.clone());
        scenario(&whole, seed, &mut World::default()).await.expect("no fault without a crash");
        let operations = whole.operations();
        assert!(operations > 500, "{operations} operations");
        for after in 0..operations {
            let disk = SimulatedDisk::with_faults(seed.wrapping_add(after), faults.clone());
            disk.crash_after(after);
            let mut world = World::default();
            let outcome = scenario(&disk, seed, &mut world).await;
            assert!(outcome.is_err(), "operation {after} was not reached");
            disk.set_faults(faults.clone());
            disk.crash();
            let _said = SaidOnPanic(format!("seed {seed}, crash after operation {after}: {outcome:?}"));
            check(&disk, &world).await;
        }
    });
}

#[test]
fn the_last_value_of_every_key_survives_a_power_loss_at_any_operation() {
    crash_everywhere(1, &Faults::default());
    crash_everywhere(2, &Faults::default());
}

#[test]
fn the_last_value_of_every_key_survives_a_device_that_keeps_parts_of_the_rest() {
    for seed in 10..12 {
        crash_everywhere(seed, &Faults::adverse());
    }
}

#[test]
fn the_last_value_of_every_key_survives_the_end_of_the_process_at_any_operation() {
    crash_everywhere(20, &Faults::process_death());
}
