//! Groups: which partition of `__consumer_offsets` a group belongs to, and the shards of those that this broker leads.
//!
//! A group belongs to the partition that its id's hash says, and whoever leads that partition coordinates it. Each led
//! partition has a loop (`shard_loop`) that reads its log (`load`), drives its machine and appends what that wants
//! remembered. Here is who finds them, and the loop that starts them as the cluster's image says. `offsets_topic` makes the
//! topic when somebody first asks for a coordinator.

mod counts;
mod limits;
mod load;
pub(crate) mod offsets_topic;
mod shard_loop;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use arc_swap::ArcSwap;
use ottla_coordinator::{Census, Reply, Request, Tally, TopicsChanged};
use ottla_metadata::{Difference, Image};
use ottla_quorum::Quorum;
use ottla_runtime::{Lane, Runtime};
use ottla_types::{ErrorCode, PartitionIndex, TopicId, Uuid};
use tokio::sync::{Notify, mpsc, oneshot};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::partition::Partition;
use crate::partitions::{Partitions, Settled};
use crate::settings::Settings;
pub(crate) use counts::Counts;
use limits::limits;
use shard_loop::Host;

/// The topic of groups and their offsets.
pub(crate) const OFFSETS_TOPIC: &str = "__consumer_offsets";

/// Questions that may wait for one shard; whoever comes then waits at its own connection.
const QUESTIONS_MAX: usize = 1024;

/// What a shard is told.
enum Told {
    /// A question, and where its answer goes.
    Question(Request, oneshot::Sender<Reply>),
    /// Topics are gone.
    TopicsDeleted(Arc<[(Arc<str>, Uuid)]>),
    /// Topics came, went or changed.
    Topics(TopicsChanged),
    /// Settings have changed. Which these are is looked up when this is heard, for what is told may be overtaken.
    Settings,
    /// Somebody watches, and wants so many offsets at most.
    Census(usize, oneshot::Sender<Census>),
}

/// A shard that runs here.
struct Shard {
    partition: Arc<Partition>,
    tells: mpsc::Sender<Told>,
    /// Whether its log is read.
    loaded: Arc<AtomicBool>,
}

/// The groups that this broker coordinates.
pub(crate) struct Groups {
    quorum: Arc<Quorum>,
    shards: ArcSwap<BTreeMap<i32, Arc<Shard>>>,
    counts: Arc<Counts>,
    /// Told whenever a shard comes or has read its log.
    moved: Arc<Notify>,
}

/// The groups of this broker as those who watch it see them.
#[derive(Debug, Default)]
pub(crate) struct Watched {
    /// Shards that have read their logs, and those that still do.
    pub(crate) active: usize,
    pub(crate) loading: usize,
    /// What each that is active has.
    pub(crate) censuses: Vec<Census>,
    /// What was counted since the broker's start.
    pub(crate) counted: Tally,
}

impl Groups {
    fn new(quorum: Arc<Quorum>) -> Self {
        Self { quorum, shards: ArcSwap::default(), counts: Arc::default(), moved: Arc::default() }
    }

    /// Waits until the shard of this partition takes questions here.
    pub(crate) async fn loaded(&self, index: PartitionIndex) {
        let is_loaded = || self.shards.load().get(&index.0).is_some_and(|shard| shard.loaded.load(Ordering::Acquire));
        loop {
            // Listened to before the look, or what comes between the two would be missed.
            let moved = self.moved.notified();
            if is_loaded() {
                return;
            }
            moved.await;
        }
    }

    /// Asks the shard that a group belongs to. An error means that nobody decided anything.
    pub(crate) async fn ask(&self, group: &str, request: Request) -> Result<Reply, ErrorCode> {
        let image = self.quorum.image();
        let topic = image.topic_by_name(OFFSETS_TOPIC).ok_or(ErrorCode::NotCoordinator)?;
        let index = partition_of(group, topic.partitions().count());
        let shard = self.shards.load().get(&index).cloned().ok_or(ErrorCode::NotCoordinator)?;
        shard.ask(request).await
    }

