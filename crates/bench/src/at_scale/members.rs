//! Many members of one group over as many partitions: all come at once, each on its own connection, and then stay.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Barrier, Mutex};
use std::time::{Duration, Instant};

use bytes::Bytes;
use ottla_protocol::consumer_group_heartbeat::{ConsumerGroupHeartbeatRequest, TopicPartitions};
use ottla_protocol::heartbeat::HeartbeatRequest;
use ottla_protocol::join_group::{JoinGroupRequest, JoinGroupRequestProtocol, JoinGroupResponse};
use ottla_protocol::sync_group::{SyncGroupRequest, SyncGroupRequestAssignment};

use crate::connection::Connection;
use crate::groups::expect;
use crate::{Outcome, Task, tell};

/// How the members speak.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Protocol {
    Classic,
    Consumer,
}

/// How long the group is watched at rest.
const REST: Duration = Duration::from_secs(15);
/// How often a classic member is heard of, as Java's clients have it.
const HEARTBEAT: Duration = Duration::from_secs(3);
/// How often it is looked whether there is something to say.
const LOOK: Duration = Duration::from_millis(50);
/// How long the group may take to come to rest.
const STABLE_MAX: Duration = Duration::from_secs(180);
/// Enough for a member's thread.
const STACK: usize = 256 << 10;

/// MEMBER_ID_REQUIRED, and errors that a new round brings.
const MEMBER_ID_REQUIRED: i16 = 79;
const ROUND: [i16; 2] = [22, 27];

/// What all members see of one another.
struct Shared<'a> {
    task: &'a Task,
    topic: String,
    group: String,
    begin: Barrier,
    /// When the last of them asked to join.
    last: Mutex<Option<Instant>>,
    /// Members that have what they shall have, and all their partitions.
    settled: AtomicUsize,
    owned: AtomicUsize,
    ends: AtomicUsize,
}

pub(crate) fn run(task: &Task, protocol: Protocol) -> Outcome<()> {
    let name = if protocol == Protocol::Classic { "classic" } else { "consumer" };
    let topic = format!("members-{name}");
    task.prepare(&topic, task.count)?;
    let shared = Shared {
        task,
        topic,
        group: format!("members-{name}"),
        begin: Barrier::new(task.count + 1),
        last: Mutex::new(None),
        settled: AtomicUsize::new(0),
        owned: AtomicUsize::new(0),
        ends: AtomicUsize::new(0),
    };
    std::thread::scope(|scope| {
        let mut threads = Vec::new();
        for index in 0..task.count {
            let shared = &shared;
            let member = move || match protocol {
                Protocol::Classic => classic(shared),
                Protocol::Consumer => consumer(shared, index),
            };
            let builder = std::thread::Builder::new().stack_size(STACK);
            threads.push(builder.spawn_scoped(scope, member).map_err(|error| error.to_string())?);
        }
        let watched = watch(&shared, name);
        shared.ends.store(1, Ordering::Release);
        let members = threads.into_iter().try_for_each(|thread| thread.join().expect("it does not panic"));
        watched.and(members)
    })
}

/// Lets them begin, and tells what follows.
fn watch(shared: &Shared<'_>, name: &str) -> Outcome<()> {
    let (broker, count) = (shared.task.broker, shared.task.count);
    let before = (broker.cpu_seconds()?, broker.resident_mb()?);
    shared.begin.wait();
    let began = Instant::now();
    let all = |number: &AtomicUsize| number.load(Ordering::Acquire) == count;
    while !(all(&shared.settled) && all(&shared.owned)) {
        if began.elapsed() > STABLE_MAX {
            let settled = shared.settled.load(Ordering::Acquire);
            return Err(format!("after {STABLE_MAX:?} {settled} of {count} {name} members are at rest"));
        }
        std::thread::park_timeout(Duration::from_millis(5));
    }
    let last = shared.last.lock().map_err(|_| "a member panicked")?.unwrap_or(began);
    let label = format!("{name} members of one group");
    tell(&format!("{label}: last join to stable"), "s", last.elapsed().as_secs_f64());
    tell(&format!("{label}: all of it"), "CPU s", broker.cpu_seconds()? - before.0);
    tell(&format!("{label}: memory with them"), "KB each", (broker.resident_mb()? - before.1) * 1e3 / count as f64);
    let cpu = broker.cpu_seconds()?;
    std::thread::park_timeout(REST);
    tell(&format!("{label}: at rest"), "% of a core", (broker.cpu_seconds()? - cpu) / REST.as_secs_f64() * 100.0);
    if all(&shared.settled) { Ok(()) } else { Err(format!("{name} members do not stay at rest")) }
}

impl Shared<'_> {
    fn joins(&self) {
        if let Ok(mut last) = self.last.lock() {
            *last = Some(Instant::now());
        }
    }

    fn is_over(&self) -> bool {
        self.ends.load(Ordering::Acquire) > 0
    }

    /// Waits for this long, or until all is over.
    fn rest(&self, time: Duration) {
        let begin = Instant::now();
        while begin.elapsed() < time && !self.is_over() {
            std::thread::park_timeout(LOOK);
        }
    }
}

