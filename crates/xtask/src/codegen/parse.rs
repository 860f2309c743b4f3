//! Reads a schema file. The notation is described in `crates/protocol/schemas/README.md`; every error names the line.

use std::collections::BTreeSet;
use std::fmt;

use super::model::{Api, Default, Field, Kind, Message, SchemaFile, Stored, Struct, Versions};
use super::tokens::{Line, lines};

/// What is wrong with a schema file, and in which line.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ParseError {
    /// The line, from 1.
    pub line: usize,
    /// What is wrong.
    pub text: String,
}

impl fmt::Display for ParseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.line, self.text)
    }
}

type Parsed<T> = Result<T, ParseError>;

/// Reads the text of the file that is to become the Rust module `module`.
pub fn parse(module: &str, text: &str) -> Parsed<SchemaFile> {
    let (doc, lines) = lines(text);
    let mut parser = Parser { lines: lines.into_iter().peekable(), structs: Vec::new(), line: 0 };
    let (folder, module) = (String::new(), module.to_owned());
    let mut file = SchemaFile { folder, module, doc, api: None, messages: Vec::new(), structs: Vec::new() };
    while let Some(line) = parser.lines.next() {
        parser.line = line.number;
        match line.words[0].as_str() {
            "api" if file.messages.is_empty() => parser.api(&line, &mut file)?,
            "message" | "record" if file.api.is_none() => {
                let name = parser.word(&line, 1, "a name")?;
                let stored = (line.words[0] == "record").then(|| parser.stored(&line)).transpose()?;
                let (versions, flexible_from, _) = parser.attributes()?;
                parser.expect_line(&["{"])?;
                let message = parser.message(name, line.doc, versions, flexible_from)?;
                parser.shared_structs(Scope { versions, flexible_from })?;
                file.messages.push(Message { stored, ..message });
            }
            other => return Err(parser.error(format!("`{other}` is not expected here"))),
        }
    }
    file.structs = parser.structs;
    check_names(&file)?;
    Ok(file)
}

struct Parser {
    lines: std::iter::Peekable<std::vec::IntoIter<Line>>,
    /// Structs met so far, in the order in which they begin.
    structs: Vec<Struct>,
    /// The line last read.
    line: usize,
}

/// What a struct inherits from what surrounds it.
#[derive(Clone, Copy)]
struct Scope {
    versions: Versions,
    flexible_from: Option<i16>,
}

impl Parser {
    fn api(&mut self, line: &Line, file: &mut SchemaFile) -> Parsed<()> {
        let name = self.word(line, 1, "a name")?;
        let key = self.word(line, 2, "a key")?;
        let key = key.parse().map_err(|_| self.error(format!("`{key}` is not an API key")))?;
        let (versions, flexible_from, unstable_from) = self.attributes()?;
        self.expect_line(&["request", "{"])?;
        file.messages.push(self.message(format!("{name}Request"), Vec::new(), versions, flexible_from)?);
        self.expect_line(&["response", "{"])?;
        file.messages.push(self.message(format!("{name}Response"), Vec::new(), versions, flexible_from)?);
        self.shared_structs(Scope { versions, flexible_from })?;
        file.doc.extend(line.doc.iter().cloned());
        file.api = Some(Api { name, key, unstable_from });
        Ok(())
    }

    /// The number behind a record's name, if there is one.
    fn stored(&self, line: &Line) -> Parsed<Stored> {
        let number = |word: &String| word.parse().map_err(|_| self.error(format!("`{word}` is not a record's type")));
        Ok(Stored { record_type: line.words.get(2).map(number).transpose()? })
    }

    /// Structs of their own, behind a message.
    fn shared_structs(&mut self, scope: Scope) -> Parsed<()> {
        while self.lines.peek().is_some_and(|line| line.words[0] == "struct") {
            let line = self.next()?;
            let name = self.word(&line, 1, "a name")?;
            self.structure(name, line.doc, scope)?;
        }
        Ok(())
    }

    /// `versions`, `flexible` and perhaps `unstable`.
    fn attributes(&mut self) -> Parsed<(Versions, Option<i16>, Option<i16>)> {
        let line = self.next()?;
        let versions = match &line.words[..] {
            [word, range] if word == "versions" => self.versions(range)?,
            _ => return Err(self.error("`versions` and a range are expected")),
        };
        if versions.to == Versions::OPEN {
            return Err(self.error("the versions of a message have an end"));
        }
        let line = self.next()?;
        let flexible_from = match &line.words[..] {
            [word, never] if word == "flexible" && never == "never" => None,
            [word, from] if word == "flexible" && from.ends_with('+') => Some(self.versions(from)?.from),
            _ => return Err(self.error("`flexible` and `never` or a range such as `9+` are expected")),
        };
        let mut unstable_from = None;
        if self.lines.peek().is_some_and(|line| line.words[0] == "unstable") {
            let line = self.next()?;
            let range = self.word(&line, 1, "a range")?;
            unstable_from = Some(self.versions(&range)?.from);
        }
        Ok((versions, flexible_from, unstable_from))
    }

