//! Reads what a fetch asks for, partition by partition, within its byte limits.

use ottla_storage::{AbortedTransaction, EpochEnd, Slice};
use ottla_types::{BrokerId, ErrorCode, LeaderEpoch, Offset};

use super::convert::Converted;
use super::lookup::{Asked, Target, fate};
use super::session::Partitions;
use crate::fetch_sessions::{Found, Place, Wanted};
use crate::node::Node;
use crate::partition::{Bounds, Partition};

/// What the request says of all its partitions.
pub(super) struct Reader<'a> {
    pub(super) node: &'a Node,
    /// A limit for the records of the answer; its first batch may exceed it.
    pub(super) bytes_max: usize,
    /// Whoever follows this broker as a replica, or −1.
    pub(super) replica_id: i32,
    /// Whether the first batch, too, keeps to the limits.
    pub(super) hard_limits: bool,
    /// Whether the client reads only what is decided: up to the last stable offset, with a list of what was aborted.
    pub(super) committed: bool,
    /// Whether the client hears of every partition, changed or not.
    pub(super) tells_all: bool,
}

/// What came of one partition that the client must hear of.
pub(super) struct Got {
    pub(super) place: Place,
    pub(super) found: Found,
    pub(super) outcome: Outcome,
}

/// What there is to be said of a partition.
pub(super) enum Outcome {
    /// Records, perhaps none.
    Records {
        bounds: Bounds,
        slice: Option<Slice>,
        /// The aborted transactions among the records, for who reads only what was committed.
        aborted: Option<Vec<AbortedTransaction>>,
        /// Where the client's log leaves this one.
        diverging: Option<EpochEnd>,
    },
    /// Records for a client of another time ([`super::convert`]).
    Converted { bounds: Bounds, records: Converted },
    Refused {
        error: ErrorCode,
        /// Who leads, if that is what the client got wrong.
        leader: Option<(BrokerId, LeaderEpoch)>,
    },
    /// The cluster has no such partition.
    Unknown(ErrorCode),
}

impl Outcome {
    fn found(&self) -> Found {
        let none = Offset(-1);
        match self {
            Self::Refused { .. } | Self::Unknown(_) => {
                Found { bytes: 0, pressing: true, high_watermark: none, log_start: none }
            }
            Self::Converted { bounds, records } => Found {
                bytes: records.bytes,
                pressing: false,
                high_watermark: bounds.high_watermark,
                log_start: bounds.log_start,
            },
            Self::Records { bounds, slice, diverging, .. } => Found {
                bytes: slice.as_ref().map_or(0, |slice| slice.bytes),
                pressing: diverging.is_some(),
                high_watermark: bounds.high_watermark,
                log_start: bounds.log_start,
            },
        }
    }

    pub(super) const fn because(error: ErrorCode) -> Self {
        Self::Refused { error, leader: None }
    }
}

/// What a request is answered with if it is answered now.
pub(super) struct Harvest {
    pub(super) got: Vec<Got>,
    /// Bytes of records.
    pub(super) bytes: usize,
    /// Something that the client must not be kept waiting for: an error, or a log that diverges.
    pub(super) urgent: bool,
}

