//! Listeners, connections, request sizes and the threads that serve them.

use crate::key::{ACCEPTED, ANY, Allowed, FILLED_LIST, HONOURED, Key, LIST, Status, at_least};

keys! {
    /// The addresses to listen on, as `NAME://host:port`. Without a host every interface is meant.
    "listeners": List = "PLAINTEXT://:9092", FILLED_LIST, High, PerBroker, HONOURED;
    /// The addresses that clients are told to connect to. Without it the listeners' own are told.
    "advertised.listeners": List, FILLED_LIST, High, ReadOnly, HONOURED;
    /// Which protocol each listener name speaks, as `NAME:PROTOCOL`. Only PLAINTEXT is served yet.
    "listener.security.protocol.map": String =
        "SASL_SSL:SASL_SSL,PLAINTEXT:PLAINTEXT,SSL:SSL,SASL_PLAINTEXT:SASL_PLAINTEXT",
        ANY, Low, PerBroker, HONOURED;
    /// The listener over which brokers talk to each other.
    "inter.broker.listener.name": String, ANY, Medium, ReadOnly, HONOURED;
    /// The protocol between brokers, where no listener name says it.
    "security.inter.broker.protocol": String = "PLAINTEXT",
        Allowed::OneOf(&["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"]), Medium, ReadOnly, Status::Accepted("it only says which listener max.connections spares");
    /// Listeners that open before the node is ready to serve.
    "early.start.listeners": List, LIST, High, ReadOnly, ACCEPTED;
    /// Threads that read requests and write answers. With `num.io.threads` it sizes the runtime.
    "num.network.threads": Int = "3", at_least(1), High, ClusterWide, HONOURED;
    /// Threads that work on requests.
    "num.io.threads": Int = "8", at_least(1), High, ClusterWide, HONOURED;
    /// Requests that may wait for a worker before no more are read.
    "queued.max.requests": Int = "500", at_least(1), High, ReadOnly, Status::Accepted(
            "requests do not queue between threads; a connection has one at work and at most 64 unanswered",
        );
    /// Memory that requests in flight hold, over all connections, before no more large ones are read; -1 leaves the
    /// bound to the broker: a quarter of the computer's memory.
    "queued.max.request.bytes": Long = "-1", ANY, Medium, ReadOnly, HONOURED;
    /// How long a node waits for the answer to its own request to another node.
    "request.timeout.ms": Int = "30000", ANY, High, ReadOnly, ACCEPTED;
    /// The largest request that is read; a larger one closes the connection.
    "socket.request.max.bytes": Int = "104857600", at_least(1), High, ReadOnly, HONOURED;
    /// Connections that the system may hold before they are accepted; 1024 unless it is set.
    "socket.listen.backlog.size": Int = "50", at_least(1), Medium, ReadOnly, HONOURED;
    /// The receive buffer of a connection's socket; the system chooses unless it is set, or with -1.
    "socket.receive.buffer.bytes": Int = "102400", ANY, High, ReadOnly, HONOURED;
    /// The send buffer of a connection's socket; the system chooses unless it is set, or with -1.
    "socket.send.buffer.bytes": Int = "102400", ANY, High, ReadOnly, HONOURED;
    /// How long a node tries to connect to another one at first.
    "socket.connection.setup.timeout.ms": Long = "10000", ANY, Medium, ReadOnly, ACCEPTED;
    /// The longest that a node tries to connect, after the time has grown with each failure.
    "socket.connection.setup.timeout.max.ms": Long = "30000", ANY, Medium, ReadOnly, ACCEPTED;
    /// A connection on which nothing happened for so long is closed.
    "connections.max.idle.ms": Long = "600000", ANY, Medium, ReadOnly, HONOURED;
    /// Connections that a broker holds at once, over all listeners.
    "max.connections": Int = "2147483647", at_least(0), Medium, ClusterWide, HONOURED;
    /// Connections from one address at once.
    "max.connections.per.ip": Int = "2147483647", at_least(0), Medium, ClusterWide, HONOURED;
    /// Other limits for single addresses, as `address:count,...`.
    "max.connections.per.ip.overrides": String = "", ANY, Medium, ClusterWide, HONOURED;
    /// New connections per second, over all listeners.
    "max.connection.creation.rate": Int = "2147483647", at_least(0), Medium, ClusterWide, HONOURED;
    /// The most bytes that one fetch answer holds, whatever the consumer asked for.
    "fetch.max.bytes": Int = "57671680", at_least(1024), Medium, ReadOnly, HONOURED;
    /// Fetch sessions that are remembered at once.
    "max.incremental.fetch.session.cache.slots": Int = "1000", at_least(0), Medium, ReadOnly, HONOURED;
    /// After how many finished fetches the list of waiting ones is tidied.
    "fetch.purgatory.purge.interval.requests": Int = "1000", ANY, Medium, ReadOnly, ACCEPTED;
    /// After how many finished produce requests the list of waiting ones is tidied.
    "producer.purgatory.purge.interval.requests": Int = "1000", ANY, Medium, ReadOnly, ACCEPTED;
    /// After how many finished DeleteRecords the list of waiting ones is tidied.
    "delete.records.purgatory.purge.interval.requests": Int = "1", ANY, Medium, ReadOnly, ACCEPTED;
    /// After how many finished share fetches the list of waiting ones is tidied.
    "share.fetch.purgatory.purge.interval.requests": Int = "1000", ANY, Medium, ReadOnly, ACCEPTED;
}