    fn message(
        &mut self,
        name: String,
        doc: Vec<String>,
        versions: Versions,
        flexible_from: Option<i16>,
    ) -> Parsed<Message> {
        let at = self.structs.len();
        self.structure(name, doc, Scope { versions, flexible_from })?;
        Ok(Message { versions, flexible_from, stored: None, body: self.structs.remove(at) })
    }

    /// The fields of a struct, up to and with its closing brace.
    fn structure(&mut self, name: String, doc: Vec<String>, scope: Scope) -> Parsed<()> {
        let at = self.structs.len();
        let flexible_from = scope.flexible_from.filter(|from| *from <= scope.versions.to);
        self.structs.push(Struct { name, doc, versions: scope.versions, flexible_from, fields: Vec::new() });
        loop {
            let line = self.next()?;
            if line.words == ["}"] {
                return Ok(());
            }
            let opens = line.words.last().is_some_and(|word| word == "{");
            let field = self.field(&line, scope)?;
            if opens {
                let name = match &field.kind {
                    Kind::Struct(name) => name.clone(),
                    Kind::Array(element) if matches!(**element, Kind::Struct(_)) => element.struct_name().to_owned(),
                    _ => return Err(self.error("only structs have fields")),
                };
                let scope = Scope { versions: field.versions, ..scope };
                self.structure(name, Vec::new(), scope)?;
            }
            self.structs[at].fields.push(field);
        }
    }

    fn field(&self, line: &Line, scope: Scope) -> Parsed<Field> {
        let name = line.words[0].clone();
        let kind = self.word(line, 1, "a type")?;
        let (kind, nullable) = match kind.strip_suffix('?') {
            Some(kind) => (kind.to_owned(), true),
            None => (kind, false),
        };
        let mut field = Field {
            name,
            doc: line.doc.clone(),
            line: line.number,
            kind: self.kind(&kind)?,
            versions: scope.versions,
            nullable: None,
            tag: None,
            ignorable: false,
            plain: false,
            default: Default::Natural,
        };
        let mut null_range = None;
        let mut words = line.words[2..].iter().map(String::as_str);
        while let Some(word) = words.next() {
            let mut argument = || words.next().ok_or_else(|| self.error(format!("`{word}` of what?")));
            match word {
                "{" => {}
                "ignorable" => field.ignorable = true,
                "plain" => field.plain = true,
                "tag" => field.tag = Some(self.tag(argument()?)?),
                "null" => null_range = Some(self.versions(argument()?)?),
                "=" => field.default = self.default(argument()?)?,
                range => field.versions = self.within(self.versions(range)?, scope.versions)?,
            }
        }
        field.nullable = match (nullable, null_range) {
            (true, Some(range)) => Some(self.within(range, field.versions)?),
            (true, None) => Some(field.versions),
            (false, None) => None,
            (false, Some(_)) => return Err(self.error("`null` needs a type with `?`")),
        };
        self.check(&field, scope)?;
        Ok(field)
    }

    fn check(&self, field: &Field, scope: Scope) -> Parsed<()> {
        match (field.default, field.kind.range()) {
            (Default::Number(number), Some(range)) if !range.contains(&number) => {
                return Err(self.error(format!("{number} does not fit into the type")));
            }
            (Default::Number(_), None) => return Err(self.error("only a number has a number for its default")),
            (Default::Empty, _) if field.nullable.is_none() => {
                return Err(self.error("only what may be null need say that it is empty"));
            }
            (Default::True, _) if field.kind != Kind::Bool => return Err(self.error("only a bool is true")),
            _ => {}
        }
        if field.tag.is_some() && scope.flexible_from.is_none_or(|from| field.versions.from < from) {
            return Err(self.error("a tagged field exists in flexible versions only"));
        }
        Ok(())
    }

    fn tag(&self, word: &str) -> Parsed<u32> {
        word.parse().map_err(|_| self.error(format!("`{word}` is not a tag")))
    }

    fn default(&self, word: &str) -> Parsed<Default> {
        let number = match word.strip_prefix("0x") {
            Some(digits) => i64::from_str_radix(digits, 16).ok(),
            None => word.parse().ok(),
        };
        match (word, number) {
            ("true", _) => Ok(Default::True),
            ("empty", _) => Ok(Default::Empty),
            (_, Some(0)) | ("false" | "null" | "\"\"", _) => Ok(Default::Natural),
            (_, Some(number)) => Ok(Default::Number(number)),
            _ => Err(self.error(format!("`{word}` is not a default"))),
        }
    }

