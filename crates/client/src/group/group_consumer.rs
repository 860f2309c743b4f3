//! What a caller has of its membership: records of the partitions that it was given, and a say in what becomes of them.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use ottla_runtime::Lane;
use ottla_types::{ErrorCode, Instant, Offset, Uuid};
use tokio::sync::{mpsc, oneshot};

use super::classic::ClassicMember;
use super::consumer::ConsumerMember;
use super::exchange::Exchange;
use super::member::{Member, Token};
use super::offsets_link::OffsetsLink;
use super::task::{Event, MemberTask, Order, Shared};
use super::{GroupProtocol, GroupSettings, PartitionKey, Partitions};
use crate::cluster::Cluster;
use crate::consumer::{Consumer, Fetched, OffsetReset, Start};
use crate::coordinator::GroupOffsets;
use crate::error::{ClientError, Refusal};

/// What a poll brings.
#[derive(Clone, Debug)]
pub enum GroupEvent {
    /// Records of one partition. With the next poll they count as worked on.
    Records(Fetched),
    /// These partitions are read from now on, besides those that are read already.
    Assigned(Partitions),
    /// These partitions must be given up; the next poll does so. Until then they can be committed: that poll commits
    /// them by itself if commits are automatic.
    Revoking(Partitions),
    /// These partitions are another's already: what was not committed will be read again.
    Lost(Partitions),
}

/// A consumer that belongs to a group. Dropped, it leaves the group without waiting; [`close`](Self::close) waits.
#[derive(Debug)]
pub struct GroupConsumer {
    settings: Arc<GroupSettings>,
    consumer: Consumer,
    offsets: OffsetsLink,
    shared: Arc<Shared>,
    orders: mpsc::UnboundedSender<Order>,
    events: mpsc::UnboundedReceiver<Event>,
    /// Where the application is: behind what it was given.
    positions: BTreeMap<PartitionKey, Offset>,
    /// What is committed of that, as far as this member knows.
    committed: BTreeMap<PartitionKey, Offset>,
    /// Given to the member, and still to be looked up.
    starting: Partitions,
    /// Told to the application as to be given up.
    releasing: Option<(Token, Partitions)>,
    commit_at: Option<Instant>,
    /// A commit by interval that is under way.
    committing: Option<oneshot::Receiver<Option<GroupOffsets>>>,
}

impl GroupConsumer {
    /// A member that reads nothing yet.
    #[must_use]
    pub fn new(cluster: Cluster, settings: GroupSettings) -> Self {
        let settings = Arc::new(settings);
        let runtime = cluster.runtime().clone();
        let now = runtime.clock.now();
        let member = match settings.protocol {
            GroupProtocol::Classic => {
                Member::Classic(ClassicMember::new(Arc::clone(&settings), cluster.settings().clone()))
            }
            GroupProtocol::Consumer => {
                let bits = [runtime.random.bits(), runtime.random.bits()].map(u64::to_be_bytes).concat();
                let id = bits.try_into().map_or(Uuid::ZERO, Uuid);
                Member::Consumer(ConsumerMember::new(Arc::clone(&settings), cluster.settings().clone(), id.to_string()))
            }
        };
        let shared = Arc::new(Shared::new(now));
        let (orders, to_obey) = mpsc::unbounded_channel();
        let (to_tell, events) = mpsc::unbounded_channel();
        let exchange = Exchange { cluster: cluster.clone(), settings: Arc::clone(&settings), connection: None };
        let task = MemberTask::new(member, exchange, Arc::clone(&shared), to_obey, to_tell);
        runtime.spawn(Lane::Control, task.run());
        Self {
            consumer: Consumer::new(cluster.clone(), settings.consumer.clone()),
            offsets: OffsetsLink::new(cluster, settings.group.clone(), Arc::clone(&shared)),
            shared,
            orders,
            events,
            positions: BTreeMap::new(),
            committed: BTreeMap::new(),
            starting: Partitions::new(),
            releasing: None,
            commit_at: settings.auto_commit.map(|interval| now + interval),
            committing: None,
            settings,
        }
    }

    /// Reads these topics from now on, as far as the others of the group leave partitions of them; joins the group if
    /// it is no member yet. A topic that is not there is read once it is.
    pub fn subscribe(&mut self, topics: &[&str]) {
        let topics = topics.iter().map(|topic| Arc::from(*topic)).collect();
        let _ = self.orders.send(Order::Subscribe(topics));
    }

