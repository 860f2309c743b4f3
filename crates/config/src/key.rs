//! What a configuration key is: its type, default, bounds, and whether this broker heeds it.
//!
//! The keys themselves are tables in `keys/`; how a text is checked against a key is in `value.rs`.

use std::fmt;

/// One row of the tables. Names, types, defaults and bounds are those of Apache Kafka 4.3.1; the differences are
/// listed in `tests/facts.rs`.
#[derive(Clone, Copy, Debug)]
pub struct Key {
    /// The name as it stands in `server.properties`.
    pub name: &'static str,
    /// What a value is made of.
    pub kind: Kind,
    /// The value of a key that nobody sets, as text; `None` where such a key has no value.
    pub default: Option<&'static str>,
    /// Which values of the kind are allowed.
    pub allowed: Allowed,
    /// How likely a user has to touch it, as Kafka ranks it.
    pub importance: Importance,
    /// When and for whom it can be changed.
    pub update: UpdateMode,
    /// Whether this broker heeds it.
    pub status: Status,
    /// The description; use [`Key::doc`].
    pub(crate) doc: &'static str,
}

/// The type of a key's values (`ConfigDef.Type`).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// `true` or `false`, in any case.
    Boolean,
    /// A whole number of 16 bits.
    Short,
    /// A whole number of 32 bits.
    Int,
    /// A whole number of 64 bits.
    Long,
    /// A number with a fraction.
    Double,
    /// Any text.
    String,
    /// Texts divided by commas.
    List,
    /// A text that is never shown.
    Password,
    /// The name of a Java class; here it is a text.
    Class,
}

/// Which values of a kind are allowed. `Display` gives the notation of the facts file in `tests/facts`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Allowed {
    /// Every value of the kind.
    Any,
    /// A number within bounds.
    Range {
        /// The smallest number, itself allowed.
        min: i64,
        /// The largest number, itself allowed; `None` is as far as the kind goes.
        max: Option<i64>,
        /// One more number that is allowed.
        or: Option<i64>,
    },
    /// One of these texts.
    OneOf(&'static [&'static str]),
    /// One of these texts, in any case.
    OneOfAnyCase(&'static [&'static str]),
    /// A text with at least one character.
    NotEmpty,
    /// A list without repetitions and without empty elements.
    List {
        /// What an element may be; no element here means anything.
        of: &'static [&'static str],
        /// Whether the list may be empty.
        empty: bool,
    },
    /// A list of `id@host:port`.
    Voters,
    /// A list of `host:port`.
    Servers,
    /// `*`, or a list of `partition:broker`.
    ThrottledReplicas,
}

/// How likely a user has to touch a key (`ConfigDef.Importance`).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Importance {
    /// Most should look at it.
    High,
    /// Some should.
    Medium,
    /// Few need it.
    Low,
}

/// When and for whom a key can be changed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum UpdateMode {
    /// Only by a restart.
    ReadOnly,
    /// While running, for one broker.
    PerBroker,
    /// While running, for one broker or for all of them.
    ClusterWide,
}

/// Whether this broker heeds a key.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Status {
    /// It does what its description says.
    Honoured,
    /// It is checked and then ignored, and a notice with this reason says so.
    Accepted(&'static str),
    /// Ignoring it would be dangerous: a value that asks for something stops the start, with this reason. A value
    /// that asks for nothing is fine: the default, `false`, or an empty one.
    Refused(&'static str),
}

pub(crate) const HONOURED: Status = Status::Honoured;
pub(crate) const ACCEPTED: Status = Status::Accepted("known to Kafka, has no effect here yet");
pub(crate) const ANY: Allowed = Allowed::Any;
pub(crate) const LIST: Allowed = Allowed::List { of: &[], empty: true };
pub(crate) const FILLED_LIST: Allowed = Allowed::List { of: &[], empty: false };

pub(crate) const fn at_least(min: i64) -> Allowed {
    Allowed::Range { min, max: None, or: None }
}

pub(crate) const fn between(min: i64, max: i64) -> Allowed {
    Allowed::Range { min, max: Some(max), or: None }
}

pub(crate) const fn between_or(min: i64, max: i64, or: i64) -> Allowed {
    Allowed::Range { min, max: Some(max), or: Some(or) }
}

impl Key {
    /// What the key does, in a sentence or two.
    #[must_use]
    pub fn doc(&self) -> &'static str {
        self.doc.trim_start()
    }

    /// Whether values must not be shown, in messages or answers.
    #[must_use]
    pub fn sensitive(&self) -> bool {
        self.kind == Kind::Password
    }
}

impl Kind {
    /// Kafka's name for it, in capitals.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Boolean => "BOOLEAN",
            Self::Short => "SHORT",
            Self::Int => "INT",
            Self::Long => "LONG",
            Self::Double => "DOUBLE",
            Self::String => "STRING",
            Self::List => "LIST",
            Self::Password => "PASSWORD",
            Self::Class => "CLASS",
        }
    }
}

impl Kind {
    /// Kafka's number for it in the answer to DescribeConfigs (`DescribeConfigsResponse.ConfigType`); 0 would be an
    /// unknown one.
    #[must_use]
    pub const fn raw(self) -> i8 {
        match self {
            Self::Boolean => 1,
            Self::String => 2,
            Self::Int => 3,
            Self::Short => 4,
            Self::Long => 5,
            Self::Double => 6,
            Self::List => 7,
            Self::Class => 8,
            Self::Password => 9,
        }
    }
}

impl Importance {
    /// Kafka's name for it, in capitals.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::High => "HIGH",
            Self::Medium => "MEDIUM",
            Self::Low => "LOW",
        }
    }
}

impl UpdateMode {
    /// Kafka's name for it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::ReadOnly => "read-only",
            Self::PerBroker => "per-broker",
            Self::ClusterWide => "cluster-wide",
        }
    }
}

impl fmt::Display for Allowed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Any => f.write_str("any"),
            Self::Range { min, max, or } => {
                write!(f, "range {min}..")?;
                max.map_or(Ok(()), |max| write!(f, "{max}"))?;
                or.map_or(Ok(()), |or| write!(f, " or {or}"))
            }
            Self::OneOf(texts) => write!(f, "one of {}", texts.join(" ")),
            Self::OneOfAnyCase(texts) => write!(f, "one of any case {}", texts.join(" ")),
            Self::NotEmpty => f.write_str("not empty"),
            Self::List { of, empty } => {
                f.write_str(if *empty { "list" } else { "list not empty" })?;
                if of.is_empty() { Ok(()) } else { write!(f, " of {}", of.join(" ")) }
            }
            Self::Voters => f.write_str("voters"),
            Self::Servers => f.write_str("servers"),
            Self::ThrottledReplicas => f.write_str("throttled replicas"),
        }
    }
}
