//! `DescribeConfigs` (key 32): the configuration of topics, brokers, loggers, client metrics subscriptions and groups.
//!
//! - v0: names and values (KIP-133). v1: where a value comes from, and what it hides (KIP-226).
//! - v3: types and documentation (KIP-569). v4: flexible.
//!
//! Errors by resource: UNKNOWN_TOPIC_OR_PARTITION, INVALID_TOPIC_EXCEPTION, INVALID_REQUEST (another broker, no name, an
//! unknown type: that one is answered for the whole request, as Kafka does). What is described how is `ottla-config`'s.

use std::collections::BTreeSet;

use ottla_config::{
    ConfigSource, Described, DescribedSynonym, Refusal, describe_broker_config, describe_client_metrics_config,
    describe_cluster_default_config, describe_group_config, describe_topic_config,
};
use ottla_metadata::{Resource, ResourceKind};
use ottla_protocol::ApiKey;
use ottla_protocol::describe_configs::{
    DescribeConfigsRequest, DescribeConfigsResource, DescribeConfigsResourceResult, DescribeConfigsResponse,
    DescribeConfigsResult, DescribeConfigsSynonym,
};
use ottla_types::{ErrorCode, TopicName};

use super::Api;
use crate::answer::Hangup;
use crate::log_levels::BROKER_LOGGER;
use crate::node::Node;
use crate::settings::overrides;

pub(super) const API: Api = Api {
    key: ApiKey::DescribeConfigs,
    served: 0..=4,
    handle: |node, mut request| {
        Box::pin(async move {
            let body: DescribeConfigsRequest = request.decode()?;
            // A few bytes may ask for all settings of a broker.
            let described = DESCRIBED_MAX.min(body.resources.len().saturating_mul(SETTINGS_OF_ONE));
            request.make_room_for_elements(&node.connections.memory, described).await;
            request.answer(&handle(&node, &body, request.version).await?)
        })
    },
};

/// Settings in one answer: those of ten thousand topics, with some to spare.
const DESCRIBED_MAX: usize = 500_000;
/// A broker's settings are so many, or a few more.
const SETTINGS_OF_ONE: usize = 250;

/// The answer; an error if it would have more settings than [`DESCRIBED_MAX`].
async fn handle(node: &Node, body: &DescribeConfigsRequest, version: i16) -> Result<DescribeConfigsResponse, Hangup> {
    let unknown = body.resources.iter().find(|resource| !is_known(resource.resource_type));
    let (mut results, mut count) = (Vec::new(), 0);
    for resource in &body.resources {
        let described = match unknown {
            Some(unknown) => Err(invalid(format!("no resource has the type {}", unknown.resource_type))),
            None => describe(node, resource),
        };
        let (error_code, error_message, described) = match described {
            Ok(described) => (ErrorCode::None.raw(), None, described),
            Err(Refusal { code, message }) => (code.raw(), Some(message), Vec::new()),
        };
        count += described.len();
        if count > DESCRIBED_MAX {
            return Err(Hangup::Malformed(format!("the answer would have more than {DESCRIBED_MAX} settings")));
        }
        let keys = wanted_keys(resource);
        let wanted = described.into_iter().filter(|one| keys.as_ref().is_none_or(|keys| keys.contains(&*one.name)));
        results.push(DescribeConfigsResult {
            error_code,
            error_message,
            resource_type: resource.resource_type,
            resource_name: resource.resource_name.clone(),
            configs: wanted.map(|one| printed(one, body, version)).collect(),
        });
        // The settings of many take a while, and others wait for this thread.
        tokio::task::yield_now().await;
    }
    Ok(DescribeConfigsResponse { results, ..DescribeConfigsResponse::default() })
}

fn is_known(resource_type: i8) -> bool {
    resource_type == BROKER_LOGGER || ResourceKind::from_raw(resource_type).is_some()
}