    /// The id of this member, once it has one, and its generation or epoch.
    #[must_use]
    pub fn member(&self) -> (String, i32) {
        let identity = self.shared.identity();
        (identity.member, identity.generation)
    }

    /// The partitions that are read, and where the application is in each.
    #[must_use]
    pub fn positions(&self) -> &BTreeMap<(Arc<str>, i32), Offset> {
        &self.positions
    }

    /// Counts only what stands before `offset` as worked on, of a partition that was read beyond it: the next commit says
    /// so. What was given already is not given again.
    pub fn rewind(&mut self, topic: &str, partition: i32, offset: Offset) {
        let position = self.positions.iter_mut().find(|(key, _)| (&*key.0, key.1) == (topic, partition));
        if let Some((_, position)) = position {
            *position = offset.min(*position);
        }
    }

    /// What happens next; `None` if that is nothing within `wait`. An error ends the membership, but for one of a
    /// single partition's records.
    pub async fn poll(&mut self, wait: Duration) -> Result<Option<GroupEvent>, ClientError> {
        let clock = Arc::clone(&self.offsets.cluster().runtime().clock);
        self.shared.polls(clock.now(), true);
        let polled = self.poll_until(clock.now() + wait).await;
        self.shared.polls(clock.now(), false);
        polled
    }

    async fn poll_until(&mut self, deadline: Instant) -> Result<Option<GroupEvent>, ClientError> {
        let clock = Arc::clone(&self.offsets.cluster().runtime().clock);
        loop {
            self.release().await;
            self.start().await?;
            self.commit_by_interval(clock.now());
            let now = clock.now();
            let until = self.commit_at.map_or(deadline, |at| at.min(deadline));
            tokio::select! {
                biased;
                event = self.events.recv() => match event {
                    Some(event) => if let Some(event) = self.take(event)? {
                        return Ok(Some(event));
                    },
                    None => {
                        let message = Some("the membership is over".to_owned());
                        return Err(Refusal { code: ErrorCode::UnknownMemberId, message }.into());
                    }
                },
                fetched = self.consumer.poll(until.since(now)) => if let Some(fetched) = fetched? {
                    self.positions.insert((Arc::clone(&fetched.topic), fetched.partition), fetched.next);
                    return Ok(Some(GroupEvent::Records(fetched)));
                },
            }
            if clock.now() >= deadline {
                return Ok(None);
            }
        }
    }

    /// Takes what the membership tells.
    fn take(&mut self, event: Event) -> Result<Option<GroupEvent>, ClientError> {
        Ok(Some(match event {
            Event::Assign(partitions) => {
                self.starting.extend(partitions.iter().cloned());
                GroupEvent::Assigned(partitions)
            }
            Event::Revoke(token, partitions) => {
                self.stop(&partitions);
                self.releasing = Some((token, partitions.clone()));
                GroupEvent::Revoking(partitions)
            }
            Event::Lost(partitions) => {
                self.stop(&partitions);
                self.forget(&partitions);
                // What was to be given up is lost with the rest.
                self.releasing = None;
                GroupEvent::Lost(partitions)
            }
            Event::Failed(error) => return Err(error),
        }))
    }

    /// Reads these no more.
    fn stop(&mut self, partitions: &Partitions) {
        for (topic, index) in partitions {
            self.consumer.unassign(topic, *index);
        }
        self.starting.retain(|partition| !partitions.contains(partition));
    }

    fn forget(&mut self, partitions: &Partitions) {
        self.positions.retain(|partition, _| !partitions.contains(partition));
        self.committed.retain(|partition, _| !partitions.contains(partition));
    }

    /// Gives up what the application has seen that it must.
    async fn release(&mut self) {
        let Some((token, partitions)) = self.releasing.clone() else { return };
        if self.settings.auto_commit.is_some() {
            let offsets = self.uncommitted(|partition| partitions.contains(partition));
            if let Err(error) = self.commit_these(&offsets).await {
                tracing::warn!(%error, group = self.settings.group, "not committed before partitions are given up");
            }
        }
        self.forget(&partitions);
        self.releasing = None;
        let _ = self.orders.send(Order::Released(token));
    }

