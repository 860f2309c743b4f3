//! Messages with random content, as bytes, straight from the schema. Canonical: a tagged field is there only if it
//! differs from its default, so that whoever reads and writes a sample again gets the same bytes.

use ottla_types::Uuid;
use ottla_wire::{Form, Writer};
use xtask::codegen::model::{Default, Field, Kind, Message, SchemaFile, Struct};

use super::random::Random;

/// Switches for samples that a reader must accept but a writer does not write.
#[derive(Clone, Copy, Default)]
pub(crate) struct Options {
    /// Puts tagged fields that nobody knows behind the known ones.
    pub(crate) unknown_tags: bool,
}

/// The bytes of `message` in `version`; the same for the same seed.
pub(crate) fn bytes(file: &SchemaFile, message: &Message, version: i16, seed: u64, options: Options) -> Vec<u8> {
    let mut sampler =
        Sampler { file, random: Random::new(seed), version, form: Form::of(message.is_flexible(version)), options };
    let mut w = Writer::new();
    sampler.structure(&mut w, &message.body);
    w.into_vec()
}

struct Sampler<'a> {
    file: &'a SchemaFile,
    random: Random,
    version: i16,
    form: Form,
    options: Options,
}

impl Sampler<'_> {
    fn structure(&mut self, w: &mut Writer, body: &Struct) {
        let version = self.version;
        for field in body.fields.iter().filter(|field| field.tag.is_none() && field.versions.contains(version)) {
            self.field(w, field);
        }
        if self.form.is_compact() {
            self.tags(w, body);
        }
    }

    fn tags(&mut self, w: &mut Writer, body: &Struct) {
        let version = self.version;
        let mut tagged: Vec<&Field> = body.fields.iter().filter(|field| field.tag.is_some()).collect();
        tagged.retain(|field| field.versions.contains(version));
        tagged.sort_by_key(|field| field.tag);
        let mut contents = Vec::new();
        for field in tagged {
            let default = self.default_bytes(field);
            let mut content = Writer::new();
            self.field(&mut content, field);
            if content.as_slice() != default {
                contents.push((field.tag.expect("kept above"), content.into_vec()));
            }
        }
        if self.options.unknown_tags && self.random.one_in(2) {
            contents.push((1_000 + self.random.below(100_000) as u32, self.random.bytes(200)));
        }
        w.unsigned_varint(contents.len() as u32);
        for (tag, content) in contents {
            w.unsigned_varint(tag);
            w.unsigned_varint(content.len() as u32);
            w.slice(&content);
        }
    }

    fn field(&mut self, w: &mut Writer, field: &Field) {
        let form = if field.plain { Form::Plain } else { self.form };
        let null_allowed = field.nullable.is_some_and(|versions| versions.contains(self.version));
        if null_allowed && self.random.one_in(4) {
            null(w, form, field);
            return;
        }
        if field.nullable.is_some() && matches!(field.kind, Kind::Struct(_)) {
            w.i8(1); // A tagged field has a varint here, of which this is one.
        }
        self.value(w, form, &field.kind);
    }

    fn value(&mut self, w: &mut Writer, form: Form, kind: &Kind) {
        let number = self.random.number();
        match kind {
            Kind::Bool => w.bool(number & 1 == 1),
            Kind::Int8 => w.i8(number as i8),
            Kind::Int16 => w.i16(number as i16),
            Kind::Int32 => w.i32(number as i32),
            Kind::Int64 => w.i64(number),
            Kind::Uint16 => w.u16(number as u16),
            Kind::Uint32 => w.u32(number as u32),
            Kind::Float64 => w.f64(number as f64),
            Kind::Uuid if number == 0 => w.uuid(Uuid::ZERO),
            Kind::Uuid => w.uuid(Uuid(u128::from(self.random.next()).to_be_bytes())),
            Kind::String => w.string(form, &self.random.text(60)).unwrap(),
            Kind::Bytes | Kind::Records => w.bytes(form, &self.random.bytes(300)).unwrap(),
            Kind::Struct(name) => {
                let body = self.file.structure(name).expect("the parser checks names");
                self.structure(w, body);
            }
            Kind::Array(element) => {
                let count = self.random.below(4);
                w.array_length(form, count).unwrap();
                for _ in 0..count {
                    self.value(w, form, element);
                }
            }
        }
    }

    /// What the bytes of a field would be if it had its default.
    fn default_bytes(&self, field: &Field) -> Vec<u8> {
        let mut w = Writer::new();
        self.write_default(&mut w, field);
        w.into_vec()
    }

    fn write_default(&self, w: &mut Writer, field: &Field) {
        let form = if field.plain { Form::Plain } else { self.form };
        let number = match field.default {
            Default::Natural | Default::Empty => 0,
            Default::True => 1,
            Default::Number(number) => number,
        };
        match &field.kind {
            _ if field.nullable.is_some() && field.default == Default::Natural => null(w, form, field),
            Kind::Bool | Kind::Int8 => w.i8(number as i8),
            Kind::Int16 | Kind::Uint16 => w.i16(number as i16),
            Kind::Int32 | Kind::Uint32 => w.i32(number as i32),
            Kind::Int64 | Kind::Float64 => w.i64(number),
            Kind::Uuid => w.uuid(Uuid::ZERO),
            Kind::String => w.string(form, "").unwrap(),
            Kind::Bytes | Kind::Records | Kind::Array(_) => w.bytes(form, &[]).unwrap(),
            Kind::Struct(name) => {
                if field.nullable.is_some() {
                    w.i8(1);
                }
                let body = self.file.structure(name).expect("the parser checks names");
                for field in body.fields.iter().filter(|f| f.tag.is_none() && f.versions.contains(self.version)) {
                    self.write_default(w, field);
                }
                if self.form.is_compact() {
                    w.unsigned_varint(0);
                }
            }
        }
    }
}

fn null(w: &mut Writer, form: Form, field: &Field) {
    match field.kind {
        Kind::String => w.nullable_string(form, None).unwrap(),
        Kind::Struct(_) if field.tag.is_some() => w.unsigned_varint(0),
        Kind::Struct(_) => w.i8(-1),
        _ => w.nullable_bytes(form, None).unwrap(),
    }
}
