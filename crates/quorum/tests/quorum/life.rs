//! The quorum from outside: proposals, restarts, snapshots, faults.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use crate::world::{DIRECTORY, disk, level, open, options, run, term, topic};
use ottla_metadata::{Fact, ImpossibleFact};
use ottla_quorum::{ProposeRefused, QuorumFault, Term};
use ottla_storage::disk::simulated::Faults;
use ottla_storage::disk::{Disk, Open};
use ottla_types::BrokerId;

#[test]
fn a_new_quorum_leads_at_once_and_publishes_what_it_commits() {
    run(async {
        let began = tokio::time::Instant::now();
        let quorum = open(disk(1, Faults::default()), options(100)).await.expect("opened");
        assert_eq!(term(&quorum), Term(1));
        let committed = quorum.propose(Term(1), vec![level(), topic(1)]).await.expect("committed");
        assert_eq!(quorum.image().position(), committed.position);
        assert!(quorum.image().topic_by_name("topic-1").is_some());
        assert_eq!(quorum.watch().borrow().applied, committed.position);
        // On paused time: no election timeout was waited for. What is left is openraft's wait of a microsecond after a
        // write, which tokio's timers round up.
        assert!(began.elapsed() <= Duration::from_millis(5), "{:?}", began.elapsed());
        quorum.shutdown().await.expect("stopped");
    });
}

#[test]
fn a_proposal_in_another_term_is_refused_and_writes_nothing() {
    run(async {
        let disk = disk(1, Faults::default());
        let quorum = open(disk.clone(), options(100)).await.expect("opened");
        let before = disk.operations();
        for wrong in [Term(0), Term(2)] {
            let refused = quorum.propose(wrong, vec![level()]).await.expect_err("refused");
            assert!(matches!(refused, ProposeRefused::NotLeading { leader: Some(BrokerId(1)), .. }), "{refused}");
        }
        assert_eq!(disk.operations(), before);
        quorum.propose(Term(1), vec![level()]).await.expect("committed");
    });
}

#[test]
fn an_impossible_fact_is_refused_with_all_that_came_with_it() {
    run(async {
        let disk = disk(1, Faults::default());
        let quorum = open(disk.clone(), options(100)).await.expect("opened");
        quorum.propose(Term(1), vec![level(), topic(1)]).await.expect("committed");
        let (before, image) = (disk.operations(), quorum.image());
        let refused = quorum.propose(Term(1), vec![topic(2), topic(1)]).await.expect_err("refused");
        assert!(
            matches!(refused, ProposeRefused::Impossible { number: 1, source: ImpossibleFact::TopicExists { .. } }),
            "{refused}"
        );
        assert_eq!(disk.operations(), before);
        assert_eq!(quorum.image(), image);
    });
}

#[test]
fn proposals_that_arrive_together_are_all_committed_in_turn() {
    run(async {
        let quorum = Arc::new(open(disk(1, Faults::default()), options(5)).await.expect("opened"));
        quorum.propose(Term(1), vec![level()]).await.expect("committed");
        let proposals: Vec<_> = (0..50)
            .map(|number| {
                let quorum = quorum.clone();
                tokio::spawn(async move { quorum.propose(Term(1), vec![topic(number)]).await })
            })
            .collect();
        let mut positions = Vec::new();
        for proposal in proposals {
            positions.push(proposal.await.expect("no panic").expect("committed").position);
        }
        positions.sort();
        positions.dedup();
        assert_eq!(positions.len(), 50);
        assert_eq!(quorum.image().topic_count(), 50);
    });
}

#[test]
fn a_restart_gives_the_same_image_in_a_higher_term() {
    run(async {
        for snapshot_entries in [1000, 4] {
            let disk = disk(1, Faults::default());
            let mut expected: Option<Arc<ottla_metadata::Image>> = None;
            for life in 0..6 {
                let quorum = open(disk.clone(), options(snapshot_entries)).await.expect("opened");
                assert_eq!(term(&quorum), Term(life + 1));
                if let Some(image) = &expected {
                    assert_same(image, &quorum.image());
                } else {
                    quorum.propose(Term(1), vec![level()]).await.expect("committed");
                }
                for number in 0..5 {
                    let number = u8::try_from(life).expect("few") * 5 + number;
                    quorum.propose(term(&quorum), vec![topic(number)]).await.expect("committed");
                }
                expected = Some(quorum.image());
                quorum.shutdown().await.expect("stopped");
            }
        }
    });
}

/// Whether two images are the same but for the position, which a new term moves.
fn assert_same(expected: &ottla_metadata::Image, got: &ottla_metadata::Image) {
    let mut expected = expected.clone();
    assert!(got.position() > expected.position());
    expected.set_position(got.position());
    assert_eq!(&expected, got);
}

