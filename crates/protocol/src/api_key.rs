//! The table of APIs: numbers, names, versions, and which header stands before which version.
//!
//! The entries are generated, one line for each schema; what is derived from them is here. What a broker offers of
//! all this is its own decision.

pub use crate::generated::ApiKey;

/// Turns the generated lines `Name = key, versions, first flexible version, first unstable version;` into [`ApiKey`].
macro_rules! api_keys {
    ($($(#[$doc:meta])* $name:ident = $key:literal, $versions:expr, $flexible:expr, $unstable:expr;)*) => {
        /// An API of Kafka's protocol. Prints as Kafka's name for it.
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
        #[repr(i16)]
        pub enum ApiKey {
            $($(#[$doc])* $name = $key,)*
        }

        impl ApiKey {
            /// Every API, in the order of the keys.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// The API of that number; `None` if there is none here.
            #[must_use]
            pub const fn from_raw(key: i16) -> Option<Self> {
                match key {
                    $($key => Some(Self::$name),)*
                    _ => None,
                }
            }

            /// Kafka's name.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$name => stringify!($name),)*
                }
            }

            /// Every version that can be read and written.
            #[must_use]
            pub const fn versions(self) -> std::ops::RangeInclusive<i16> {
                match self {
                    $(Self::$name => $versions,)*
                }
            }

            /// The first version in the compact form (KIP-482); `None` if there is none.
            #[must_use]
            pub const fn flexible_from(self) -> Option<i16> {
                match self {
                    $(Self::$name => $flexible,)*
                }
            }

            /// The first version that only a broker that was told to may advertise; `None` if there is none.
            #[must_use]
            pub const fn unstable_from(self) -> Option<i16> {
                match self {
                    $(Self::$name => $unstable,)*
                }
            }
        }
    };
}
pub(crate) use api_keys;

/// ControlledShutdown, of which version 0 has a request header of its own.
const CONTROLLED_SHUTDOWN: i16 = 7;

impl ApiKey {
    /// The number in a request's header.
    #[must_use]
    pub const fn raw(self) -> i16 {
        self as i16
    }

    /// Whether `version` can be read and written.
    #[must_use]
    pub const fn supports(self, version: i16) -> bool {
        let versions = self.versions();
        *versions.start() <= version && version <= *versions.end()
    }

    /// Whether `version` is in the compact form.
    #[must_use]
    pub const fn is_flexible(self, version: i16) -> bool {
        matches!(self.flexible_from(), Some(from) if version >= from)
    }

    /// The version of the request header before `version` of this API.
    #[must_use]
    pub const fn request_header_version(self, version: i16) -> i16 {
        if self.is_flexible(version) {
            2
        } else if self.raw() == CONTROLLED_SHUTDOWN && version == 0 {
            0
        } else {
            1
        }
    }

    /// The version of the response header before `version` of this API. For ApiVersions it is 0 always: a client reads
    /// that response before it knows what the broker understands (KIP-511).
    #[must_use]
    pub const fn response_header_version(self, version: i16) -> i16 {
        if self.is_flexible(version) && !matches!(self, Self::ApiVersions) { 1 } else { 0 }
    }
}

impl std::fmt::Display for ApiKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_read_back() {
        for &api in ApiKey::ALL {
            assert_eq!(ApiKey::from_raw(api.raw()), Some(api));
        }
        assert_eq!(ApiKey::from_raw(-1), None);
        assert_eq!(ApiKey::from_raw(9999), None);
    }

    #[test]
    fn headers_follow_flexibility() {
        let of = |api: ApiKey, version| (api.request_header_version(version), api.response_header_version(version));
        assert_eq!(of(ApiKey::Produce, 8), (1, 0));
        assert_eq!(of(ApiKey::Produce, 9), (2, 1));
        assert_eq!(of(ApiKey::ApiVersions, 2), (1, 0));
        assert_eq!(of(ApiKey::ApiVersions, 3), (2, 0));
    }
}
