//! The keys of a subscription to the metrics of clients (KIP-714).

use crate::key::{ANY, HONOURED, Key, LIST};

keys! {
    /// How often the clients that match send their metrics, in milliseconds: from 100 to 3600000.
    "interval.ms": Int = "300000", ANY, Medium, ClusterWide, HONOURED;
    /// Which clients are meant, as `what=regular expression,...`; all of them match, or the list is empty and means
    /// everyone.
    "match": List = "", LIST, Medium, ClusterWide, HONOURED;
    /// Prefixes of the names of the metrics that are wanted; `*` is all.
    "metrics": List = "", LIST, Medium, ClusterWide, HONOURED;
}
