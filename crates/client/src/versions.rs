//! Which version of an API to speak with a broker: the highest that both know.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use ottla_protocol::ApiKey;
use ottla_protocol::api_versions::ApiVersion;

/// What one broker offers: lowest and highest version by API.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct OfferedVersions(BTreeMap<i16, (i16, i16)>);

impl OfferedVersions {
    /// What an ApiVersions response says.
    pub(crate) fn new(api_keys: &[ApiVersion]) -> Self {
        Self(api_keys.iter().map(|api| (api.api_key, (api.min_version, api.max_version))).collect())
    }

    /// Lowest and highest version of `api`; `None` if the broker lacks it.
    #[must_use]
    pub fn offered(&self, api: ApiKey) -> Option<(i16, i16)> {
        self.0.get(&api.raw()).copied()
    }

    /// The highest version within `wanted` that the broker offers.
    #[must_use]
    pub fn pick(&self, api: ApiKey, wanted: &RangeInclusive<i16>) -> Option<i16> {
        let (low, high) = self.offered(api)?;
        let version = high.min(*wanted.end());
        (version >= low && version >= *wanted.start()).then_some(version)
    }
}

/// The versions of `api` that this client can use. The lower ends are those of Kafka 0.11: batches of magic 2 (KIP-98)
/// and "do not create topics" in Metadata v4. Where nothing is said, every stable version is wanted.
#[must_use]
pub const fn wanted_versions(api: ApiKey) -> RangeInclusive<i16> {
    let (low, high) = match api {
        ApiKey::Produce => (3, 13),
        ApiKey::Fetch => (4, 17),
        ApiKey::ListOffsets => (1, 11),
        ApiKey::Metadata => (4, 13),
        ApiKey::CreateTopics => (1, 7),
        // Newer ones name topics by their ids (KIP-848).
        ApiKey::OffsetCommit => (2, 9),
        ApiKey::OffsetFetch => (2, 9),
        other => {
            let versions = other.versions();
            let high = match other.unstable_from() {
                Some(unstable) => unstable - 1,
                None => *versions.end(),
            };
            (*versions.start(), high)
        }
    };
    low..=high
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_highest_common_version_is_picked() {
        // What the broker offers, what is wanted, what is spoken.
        let cases = [
            ((0, 13), 3..=13, Some(13)),
            ((0, 99), 3..=13, Some(13)),
            ((0, 3), 3..=13, Some(3)),
            ((5, 7), 3..=13, Some(7)),
            ((13, 20), 3..=13, Some(13)),
            ((0, 2), 3..=13, None),
            ((14, 20), 3..=13, None),
        ];
        for ((min_version, max_version), wanted, expected) in cases {
            let api_key = ApiKey::Produce.raw();
            let offered = OfferedVersions::new(&[ApiVersion { api_key, min_version, max_version }]);
            assert_eq!(offered.pick(ApiKey::Produce, &wanted), expected, "{min_version}-{max_version} {wanted:?}");
        }
        assert_eq!(OfferedVersions::default().pick(ApiKey::Fetch, &(0..=9)), None);
    }

    #[test]
    fn what_is_wanted_can_be_written_and_is_stable() {
        for &api in ApiKey::ALL {
            let wanted = wanted_versions(api);
            assert!(api.supports(*wanted.start()) && api.supports(*wanted.end()), "{api}");
            assert!(api.unstable_from().is_none_or(|unstable| *wanted.end() < unstable), "{api}");
        }
    }
}
