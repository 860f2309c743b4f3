//! UpdateFeatures: the cluster agrees on other levels of its features (KIP-584, KIP-778).
//!
//! All of a request's features change or none. Which features there are, and between which levels, is
//! `ottla_metadata::FEATURES`. The checks are Kafka's (`FeatureControlManager`).

use std::fmt;

use ottla_metadata::{FACTS_VERSION, Fact, Feature};
use ottla_types::ErrorCode;

use crate::draft::Draft;

/// Somebody wants other levels.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct UpdateFeatures {
    /// Which features. Of two for one name the last counts, as with Kafka.
    pub updates: Vec<FeatureUpdate>,
    /// Whether to answer as if, and do nothing.
    pub validate_only: bool,
}

/// A feature that shall have another level.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct FeatureUpdate {
    /// Its name.
    pub name: String,
    /// The level that it shall have; 0 switches it off.
    pub level: i16,
    /// Kafka's number of what is meant (`FeatureUpdate.UpgradeType`): 1 for a higher level, 2 for a lower one where
    /// nothing is lost, 3 for a lower one in any case.
    pub upgrade_type: i8,
}

/// The level may only rise.
const UPGRADE: i8 = 1;
/// The level may fall even if that loses something.
const UNSAFE_DOWNGRADE: i8 = 3;

/// Why no feature of a request changes: the first that cannot.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("no feature was changed: {feature} cannot get level {level}: {reason}")]
pub struct UpdateFeaturesRefusal {
    /// The feature.
    pub feature: String,
    /// The level that it should get.
    pub level: i16,
    /// Why not.
    pub reason: InvalidLevel,
}

/// Why a feature cannot get a level.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum InvalidLevel {
    /// Neither an upgrade nor one of the downgrades.
    #[error("the upgrade type {0} is unknown: 1 is an upgrade, 2 a safe downgrade, 3 an unsafe one")]
    UnknownUpgradeType(i8),
    /// Levels begin at 0.
    #[error("it is less than 0")]
    Negative,
    /// The feature is not known, or not that level of it.
    #[error("this version {0}")]
    NotSupported(String),
    /// The level is lower, and the request does not say so.
    #[error("it is at {from}; to go back, the request must be for a downgrade")]
    Lower {
        /// The level that it has.
        from: i16,
    },
    /// The level is higher, and the request is for a lower one.
    #[error("it is at {from}; a downgrade leads to a lower level")]
    Higher {
        /// The level that it has.
        from: i16,
    },
    /// Facts of a level cannot be taken back.
    #[error("it is at {from}, and facts of that level may have been written")]
    FactsWritten {
        /// The level that it has.
        from: i16,
    },
}

impl UpdateFeaturesRefusal {
    /// Kafka's code for it.
    #[must_use]
    pub const fn code(&self) -> ErrorCode {
        ErrorCode::InvalidUpdateVersion
    }
}

/// Changes all that is asked for, or nothing.
pub(crate) fn decide(request: &UpdateFeatures, draft: &mut Draft) -> Result<(), UpdateFeaturesRefusal> {
    let counts = |(place, update): &(usize, &FeatureUpdate)| {
        !request.updates[place + 1..].iter().any(|later| later.name == update.name)
    };
    let updates = || request.updates.iter().enumerate().filter(counts).map(|(_, update)| update);
    for update in updates() {
        check(update, Feature::called(&update.name), draft.image().feature_level(&update.name))
            .map_err(|reason| UpdateFeaturesRefusal { feature: update.name.clone(), level: update.level, reason })?;
    }
    if request.validate_only {
        return Ok(());
    }
    for FeatureUpdate { name, level, .. } in updates() {
        if draft.image().feature_level(name) != *level {
            draft.write(Fact::FeatureLevelSet { name: name.clone(), level: *level });
        }
    }
    Ok(())
}

/// Whether a feature that is at `from`, and of which `feature` is known, can get that level.
fn check(update: &FeatureUpdate, feature: Option<&Feature>, from: i16) -> Result<(), InvalidLevel> {
    let FeatureUpdate { name, level, upgrade_type } = update;
    if !(UPGRADE..=UNSAFE_DOWNGRADE).contains(upgrade_type) {
        return Err(InvalidLevel::UnknownUpgradeType(*upgrade_type));
    }
    if *level < 0 {
        return Err(InvalidLevel::Negative);
    }
    let Some(feature) = feature else {
        return Err(InvalidLevel::NotSupported("does not have this feature".to_owned()));
    };
    if !feature.supports(*level) {
        return Err(InvalidLevel::NotSupported(format!("has levels {} to {}", feature.min, feature.max)));
    }
    if *level < from && *upgrade_type == UPGRADE {
        return Err(InvalidLevel::Lower { from });
    }
    if *level > from && *upgrade_type != UPGRADE {
        return Err(InvalidLevel::Higher { from });
    }
    if *level < from && name == FACTS_VERSION {
        return Err(InvalidLevel::FactsWritten { from });
    }
    Ok(())
}

impl fmt::Display for UpdateFeatures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.validate_only { "update-features validate-only" } else { "update-features" })?;
        self.updates.iter().try_for_each(|update| write!(f, " {}={}", update.name, update.level))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What becomes of the wish to bring a feature called `name`, whose levels 0 to 5 are known, from 3 to `level`.
    fn checked(name: &'static str, level: i16, upgrade_type: i8) -> Result<(), InvalidLevel> {
        check(&FeatureUpdate { name: name.to_owned(), level, upgrade_type }, Some(&Feature { name, min: 0, max: 5 }), 3)
    }

    #[test]
    fn levels_rise_by_upgrades_and_fall_by_downgrades() {
        for (level, upgrade_type) in [(5, 1), (3, 1), (3, 2), (2, 2), (0, 3)] {
            assert_eq!(checked("f", level, upgrade_type), Ok(()), "{level} by {upgrade_type}");
        }
        assert_eq!(checked("f", 2, 1), Err(InvalidLevel::Lower { from: 3 }));
        assert_eq!(checked("f", 4, 2), Err(InvalidLevel::Higher { from: 3 }));
        assert_eq!(checked("f", 4, 3), Err(InvalidLevel::Higher { from: 3 }));
        assert!(matches!(checked("f", 6, 1), Err(InvalidLevel::NotSupported(_))));
    }

    #[test]
    fn facts_cannot_be_unwritten() {
        for upgrade_type in [2, 3] {
            assert_eq!(checked(FACTS_VERSION, 2, upgrade_type), Err(InvalidLevel::FactsWritten { from: 3 }));
        }
    }
}