    /// Asks every shard that runs here. An error is any of theirs.
    pub(crate) async fn ask_all(&self, request: &Request) -> Vec<Result<Reply, ErrorCode>> {
        let shards: Vec<_> = self.shards.load().values().cloned().collect();
        let mut replies = Vec::with_capacity(shards.len());
        for shard in shards {
            replies.push(shard.ask(request.clone()).await);
        }
        replies
    }

    /// Counts the groups, and finds out how far they are in at most so many partitions.
    pub(crate) async fn watched(&self, positions_max: usize) -> Watched {
        let shards: Vec<_> = self.shards.load().values().cloned().collect();
        let mut watched = Watched { counted: self.counts.sums(), ..Watched::default() };
        let mut rest = positions_max;
        for shard in shards {
            match shard.census(rest).await {
                Some(census) => {
                    rest -= census.positions.len();
                    watched.censuses.push(census);
                    watched.active += 1;
                }
                None => watched.loading += 1,
            }
        }
        watched
    }
}

impl Shard {
    /// `None` while its log is read.
    async fn census(&self, positions_max: usize) -> Option<Census> {
        if !self.loaded.load(Ordering::Acquire) {
            return None;
        }
        let (answer, answered) = oneshot::channel();
        self.tells.send(Told::Census(positions_max, answer)).await.ok()?;
        answered.await.ok()
    }

    async fn ask(&self, request: Request) -> Result<Reply, ErrorCode> {
        if !self.loaded.load(Ordering::Acquire) {
            return Err(ErrorCode::CoordinatorLoadInProgress);
        }
        let (answer, answered) = oneshot::channel();
        let told = self.tells.send(Told::Question(request, answer)).await;
        told.map_err(|_| ErrorCode::NotCoordinator)?;
        answered.await.map_err(|_| ErrorCode::NotCoordinator)
    }
}

/// The partition of a group's id among `count`: Java's hash of its text, without its sign.
pub(crate) fn partition_of(group: &str, count: usize) -> i32 {
    let hash = group.encode_utf16().fold(0_i32, |hash, unit| hash.wrapping_mul(31).wrapping_add(i32::from(unit)));
    // Of the one number that has no counterpart Kafka takes 0.
    let hash = hash.checked_abs().unwrap_or(0);
    hash % i32::try_from(count).unwrap_or(i32::MAX).max(1)
}

/// Where groups are found from now on, and the loop that sees to it.
pub(crate) fn begin(
    settings: &Arc<Settings>,
    runtime: &Runtime,
    quorum: &Arc<Quorum>,
    partitions: &Arc<Partitions>,
    loops: &TaskTracker,
    stop: &CancellationToken,
    settled: Settled,
) -> Arc<Groups> {
    let groups = Arc::new(Groups::new(quorum.clone()));
    let keeper = Keeper {
        settings: settings.clone(),
        runtime: runtime.clone(),
        quorum: quorum.clone(),
        partitions: partitions.clone(),
        groups: groups.clone(),
        loops: loops.clone(),
        stop: stop.clone(),
    };
    runtime.spawn(Lane::Control, loops.track_future(keeper.run(settled)));
    groups
}

/// Starts and ends shards as the cluster's image says, until the broker stops.
struct Keeper {
    settings: Arc<Settings>,
    runtime: Runtime,
    quorum: Arc<Quorum>,
    partitions: Arc<Partitions>,
    groups: Arc<Groups>,
    loops: TaskTracker,
    stop: CancellationToken,
}

impl Keeper {
    async fn run(self, mut settled: Settled) {
        let mut seen = (*self.quorum.image()).clone();
        let mut limits = limits(&self.settings.present(), &seen);
        self.follow(&seen, &seen);
        loop {
            tokio::select! {
                biased;
                () = self.stop.cancelled() => return,
                () = settled.changed() => {}
            }
            let image = self.quorum.image();
            let shards = self.follow(&seen, &image);
            let present = self::limits(&self.settings.present(), &image);
            if present != limits {
                limits = present;
                self.tell_all(&shards, || Told::Settings);
            }
            seen = (*image).clone();
        }
    }

