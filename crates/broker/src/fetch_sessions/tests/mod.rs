//! The sessions against partitions that are numbers: golden scripts, and a client that must not miss anything.

mod model;
mod pretend;
mod scripts;

use std::sync::Arc;
use std::time::Duration;

use ottla_protocol::TopicKey;
use ottla_types::{ErrorCode, Instant, LeaderEpoch, Offset, PartitionIndex};

use super::{Claim, Counts, FetchSessions, Newcomer, Session, Wanted, ids};

const CLIENT: Newcomer = Newcomer { privileged: false, by_id: false };

fn session_of(partitions: i32) -> Box<Session<()>> {
    let mut session = Session::default();
    (0..partitions).for_each(|index| session.follow(&TopicKey::Name("t"), PartitionIndex(index), from(0)));
    Box::new(session)
}

fn from(offset: i64) -> Wanted {
    let (leader_epoch, last_fetched_epoch) = (LeaderEpoch::UNKNOWN, LeaderEpoch::UNKNOWN);
    Wanted { fetch_offset: Offset(offset), leader_epoch, last_fetched_epoch, bytes_max: 100 }
}

fn opened(sessions: &FetchSessions<()>, now: Instant, session: Box<Session<()>>) -> i32 {
    sessions.open(now, CLIENT, session, 5).expect("room").id()
}

fn claim(id: i32, epoch: i32) -> Claim {
    Claim { id, epoch, by_id: false }
}

#[test]
fn ids_are_positive_lead_to_their_shard_and_differ() {
    for shards in 1..=8_usize {
        for shard in 0..shards {
            for random in [0, 1, u64::MAX, 1 << 31, i32::MAX as u64] {
                let ids: Vec<_> = ids(random, shard, shards).take(100).collect();
                assert!(ids.iter().all(|id| *id >= 0 && *id as usize % shards == shard), "{ids:?}");
                let distinct: std::collections::BTreeSet<_> = ids.iter().collect();
                assert_eq!(distinct.len(), ids.len());
            }
        }
    }
}

#[test]
fn the_slots_are_all_of_use_and_no_more() {
    for slots in [0, 1, 2, 7, 8, 9, 100] {
        let sessions = FetchSessions::<()>::new(slots);
        let made = (0..200).filter(|random| sessions.open(Instant::START, CLIENT, session_of(1), *random).is_ok());
        assert_eq!(made.count(), slots);
        assert_eq!(sessions.counts(), Counts { sessions: slots, partitions: slots, evictions: 0 });
    }
}

#[test]
fn an_id_of_anyones_choice_is_looked_for_and_not_found() {
    let sessions = FetchSessions::<()>::new(3);
    for id in [0, 1, -1, i32::MIN, i32::MAX] {
        sessions.remove(id);
        assert_eq!(sessions.take(claim(id, 1), Instant::START).err(), Some(ErrorCode::FetchSessionIdNotFound));
    }
}

#[test]
fn a_request_that_is_given_up_leaves_its_session_to_the_next() {
    let sessions = FetchSessions::new(8);
    let id = opened(&sessions, Instant::START, session_of(2));
    let mut taken = sessions.take(claim(id, 1), Instant::START).expect("there");
    taken.follow(&TopicKey::Name("t"), PartitionIndex(9), from(0));
    drop(taken);
    assert_eq!(sessions.counts().partitions, 3);
    assert_eq!(sessions.take(claim(id, 2), Instant::START).expect("there").len(), 3);
}

#[test]
fn of_two_requests_at_a_time_the_second_is_refused() {
    let sessions = FetchSessions::new(8);
    let id = opened(&sessions, Instant::START, session_of(1));
    let first = sessions.take(claim(id, 1), Instant::START).expect("there");
    for epoch in [1, 2] {
        let second = sessions.take(claim(id, epoch), Instant::START);
        assert_eq!(second.err(), Some(ErrorCode::InvalidFetchSessionEpoch));
    }
    drop(first);
    assert!(sessions.take(claim(id, 2), Instant::START).is_ok());
}

#[test]
fn a_session_that_was_ended_under_a_request_does_not_come_back() {
    let sessions = FetchSessions::new(8);
    let id = opened(&sessions, Instant::START, session_of(1));
    let taken = sessions.take(claim(id, 1), Instant::START).expect("there");
    sessions.remove(id);
    drop(taken);
    assert_eq!(sessions.counts(), Counts::default());
}

#[test]
fn what_is_kept_at_a_partition_goes_when_it_is_forgotten() {
    let mut session = Session::default();
    let kept = Arc::new(());
    session.follow(&TopicKey::Name("t"), PartitionIndex(0), from(0));
    let place = session.places().next().expect("one partition");
    session.followed_mut(place).handle = Some(kept.clone());
    session.forget([(TopicKey::Name("t"), PartitionIndex(0))].into_iter());
    assert_eq!(Arc::strong_count(&kept), 1);
    assert!(session.is_empty());
}

#[test]
fn a_full_cache_with_many_slots_finds_the_longest_unused() {
    let sessions = FetchSessions::new(8 * 50);
    let ids: Vec<_> = (0..400_u64)
        .map(|age| {
            let now = Instant::after_start(Duration::from_secs(age));
            opened(&sessions, now, session_of(1))
        })
        .collect();
    // All shards are asked in turn, so these are the eight that were made first.
    for (turn, id) in ids.iter().take(8).enumerate() {
        let now = Instant::after_start(Duration::from_secs(121 + turn as u64));
        assert!(sessions.open(now, CLIENT, session_of(1), 77).is_ok());
        assert_eq!(sessions.take(claim(*id, 1), now).err(), Some(ErrorCode::FetchSessionIdNotFound));
    }
    assert_eq!(sessions.counts().evictions, 8);
}
