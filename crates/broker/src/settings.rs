//! What the broker runs with at this moment: what it was started with, and over it what the cluster's image says.
//!
//! How the layers are laid over each other is decided in `ottla-config`. Whoever needs a value that can change reads it
//! here when it is needed, and keeps nothing.

use std::collections::BTreeSet;
use std::sync::Arc;

use arc_swap::{ArcSwap, Guard};
use ottla_config::{BrokerConfig, Overrides};
use ottla_metadata::{Image, Resource};
use parking_lot::Mutex;
use tracing::{error, warn};

/// The broker's present configuration.
pub(crate) struct Settings {
    present: ArcSwap<BrokerConfig>,
    /// What was said of the settings that stand now, so that it is said once.
    told: Mutex<BTreeSet<String>>,
}

impl Settings {
    /// What the broker was started with.
    pub(crate) fn new(config: BrokerConfig) -> Self {
        Self { present: ArcSwap::from_pointee(config), told: Mutex::new(BTreeSet::new()) }
    }

    /// What the broker runs with now. Not to be kept, nor held while waiting.
    pub(crate) fn present(&self) -> Guard<Arc<BrokerConfig>> {
        self.present.load()
    }

    /// Whether `resource` carries settings of this broker.
    pub(crate) fn are_of(&self, resource: &Resource) -> bool {
        *resource == Resource::brokers_default() || *resource == Resource::broker(self.present().node_id)
    }

    /// Runs with what the image says from now on.
    pub(crate) fn follow(&self, image: &Image) {
        let present = self.present.load_full();
        let all = overrides(image, &Resource::brokers_default());
        let own = overrides(image, &Resource::broker(present.node_id));
        match present.with_dynamic(&all, &own) {
            Ok((next, notices)) => {
                self.present.store(Arc::new(next));
                let told: BTreeSet<String> = notices.iter().map(ToString::to_string).collect();
                let before = std::mem::replace(&mut *self.told.lock(), told.clone());
                told.difference(&before).for_each(|notice| warn!("{notice}"));
            }
            Err(contradiction) => error!(%contradiction, "the brokers' settings do not go together; the old ones stay"),
        }
    }
}

/// What the image says that a resource carries.
pub(crate) fn overrides(image: &Image, resource: &Resource) -> Overrides {
    image.configs(resource).map(|(key, value)| (key.to_owned(), value.to_owned())).collect()
}
