//! What the controller is told about overrides: which keys of `ottla-config` a topic, a broker or another resource may
//! carry. The judgement is `ottla-config`'s; this translates.

use ottla_config::{BrokerConfig, Overrides, validate_topic_configs};
use ottla_controller::{ConfigOverrides, ConfigRefusal, ConfigRules};
use ottla_metadata::{Resource, ResourceKind};

/// The rules of a broker with these settings.
pub(crate) struct Rules {
    /// What a topic has where it says nothing itself.
    pub(crate) config: BrokerConfig,
}

impl ConfigRules for Rules {
    fn check(
        &self,
        resource: &Resource,
        _old: &ConfigOverrides<'_>,
        new: &ConfigOverrides<'_>,
    ) -> Result<(), ConfigRefusal> {
        match resource.kind {
            ResourceKind::Topic => {
                let new: Overrides = new.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
                validate_topic_configs(&new, &self.config).map_err(ConfigRefusal::invalid)
            }
            kind => Err(ConfigRefusal::invalid(format!("the settings of a {kind} cannot be changed"))),
        }
    }

    fn list_default(&self, _kind: ResourceKind, _key: &str) -> Option<String> {
        None
    }
}
