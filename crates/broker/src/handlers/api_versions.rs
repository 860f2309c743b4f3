//! `ApiVersions` (key 18): which APIs, versions and features this broker offers. The first thing that a client asks.
//!
//! - v0: keys and versions.
//! - v1: throttle time.
//! - v3: flexible, but never in the response's header; the client's software name and version (KIP-511); features
//!   (KIP-584).
//! - v4: features whose lowest level is 0 are listed too; clients of v3 would take them for wrong (KIP-1022).
//!
//! The features are those of `ottla_metadata::FEATURES`, with the levels that the cluster has agreed on and, as their epoch,
//! the place in the metadata log. What Kafka has and this broker has not (`transaction.version`, `share.version`, …) is
//! not listed, and clients do without.
//!
//! Needs no permission. Errors: UNSUPPORTED_VERSION, answered in the form of v0, for a version that is not known here;
//! INVALID_REQUEST for a software name or version that is not one.

use ottla_metadata::{FEATURES, Feature};
use ottla_protocol::ApiKey;
use ottla_protocol::api_versions::{
    ApiVersion, ApiVersionsRequest, ApiVersionsResponse, FinalizedFeatureKey, SupportedFeatureKey,
};
use ottla_types::ErrorCode;

use super::{APIS, Api, Request};
use crate::answer::{Answer, Hangup};
use crate::connections::Software;
use crate::node::Node;

pub(super) const API: Api = Api {
    key: ApiKey::ApiVersions,
    served: 0..=4,
    handle: |node, request| Box::pin(async move { handle(&node, &request) }),
};

fn handle(node: &Node, request: &Request) -> Result<Answer, Hangup> {
    if !API.served.contains(&request.version) {
        let refusal = ApiVersionsResponse {
            error_code: ErrorCode::UnsupportedVersion.raw(),
            api_keys: vec![offered(&API)],
            ..ApiVersionsResponse::default()
        };
        return request.answer_in_version(&refusal, 0);
    }
    let body: ApiVersionsRequest = request.decode()?;
    let named = request.version < 3
        || (is_software_name(&body.client_software_name) && is_software_name(&body.client_software_version));
    if !named {
        let error_code = ErrorCode::InvalidRequest.raw();
        return request.answer(&ApiVersionsResponse { error_code, ..ApiVersionsResponse::default() });
    }
    if request.version >= 3 {
        let (name, version) = (body.client_software_name, body.client_software_version);
        // A client that tells twice is known by what it told first.
        let _ = request.peer.software.set(Software { name, version });
    }
    let image = node.image();
    request.answer(&ApiVersionsResponse {
        error_code: ErrorCode::None.raw(),
        api_keys: APIS.iter().map(offered).collect(),
        supported_features: FEATURES
            .iter()
            .filter(|feature| request.version >= 4 || feature.min > 0)
            .map(supported)
            .collect(),
        finalized_features_epoch: i64::try_from(image.position().index).expect("a log is shorter than 2^63"),
        finalized_features: image.features().map(finalized).collect(),
        ..ApiVersionsResponse::default()
    })
}

fn offered(api: &Api) -> ApiVersion {
    ApiVersion { api_key: api.key.raw(), min_version: *api.served.start(), max_version: *api.served.end() }
}

fn supported(feature: &Feature) -> SupportedFeatureKey {
    SupportedFeatureKey { name: feature.name.to_owned(), min_version: feature.min, max_version: feature.max }
}

/// A level on which the cluster has agreed, as the range that the wire has for it.
fn finalized((name, level): (&str, i16)) -> FinalizedFeatureKey {
    FinalizedFeatureKey { name: name.to_owned(), max_version_level: level, min_version_level: level }
}

/// Letters and digits, with dots and dashes within: what KIP-511 takes for a name or version.
fn is_software_name(text: &str) -> bool {
    let ends = |c: Option<char>| c.is_some_and(|c| c.is_ascii_alphanumeric());
    ends(text.chars().next())
        && ends(text.chars().next_back())
        && text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '-'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn software_names_are_words_with_dots_and_dashes_within() {
        for good in ["librdkafka", "4.3.1", "apache-kafka-java", "a"] {
            assert!(is_software_name(good), "{good}");
        }
        for bad in ["", "-a", "a-", ".", "a b", "ä"] {
            assert!(!is_software_name(bad), "{bad}");
        }
    }
}
