//! How rates are measured where clients, replication and controllers are throttled.

use crate::key::{ACCEPTED, ANY, HONOURED, Key, Status, at_least};

const UNTHROTTLED: Status = Status::Accepted("replicas are not throttled yet");

keys! {
    /// Windows over which a client's rate is measured.
    "quota.window.num": Int = "11", at_least(1), Low, ReadOnly, ACCEPTED;
    /// The length of such a window.
    "quota.window.size.seconds": Int = "1", at_least(1), Low, ReadOnly, ACCEPTED;
    /// Windows over which replication's rate is measured.
    "replication.quota.window.num": Int = "11", at_least(1), Low, ReadOnly, ACCEPTED;
    /// The length of such a window.
    "replication.quota.window.size.seconds": Int = "1", at_least(1), Low, ReadOnly, ACCEPTED;
    /// Windows over which the rate of moves between directories is measured.
    "alter.log.dirs.replication.quota.window.num": Int = "11", at_least(1), Low, ReadOnly, ACCEPTED;
    /// The length of such a window.
    "alter.log.dirs.replication.quota.window.size.seconds": Int = "1", at_least(1), Low, ReadOnly, ACCEPTED;
    /// Windows over which the rate of controller changes is measured.
    "controller.quota.window.num": Int = "11", at_least(1), Low, ReadOnly, ACCEPTED;
    /// The length of such a window.
    "controller.quota.window.size.seconds": Int = "1", at_least(1), Low, ReadOnly, ACCEPTED;
    /// A Java class that decides which quota a client has.
    "client.quota.callback.class": Class,
        ANY, Low, ReadOnly,
        Status::Refused("Java classes cannot be loaded, so no client would be throttled as it decides");
}

/// Keys that are set while the cluster runs only: a file cannot hold them, and they are shown where they are set.
pub(super) const LATER: &[Key] = later::KEYS;

mod later {
    use super::{HONOURED, Key, UNTHROTTLED, at_least};

    keys! {
        /// Bytes per second that a leader sends to replicas that are throttled.
        "leader.replication.throttled.rate": Long,
            at_least(0), Medium, ClusterWide, UNTHROTTLED;
        /// Bytes per second that a follower takes for replicas that are throttled.
        "follower.replication.throttled.rate": Long,
            at_least(0), Medium, ClusterWide, UNTHROTTLED;
        /// Bytes per second that moves between the directories of a broker may use.
        "replica.alter.log.dirs.io.max.bytes.per.second": Long,
            at_least(0), Medium, ClusterWide, HONOURED;
    }
}
