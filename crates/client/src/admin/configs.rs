//! Settings of topics, brokers and the rest: shown, changed, listed.

use std::fmt;

use ottla_protocol::describe_configs::{
    DescribeConfigsRequest, DescribeConfigsResource, DescribeConfigsResourceResult,
};
use ottla_protocol::incremental_alter_configs::{
    AlterConfigsResource, AlterableConfig, IncrementalAlterConfigsRequest,
};
use ottla_protocol::list_config_resources::ListConfigResourcesRequest;
use ottla_types::BrokerId;

use super::{Admin, unanswered};
use crate::connection::Connection;
use crate::error::{ClientError, Refusal};

/// What settings belong to. Prints as `topic:orders`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum ConfigResource {
    /// A topic.
    Topic(String),
    /// One broker: what holds for it alone, over what holds for all.
    Broker(i32),
    /// All brokers that have no setting of their own.
    AllBrokers,
    /// The loggers of one broker (KIP-412).
    Logger(i32),
    /// A subscription to the metrics of clients (KIP-714).
    ClientMetrics(String),
    /// A group.
    Group(String),
}

/// One setting.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ConfigEntry {
    /// Its key.
    pub name: String,
    /// Its value; `None` where it has none, or if it is secret.
    pub value: Option<String>,
    /// Whether it can be changed while the broker runs.
    pub read_only: bool,
    /// Whether its value is never shown.
    pub sensitive: bool,
    /// Where the value comes from.
    pub source: ConfigSource,
    /// Every value that could have counted, the one that does first.
    pub synonyms: Vec<(String, Option<String>, ConfigSource)>,
    /// What it does, as the broker tells it.
    pub documentation: Option<String>,
}

/// Where a value comes from.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ConfigSource {
    /// The broker does not say.
    Unknown,
    /// The topic's own.
    Topic,
    /// Set at run time for one broker.
    Broker,
    /// Set at run time for all brokers.
    AllBrokers,
    /// The broker's file or command line.
    File,
    /// Nobody set it.
    Default,
    /// A logger's own.
    Logger,
    /// A subscription's own.
    ClientMetrics,
    /// A group's own.
    Group,
}

/// A change of one setting.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ConfigChange {
    /// The key.
    pub name: String,
    /// What is done.
    pub operation: ConfigOperation,
}

/// What is done to a setting (KIP-339).
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum ConfigOperation {
    /// It gets this value.
    Set(String),
    /// It gets its default again.
    Delete,
    /// This is added to its list.
    Append(String),
    /// This is taken from its list.
    Subtract(String),
}

impl ConfigResource {
    fn wire(&self) -> (i8, String) {
        match self {
            Self::Topic(name) => (2, name.clone()),
            Self::Broker(id) => (4, id.to_string()),
            Self::AllBrokers => (4, String::new()),
            Self::Logger(id) => (8, id.to_string()),
            Self::ClientMetrics(name) => (16, name.clone()),
            Self::Group(name) => (32, name.clone()),
        }
    }

    /// `None` for a kind that is not known here.
    fn from_wire(kind: i8, name: String) -> Option<Self> {
        match kind {
            2 => Some(Self::Topic(name)),
            4 if name.is_empty() => Some(Self::AllBrokers),
            4 => name.parse().ok().map(Self::Broker),
            8 => name.parse().ok().map(Self::Logger),
            16 => Some(Self::ClientMetrics(name)),
            32 => Some(Self::Group(name)),
            _ => None,
        }
    }
}

impl fmt::Display for ConfigResource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Topic(name) => write!(f, "topic:{name}"),
            Self::Broker(id) => write!(f, "broker:{id}"),
            Self::AllBrokers => f.write_str("broker"),
            Self::Logger(id) => write!(f, "logger:{id}"),
            Self::ClientMetrics(name) => write!(f, "client-metrics:{name}"),
            Self::Group(name) => write!(f, "group:{name}"),
        }
    }
}

impl ConfigSource {
    const fn from_wire(raw: i8) -> Self {
        match raw {
            1 => Self::Topic,
            2 => Self::Broker,
            3 => Self::AllBrokers,
            4 => Self::File,
            5 => Self::Default,
            6 => Self::Logger,
            7 => Self::ClientMetrics,
            8 => Self::Group,
            _ => Self::Unknown,
        }
    }
}

