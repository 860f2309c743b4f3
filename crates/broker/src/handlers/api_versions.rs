//! `ApiVersions` (key 18): which APIs, versions and features this broker offers. The first thing that a client asks.
//!
//! - v0: keys and versions.
//! - v1: throttle time.
//! - v3: flexible, but never in the response's header; the client's software name and version (KIP-511); features
//!   (KIP-584).
//! - v4: features whose lowest level is 0 are listed.
//!
//! Needs no permission. Errors: UNSUPPORTED_VERSION, answered in the form of v0, for a version that is not known here;
//! INVALID_REQUEST for a software name or version that is not one.

use ottla_protocol::ApiKey;
use ottla_protocol::api_versions::{ApiVersion, ApiVersionsRequest, ApiVersionsResponse};
use ottla_types::ErrorCode;

use super::{APIS, Api, Request};
use crate::answer::{Answer, Hangup};
use crate::connections::Software;

pub(super) const API: Api = Api {
    key: ApiKey::ApiVersions,
    served: 0..=4,
    advertised: 0..=4,
    handle: |_node, request| Box::pin(async move { handle(&request) }),
};

fn handle(request: &Request) -> Result<Answer, Hangup> {
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
    request.answer(&ApiVersionsResponse {
        error_code: ErrorCode::None.raw(),
        api_keys: APIS.iter().map(offered).collect(),
        ..ApiVersionsResponse::default()
    })
}

fn offered(api: &Api) -> ApiVersion {
    ApiVersion { api_key: api.key.raw(), min_version: *api.advertised.start(), max_version: *api.advertised.end() }
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
