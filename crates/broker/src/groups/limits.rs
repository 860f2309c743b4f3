//! What the machines of groups are told of the broker's settings, and of those of single groups.

use std::collections::BTreeMap;
use std::sync::Arc;

use ottla_config::{BrokerConfig, ConsumerGroupConfig};
use ottla_coordinator::{Assignor, ConsumerSettings, MigrationPolicy, Settings};
use ottla_metadata::{Image, ResourceKind};

use crate::settings::overrides;

/// What the broker's settings grant groups, and what some groups have of their own.
pub(super) fn limits(broker: &BrokerConfig, image: &Image) -> Settings {
    let config = &broker.groups;
    Settings {
        session_timeout_min: config.session_timeout_min,
        session_timeout_max: config.session_timeout_max,
        classic_members_max: config.classic_members_max,
        initial_rebalance_delay: config.initial_rebalance_delay,
        offset_metadata_max: config.offset_metadata_max,
        offsets_retention: config.offsets_retention,
        offsets_check_interval: config.offsets_check_interval,
        consumer: ConsumerSettings {
            session_timeout: config.consumer_session_timeout,
            heartbeat_interval: config.consumer_heartbeat_interval,
            assignment_interval: config.consumer_assignment_interval,
        },
        consumer_groups: Arc::new(consumer_groups(broker, image)),
        consumer_members_max: config.consumer_members_max,
        assignors: config.consumer_assignors.iter().filter_map(|name| Assignor::named(name)).collect(),
        migration: MigrationPolicy::named(&config.consumer_migration_policy).unwrap_or(MigrationPolicy::Disabled),
        ..Settings::default()
    }
}

/// The groups that have something of their own.
fn consumer_groups(broker: &BrokerConfig, image: &Image) -> BTreeMap<Arc<str>, ConsumerSettings> {
    let settings = |own: ConsumerGroupConfig| ConsumerSettings {
        session_timeout: own.session_timeout,
        heartbeat_interval: own.heartbeat_interval,
        assignment_interval: own.assignment_interval,
    };
    let groups = image.configured(ResourceKind::Group);
    let resolved = |group| settings(ConsumerGroupConfig::resolve(&overrides(image, group), broker));
    groups.map(|group| (group.name.clone(), resolved(group))).collect()
}