impl Reader<'_> {
    /// Reads every partition in its order. The first that has records gives its first batch whatever the limits
    /// (KIP-74). Of what the client need not hear nothing is kept.
    pub(super) async fn read_all(&self, partitions: &Partitions, asked: &mut [Asked]) -> Harvest {
        let mut harvest = Harvest { got: Vec::new(), bytes: 0, urgent: false };
        self.node.metrics.traffic.looked_into(asked.len());
        for asked in asked {
            let wanted = partitions.followed(asked.place).wanted;
            let left = self.bytes_max.saturating_sub(harvest.bytes);
            let at_least_one = harvest.bytes == 0 && !self.hard_limits;
            let outcome = self.read(asked, &wanted, left, at_least_one).await;
            let found = outcome.found();
            asked.bytes = found.bytes;
            harvest.bytes += found.bytes;
            harvest.urgent |= found.pressing && !matches!(outcome, Outcome::Unknown(_));
            if self.tells_all || partitions.must_tell(asked.place, &found) {
                harvest.got.push(Got { place: asked.place, found, outcome });
            }
        }
        harvest
    }

    /// Reads one partition again, for one who waits to find out how much there is by now: as if it were the first of the
    /// answer. Answers whether the client must not be kept waiting for what came of it.
    pub(super) async fn look_again(&self, partitions: &Partitions, asked: &mut Asked) -> bool {
        self.node.metrics.traffic.looked_into(1);
        let wanted = partitions.followed(asked.place).wanted;
        let found = self.read(asked, &wanted, self.bytes_max, !self.hard_limits).await.found();
        asked.bytes = found.bytes;
        found.pressing
    }

    async fn read(&self, asked: &mut Asked, wanted: &Wanted, bytes_left: usize, at_least_one: bool) -> Outcome {
        let partition = match &asked.target {
            Target::Partition(partition) => partition,
            Target::Refused(error, leader) => return Outcome::Refused { error: *error, leader: *leader },
            Target::Unknown(error) => return Outcome::Unknown(*error),
        };
        // Before anything is read: what comes later is seen by who waits for it.
        let bounds = partition.bounds();
        asked.read_to = bounds.high_watermark;
        if partition.is_closed() {
            return Outcome::because(fate(self.node, partition));
        }
        if let Err(error) = self.admit(partition, wanted) {
            let stale = matches!(error, ErrorCode::NotLeaderOrFollower | ErrorCode::FencedLeaderEpoch);
            let leader = stale.then(|| (self.node.config().node_id, partition.leader_epoch()));
            return Outcome::Refused { error, leader };
        }
        match diverging(partition, wanted, bounds.log_start) {
            Ok(None) => {}
            // Whatever the offset: the client is to cut its log and ask again.
            Ok(diverging) => return Outcome::Records { bounds, slice: None, aborted: None, diverging },
            Err(error) => return Outcome::because(error),
        }
        let bytes_max = wanted.bytes_max.min(bytes_left);
        let read = if self.committed {
            let read = partition.read_committed(wanted.fetch_offset, bytes_max, &bounds, at_least_one).await;
            read.map(|(slice, aborted)| (slice, Some(aborted)))
        } else {
            partition.read(wanted.fetch_offset, bytes_max, at_least_one).await.map(|slice| (slice, None))
        };
        match read {
            Ok((slice, aborted)) => Outcome::Records { bounds, slice, aborted, diverging: None },
            Err(refusal) => Outcome::because(refusal.error_code()),
        }
    }

    /// Refuses who believes in another epoch, and who follows as a replica and is none: a lone node has none. A follower
    /// that names the right epoch may only be early, and is told so.
    fn admit(&self, partition: &Partition, wanted: &Wanted) -> Result<(), ErrorCode> {
        partition.check_epoch(wanted.leader_epoch)?;
        match wanted.leader_epoch {
            _ if self.replica_id < 0 => Ok(()),
            LeaderEpoch::UNKNOWN => Err(ErrorCode::NotLeaderOrFollower),
            _ => Err(ErrorCode::UnknownLeaderEpoch),
        }
    }
}

/// Where the client's log leaves this one, if it does: its last record's epoch ended here before the offset that it asks
/// for, or never was (KIP-595). An epoch above all that the log knows is no epoch of this partition, and below the log's
/// start nothing is known of what the client has: Kafka answers OFFSET_OUT_OF_RANGE.
fn diverging(partition: &Partition, wanted: &Wanted, log_start: Offset) -> Result<Option<EpochEnd>, ErrorCode> {
    let Wanted { fetch_offset, last_fetched_epoch, .. } = *wanted;
    if last_fetched_epoch == LeaderEpoch::UNKNOWN {
        return Ok(None);
    }
    let end = partition.log().end_offset_for_epoch(last_fetched_epoch).ok_or(ErrorCode::OffsetOutOfRange)?;
    if fetch_offset < log_start {
        return Err(ErrorCode::OffsetOutOfRange);
    }
    Ok((end.epoch < last_fetched_epoch || end.end_offset < fetch_offset).then_some(end))
}
