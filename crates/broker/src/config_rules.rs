//! What the controller is told about overrides: which keys of `ottla-config` a topic, a broker or another resource may
//! carry. The judgement is `ottla-config`'s; this translates.

use std::sync::Arc;

use ottla_config::key::{Key, Kind, Status};
use ottla_config::{
    Overrides, Refusal, Scope, keys, validate_broker_configs, validate_client_metrics_configs, validate_group_configs,
    validate_topic_configs,
};
use ottla_controller::{AlteredResource, ConfigChange, ConfigOverrides, ConfigRefusal, ConfigRules};
use ottla_metadata::{Resource, ResourceKind};
use tracing::warn;

use crate::settings::Settings;

/// The rules of a broker with these settings.
pub(crate) struct Rules {
    /// What a resource has where it says nothing itself, and the bounds of what it may say.
    pub(crate) settings: Arc<Settings>,
}

impl ConfigRules for Rules {
    fn check(
        &self,
        resource: &Resource,
        _old: &ConfigOverrides<'_>,
        new: &ConfigOverrides<'_>,
    ) -> Result<(), ConfigRefusal> {
        let new: Overrides = new.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        let present = self.settings.present();
        match resource.kind {
            ResourceKind::Topic => return validate_topic_configs(&new, &present).map_err(ConfigRefusal::invalid),
            ResourceKind::Broker if resource.name.is_empty() => {
                validate_broker_configs(Scope::ClusterDefault, &new, &present)
            }
            ResourceKind::Broker => validate_broker_configs(Scope::Broker, &new, &present),
            ResourceKind::ClientMetrics => validate_client_metrics_configs(&new),
            ResourceKind::Group => validate_group_configs(&new, &present),
        }
        .map_err(|Refusal { code, message }| ConfigRefusal { code, message })
    }

    fn list_default(&self, kind: ResourceKind, name: &str) -> Option<String> {
        let key: &Key = match kind {
            ResourceKind::Topic => &keys::topic_key(name)?.key,
            ResourceKind::Broker => keys::broker_key(name)?,
            // Kafka adds nothing to their lists.
            ResourceKind::ClientMetrics | ResourceKind::Group => return None,
        };
        (key.kind == Kind::List).then(|| key.default.unwrap_or_default().to_owned())
    }
}

/// Says in the log which of the topic's new overrides are kept and change nothing. Of brokers' `settings.rs` says it.
pub(crate) fn warn_of(resource: &AlteredResource) {
    if ResourceKind::from_raw(resource.kind) != Some(ResourceKind::Topic) {
        return;
    }
    let names: Vec<&str> = match &resource.change {
        ConfigChange::Replace(overrides) => overrides.iter().map(|(key, _)| key.as_str()).collect(),
        ConfigChange::Amend(operations) => {
            operations.iter().filter(|one| one.value.is_some()).map(|one| one.key.as_str()).collect()
        }
    };
    for name in names {
        if let Some(Status::Accepted(reason)) = keys::topic_key(name).map(|topic| topic.key.status) {
            warn!(topic = resource.name, key = name, reason, "an override was set that has no effect");
        }
    }
}
