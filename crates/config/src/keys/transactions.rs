//! Transactions and idempotent producers.

use crate::key::{ACCEPTED, ANY, HONOURED, Key, at_least};

keys! {
    /// How long an idle producer's sequence numbers are remembered.
    "producer.id.expiration.ms": Int = "86400000", at_least(1), Low, ClusterWide, HONOURED;
    /// How long an idle transactional id is remembered.
    "transactional.id.expiration.ms": Int = "604800000", at_least(1), High, ReadOnly, ACCEPTED;
    /// The longest transaction timeout that a producer may ask for.
    "transaction.max.timeout.ms": Int = "900000", at_least(1), High, ReadOnly, ACCEPTED;
    /// How often it is looked for transactions that ran out of time.
    "transaction.abort.timed.out.transaction.cleanup.interval.ms": Int = "10000",
        at_least(1), Low, ReadOnly, ACCEPTED;
    /// How often it is looked for transactional ids to forget.
    "transaction.remove.expired.transaction.cleanup.interval.ms": Int = "3600000",
        at_least(1), Low, ReadOnly, ACCEPTED;
    /// Whether a broker asks if a partition belongs to a transaction before it takes its records.
    "transaction.partition.verification.enable": Boolean = "true", ANY, Low, ClusterWide, ACCEPTED;
    /// Whether producers may prepare transactions for an outer two-phase commit.
    "transaction.two.phase.commit.enable": Boolean = "false", ANY, Low, ReadOnly, ACCEPTED;
    /// Partitions of the transaction topic.
    "transaction.state.log.num.partitions": Int = "50", at_least(1), High, ReadOnly, ACCEPTED;
    /// Replicas of the transaction topic.
    "transaction.state.log.replication.factor": Short = "3", at_least(1), High, ReadOnly, ACCEPTED;
    /// In-sync replicas that the transaction topic asks for.
    "transaction.state.log.min.isr": Int = "2", at_least(1), High, ReadOnly, ACCEPTED;
    /// The size of the transaction topic's segments.
    "transaction.state.log.segment.bytes": Int = "104857600", at_least(1), High, ReadOnly, ACCEPTED;
    /// Bytes that are read at once when a coordinator loads.
    "transaction.state.log.load.buffer.size": Int = "5242880", at_least(1), High, ReadOnly, ACCEPTED;
    /// How long a broker rests before it asks again to add a partition to a transaction.
    "add.partitions.to.txn.retry.backoff.ms": Int = "20", at_least(1), High, ReadOnly, ACCEPTED;
    /// How long it keeps asking in all.
    "add.partitions.to.txn.retry.backoff.max.ms": Int = "100", at_least(0), High, ReadOnly, ACCEPTED;
}
