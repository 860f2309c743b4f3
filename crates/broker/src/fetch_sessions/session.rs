//! One fetch session: the partitions that a client follows, in the order in which they are served, with what the client
//! wants of each and what it was told last.
//!
//! Not here: which sessions there are ([`super::cache`]) and what is in a partition (the handler reads that). Told what a
//! partition holds, the session says whether the client must hear of it. A fetch without a session is one of these that
//! nobody keeps.
//!
//! `H` is whatever the owner wants to find again at a partition; the session only holds it.

use std::mem;

use ottla_protocol::TopicKey;
use ottla_types::{LeaderEpoch, Offset, PartitionIndex};

use super::topics::{Topic, Topics};

/// What a client wants of one partition; it stays so until the client says otherwise.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Wanted {
    pub(crate) fetch_offset: Offset,
    /// The epoch of the leader that the client believes in; unknown if it does not say.
    pub(crate) leader_epoch: LeaderEpoch,
    /// The epoch of the last record that the client has; unknown if it does not say.
    pub(crate) last_fetched_epoch: LeaderEpoch,
    /// A limit for this partition's records in one answer.
    pub(crate) bytes_max: usize,
}

/// What an answer would say of a partition, as far as it decides whether it is said.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Found {
    /// Bytes of records.
    pub(crate) bytes: usize,
    /// An error, or that the client's log diverges: said every time.
    pub(crate) pressing: bool,
    /// −1 with an error, so that the partition is named again when the error is gone.
    pub(crate) high_watermark: Offset,
    /// −1 with an error.
    pub(crate) log_start: Offset,
}

/// A partition's place in its session. It stays the same while the partition is followed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Place(u32);

/// A partition that is followed.
#[derive(Debug)]
pub(crate) struct Followed<H> {
    topic: u32,
    pub(crate) index: PartitionIndex,
    pub(crate) wanted: Wanted,
    /// What the owner keeps here.
    pub(crate) handle: Option<H>,
    /// What the client was told last; −1 before that and after an error.
    told_high_watermark: Offset,
    told_log_start: Offset,
    /// It is about to go to the end of the order.
    moves: bool,
}

/// The partitions of one session.
///
/// Invariants: `order` names every taken slot once, and no other; a slot is found at its topic under its number.
#[derive(Debug)]
pub(crate) struct Session<H> {
    topics: Topics,
    slots: Vec<Option<Followed<H>>>,
    free: Vec<u32>,
    order: Vec<u32>,
}

impl<H> Default for Session<H> {
    fn default() -> Self {
        Self { topics: Topics::default(), slots: Vec::new(), free: Vec::new(), order: Vec::new() }
    }
}

impl<H> Session<H> {
    /// How many partitions it has.
    pub(crate) fn len(&self) -> usize {
        self.order.len()
    }

    /// Whether it has none.
    pub(crate) fn is_empty(&self) -> bool {
        self.order.is_empty()
    }

    /// Follows a partition from now on, behind all others; or notes what is now wanted of one that is followed already.
    pub(crate) fn follow(&mut self, topic: &TopicKey<'_>, index: PartitionIndex, wanted: Wanted) {
        let topic = self.topics.hold(topic);
        if let Some(slot) = self.topics.get(topic).slot(index) {
            self.followed_mut(Place(slot)).wanted = wanted;
            return;
        }
        let followed = Followed {
            topic,
            index,
            wanted,
            handle: None,
            told_high_watermark: Offset(-1),
            told_log_start: Offset(-1),
            moves: false,
        };
        let slot = self.free.pop().unwrap_or_else(|| {
            self.slots.push(None);
            u32::try_from(self.slots.len() - 1).expect("a request names fewer partitions than it has bytes")
        });
        self.slots[slot as usize] = Some(followed);
        self.topics.get_mut(topic).add(index, slot);
        self.order.push(slot);
    }

    /// Follows these no longer. One that is not followed is no error (KIP-227).
    pub(crate) fn forget<'a>(&mut self, partitions: impl Iterator<Item = (TopicKey<'a>, PartitionIndex)>) {
        let freed = self.free.len();
        for (topic, index) in partitions {
            if let Some(slot) = self.topics.release(&topic, index) {
                self.slots[slot as usize] = None;
                self.free.push(slot);
            }
        }
        if self.free.len() > freed {
            let slots = &self.slots;
            self.order.retain(|slot| slots[*slot as usize].is_some());
        }
    }

    /// The partitions in the order in which they are to be served.
    pub(crate) fn places(&self) -> impl ExactSizeIterator<Item = Place> + '_ {
        self.order.iter().copied().map(Place)
    }

    /// The partition at a place.
    pub(crate) fn followed(&self, place: Place) -> &Followed<H> {
        self.slots[place.0 as usize].as_ref().expect("a place stands for a partition that is followed")
    }

    /// The partition at a place.
    pub(crate) fn followed_mut(&mut self, place: Place) -> &mut Followed<H> {
        self.slots[place.0 as usize].as_mut().expect("a place stands for a partition that is followed")
    }

    /// Its topic.
    pub(crate) fn topic(&self, place: Place) -> &Topic {
        self.topics.get(self.followed(place).topic)
    }

    /// Its topic.
    pub(crate) fn topic_mut(&mut self, place: Place) -> &mut Topic {
        let topic = self.followed(place).topic;
        self.topics.get_mut(topic)
    }

    /// Whether both are of one topic.
    pub(crate) fn same_topic(&self, one: Place, other: Place) -> bool {
        self.followed(one).topic == self.followed(other).topic
    }

    /// Whether an answer must name the partition: it has records or something pressing, or a bound has moved since the
    /// client was told.
    pub(crate) fn must_tell(&self, place: Place, found: &Found) -> bool {
        let followed = self.followed(place);
        found.bytes > 0
            || found.pressing
            || found.high_watermark != followed.told_high_watermark
            || found.log_start != followed.told_log_start
    }

    /// Notes what an answer tells.
    pub(crate) fn tell(&mut self, place: Place, found: &Found) {
        let followed = self.followed_mut(place);
        followed.told_high_watermark = found.high_watermark;
        followed.told_log_start = found.log_start;
    }

    /// Serves these after all others from now on, in this order. Those that gave records go there, so that those that a
    /// full answer had no room for come first in the next.
    pub(crate) fn move_to_end(&mut self, places: impl Iterator<Item = Place>) {
        let mut moved = Vec::new();
        for place in places {
            if !mem::replace(&mut self.followed_mut(place).moves, true) {
                moved.push(place.0);
            }
        }
        if moved.is_empty() {
            return;
        }
        let slots = &self.slots;
        self.order.retain(|slot| slots[*slot as usize].as_ref().is_some_and(|followed| !followed.moves));
        for slot in &moved {
            self.followed_mut(Place(*slot)).moves = false;
        }
        self.order.append(&mut moved);
    }
}