impl fmt::Display for ConfigSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unknown => "unknown",
            Self::Topic => "topic",
            Self::Broker => "this broker",
            Self::AllBrokers => "all brokers",
            Self::File => "file",
            Self::Default => "default",
            Self::Logger => "logger",
            Self::ClientMetrics => "client-metrics",
            Self::Group => "group",
        })
    }
}

impl From<DescribeConfigsResourceResult> for ConfigEntry {
    fn from(config: DescribeConfigsResourceResult) -> Self {
        let synonyms = config.synonyms.into_iter();
        Self {
            name: config.name,
            value: config.value,
            read_only: config.read_only,
            sensitive: config.is_sensitive,
            source: ConfigSource::from_wire(config.config_source),
            synonyms: synonyms.map(|one| (one.name, one.value, ConfigSource::from_wire(one.source))).collect(),
            documentation: config.documentation,
        }
    }
}

impl Admin {
    /// The settings of `resource`, by key: all of them, or those named.
    pub async fn describe_configs(
        &self,
        resource: &ConfigResource,
        keys: Option<&[String]>,
    ) -> Result<Vec<ConfigEntry>, ClientError> {
        let (resource_type, resource_name) = resource.wire();
        let asked =
            DescribeConfigsResource { resource_type, resource_name, configuration_keys: keys.map(<[String]>::to_vec) };
        let request =
            DescribeConfigsRequest { resources: vec![asked], include_synonyms: true, include_documentation: true };
        self.cluster
            .retry("describing the settings", async || {
                let connection = self.connection_for(resource).await?;
                let response = connection.ask(&request).await?;
                let result = response.results.into_iter().next().ok_or_else(unanswered)?;
                Refusal::check(result.error_code, result.error_message)?;
                let mut entries: Vec<ConfigEntry> = result.configs.into_iter().map(ConfigEntry::from).collect();
                entries.sort_by(|a, b| a.name.cmp(&b.name));
                Ok(entries)
            })
            .await
    }

    /// Changes settings of `resource`, all of them or none; with `validate_only` only asks whether it would be allowed.
    pub async fn alter_configs(
        &self,
        resource: &ConfigResource,
        changes: &[ConfigChange],
        validate_only: bool,
    ) -> Result<(), ClientError> {
        let (resource_type, resource_name) = resource.wire();
        let configs = changes.iter().map(|change| {
            let (config_operation, value) = match &change.operation {
                ConfigOperation::Set(value) => (0, Some(value.clone())),
                ConfigOperation::Delete => (1, None),
                ConfigOperation::Append(value) => (2, Some(value.clone())),
                ConfigOperation::Subtract(value) => (3, Some(value.clone())),
            };
            AlterableConfig { name: change.name.clone(), config_operation, value }
        });
        let resources = vec![AlterConfigsResource { resource_type, resource_name, configs: configs.collect() }];
        let request = IncrementalAlterConfigsRequest { resources, validate_only };
        self.cluster
            .retry("changing the settings", async || {
                let connection = self.connection_for(resource).await?;
                let response = connection.ask(&request).await?;
                let result = response.responses.into_iter().next().ok_or_else(unanswered)?;
                self.settle(result.error_code, result.error_message).await
            })
            .await
    }

    /// Everything that has settings of its own, or could have: topics, brokers, subscriptions (KIP-1142).
    pub async fn list_config_resources(&self) -> Result<Vec<ConfigResource>, ClientError> {
        let request = ListConfigResourcesRequest::default();
        self.cluster
            .retry("listing what has settings", async || {
                let connection = self.cluster.any_connection().await?;
                let response = connection.ask(&request).await?;
                Refusal::check(response.error_code, None)?;
                let found = response.config_resources.into_iter();
                let mut found: Vec<_> =
                    found.filter_map(|one| ConfigResource::from_wire(one.resource_type, one.resource_name)).collect();
                found.sort();
                Ok(found)
            })
            .await
    }

    /// Whom to ask: a broker about itself, anyone about the rest.
    async fn connection_for(&self, resource: &ConfigResource) -> Result<std::sync::Arc<Connection>, ClientError> {
        match resource {
            ConfigResource::Broker(id) | ConfigResource::Logger(id) => self.cluster.connection(BrokerId(*id)).await,
            _ => self.cluster.any_connection().await,
        }
    }
}
