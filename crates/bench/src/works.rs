//! What is done to each broker, and which of its figures are told.

use crate::load::Cost;
use crate::table::{Better, Table};

/// One piece of work.
#[derive(Clone, Debug)]
pub(crate) struct Work {
    /// Its name in the table.
    pub(crate) name: &'static str,
    /// What its topic is called by; works of one name share it.
    pub(crate) topic: &'static str,
    /// The load generator's verb.
    pub(crate) verb: &'static str,
    pub(crate) records: u64,
    /// The load generator's other flags.
    pub(crate) flags: &'static [&'static str],
    /// Records are what counts, not bytes.
    by_record: bool,
}

impl Work {
    /// All works, in the order in which they are done. The first produces `megabytes` MB of values.
    pub(crate) fn all(megabytes: u64) -> [Self; 4] {
        [
            Self {
                name: "produce 1 KB",
                topic: "1k",
                verb: "produce",
                records: megabytes * 1000,
                flags: &["-size", "1000", "-partitions", "6"],
                by_record: false,
            },
            Self {
                name: "consume 1 KB, hot",
                topic: "1k",
                verb: "consume",
                records: megabytes * 1000,
                flags: &[],
                by_record: false,
            },
            Self {
                name: "produce 100 B",
                topic: "100",
                verb: "produce",
                records: megabytes * 5000,
                flags: &["-size", "100", "-partitions", "6"],
                by_record: false,
            },
            Self {
                name: "produce 1 KB, one record a request",
                topic: "one",
                verb: "produce",
                records: megabytes * 30,
                // One partition, for a request takes a batch of each; and no batch has room for two.
                flags: &["-size", "1000", "-partitions", "1", "-linger", "0s", "-batch", "1200"],
                by_record: true,
            },
        ]
    }

    /// Puts what a run cost into column `at`.
    pub(crate) fn tell(&self, table: &mut Table, at: usize, cost: &Cost) {
        if self.by_record {
            table.add(self.name, "thousand records per CPU s", Better::High, at, cost.records / cost.cpu_seconds / 1e3);
            table.add(self.name, "thousand records/s", Better::High, at, cost.records / cost.seconds / 1e3);
        } else {
            table.add(self.name, "CPU s/GB", Better::Low, at, cost.cpu_seconds * 1e9 / cost.bytes);
            table.add(self.name, "MB/s", Better::High, at, cost.bytes / cost.seconds / 1e6);
        }
    }
}