/// A member of the classic protocol.
fn classic(shared: &Shared<'_>) -> Outcome<()> {
    let connection = shared.task.connect();
    shared.begin.wait();
    let (mut connection, mut id) = (connection?, String::new());
    while !shared.is_over() {
        let Some(joined) = join(shared, &mut connection, &mut id)? else { continue };
        let Some(owned) = sync(shared, &mut connection, &joined)? else { continue };
        shared.settled.fetch_add(1, Ordering::AcqRel);
        shared.owned.fetch_add(owned, Ordering::AcqRel);
        let request = HeartbeatRequest {
            group_id: shared.group.clone(),
            generation_id: joined.generation_id,
            member_id: id.clone(),
            ..Default::default()
        };
        while !shared.is_over() {
            shared.rest(HEARTBEAT);
            let error = connection.ask(3, &request)?.error_code;
            if ROUND.contains(&error) {
                break;
            }
            expect("Heartbeat", error)?;
        }
        if !shared.is_over() {
            shared.settled.fetch_sub(1, Ordering::AcqRel);
            shared.owned.fetch_sub(owned, Ordering::AcqRel);
        }
    }
    Ok(())
}

fn join(shared: &Shared<'_>, connection: &mut Connection, id: &mut String) -> Outcome<Option<JoinGroupResponse>> {
    let request = JoinGroupRequest {
        group_id: shared.group.clone(),
        session_timeout_ms: 45_000,
        rebalance_timeout_ms: 60_000,
        member_id: id.clone(),
        protocol_type: "consumer".into(),
        protocols: vec![JoinGroupRequestProtocol { name: "range".into(), metadata: Bytes::from_static(&[0; 40]) }],
        ..Default::default()
    };
    if !id.is_empty() {
        shared.joins();
    }
    let joined = connection.ask(5, &request)?;
    id.clone_from(&joined.member_id);
    if joined.error_code == MEMBER_ID_REQUIRED || ROUND.contains(&joined.error_code) {
        return Ok(None);
    }
    expect("JoinGroup", joined.error_code)?;
    Ok(Some(joined))
}

/// Asks for the assignment; as leader, deals one partition to each. How many it has; `None` in a new round.
fn sync(shared: &Shared<'_>, connection: &mut Connection, joined: &JoinGroupResponse) -> Outcome<Option<usize>> {
    let deal = |(index, member_id): (usize, &String)| {
        let partition = i32::try_from(index).expect("few").to_be_bytes();
        SyncGroupRequestAssignment { member_id: member_id.clone(), assignment: Bytes::copy_from_slice(&partition) }
    };
    let members = joined.members.iter().map(|member| &member.member_id);
    let request = SyncGroupRequest {
        group_id: shared.group.clone(),
        generation_id: joined.generation_id,
        member_id: joined.member_id.clone(),
        assignments: members.enumerate().map(deal).collect(),
        ..Default::default()
    };
    let synced = connection.ask(3, &request)?;
    if ROUND.contains(&synced.error_code) {
        return Ok(None);
    }
    expect("SyncGroup", synced.error_code)?;
    Ok(Some(synced.assignment.len() / 4))
}

/// A member of the consumer protocol.
fn consumer(shared: &Shared<'_>, index: usize) -> Outcome<()> {
    let connection = shared.task.connect();
    shared.begin.wait();
    let mut connection = connection?;
    let mut request = ConsumerGroupHeartbeatRequest {
        group_id: shared.group.clone(),
        member_id: format!("member-{index}"),
        rebalance_timeout_ms: 60_000,
        subscribed_topic_names: Some(vec![shared.topic.clone()]),
        topic_partitions: Some(Vec::new()),
        ..Default::default()
    };
    shared.joins();
    let (mut owned, mut is_settled) = (Vec::<TopicPartitions>::new(), false);
    while !shared.is_over() {
        let answer = connection.ask(0, &request)?;
        expect("ConsumerGroupHeartbeat", answer.error_code)?;
        request.member_epoch = answer.member_epoch;
        (request.subscribed_topic_names, request.topic_partitions) = (None, None);
        request.rebalance_timeout_ms = -1;
        let size = |owned: &[TopicPartitions]| owned.iter().map(|topic| topic.partitions.len()).sum::<usize>();
        match answer.assignment {
            Some(assignment) => {
                // What it is told it has at once, and says so.
                let before = size(&owned);
                owned = assignment.topic_partitions;
                shared.owned.fetch_add(size(&owned), Ordering::AcqRel);
                shared.owned.fetch_sub(before, Ordering::AcqRel);
                request.topic_partitions = Some(owned.clone());
            }
            None => shared.rest(Duration::from_millis(u64::try_from(answer.heartbeat_interval_ms).unwrap_or(5000))),
        }
        // One partition for each member.
        let settles = size(&owned) == 1;
        if settles && !is_settled {
            shared.settled.fetch_add(1, Ordering::AcqRel);
        } else if !settles && is_settled {
            shared.settled.fetch_sub(1, Ordering::AcqRel);
        }
        is_settled = settles;
    }
    Ok(())
}
