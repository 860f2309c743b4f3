//! Kafka's configuration keys in one table, and the reading of `server.properties`, `key=value` and topic overrides
//! against it.
//!
//! Pure: text goes in, typed values, notices and problems come out. It opens no file and reads no environment; `cli`
//! does. The modules in reading order: the format, the shape of a key, the tables, values, layers, then what a broker
//! and a topic make of them. [`keys`] also yields what documentation needs.

mod properties;

pub mod key;
pub mod keys;
mod listener;
mod value;

mod report;
mod settings;

mod endpoints;

mod broker;

mod describe;
mod topic;

pub use broker::BrokerConfig;
pub use describe::{ConfigSource, Described, describe_topic_config};
pub use listener::{Listener, Protocol};
pub use properties::{MalformedEscape, Property, parse as parse_properties};
pub use report::{ConfigError, Notice, NoticeKind, Origin, Problem};
pub use settings::Settings;
pub use topic::{
    CompressionType, Overrides, TimestampType, TopicConfig, validate_topic_config, validate_topic_configs,
};
pub use value::{Value, parse as parse_value};
