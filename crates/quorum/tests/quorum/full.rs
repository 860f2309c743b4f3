//! A device without room: what cannot be written is refused before it is begun, and what is there goes on.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use crate::world::{DIRECTORY, disk, level, open, options, run, term, topic};
use ottla_quorum::{Options, ProposeRefused, Quorum};
use ottla_storage::disk::Disk;
use ottla_storage::disk::simulated::{Faults, SimulatedDisk};
use ottla_types::BrokerId;

/// Topics enough for more than a segment, and for more than a log has set aside.
const LARGE: std::ops::Range<u8> = 100..250;

fn full(names_need_room: bool) -> Faults {
    Faults { full_after_bytes: Some(0), names_need_room, ..Faults::default() }
}

/// Proposes a topic. The answer comes, whatever it is.
async fn propose(quorum: &Quorum, number: u8) -> Result<(), ProposeRefused> {
    let answer = tokio::time::timeout(Duration::from_secs(60), quorum.propose(term(quorum), vec![topic(number)]));
    answer.await.expect("an answer").map(|_| ())
}

/// Proposes topics, each in an entry of its own, until one finds no room. Answers which.
async fn fill(quorum: &Quorum) -> u8 {
    for number in LARGE {
        match propose(quorum, number).await {
            Ok(()) => {}
            Err(ProposeRefused::NoRoom(_)) => return number,
            Err(other) => panic!("{other}"),
        }
    }
    panic!("there is always room");
}

async fn begun(disk: &Arc<SimulatedDisk>, options: Options) -> Quorum {
    let quorum = open(disk.clone(), options).await.expect("opened");
    quorum.propose(term(&quorum), vec![level()]).await.expect("committed");
    quorum
}

#[test]
fn what_finds_no_room_is_refused_and_tried_again_when_there_is_some() {
    // Segments of a few entries, so that a new one is what there is no room for.
    for names_need_room in [false, true] {
        run(async {
            let disk = disk(1, Faults::default());
            let quorum = begun(&disk, options(1000)).await;
            disk.set_faults(full(names_need_room));
            let refused = fill(&quorum).await;
            let image = quorum.image();
            for again in [refused, refused + 1] {
                let answer = propose(&quorum, again).await;
                assert!(matches!(answer, Err(ProposeRefused::NoRoom(_))), "{answer:?}");
            }
            assert_eq!(quorum.image(), image, "nothing half done");
            assert!(quorum.watch().borrow().stopped.is_none());
            disk.set_faults(Faults::default());
            for number in refused..refused + 10 {
                propose(&quorum, number).await.expect("there is room again");
            }
            let image = quorum.image();
            disk.crash();
            let again = open(disk.clone(), options(1000)).await.expect("opened");
            let names =
                |image: &ottla_metadata::Image| image.topics().map(|topic| topic.name.clone()).collect::<Vec<_>>();
            assert_eq!(names(&again.image()), names(&image), "and all that was answered is there");
        });
    }
}

#[test]
fn a_snapshot_without_room_is_written_later() {
    run(async {
        let disk = disk(1, Faults::default());
        // The log has space set aside, the snapshot has none.
        let options = || Options { snapshot_entries: 2, keep_entries: 0, ..Options::new(BrokerId(1)) };
        let quorum = begun(&disk, options()).await;
        disk.set_faults(full(true));
        for number in 0..10 {
            propose(&quorum, number).await.expect("there is space set aside");
        }
        disk.crash();
        let refused = open(disk.clone(), options()).await.map(|_| ()).expect_err("a start writes a vote").to_string();
        assert!(refused.contains("No space left"), "{refused}");
        disk.set_faults(Faults::default());
        let quorum = open(disk.clone(), options()).await.expect("opened");
        assert_eq!(quorum.image().topics().count(), 10, "the log was kept");
        for number in 10..20 {
            propose(&quorum, number).await.expect("committed");
        }
        quorum.shutdown().await.expect("stopped");
        let names = disk.list(Path::new(DIRECTORY)).await.expect("listed");
        assert!(names.iter().any(|entry| entry.name == "image" && entry.bytes > 500), "{names:?}");
        assert!(names.iter().all(|entry| !entry.name.ends_with(".new")), "{names:?}");
        assert_eq!(open(disk, options()).await.expect("opened").image().topics().count(), 20);
    });
}

#[test]
fn a_sync_that_fails_ends_it_all_the_same() {
    run(async {
        let disk = disk(1, Faults::default());
        let quorum = begun(&disk, options(1000)).await;
        disk.set_faults(Faults { fail_sync_at: Some(disk.syncs() + 1), ..full(false) });
        let refused = propose(&quorum, 1).await.expect_err("refused");
        assert!(matches!(refused, ProposeRefused::Stopped(_)), "{refused}");
    });
}
