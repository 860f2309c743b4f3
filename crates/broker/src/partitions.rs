//! The partitions that this broker leads, kept as the cluster's image says.
//!
//! One loop owns the changes: it looks at each new image, at what differs from the one before, and opens, makes, renews
//! and deletes. Everyone else reads a map that is replaced as a whole.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use imbl::OrdMap;
use ottla_config::TopicConfig;
use ottla_metadata::{Difference, Image, PartitionChange, Position, Resource};
use ottla_quorum::Quorum;
use ottla_runtime::Runtime;
use ottla_storage::{Log, LogConfig, NewPartition, PartitionOffsets};
use ottla_types::{PartitionIndex, TopicId, TopicName, TopicPartition};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

use crate::directories::{Directories, Found};
use crate::moves::Moves;
use crate::partition::Partition;
use crate::seldom::Seldom;
use crate::settings::{Settings, overrides};

/// How long partitions that found no room are left alone.
const ROOM_PAUSE: Duration = Duration::from_secs(1);

type Key = (TopicId, PartitionIndex);

/// The partitions that this broker leads and could open.
#[derive(Default)]
pub(crate) struct Partitions(ArcSwap<OrdMap<Key, Arc<Partition>>>);

impl Partitions {
    /// The partition, if this broker leads it.
    pub(crate) fn get(&self, topic_id: TopicId, index: PartitionIndex) -> Option<Arc<Partition>> {
        self.0.load().get(&(topic_id, index)).cloned()
    }

    /// All of them.
    pub(crate) fn all(&self) -> Vec<Arc<Partition>> {
        self.0.load().values().cloned().collect()
    }

    /// Below which offset each partition's records are safe: what the checkpoint says.
    pub(crate) fn high_watermarks(&self) -> PartitionOffsets {
        self.0.load().values().map(|partition| (partition.name.clone(), partition.high_watermark())).collect()
    }

    /// Has everyone who waits on a partition look for himself.
    pub(crate) fn wake_all(&self) {
        self.0.load().values().for_each(|partition| partition.wake_all());
    }
}

/// Tells how much of the image this broker has made true.
#[derive(Clone, Debug)]
pub(crate) struct Settled {
    reached: watch::Receiver<Position>,
    quorum: Arc<Quorum>,
}

impl Settled {
    /// Waits until more of the image is true than when it was looked last.
    pub(crate) async fn changed(&mut self) {
        // The sender ends only with the broker.
        let _ = self.reached.changed().await;
    }

    /// Waits until everything that the image says at this moment is true here.
    pub(crate) async fn reached_now(&self) {
        let now = self.quorum.image().position();
        // The sender ends only with the broker.
        let _ = self.reached.clone().wait_for(|reached| reached.index >= now.index).await;
    }
}

/// The loop that makes the image true.
pub(crate) struct Keeper {
    settings: Arc<Settings>,
    runtime: Runtime,
    quorum: Arc<Quorum>,
    directories: Arc<Directories>,
    moves: Arc<Moves>,
    partitions: Arc<Partitions>,
    settled: watch::Sender<Position>,
    /// The image that was made true last.
    image: Image,
    /// Partitions whose logs found no room when they were to be made.
    unmade: Vec<PartitionChange>,
    /// That there are some is told now and then.
    no_room: Seldom,
    /// Tells of partitions that could not be made for another reason: one full table of descriptors is not a line for each.
    not_made: Seldom,
}

impl Keeper {
    /// A keeper that starts from nothing: the first image is one large difference.
    pub(crate) fn new(
        settings: Arc<Settings>,
        runtime: Runtime,
        quorum: Arc<Quorum>,
        directories: Arc<Directories>,
    ) -> (Self, Arc<Partitions>, Settled) {
        let partitions = Arc::new(Partitions::default());
        let moves = Moves::new(runtime.clone(), settings.clone(), directories.clone(), partitions.clone());
        let (settled, reached) = watch::channel(Position::default());
        let waiter = Settled { reached, quorum: quorum.clone() };
        let image = Image::default();
        let (moves, kept) = (Arc::new(moves), partitions.clone());
        let keeper = Self {
            settings,
            runtime,
            quorum,
            directories,
            moves,
            partitions,
            settled,
            image,
            unmade: Vec::new(),
            no_room: Seldom::every(Duration::from_secs(60)),
            not_made: Seldom::every(Duration::from_secs(10)),
        };
        (keeper, kept, waiter)
    }

