//! The partitions that this broker leads, kept as the cluster's image says.
//!
//! One loop owns the changes: it looks at each new image, at what differs from the one before, and opens, makes, renews
//! and deletes. Everyone else reads a map that is replaced as a whole.

use std::sync::Arc;

use arc_swap::ArcSwap;
use imbl::OrdMap;
use ottla_config::TopicConfig;
use ottla_metadata::{Difference, Image, PartitionChange, Position, Resource};
use ottla_quorum::Quorum;
use ottla_runtime::Runtime;
use ottla_storage::{Log, LogConfig, LogDirectory, PartitionOffsets};
use ottla_types::{PartitionIndex, TopicId, TopicName, TopicPartition};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tracing::{error, info};

use crate::partition::Partition;
use crate::settings::{Settings, overrides};

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
}

/// Tells how much of the image this broker has made true.
#[derive(Clone, Debug)]
pub(crate) struct Settled {
    reached: watch::Receiver<Position>,
    quorum: Arc<Quorum>,
}

impl Settled {
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
    directory: Arc<LogDirectory>,
    partitions: Arc<Partitions>,
    settled: watch::Sender<Position>,
    /// The image that was made true last.
    image: Image,
}

impl Keeper {
    /// A keeper that starts from nothing: the first image is one large difference.
    pub(crate) fn new(
        settings: Arc<Settings>,
        runtime: Runtime,
        quorum: Arc<Quorum>,
        directory: Arc<LogDirectory>,
    ) -> (Self, Arc<Partitions>, Settled) {
        let partitions = Arc::new(Partitions::default());
        let (settled, reached) = watch::channel(Position::default());
        let waiter = Settled { reached, quorum: quorum.clone() };
        let image = Image::default();
        let keeper = Self { settings, runtime, quorum, directory, partitions: partitions.clone(), settled, image };
        (keeper, partitions, waiter)
    }

    /// Follows the image until the broker stops.
    pub(crate) async fn run(mut self, stop: CancellationToken) {
        let mut standing = self.quorum.watch();
        loop {
            standing.mark_unchanged();
            self.follow().await;
            tokio::select! {
                biased;
                () = stop.cancelled() => return,
                changed = standing.changed() => if changed.is_err() { return },
            }
        }
    }

    /// Makes the present image true.
    pub(crate) async fn follow(&mut self) {
        let next = self.quorum.image();
        let difference = Difference::between(&self.image, &next, self.settings.present().node_id);
        self.image = (*next).clone();
        let mut partitions = (**self.partitions.0.load()).clone();
        let settings_changed = difference.configs_changed.iter().any(|resource| self.settings.are_of(resource));
        if settings_changed {
            self.settings.follow(&self.image);
        }
        for change in &difference.partitions_removed {
            if let Some(partition) = partitions.remove(&(change.topic_id, change.index)) {
                self.partitions.0.store(Arc::new(partitions.clone()));
                self.delete(&partition).await;
            }
        }
        for change in difference.partitions_created.iter().chain(&difference.partitions_changed) {
            self.renew(change, &mut partitions).await;
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
        self.settled.send_replace(next.position());
    }

    /// Opens, makes or renews one partition, if this broker leads it.
    async fn renew(&mut self, change: &PartitionChange, partitions: &mut OrdMap<Key, Arc<Partition>>) {
        let key = (change.topic_id, change.index);
        if change.partition.leader != self.settings.present().node_id {
            partitions.remove(&key);
            return;
        }
        if let Some(partition) = partitions.get(&key) {
            return partition.follow_image(&change.partition);
        }
        let name = TopicPartition { topic: change.topic.clone(), partition: change.index };
        let Some(log) = self.log(&name, change.topic_id).await else { return };
        let config = self.topic_config(&change.topic);
        let partition = Partition::lead(name, log, config, self.settings.present().node_id, &change.partition);
        partitions.insert(key, partition);
    }

    /// The partition's log: the one that was found at the start, or a new one.
    async fn log(&mut self, name: &TopicPartition, topic_id: TopicId) -> Option<Arc<Log>> {
        if let Some(found) = self.directory.get(name) {
            if found.topic_id.is_none_or(|id| id == topic_id) {
                return Some(found.log);
            }
            // It belongs to a topic of the same name that is gone. Kept under another name: data is never removed on the
            // strength of a mismatch.
            error!(partition = %name, found = ?found.topic_id, wanted = %topic_id, "a log of another topic is set aside");
            if let Err(fault) = self.directory.set_aside(name, self.runtime.random.wide_bits()).await {
                error!(partition = %name, %fault, "the log could not be set aside");
                return None;
            }
        }
        let producer_id_expiration_ms = i64::from(self.settings.present().producer_id_expiration_ms);
        let config = LogConfig { producer_id_expiration_ms, ..LogConfig::default() };
        match self.directory.create(name, topic_id, config).await {
            Ok(log) => Some(log),
            Err(fault) => {
                error!(partition = %name, %fault, "the log could not be made; the partition is offline");
                None
            }
        }
    }

    async fn delete(&self, partition: &Partition) {
        partition.close();
        let removed = match self.directory.delete(&partition.name, self.runtime.random.wide_bits()).await {
            Ok(retired) => self.directory.remove_deleted(&retired).await,
            Err(fault) => Err(fault),
        };
        match removed {
            Ok(()) => info!(partition = %partition.name, "deleted"),
            Err(fault) => error!(partition = %partition.name, %fault, "the log could not be deleted"),
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