    fn kind(&self, word: &str) -> Parsed<Kind> {
        if let Some(element) = word.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            return Ok(Kind::Array(Box::new(self.kind(element)?)));
        }
        Ok(match word {
            "bool" => Kind::Bool,
            "int8" => Kind::Int8,
            "int16" => Kind::Int16,
            "int32" => Kind::Int32,
            "int64" => Kind::Int64,
            "uint16" => Kind::Uint16,
            "uint32" => Kind::Uint32,
            "float64" => Kind::Float64,
            "uuid" => Kind::Uuid,
            "string" => Kind::String,
            "bytes" => Kind::Bytes,
            "records" => Kind::Records,
            name if name.starts_with(|c: char| c.is_ascii_uppercase()) => Kind::Struct(name.to_owned()),
            other => return Err(self.error(format!("`{other}` is not a type"))),
        })
    }

    fn versions(&self, word: &str) -> Parsed<Versions> {
        let number = |digits: &str| digits.parse::<i16>().ok().filter(|version| *version >= 0);
        let range = if let Some(from) = word.strip_suffix('+') {
            number(from).map(|from| (from, Versions::OPEN))
        } else if let Some((from, to)) = word.split_once('-') {
            number(from).zip(number(to))
        } else {
            number(word).map(|only| (only, only))
        };
        match range {
            Some((from, to)) if from <= to => Ok(Versions { from, to }),
            _ => Err(self.error(format!("`{word}` is neither a property nor a range of versions"))),
        }
    }

    fn within(&self, range: Versions, outer: Versions) -> Parsed<Versions> {
        range.intersect(outer).ok_or_else(|| self.error("this exists in no version of what surrounds it"))
    }

    fn next(&mut self) -> Parsed<Line> {
        let line = self.lines.next().ok_or_else(|| self.error("the file ends too early"))?;
        self.line = line.number;
        Ok(line)
    }

    fn expect_line(&mut self, words: &[&str]) -> Parsed<()> {
        let line = self.next()?;
        if line.words == words { Ok(()) } else { Err(self.error(format!("`{}` is expected", words.join(" ")))) }
    }

    fn word(&self, line: &Line, index: usize, what: &str) -> Parsed<String> {
        line.words.get(index).cloned().ok_or_else(|| self.error(format!("{what} is missing")))
    }

    fn error(&self, text: impl Into<String>) -> ParseError {
        ParseError { line: self.line, text: text.into() }
    }
}

/// Every struct has one definition, every definition one name, and no field's name or tag occurs twice.
fn check_names(file: &SchemaFile) -> Parsed<()> {
    let mut names = BTreeSet::new();
    let bodies = || file.messages.iter().map(|message| &message.body).chain(&file.structs);
    for body in bodies() {
        if !names.insert(body.name.as_str()) {
            return Err(ParseError { line: 0, text: format!("struct {} is defined twice", body.name) });
        }
    }
    for body in bodies() {
        let mut fields = BTreeSet::new();
        let mut tags = BTreeSet::new();
        for field in &body.fields {
            let fail = |text| Err(ParseError { line: field.line, text });
            if !fields.insert(field.name.as_str()) {
                return fail(format!("{} has two fields {}", body.name, field.name));
            }
            if field.tag.is_some_and(|tag| !tags.insert(tag)) {
                return fail(format!("{} has a tag twice", body.name));
            }
            let name = field.kind.struct_name();
            if !name.is_empty() && !names.contains(name) {
                return fail(format!("struct {name} is not defined"));
            }
        }
    }
    Ok(())
}

impl Kind {
    /// The whole numbers of this type; `None` if it is no such type.
    fn range(&self) -> Option<std::ops::RangeInclusive<i64>> {
        Some(match self {
            Self::Int8 => i8::MIN.into()..=i8::MAX.into(),
            Self::Int16 => i16::MIN.into()..=i16::MAX.into(),
            Self::Int32 => i32::MIN.into()..=i32::MAX.into(),
            Self::Int64 => i64::MIN..=i64::MAX,
            Self::Uint16 => 0..=u16::MAX.into(),
            Self::Uint32 => 0..=u32::MAX.into(),
            _ => return None,
        })
    }

    /// The struct that this is, or is an array of; empty if it is none.
    #[must_use]
    pub fn struct_name(&self) -> &str {
        match self {
            Self::Struct(name) => name,
            Self::Array(element) => element.struct_name(),
            _ => "",
        }
    }
}
