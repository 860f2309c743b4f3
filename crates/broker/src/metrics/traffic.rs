//! What went into partitions and out of them. Each partition has its own, and the broker has one for all: a request adds
//! to both. A topic's numbers are the sums over its partitions, read when asked for, and go with them.

use std::sync::atomic::{AtomicU64, Ordering};

/// Counters of one partition, or of all.
#[derive(Debug, Default)]
pub(crate) struct Traffic {
    messages_in: AtomicU64,
    bytes_in: AtomicU64,
    bytes_out: AtomicU64,
    produce_requests: AtomicU64,
    fetch_requests: AtomicU64,
    failed_produce_requests: AtomicU64,
    failed_fetch_requests: AtomicU64,
    looks: AtomicU64,
}

/// The numbers of a [`Traffic`] at one time.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub(crate) struct Counted {
    pub(crate) messages_in: u64,
    pub(crate) bytes_in: u64,
    pub(crate) bytes_out: u64,
    pub(crate) produce_requests: u64,
    pub(crate) fetch_requests: u64,
    pub(crate) failed_produce_requests: u64,
    pub(crate) failed_fetch_requests: u64,
    pub(crate) looks: u64,
}

impl Traffic {
    /// A batch was appended.
    pub(crate) fn produced(&self, records: u64, bytes: u64) {
        self.produce_requests.fetch_add(1, Ordering::Relaxed);
        self.messages_in.fetch_add(records, Ordering::Relaxed);
        self.bytes_in.fetch_add(bytes, Ordering::Relaxed);
    }

    /// A batch was refused.
    pub(crate) fn refused_produce(&self) {
        self.produce_requests.fetch_add(1, Ordering::Relaxed);
        self.failed_produce_requests.fetch_add(1, Ordering::Relaxed);
    }

    /// A fetch was answered with so many bytes of records.
    pub(crate) fn fetched(&self, bytes: u64) {
        self.fetch_requests.fetch_add(1, Ordering::Relaxed);
        self.bytes_out.fetch_add(bytes, Ordering::Relaxed);
    }

    /// A fetch was refused.
    pub(crate) fn refused_fetch(&self) {
        self.fetch_requests.fetch_add(1, Ordering::Relaxed);
        self.failed_fetch_requests.fetch_add(1, Ordering::Relaxed);
    }

    /// A fetch looked into so many partitions for records. Counted for all together only.
    pub(crate) fn looked_into(&self, partitions: usize) {
        self.looks.fetch_add(partitions as u64, Ordering::Relaxed);
    }

    pub(crate) fn counted(&self) -> Counted {
        let read = |number: &AtomicU64| number.load(Ordering::Relaxed);
        Counted {
            messages_in: read(&self.messages_in),
            bytes_in: read(&self.bytes_in),
            bytes_out: read(&self.bytes_out),
            produce_requests: read(&self.produce_requests),
            fetch_requests: read(&self.fetch_requests),
            failed_produce_requests: read(&self.failed_produce_requests),
            failed_fetch_requests: read(&self.failed_fetch_requests),
            looks: read(&self.looks),
        }
    }
}

impl Counted {
    /// Both together.
    pub(crate) const fn plus(self, other: Self) -> Self {
        Self {
            messages_in: self.messages_in + other.messages_in,
            bytes_in: self.bytes_in + other.bytes_in,
            bytes_out: self.bytes_out + other.bytes_out,
            produce_requests: self.produce_requests + other.produce_requests,
            fetch_requests: self.fetch_requests + other.fetch_requests,
            failed_produce_requests: self.failed_produce_requests + other.failed_produce_requests,
            failed_fetch_requests: self.failed_fetch_requests + other.failed_fetch_requests,
            looks: self.looks + other.looks,
        }
    }
}
