//! The judgement that the controller leaves to others: which overrides a thing may carry.
//!
//! The keys, their types and bounds are not the controller's to know. Whoever starts it brings them along.

use std::collections::BTreeMap;

use ottla_metadata::{Resource, ResourceKind};
use ottla_types::ErrorCode;

/// Overrides of one resource by key.
pub type ConfigOverrides<'a> = BTreeMap<&'a str, &'a str>;

/// Says which overrides a resource may carry. The controller asks before it writes them.
pub trait ConfigRules {
    /// Whether `resource` may carry `new` where it carries `old` now. `new` is judged as a whole, for some values exclude
    /// others. A topic that is being created carries nothing before; one that is created without overrides is not asked
    /// about, for it is as the broker's own settings have it.
    fn check(
        &self,
        resource: &Resource,
        old: &ConfigOverrides<'_>,
        new: &ConfigOverrides<'_>,
    ) -> Result<(), ConfigRefusal>;

    /// What a list is where nobody sets it, as the text between commas; `None` if `key` is no list or unknown. Only lists
    /// can be added to and taken from.
    fn list_default(&self, kind: ResourceKind, key: &str) -> Option<String>;
}

/// Overrides are not allowed.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{message}")]
pub struct ConfigRefusal {
    /// Kafka's code for it: INVALID_CONFIG or INVALID_REQUEST.
    pub code: ErrorCode,
    /// What is wrong, in words for whoever asked: the key, its value, what is allowed.
    pub message: String,
}

impl ConfigRefusal {
    /// What most of them are: `INVALID_CONFIG` with these words.
    #[must_use]
    pub fn invalid(message: impl Into<String>) -> Self {
        Self { code: ErrorCode::InvalidConfig, message: message.into() }
    }
}

/// The longest value of an override, in UTF-16 units, as Kafka counts.
pub(crate) const VALUE_LENGTH_MAX: usize = 32_767;
