//! Keys that Kafka once had, or has and does not speak of, and users' files hold: ZooKeeper, the first way to name an
//! address, message formats, switches of Kafka's own program.
//!
//! Defaults are left out on purpose: a key that is gone has a value only where a file gives it one.

use crate::key::{ANY, HONOURED, Key, LIST, Status, at_least, between};

const ZOOKEEPER: Status = Status::Accepted("there is no ZooKeeper here: this node keeps the cluster's metadata itself");
const ONE_VERSION: Status = Status::Accepted("this broker speaks every version to every client by itself");
const KAFKAS_OWN: Status = Status::Accepted("it steers the inside of Kafka's own program, it has no effect here");
const PER_TOPIC: Status = Status::Accepted("Kafka has removed it: give the topic the setting with kafka-configs");
const REPLACED: Status = Status::Accepted("Kafka has removed it, it has no effect here");

keys! {
    /// The host to listen on, where `listeners` is not set (Kafka up to 2.8).
    "host.name": String, ANY, High, ReadOnly, HONOURED;
    /// The port to listen on, where `listeners` is not set (Kafka up to 2.8).
    "port": Int, between(0, 65_535), High, ReadOnly, HONOURED;
    /// The host that clients are told, where `advertised.listeners` is not set (Kafka up to 2.8).
    "advertised.host.name": String, ANY, High, ReadOnly, HONOURED;
    /// The port that clients are told, where `advertised.listeners` is not set (Kafka up to 2.8).
    "advertised.port": Int, between(0, 65_535), High, ReadOnly, HONOURED;
    /// The addresses of ZooKeeper.
    "zookeeper.connect": String, ANY, High, ReadOnly, ZOOKEEPER;
    /// How long a broker tries to reach ZooKeeper.
    "zookeeper.connection.timeout.ms": Int, ANY, High, ReadOnly, ZOOKEEPER;
    /// How long ZooKeeper waits for a silent broker.
    "zookeeper.session.timeout.ms": Int, ANY, High, ReadOnly, ZOOKEEPER;
    /// How far a follower of ZooKeeper may lag.
    "zookeeper.sync.time.ms": Int, ANY, Low, ReadOnly, ZOOKEEPER;
    /// Whether nodes in ZooKeeper get access rules.
    "zookeeper.set.acl": Boolean, ANY, High, ReadOnly, ZOOKEEPER;
    /// Requests that may be under way to ZooKeeper.
    "zookeeper.max.in.flight.requests": Int, ANY, High, ReadOnly, ZOOKEEPER;
    /// Whether a ZooKeeper cluster is being moved to KRaft.
    "zookeeper.metadata.migration.enable": Boolean, ANY, High, ReadOnly, ZOOKEEPER;
    /// The most entries that one batch of such a move holds.
    "zookeeper.metadata.migration.min.batch.size": Int, ANY, Medium, ReadOnly, ZOOKEEPER;
    /// The Java class of connections to ZooKeeper.
    "zookeeper.clientCnxnSocket": String, ANY, Medium, ReadOnly, ZOOKEEPER;
    /// Whether connections to ZooKeeper use TLS.
    "zookeeper.ssl.client.enable": Boolean, ANY, Medium, ReadOnly, ZOOKEEPER;
    /// Cipher suites towards ZooKeeper.
    "zookeeper.ssl.cipher.suites": List, LIST, Low, ReadOnly, ZOOKEEPER;
    /// Whether ZooKeeper's certificates are looked up in revocation lists.
    "zookeeper.ssl.crl.enable": Boolean, ANY, Low, ReadOnly, ZOOKEEPER;
    /// Versions of TLS towards ZooKeeper.
    "zookeeper.ssl.enabled.protocols": List, LIST, Low, ReadOnly, ZOOKEEPER;
    /// How ZooKeeper's name is checked.
    "zookeeper.ssl.endpoint.identification.algorithm": String, ANY, Low, ReadOnly, ZOOKEEPER;
    /// The key store towards ZooKeeper.
    "zookeeper.ssl.keystore.location": String, ANY, Medium, ReadOnly, ZOOKEEPER;
    /// Its password.
    "zookeeper.ssl.keystore.password": Password, ANY, Medium, ReadOnly, ZOOKEEPER;
    /// Its form.
    "zookeeper.ssl.keystore.type": String, ANY, Medium, ReadOnly, ZOOKEEPER;
    /// Whether ZooKeeper's certificates are checked online.
    "zookeeper.ssl.ocsp.enable": Boolean, ANY, Low, ReadOnly, ZOOKEEPER;
    /// The version of TLS towards ZooKeeper.
    "zookeeper.ssl.protocol": String, ANY, Low, ReadOnly, ZOOKEEPER;
    /// The trust store towards ZooKeeper.
    "zookeeper.ssl.truststore.location": String, ANY, Medium, ReadOnly, ZOOKEEPER;
    /// Its password.
    "zookeeper.ssl.truststore.password": Password, ANY, Medium, ReadOnly, ZOOKEEPER;
    /// Its form.
    "zookeeper.ssl.truststore.type": String, ANY, Medium, ReadOnly, ZOOKEEPER;
    /// The version that brokers speak to each other.
    "inter.broker.protocol.version": String, ANY, Medium, ReadOnly, ONE_VERSION;
    /// The version of the record format on disk.
    "log.message.format.version": String, ANY, Medium, ReadOnly, ONE_VERSION;
    /// Whether batches are converted for old consumers.
    "log.message.downconversion.enable": Boolean, ANY, Low, ClusterWide, ONE_VERSION;
    /// How far a record's timestamp may be from the clock, on either side.
    "log.message.timestamp.difference.max.ms": Long, ANY, Medium, ClusterWide,
        Status::Accepted("set log.message.timestamp.before.max.ms and log.message.timestamp.after.max.ms instead");
    /// Whether a broker without an id is given one.
    "broker.id.generation.enable": Boolean, ANY, Medium, ReadOnly, REPLACED;
    /// The largest id that a user may give; generated ones are larger.
    "reserved.broker.max.id": Int, ANY, Medium, ReadOnly, REPLACED;
    /// The listener between controller and brokers.
    "control.plane.listener.name": String, ANY, High, ReadOnly, REPLACED;
    /// How often a controlled stop is tried.
    "controlled.shutdown.max.retries": Int, ANY, Medium, ReadOnly, REPLACED;
    /// How long the rest between two tries is.
    "controlled.shutdown.retry.backoff.ms": Long, ANY, Medium, ReadOnly, REPLACED;
    /// The share of a broker's leaderships that may be out of place.
    "leader.imbalance.per.broker.percentage": Int, ANY, High, ReadOnly, REPLACED;
    /// How many acknowledgements a commit of offsets waits for.
    "offsets.commit.required.acks": Short, ANY, High, ReadOnly, REPLACED;
    /// The number of messages after which a follower is out of sync (Kafka 0.8).
    "replica.lag.max.messages": Long, ANY, High, ReadOnly, REPLACED;
    /// How often it is looked for segments to delete (Kafka 0.7 and 0.8).
    "log.cleanup.interval.mins": Int, ANY, Low, ReadOnly, REPLACED;
    /// The bytes per second that a client may produce (Kafka 0.9 to 2.8).
    "quota.producer.default": Long, ANY, High, ReadOnly,
        Status::Accepted("quotas are set per client with kafka-configs since Kafka 3.0");
    /// The bytes per second that a client may consume (Kafka 0.9 to 2.8).
    "quota.consumer.default": Long, ANY, High, ReadOnly,
        Status::Accepted("quotas are set per client with kafka-configs since Kafka 3.0");
    /// The older name of `delegation.token.secret.key`.
    "delegation.token.master.key": Password, ANY, Medium, ReadOnly, REPLACED;
    /// The secret that hides passwords kept in ZooKeeper.
    "password.encoder.secret": Password, ANY, Medium, ReadOnly, ZOOKEEPER;
    /// The secret before that one.
    "password.encoder.old.secret": Password, ANY, Medium, ReadOnly, ZOOKEEPER;
    /// The cipher of those passwords.
    "password.encoder.cipher.algorithm": String, ANY, Low, ReadOnly, ZOOKEEPER;
    /// The length of its key.
    "password.encoder.key.length": Int, ANY, Low, ReadOnly, ZOOKEEPER;
    /// How its key is made of the secret.
    "password.encoder.keyfactory.algorithm": String, ANY, Low, ReadOnly, ZOOKEEPER;
    /// How often that is repeated.
    "password.encoder.iterations": Int, ANY, Low, ReadOnly, ZOOKEEPER;
    /// Whether metrics are shown over JMX without being asked for.
    "auto.include.jmx.reporter": Boolean, ANY, Low, ReadOnly, REPLACED;
    /// Whether leaders are chosen from eligible replicas outside the ISR too (KIP-966).
    "eligible.leader.replicas.enable": Boolean, ANY, High, ReadOnly, REPLACED;
    /// How long remote work rests after a failure.
    "remote.log.manager.task.retry.backoff.ms": Long, ANY, Low, ReadOnly, REPLACED;
    /// The longest rest between two tries of remote work.
    "remote.log.manager.task.retry.backoff.max.ms": Long, ANY, Low, ReadOnly, REPLACED;
    /// How much such a rest varies by chance.
    "remote.log.manager.task.retry.jitter": Double, ANY, Low, ReadOnly, REPLACED;
    /// How many changes may wait on the way from controller to broker (Kafka 0.8).
    "controller.message.queue.size": Int, ANY, Low, ReadOnly, REPLACED;
    /// Segment sizes of single topics, as `topic:bytes,...` (Kafka 0.8.0).
    "log.segment.bytes.per.topic": String, ANY, Low, ReadOnly, PER_TOPIC;
    /// Rolling ages of single topics (Kafka 0.8.0).
    "log.roll.hours.per.topic": String, ANY, Low, ReadOnly, PER_TOPIC;
    /// How long single topics are kept (Kafka 0.8.0).
    "log.retention.hours.per.topic": String, ANY, Low, ReadOnly, PER_TOPIC;
    /// How large partitions of single topics may grow (Kafka 0.8.0).
    "log.retention.bytes.per.topic": String, ANY, Low, ReadOnly, PER_TOPIC;
    /// When single topics are flushed (Kafka 0.8.0).
    "log.flush.interval.ms.per.topic": String, ANY, Low, ReadOnly, PER_TOPIC;
    /// Whether share groups are served (Kafka 3.9 and 4.0); a feature of the cluster since.
    "group.share.enable": Boolean, ANY, Medium, ReadOnly, REPLACED;
    /// How many share groups there may be (Kafka 3.9 and 4.0).
    "group.share.max.groups": Short, ANY, Medium, ReadOnly, REPLACED;
    /// Whether groups are led by the newer coordinator (Kafka 3.7 to 4.0).
    "group.coordinator.new.enable": Boolean, ANY, Medium, ReadOnly, REPLACED;
    /// The smallest segment of the metadata log (Kafka 3.0 to 4.0).
    "metadata.log.segment.min.bytes": Int, ANY, High, ReadOnly, KAFKAS_OWN;
    /// Whether versions of APIs are served that are not finished.
    "unstable.api.versions.enable": Boolean, ANY, High, ReadOnly, KAFKAS_OWN;
    /// Whether levels of features may be set that are not finished.
    "unstable.feature.versions.enable": Boolean, ANY, High, ReadOnly, KAFKAS_OWN;
    /// How long the start may take.
    "server.max.startup.time.ms": Long, ANY, Medium, ReadOnly, KAFKAS_OWN;
    /// How long after the start the first look for old segments and the first checkpoints wait. Unset it is 30 seconds,
    /// or their interval if that is shorter.
    "log.initial.task.delay.ms": Long, at_least(0), Low, ReadOnly, HONOURED;
    /// How often it is looked for producers that have been idle for `producer.id.expiration.ms`. Unset it is ten minutes.
    "producer.id.expiration.check.interval.ms": Int, at_least(1), Low, ReadOnly, HONOURED;
    /// How often leaders are chosen uncleanly where that is allowed.
    "unclean.leader.election.interval.ms": Long, ANY, Medium, ReadOnly, KAFKAS_OWN;
}
