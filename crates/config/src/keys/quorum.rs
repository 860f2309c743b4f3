//! The cluster's metadata: controllers, their log, how brokers stay registered.

use crate::key::{ACCEPTED, ANY, Allowed, FILLED_LIST, HONOURED, Key, at_least};

keys! {
    /// The listeners of the controllers. Here controllers share the brokers' port, so these are not opened.
    "controller.listener.names": List, FILLED_LIST, High, ReadOnly, HONOURED;
    /// The controllers that vote, as `id@host:port`. Only this node itself can be one yet.
    "controller.quorum.voters": List = "", Allowed::Voters, High, ReadOnly, HONOURED;
    /// Controllers to ask for the rest, as `host:port`.
    "controller.quorum.bootstrap.servers": List = "", Allowed::Servers, High, ReadOnly, ACCEPTED;
    /// Whether a new controller adds itself to the voters.
    "controller.quorum.auto.join.enable": Boolean = "false", ANY, Low, ReadOnly, ACCEPTED;
    /// How long the leader gathers changes before it writes them.
    "controller.quorum.append.linger.ms": Int = "25", at_least(0), Medium, ReadOnly, ACCEPTED;
    /// How long a voter waits for a leader before it stands for election.
    "controller.quorum.election.timeout.ms": Int = "1000", at_least(0), High, ReadOnly, ACCEPTED;
    /// The longest rest between two elections.
    "controller.quorum.election.backoff.max.ms": Int = "1000", at_least(0), High, ReadOnly, ACCEPTED;
    /// The most bytes of the metadata log in one fetch.
    "controller.quorum.fetch.max.bytes": Int = "1048576", at_least(1), Low, ReadOnly, ACCEPTED;
    /// The most bytes of a snapshot in one fetch.
    "controller.quorum.fetch.snapshot.max.bytes": Int = "1048576", at_least(1), Low, ReadOnly, ACCEPTED;
    /// How long a leader may go without being asked by a majority, or a voter without an answer.
    "controller.quorum.fetch.timeout.ms": Int = "2000", at_least(0), High, ReadOnly, ACCEPTED;
    /// How long a controller waits for an answer of another one.
    "controller.quorum.request.timeout.ms": Int = "2000", at_least(0), Medium, ReadOnly, ACCEPTED;
    /// How long a controller rests before it asks again.
    "controller.quorum.retry.backoff.ms": Int = "20", at_least(0), Low, ReadOnly, ACCEPTED;
    /// How long a connection between controller and broker may stay without an answer.
    "controller.socket.timeout.ms": Int = "30000", ANY, Medium, ReadOnly, ACCEPTED;
    /// How often a broker tells the controller that it lives.
    "broker.heartbeat.interval.ms": Int = "2000", ANY, Medium, ReadOnly, ACCEPTED;
    /// A broker that was not heard of for so long is fenced.
    "broker.session.timeout.ms": Int = "9000", ANY, Medium, ReadOnly, ACCEPTED;
    /// How long a starting broker tries to register.
    "initial.broker.registration.timeout.ms": Int = "60000", ANY, Medium, ReadOnly, ACCEPTED;
    /// The directory of the metadata log; without it, the first of the log directories.
    "metadata.log.dir": String, ANY, High, ReadOnly, HONOURED;
    /// The size at which a segment of the metadata log is closed.
    "metadata.log.segment.bytes": Int = "1073741824", at_least(8_388_608), High, ReadOnly, ACCEPTED;
    /// The age at which a segment of the metadata log is closed.
    "metadata.log.segment.ms": Long = "604800000", ANY, High, ReadOnly, ACCEPTED;
    /// Bytes of new metadata after which a snapshot is taken.
    "metadata.log.max.record.bytes.between.snapshots": Long = "20971520", at_least(1), High, ReadOnly, ACCEPTED;
    /// The longest time between two snapshots while there is something new.
    "metadata.log.max.snapshot.interval.ms": Long = "3600000", at_least(0), High, ReadOnly, ACCEPTED;
    /// How often an idle leader writes an empty entry; 0 never does.
    "metadata.max.idle.interval.ms": Int = "500", at_least(0), Low, ReadOnly, ACCEPTED;
    /// The size of the metadata log beyond which its oldest segments go.
    "metadata.max.retention.bytes": Long = "104857600", ANY, High, ReadOnly, ACCEPTED;
    /// The age beyond which the metadata log's oldest segments go.
    "metadata.max.retention.ms": Long = "604800000", ANY, High, ReadOnly, ACCEPTED;
}