#[test]
fn snapshots_let_the_log_forget() {
    run(async {
        let disk = disk(1, Faults::default());
        let quorum = open(disk.clone(), options(4)).await.expect("opened");
        quorum.propose(Term(1), vec![level()]).await.expect("committed");
        for number in 0..20 {
            quorum.propose(Term(1), vec![topic(number)]).await.expect("committed");
        }
        quorum.shutdown().await.expect("stopped");
        let names = disk.list(Path::new(DIRECTORY)).await.expect("listed");
        assert!(names.iter().any(|entry| entry.name == "image"), "{names:?}");
        // The log alone does not reach back any more: without the snapshot there is no start.
        disk.remove(&Path::new(DIRECTORY).join("image")).await.expect("removed");
        let _ = open(disk, options(4)).await.expect_err("the snapshot is gone");
    });
}

#[test]
fn a_second_shutdown_and_proposals_after_it_hear_that_it_stopped() {
    run(async {
        let disk = disk(1, Faults::default());
        let quorum = Arc::new(open(disk.clone(), options(4)).await.expect("opened"));
        disk.crash_after(0);
        let refused = quorum.propose(Term(1), vec![level()]).await.expect_err("the power is gone");
        assert!(matches!(refused, ProposeRefused::Stopped(_)), "{refused}");
        let mut watch = quorum.watch();
        let standing = watch.wait_for(|standing| standing.stopped.is_some()).await.expect("told").clone();
        assert_eq!(standing.leading, None);
        let refused = quorum.propose(Term(1), vec![level()]).await.expect_err("stopped");
        assert!(matches!(refused, ProposeRefused::Stopped(_)), "{refused}");
    });
}

#[test]
fn a_damaged_vote_or_snapshot_stops_the_start() {
    run(async {
        for name in ["vote", "image"] {
            let disk = disk(1, Faults::default());
            let quorum = open(disk.clone(), options(2)).await.expect("opened");
            quorum.propose(Term(1), vec![level()]).await.expect("committed");
            for number in 0..5 {
                quorum.propose(Term(1), vec![topic(number)]).await.expect("committed");
            }
            quorum.shutdown().await.expect("stopped");
            let file = disk.open(&Path::new(DIRECTORY).join(name), Open::Write).await.expect("there");
            let byte = file.read(12, 1).await.expect("read")[0] ^ 1;
            file.write(12, vec![vec![byte].into()]).await.expect("written");
            let fault = open(disk, options(2)).await.expect_err("damaged");
            assert!(fault.to_string().contains(&format!("{DIRECTORY}/{name}")), "{fault}");
            assert!(matches!(*fault, QuorumFault::Vote { .. } | QuorumFault::Snapshot { .. }), "{fault:?}");
        }
    });
}

#[test]
fn a_log_without_its_vote_does_not_start() {
    run(async {
        let disk = disk(1, Faults::default());
        open(disk.clone(), options(100)).await.expect("opened").shutdown().await.expect("stopped");
        disk.remove(&Path::new(DIRECTORY).join("vote")).await.expect("removed");
        let fault = open(disk, options(100)).await.expect_err("no vote");
        assert!(matches!(*fault, QuorumFault::Vote { .. }), "{fault}");
    });
}

#[test]
fn a_node_that_is_no_voter_does_not_start() {
    run(async {
        let disk = disk(1, Faults::default());
        open(disk.clone(), options(100)).await.expect("opened").shutdown().await.expect("stopped");
        let other = ottla_quorum::Options { node: BrokerId(2), ..options(100) };
        let fault = open(disk, other).await.expect_err("another node's");
        assert!(matches!(&*fault, QuorumFault::NotAVoter { voters, .. } if voters == &[BrokerId(1)]), "{fault}");
    });
}

#[test]
fn the_same_seed_gives_the_same_disk_and_the_same_facts_in_the_same_order() {
    let life = || {
        run(async {
            let disk = disk(3, Faults::default());
            disk.start_trace();
            for number in 0..3 {
                let quorum = open(disk.clone(), options(3)).await.expect("opened");
                let first: Vec<Fact> = if number == 0 { vec![level()] } else { vec![] };
                quorum.propose(term(&quorum), first).await.expect("committed");
                for part in 0..4 {
                    quorum.propose(term(&quorum), vec![topic(number * 10 + part)]).await.expect("committed");
                }
                quorum.shutdown().await.expect("stopped");
            }
            disk.trace()
        })
    };
    assert_eq!(life(), life());
}
