//! Schemas in the notation of `tests/facts`, and the facts themselves, to be compared line by line.

use xtask::codegen::model::{Field, Kind, Message, SchemaFile, Struct};

/// The schema of a message in one version, in the notation of the facts.
pub(crate) struct Printer<'a> {
    file: &'a SchemaFile,
    version: i16,
    compact: bool,
}

impl Printer<'_> {
    pub(crate) fn print(file: &SchemaFile, message: &Message, version: i16) -> Vec<String> {
        let printer = Printer { file, version, compact: message.is_flexible(version) };
        let mut lines = Vec::new();
        printer.structure(&mut lines, 1, &message.body);
        lines
    }

    fn structure(&self, lines: &mut Vec<String>, depth: usize, body: &Struct) {
        let present = |field: &&Field| field.versions.contains(self.version);
        for field in body.fields.iter().filter(present).filter(|field| field.tag.is_none()) {
            self.field(lines, depth, &field.name, field);
        }
        if self.compact {
            lines.push(format!("{}tags", "  ".repeat(depth)));
            let mut tagged: Vec<(u32, &Field)> =
                body.fields.iter().filter(present).filter_map(|field| Some((field.tag?, field))).collect();
            tagged.sort_by_key(|(tag, _)| *tag);
            for (tag, field) in tagged {
                self.field(lines, depth + 1, &format!("{tag} {}", field.name), field);
            }
        }
    }

    fn field(&self, lines: &mut Vec<String>, depth: usize, name: &str, field: &Field) {
        let nullable = field.nullable.is_some_and(|versions| versions.contains(self.version));
        let mark = if nullable { "?" } else { "" };
        let word = match &field.kind {
            Kind::Struct(_) => format!("struct{mark}"),
            Kind::Array(element) if matches!(**element, Kind::Struct(_)) => format!("{}{mark}", self.sized("array")),
            Kind::Array(element) => format!("{}{mark} of {}", self.sized("array"), self.word(element, false)),
            simple => self.word(simple, nullable),
        };
        lines.push(format!("{}{name} {word}", "  ".repeat(depth)));
        if let Some(body) = self.file.structure(field.kind.struct_name()) {
            self.structure(lines, depth + 1, body);
        }
    }

    fn word(&self, kind: &Kind, nullable: bool) -> String {
        let null = if nullable { "nullable_" } else { "" };
        match kind {
            Kind::Bool => "boolean".to_owned(),
            Kind::String | Kind::Bytes | Kind::Records => {
                self.sized(&format!("{null}{}", format!("{kind:?}").to_lowercase()))
            }
            other => format!("{other:?}").to_lowercase(),
        }
    }

    fn sized(&self, word: &str) -> String {
        if self.compact { format!("compact_{word}") } else { word.to_owned() }
    }
}

/// One block of the facts: a message in a range of versions.
pub(crate) struct Fact {
    /// The API, or the record.
    pub(crate) api: String,
    /// `request`, `response` or `record`.
    pub(crate) message: String,
    pub(crate) versions: std::ops::RangeInclusive<i16>,
    pub(crate) lines: Vec<String>,
}

/// Reads a file of facts.
pub(crate) fn facts(text: &str) -> Vec<Fact> {
    let mut facts: Vec<Fact> = Vec::new();
    for line in text.lines() {
        if line.starts_with(' ') {
            facts.last_mut().expect("a block begins with its title").lines.push(line.to_owned());
            continue;
        }
        let words: Vec<&str> = line.split(' ').collect();
        let [api, message, range] = words[..] else { panic!("not a title: {line}") };
        let (from, to) = range.split_once('-').expect("a range");
        let versions = from.parse().unwrap()..=to.parse().unwrap();
        facts.push(Fact { api: api.to_owned(), message: message.to_owned(), versions, lines: Vec::new() });
    }
    facts
}