    /// Goes on where the group was, with partitions that are new to this member.
    async fn start(&mut self) -> Result<(), ClientError> {
        if self.starting.is_empty() {
            return Ok(());
        }
        let wanted: Vec<PartitionKey> = self.starting.iter().cloned().collect();
        let committed = self.offsets.fetch(&wanted).await?;
        for partition in &wanted {
            let start = match (committed.get(partition), self.settings.consumer.offset_reset) {
                (Some(committed), _) => Start::Offset(committed.offset),
                (None, OffsetReset::Earliest) => Start::Earliest,
                (None, OffsetReset::Latest) => Start::Latest,
                (None, OffsetReset::Error) => {
                    let (topic, partition) = (partition.0.to_string(), partition.1);
                    return Err(ClientError::NoCommittedOffset { topic, partition });
                }
            };
            self.consumer.assign(&partition.0, partition.1, start).await?;
        }
        let positions = self.consumer.positions().await?;
        for partition in wanted {
            if let Some(position) = positions.get(&partition) {
                self.positions.insert(partition.clone(), *position);
            }
            if let Some(committed) = committed.get(&partition) {
                self.committed.insert(partition.clone(), committed.offset);
            }
            self.starting.remove(&partition);
        }
        Ok(())
    }

    /// What is to be committed of these partitions.
    fn uncommitted(&self, of: impl Fn(&PartitionKey) -> bool) -> GroupOffsets {
        let news = self.positions.iter().filter(|(key, at)| of(key) && self.committed.get(*key) != Some(*at));
        news.map(|(key, at)| (key.clone(), self.offsets.committed(key, *at))).collect()
    }

    /// Commits where the application is, with all that polls have brought.
    pub async fn commit(&mut self) -> Result<(), ClientError> {
        let offsets = self.uncommitted(|_| true);
        self.commit_these(&offsets).await
    }

    /// Commits these offsets: of each partition the one that shall be read next.
    pub async fn commit_offsets(&mut self, offsets: &BTreeMap<(Arc<str>, i32), Offset>) -> Result<(), ClientError> {
        let offsets = offsets.iter().map(|(key, at)| (key.clone(), self.offsets.committed(key, *at))).collect();
        self.commit_these(&offsets).await
    }

    async fn commit_these(&mut self, offsets: &GroupOffsets) -> Result<(), ClientError> {
        if offsets.is_empty() {
            return Ok(());
        }
        self.offsets.commit(offsets).await?;
        self.committed.extend(offsets.iter().map(|(key, committed)| (key.clone(), committed.offset)));
        Ok(())
    }

    /// Puts a commit on its way when one is due, and takes what came of the last.
    fn commit_by_interval(&mut self, now: Instant) {
        if let Some(committing) = &mut self.committing {
            match committing.try_recv() {
                Ok(Some(done)) => {
                    let still = done.into_iter().filter(|(key, _)| self.positions.contains_key(key));
                    self.committed.extend(still.map(|(key, committed)| (key, committed.offset)));
                    self.committing = None;
                }
                Ok(None) | Err(oneshot::error::TryRecvError::Closed) => self.committing = None,
                Err(oneshot::error::TryRecvError::Empty) => {}
            }
        }
        let due = self.commit_at.is_some_and(|at| now >= at);
        let (true, Some(interval)) = (due, self.settings.auto_commit) else { return };
        self.commit_at = Some(now + interval);
        let offsets = self.uncommitted(|_| true);
        if offsets.is_empty() || self.committing.is_some() {
            return;
        }
        let (report, committing) = oneshot::channel();
        self.committing = Some(committing);
        let (link, group) = (self.offsets.clone(), self.settings.group.clone());
        self.offsets.cluster().runtime().spawn(Lane::Control, async move {
            let result = link.commit(&offsets).await;
            if let Err(error) = &result {
                tracing::warn!(%error, group, "not committed; it is tried again");
            }
            let _ = report.send(result.is_ok().then_some(offsets));
        });
    }

    /// Commits, if commits are automatic, and leaves the group. An error tells that the commit failed.
    pub async fn close(mut self) -> Result<(), ClientError> {
        let committed = if self.settings.auto_commit.is_some() { self.commit().await } else { Ok(()) };
        let (done, left) = oneshot::channel();
        let _ = self.orders.send(Order::Close(done));
        let clock = Arc::clone(&self.offsets.cluster().runtime().clock);
        let patience = clock.now() + self.offsets.cluster().settings().request_timeout;
        tokio::select! {
            biased;
            _ = left => {}
            () = clock.sleep_until(patience) => tracing::warn!(group = self.settings.group, "the group was not left in time"),
        }
        committed
    }
}