/// No keys at all mean every key: `None`.
fn wanted_keys(resource: &DescribeConfigsResource) -> Option<BTreeSet<&str>> {
    let keys = resource.configuration_keys.as_ref().filter(|keys| !keys.is_empty())?;
    Some(keys.iter().map(String::as_str).collect())
}

fn describe(node: &Node, resource: &DescribeConfigsResource) -> Result<Vec<Described>, Refusal> {
    let (name, image) = (&resource.resource_name, node.image());
    let Some(kind) = ResourceKind::from_raw(resource.resource_type) else {
        return loggers(node, name);
    };
    let stored = || overrides(&image, &Resource::new(kind, name));
    match kind {
        ResourceKind::Topic => {
            let refused = |code| move |message: String| Refusal { code, message };
            TopicName::new(name).map_err(|bad| refused(ErrorCode::InvalidTopicException)(bad.to_string()))?;
            if image.topic_by_name(name).is_none() {
                return Err(refused(ErrorCode::UnknownTopicOrPartition)(format!("there is no topic called {name}")));
            }
            Ok(describe_topic_config(&stored(), &node.config()))
        }
        ResourceKind::Broker if name.is_empty() => Ok(describe_cluster_default_config(&node.config())),
        ResourceKind::Broker => {
            check_broker(node, name)?;
            Ok(describe_broker_config(&node.config()))
        }
        ResourceKind::ClientMetrics | ResourceKind::Group if name.is_empty() => {
            Err(invalid(format!("a resource of the kind {kind} needs a name")))
        }
        ResourceKind::ClientMetrics => Ok(describe_client_metrics_config(&stored())),
        ResourceKind::Group => Ok(describe_group_config(&stored(), &node.config())),
    }
}

/// The levels of this broker's loggers, which have no type and no synonyms.
fn loggers(node: &Node, name: &str) -> Result<Vec<Described>, Refusal> {
    if name.is_empty() {
        return Err(invalid("the loggers of which broker? Its id is missing".to_owned()));
    }
    check_broker(node, name)?;
    let described = node.log_levels.list().into_iter().map(|(logger, level)| Described {
        name: logger,
        value: Some(level.to_string()),
        source: ConfigSource::BrokerLogger,
        read_only: false,
        sensitive: false,
        kind: None,
        synonyms: Vec::new(),
        documentation: None,
    });
    Ok(described.collect())
}

/// Whether `name` is the id of this broker: only it knows what it runs with.
fn check_broker(node: &Node, name: &str) -> Result<(), Refusal> {
    let here = node.config().node_id;
    match name.parse::<i32>() {
        Ok(id) if id == here.0 => Ok(()),
        Ok(id) => Err(invalid(format!("broker {id} is to be asked itself, and this is broker {here}"))),
        Err(_) => Err(invalid(format!("brokers are named by their id, which is a number; {name:?} is none"))),
    }
}

fn invalid(message: String) -> Refusal {
    Refusal { code: ErrorCode::InvalidRequest, message }
}

fn printed(described: Described, body: &DescribeConfigsRequest, version: i16) -> DescribeConfigsResourceResult {
    let synonyms = if body.include_synonyms { described.synonyms } else { Vec::new() };
    let documentation = match described.source {
        // Of loggers Kafka says nothing, asked or not.
        ConfigSource::BrokerLogger => Some(""),
        _ => described.documentation.filter(|_| body.include_documentation),
    };
    DescribeConfigsResourceResult {
        name: described.name,
        value: described.value,
        read_only: described.read_only,
        // Sources took its place.
        is_default: version == 0 && described.source == ConfigSource::Default,
        config_source: described.source.raw(),
        is_sensitive: described.sensitive,
        synonyms: synonyms.into_iter().map(printed_synonym).collect(),
        config_type: described.kind.map_or(0, |kind| kind.raw()),
        documentation: documentation.map(str::to_owned),
    }
}

fn printed_synonym(synonym: DescribedSynonym) -> DescribeConfigsSynonym {
    DescribeConfigsSynonym { name: synonym.name, value: synonym.value, source: synonym.source.raw() }
}