    /// Makes the first image true, and takes up the moves between directories that were begun before. Answers them.
    pub(crate) async fn begin(&mut self) -> Arc<Moves> {
        self.follow().await;
        self.moves.resume(&self.image).await;
        self.moves.clone()
    }

    /// Follows the image until the broker stops.
    pub(crate) async fn run(mut self, stop: CancellationToken) {
        let mut standing = self.quorum.watch();
        let mut lost = self.directories.watch_lost();
        loop {
            standing.mark_unchanged();
            lost.mark_unchanged();
            self.let_go();
            self.follow().await;
            let clock = self.runtime.clock.clone();
            tokio::select! {
                biased;
                () = stop.cancelled() => return,
                changed = standing.changed() => if changed.is_err() { return },
                // The sender lives as long as this loop.
                _ = lost.changed() => {}
                () = clock.sleep_until(clock.now() + ROOM_PAUSE), if !self.unmade.is_empty() => {}
            }
        }
    }

    /// Lets go of the partitions whose directory went offline: they answer KAFKA_STORAGE_ERROR.
    fn let_go(&self) {
        if !self.directories.has_lost() {
            return;
        }
        let mut partitions = (**self.partitions.0.load()).clone();
        let is_lost = |partition: &Partition| self.directories.has_lost_log(&partition.log());
        let lost = partitions.iter().filter(|(_, partition)| is_lost(partition));
        let lost: Vec<_> = lost.map(|(key, partition)| (*key, partition.clone())).collect();
        for (key, _) in &lost {
            partitions.remove(key);
        }
        self.partitions.0.store(Arc::new(partitions));
        lost.iter().for_each(|(_, partition)| partition.close());
    }

    /// Makes the present image true.
    async fn follow(&mut self) {
        let next = self.quorum.image();
        let is_first = self.image.position() == Position::default();
        let local = self.settings.present().node_id;
        let difference = Difference::between(&self.image, &next, local);
        self.image = (*next).clone();
        let mut partitions = (**self.partitions.0.load()).clone();
        let settings_changed = difference.configs_changed.iter().any(|resource| self.settings.are_of(resource));
        if settings_changed {
            self.settings.follow(&self.image);
            self.directories.cordon(&self.settings.present().cordoned_log_dirs);
        }
        let removed = difference.partitions_removed.iter();
        let removed: Vec<_> =
            removed.filter_map(|change| partitions.remove(&(change.topic_id, change.index))).collect();
        if !removed.is_empty() {
            self.partitions.0.store(Arc::new(partitions.clone()));
            removed.iter().for_each(|partition| partition.close());
        }
        self.delete(&difference.partitions_removed).await;
        let unmade = self.still_unmade(&difference);
        let mut wanted: Vec<_> = with(&unmade, true).collect();
        for (change, is_new) in
            with(&difference.partitions_created, !is_first).chain(with(&difference.partitions_changed, false))
        {
            let key = (change.topic_id, change.index);
            if change.partition.leader != local {
                if let Some(partition) = partitions.remove(&key) {
                    partition.close();
                }
            } else if let Some(partition) = partitions.get(&key) {
                partition.follow_image(&change.partition);
            } else {
                wanted.push((change, is_new));
            }
        }
        // Partitions of a topic follow one another: what it says is looked up once.
        let mut latest: Option<(TopicId, TopicConfig)> = None;
        for (change, log) in self.logs(wanted).await {
            let config = match latest.take() {
                Some((topic_id, config)) if topic_id == change.topic_id => config,
                _ => self.topic_config(&change.topic),
            };
            latest = Some((change.topic_id, config.clone()));
            let partition =
                Partition::lead(name_of(change), log, config, self.settings.present().node_id, &change.partition);
            partitions.insert((change.topic_id, change.index), partition);
        }
        if settings_changed {
            // Whatever a topic does not say itself may be different now.
            partitions.values().for_each(|partition| partition.configure(self.topic_config(&partition.name.topic)));
        } else {
            for resource in &difference.configs_changed {
                self.configure(resource, &partitions);
            }
        }
        self.partitions.0.store(Arc::new(partitions));
        if !is_first {
            tell_topics(&difference, &self.image);
        }
        self.settled.send_replace(next.position());
    }

    /// The partitions to try again that found no room, but for those that are gone or that the difference tells anew.
    fn still_unmade(&mut self, difference: &Difference) -> Vec<PartitionChange> {
        let mut unmade = std::mem::take(&mut self.unmade);
        let told = difference.partitions_changed.iter().chain(&difference.partitions_removed);
        let told: BTreeSet<_> = told.map(|change| (change.topic_id, change.index)).collect();
        unmade.retain(|change| !told.contains(&(change.topic_id, change.index)));
        unmade
    }

