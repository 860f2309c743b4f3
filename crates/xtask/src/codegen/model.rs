//! What a schema file says, as data. No notation, no Rust: what the parser builds and everything else reads.

/// Versions from `from` to `to`, both included; open above if `to` is [`Versions::OPEN`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Versions {
    /// The first version.
    pub from: i16,
    /// The last version, or [`Versions::OPEN`].
    pub to: i16,
}

impl Versions {
    /// The end of a range without an end.
    pub const OPEN: i16 = i16::MAX;

    /// Whether `version` is among them.
    #[must_use]
    pub const fn contains(self, version: i16) -> bool {
        self.from <= version && version <= self.to
    }

    /// What both have; `None` if that is nothing.
    #[must_use]
    pub fn intersect(self, other: Self) -> Option<Self> {
        let both = Self { from: self.from.max(other.from), to: self.to.min(other.to) };
        (both.from <= both.to).then_some(both)
    }
}

/// One schema file: an API's request and response, or messages without a key, or persisted records.
#[derive(Clone, PartialEq, Debug)]
pub struct SchemaFile {
    /// The folder below the schemas that the file is in: also a Rust module's name. Empty if it is in none.
    pub folder: String,
    /// The file's name without its ending: also the Rust module's.
    pub module: String,
    /// What the file's messages have in common, if it says so: the API's description.
    pub doc: Vec<String>,
    /// The API, unless the file holds messages without a key.
    pub api: Option<Api>,
    /// The messages: request and response of an API.
    pub messages: Vec<Message>,
    /// Every other struct, in the order in which they appear.
    pub structs: Vec<Struct>,
}

/// An API's name and key.
#[derive(Clone, PartialEq, Debug)]
pub struct Api {
    /// Kafka's name, such as `ListOffsets`.
    pub name: String,
    /// The number in a request's header.
    pub key: i16,
    /// Versions not meant for the public yet: from here on.
    pub unstable_from: Option<i16>,
}

/// A message: a struct with versions of its own.
#[derive(Clone, PartialEq, Debug)]
pub struct Message {
    /// Every version there is.
    pub versions: Versions,
    /// The first version in the compact form; `None` if there is none.
    pub flexible_from: Option<i16>,
    /// What makes it a persisted record; `None` if it is none.
    pub stored: Option<Stored>,
    /// Its fields.
    pub body: Struct,
}

/// How a persisted record is told from others.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Stored {
    /// The number of its kind; `None` if its place says what it is.
    pub record_type: Option<i16>,
}

impl Message {
    /// Whether `version` is in the compact form.
    #[must_use]
    pub fn is_flexible(&self, version: i16) -> bool {
        self.flexible_from.is_some_and(|from| version >= from)
    }
}

/// Named fields in order.
#[derive(Clone, PartialEq, Debug)]
pub struct Struct {
    /// The name in Rust.
    pub name: String,
    /// The description, in lines.
    pub doc: Vec<String>,
    /// The versions in which it occurs, within those of its message.
    pub versions: Versions,
    /// Whether its message has a flexible version in which it occurs.
    pub flexible_from: Option<i16>,
    /// The fields, in the order in which they are written; tagged ones among them.
    pub fields: Vec<Field>,
}

/// One field.
#[derive(Clone, PartialEq, Debug)]
pub struct Field {
    /// The name in Rust.
    pub name: String,
    /// The description, in lines.
    pub doc: Vec<String>,
    /// The line of the schema file, for errors.
    pub line: usize,
    /// The type; whether null is allowed is said by `nullable`.
    pub kind: Kind,
    /// The versions that have it, within those of its struct.
    pub versions: Versions,
    /// The versions that allow null.
    pub nullable: Option<Versions>,
    /// The number of a tagged field.
    pub tag: Option<u32>,
    /// Whether a version that lacks it may drop it silently.
    pub ignorable: bool,
    /// Whether it keeps the plain form in flexible versions.
    pub plain: bool,
    /// What it is when nobody says anything.
    pub default: Default,
}

/// A type.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Kind {
    /// `bool`
    Bool,
    /// `int8`
    Int8,
    /// `int16`
    Int16,
    /// `int32`
    Int32,
    /// `int64`
    Int64,
    /// `uint16`
    Uint16,
    /// `uint32`
    Uint32,
    /// `float64`
    Float64,
    /// `uuid`
    Uuid,
    /// `string`
    String,
    /// `bytes`
    Bytes,
    /// `records`
    Records,
    /// A struct by name.
    Struct(String),
    /// An array.
    Array(Box<Kind>),
}

/// A default value.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Default {
    /// 0, false, empty; null for what is nullable.
    Natural,
    /// A number other than 0.
    Number(i64),
    /// True.
    True,
    /// Empty and not null, of what is nullable.
    Empty,
}
