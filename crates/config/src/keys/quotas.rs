//! How rates are measured where clients, replication and controllers are throttled.

use crate::key::{ACCEPTED, ANY, Key, Status, at_least};

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
