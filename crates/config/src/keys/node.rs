//! What a node is: its id and place, its work beyond the log, how it starts and stops.

use crate::key::{ACCEPTED, ANY, Allowed, HONOURED, Key, LIST, Status, at_least};

keys! {
    /// The id of this node; no two nodes of a cluster share one. Kafka has no default; here a lone node is 1.
    "node.id": Int = "1", at_least(0), High, ReadOnly, HONOURED;
    /// The older name of `node.id`. -1 leaves the choice to `node.id`.
    "broker.id": Int = "-1", ANY, High, ReadOnly, HONOURED;
    /// The rack or zone of this broker. Replicas of a partition are spread over racks.
    "broker.rack": String, ANY, Medium, ReadOnly, HONOURED;
    /// What this node does. Here a node is broker and controller at once, and only that can be asked for.
    "process.roles": List = "broker,controller",
        Allowed::List { of: &["broker", "controller"], empty: false }, High, ReadOnly, HONOURED;
    /// Whether a client that asks for an unknown topic gets it created.
    "auto.create.topics.enable": Boolean = "true", ANY, High, ReadOnly, HONOURED;
    /// Whether clients may delete topics.
    "delete.topic.enable": Boolean = "true", ANY, High, ReadOnly, HONOURED;
    /// How many partitions a topic gets when its creator does not say.
    "num.partitions": Int = "1", at_least(1), Medium, ReadOnly, HONOURED;
    /// How many replicas a partition gets when the topic's creator does not say.
    "default.replication.factor": Int = "1", ANY, Medium, ReadOnly, HONOURED;
    /// The most partitions that one DescribeTopicPartitions answer holds.
    "max.request.partition.size.limit": Int = "2000", at_least(1), Medium, ReadOnly, HONOURED;
    /// Threads for housekeeping work.
    "background.threads": Int = "10", at_least(1), High, ClusterWide, ACCEPTED;
    /// Whether a stopping broker first hands its leaderships to others.
    "controlled.shutdown.enable": Boolean = "true", ANY, Medium, ReadOnly, ACCEPTED;
    /// A Java class that may refuse the creation of a topic.
    "create.topic.policy.class.name": Class,
        ANY, Low, ReadOnly, Status::Refused("Java classes cannot be loaded, so the policy would not be asked");
    /// A Java class that may refuse a change of configuration.
    "alter.config.policy.class.name": Class,
        ANY, Low, ReadOnly, Status::Refused("Java classes cannot be loaded, so the policy would not be asked");
    /// Names of Java classes that resolve `${provider:path:key}` inside values.
    "config.providers": List = "",
        LIST, Low, ClusterWide,
        Status::Refused("Java classes cannot be loaded, so ${file:path:key} would be taken as plain text");
    /// The largest push of client metrics that is taken.
    "telemetry.max.bytes": Int = "1048576", at_least(1), Low, ReadOnly, HONOURED;
}
