//! Kafka's configuration keys in one table, and the reading of `server.properties`, `key=value` and topic overrides
//! against it.
//!
//! Pure: text goes in, typed values, notices and problems come out. It opens no file and reads no environment; `cli`
//! does. The modules in reading order: the format, the shape of a key, the tables, values, layers, what a broker makes of
//! them at its start and while it runs, what topics and other resources make of theirs, and how all that is described.
//! [`keys`] also yields what documentation needs.
//!
//! Differences to Kafka, all meant:
//! - No file is needed. `node.id` is 1, a node is broker and controller, and the logs are in `ottla-data` of the
//!   current directory, because Kafka's default below `/tmp` is lost at a reboot.
//! - A broker that listens on every interface and is told no address advertises `localhost`, with a notice: a laptop's
//!   or container's own host name, which Kafka would advertise, often resolves nowhere.
//! - Listeners named in `controller.listener.names` are not opened: controllers share the brokers' listeners.
//! - What cannot be honoured and must not be ignored stops the start: TLS, SASL, an authorizer, other nodes.
//! - A file is UTF-8, not Latin-1; every problem in it is told at once; NaN is within no bounds.

mod properties;

pub mod key;
pub mod keys;
mod listener;
mod value;

mod report;
mod settings;

mod connections;
mod endpoints;

mod broker;
mod cleaner;
mod dynamic;

mod client_metrics;
mod group;
mod groups;
mod log_level;
mod topic;

mod describe;

pub use broker::BrokerConfig;
pub use cleaner::CleanerConfig;
pub use client_metrics::{ClientMatch, ClientMetricsConfig, validate_client_metrics_configs};
pub use connections::{ConnectionLimits, ListenerLimits};
pub use describe::{
    ConfigSource, Described, DescribedSynonym, describe_broker_config, describe_client_metrics_config,
    describe_cluster_default_config, describe_created_topic_config, describe_group_config, describe_topic_config,
};
pub use dynamic::{Scope, validate_broker_configs};
pub use endpoints::HttpListener;
pub use group::{ConsumerGroupConfig, validate_group_configs};
pub use groups::GroupsConfig;
pub use listener::{Listener, Protocol};
pub use log_level::LogLevel;
pub use properties::{MalformedEscape, Property, parse as parse_properties};
pub use report::{ConfigError, Notice, NoticeKind, Origin, Problem, Refusal};
pub use settings::Settings;
pub use topic::{
    CompressionType, Overrides, TimestampType, TopicConfig, validate_topic_config, validate_topic_configs,
};
pub use value::{Value, parse as parse_value};