    /// The logs of partitions: those that were found at the start, new ones for the others. A partition whose log cannot
    /// be opened or made is left out; one that found no room is tried again later.
    async fn logs<'a>(&mut self, wanted: Vec<(&'a PartitionChange, bool)>) -> Vec<(&'a PartitionChange, Arc<Log>)> {
        let (mut logs, mut missing) = (Vec::with_capacity(wanted.len()), Vec::new());
        for (change, is_new) in wanted {
            let name = name_of(change);
            match self.directories.find(&name, change.topic_id, self.runtime.random.wide_bits()).await {
                Found::Open(log) => logs.push((change, log)),
                Found::Faulty(fault) => error!(partition = %name, %fault, "the partition is offline"),
                // It may be in a directory that is offline, and a second one would be another truth.
                Found::Nowhere if !is_new && self.directories.has_lost() => {
                    error!(partition = %name, "in no log directory that is online; the partition is offline");
                }
                Found::Nowhere => missing.push(change),
            }
        }
        // It is configured when it is led.
        let config = LogConfig::default();
        let new = |change: &&PartitionChange| NewPartition { name: name_of(change), topic_id: change.topic_id, config };
        let made = self.directories.create(missing.iter().map(new).collect()).await;
        for (change, made) in missing.into_iter().zip(made) {
            match made {
                Ok(log) => logs.push((change, log)),
                Err(fault) if fault.is_full() => {
                    if let Some(untold) = self.no_room.ask(self.runtime.clock.now()) {
                        warn!(partition = %name_of(change), %fault, untold, "no room for the log; the partition is offline until then");
                    }
                    self.unmade.push(change.clone());
                }
                Err(fault) => {
                    if let Some(untold) = self.not_made.ask(self.runtime.clock.now()) {
                        let partition = name_of(change);
                        error!(%partition, %fault, untold, "the log could not be made; the partition is offline until the next start");
                    }
                }
            }
        }
        logs
    }

    async fn delete(&self, changes: &[PartitionChange]) {
        let names: Vec<_> = changes.iter().map(|change| (name_of(change), change.topic_id)).collect();
        for (name, _) in &names {
            self.moves.give_up(name).await;
        }
        let failed = self.directories.delete(&names, || self.runtime.random.wide_bits()).await;
        for (name, fault) in failed {
            error!(partition = %name, %fault, "the log could not be deleted");
        }
    }

    fn configure(&self, resource: &Resource, partitions: &OrdMap<Key, Arc<Partition>>) {
        let Some(topic) =
            self.image.topic_by_name(&resource.name).filter(|topic| *resource == Resource::topic(&topic.name))
        else {
            return;
        };
        let config = self.topic_config(&topic.name);
        for (index, _) in topic.partitions() {
            if let Some(partition) = partitions.get(&(topic.id, index)) {
                partition.configure(config.clone());
            }
        }
    }

    fn topic_config(&self, topic: &TopicName) -> TopicConfig {
        self.settings.present().topic_config(&overrides(&self.image, &Resource::topic(topic)))
    }
}

/// Says which topics came, went, or got more partitions: a line for each, whatever it has of them.
fn tell_topics(difference: &Difference, image: &Image) {
    let count = |changes: &[PartitionChange]| {
        let mut topics = BTreeMap::new();
        for change in changes {
            *topics.entry((change.topic.to_string(), change.topic_id)).or_insert(0) += 1;
        }
        topics
    };
    for ((topic, id), partitions) in count(&difference.partitions_created) {
        let all = image.topic_by_id(id).map_or(0, |topic| topic.partitions().count());
        let what = if all == partitions { "topic created" } else { "partitions added" };
        info!(%topic, %id, partitions, "{what}");
    }
    for ((topic, id), partitions) in count(&difference.partitions_removed) {
        if image.topic_by_id(id).is_none() {
            info!(%topic, %id, partitions, "topic deleted");
        }
    }
}

fn name_of(change: &PartitionChange) -> TopicPartition {
    TopicPartition { topic: change.topic.clone(), partition: change.index }
}

/// Each change with the same word about it.
fn with(changes: &[PartitionChange], word: bool) -> impl Iterator<Item = (&PartitionChange, bool)> {
    changes.iter().map(move |change| (change, word))
}