    fn follow(&self, before: &Image, image: &Image) -> BTreeMap<i32, Arc<Shard>> {
        let mut shards = (**self.groups.shards.load()).clone();
        shards.retain(|_, shard| !shard.partition.is_closed());
        if let Some(topic) = image.topic_by_name(OFFSETS_TOPIC) {
            for (index, _) in topic.partitions() {
                if let Some(partition) = self.led(topic.id, index)
                    && !shards.contains_key(&index.0)
                {
                    shards.insert(index.0, self.start(partition));
                }
            }
        }
        self.groups.shards.store(Arc::new(shards.clone()));
        self.groups.moved.notify_waiters();
        let difference = Difference::between(before, image, self.settings.present().node_id);
        let topics = changed_topics(&difference, image);
        if !topics.changed.is_empty() {
            self.tell_all(&shards, || Told::Topics(topics.clone()));
        }
        let gone = deleted_topics(&difference, image);
        if !gone.is_empty() {
            self.tell_all(&shards, || Told::TopicsDeleted(gone.clone()));
        }
        shards
    }

    fn tell_all(&self, shards: &BTreeMap<i32, Arc<Shard>>, told: impl Fn() -> Told) {
        for shard in shards.values() {
            let (tells, told) = (shard.tells.clone(), told());
            // It may have much to do; this loop must not wait for it.
            let tell = async move { drop(tells.send(told).await) };
            self.runtime.spawn(Lane::Data, self.loops.track_future(tell));
        }
    }

    fn led(&self, topic: TopicId, index: PartitionIndex) -> Option<Arc<Partition>> {
        self.partitions.get(topic, index).filter(|partition| !partition.is_closed())
    }

    fn start(&self, partition: Arc<Partition>) -> Arc<Shard> {
        let (tells, told) = mpsc::channel(QUESTIONS_MAX);
        let loaded = Arc::new(AtomicBool::new(false));
        let host = Host {
            partition: partition.clone(),
            settings: self.settings.clone(),
            runtime: self.runtime.clone(),
            quorum: self.quorum.clone(),
            counts: self.groups.counts.clone(),
            loaded: loaded.clone(),
            moved: self.groups.moved.clone(),
            stop: self.stop.clone(),
        };
        self.runtime.spawn(Lane::Data, self.loops.track_future(host.run(told)));
        Arc::new(Shard { partition, tells, loaded })
    }
}

/// The topics of an image, and which of them are not what they were.
fn changed_topics(difference: &Difference, image: &Image) -> TopicsChanged {
    let topics = difference.topics_created.iter().chain(&difference.topics_deleted).map(|topic| &topic.name);
    let partitions = difference.partitions_created.iter().chain(&difference.partitions_changed);
    let partitions = partitions.chain(&difference.partitions_removed).map(|change| &change.topic);
    let changed = topics.chain(partitions).map(|name| name.as_str().into()).collect();
    TopicsChanged { image: image.clone(), changed: Arc::new(changed), has_new: !difference.topics_created.is_empty() }
}

/// Topics that were there before and are no more, by their ids.
fn deleted_topics(difference: &Difference, image: &Image) -> Arc<[(Arc<str>, Uuid)]> {
    let gone = difference.partitions_removed.iter().filter(|change| image.topic_by_id(change.topic_id).is_none());
    let gone: BTreeMap<TopicId, Arc<str>> =
        gone.map(|change| (change.topic_id, change.topic.as_str().into())).collect();
    gone.into_iter().map(|(id, name)| (name, id)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_groups_partition_is_that_of_kafka() {
        // Java: Math.abs("…".hashCode()) % 50, of which the last hash is the one without a counterpart.
        for (group, partition) in
            [("", 0), ("g", 3), ("my-group", 12), ("a\u{e9}\u{1f600}", 39), ("polygenelubricants", 0)]
        {
            assert_eq!(partition_of(group, 50), partition, "{group}");
        }
    }
}
