//! The schema notation: what it says, and what it refuses, with the line.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use xtask::codegen::model::{Default, Kind, SchemaFile, Versions};
use xtask::codegen::parse::{ParseError, parse};

const EVERYTHING: &str = "\
# Does everything.
#
# - v1: more.
api Everything 99
versions 0-5
flexible 3+
unstable 5

request {
    flag      bool       = true
    small     int8       0-2  ignorable   # Rather small.
    # Above
    # and
    wide      uint32     1+   = 0x10      # behind.
    ratio     float64    4
    things    [Thing]?   1+   null 2+ {
        id    uuid
        cursor  Cursor?  2+
    }
    texts     [string]
    late      string?    3+   tag 7
}

response {
    parts     [Thing]
}

struct Cursor {
    at        int64
    raw       bytes      plain
}
";

fn parsed() -> SchemaFile {
    parse("everything", EVERYTHING).unwrap()
}

#[test]
fn every_word_of_the_notation_is_understood() {
    let file = parsed();
    let api = file.api.as_ref().unwrap();
    assert_eq!((api.name.as_str(), api.key, api.unstable_from), ("Everything", 99, Some(5)));
    assert_eq!(file.doc, ["Does everything.", "", "- v1: more."]);
    let request = &file.messages[0];
    assert_eq!((request.body.name.as_str(), request.flexible_from), ("EverythingRequest", Some(3)));
    let field = |name: &str| request.body.fields.iter().find(|field| field.name == name).unwrap();
    assert_eq!(field("flag").default, Default::True);
    assert_eq!(field("small").versions, Versions { from: 0, to: 2 });
    assert!(field("small").ignorable && !field("flag").ignorable);
    assert_eq!(field("wide").doc, ["Above", "and", "behind."]);
    assert_eq!(field("wide").default, Default::Number(16));
    assert_eq!(field("ratio").versions, Versions { from: 4, to: 4 });
    assert_eq!(field("things").kind, Kind::Array(Box::new(Kind::Struct("Thing".to_owned()))));
    assert_eq!(field("things").nullable, Some(Versions { from: 2, to: 5 }));
    assert_eq!((field("late").tag, field("late").nullable.is_some()), (Some(7), true));
}

#[test]
fn structs_keep_to_the_versions_around_them() {
    let file = parsed();
    assert_eq!(file.structs.iter().map(|body| body.name.as_str()).collect::<Vec<_>>(), ["Thing", "Cursor"]);
    assert_eq!(file.structs[0].versions, Versions { from: 1, to: 5 });
    assert_eq!(file.structs[0].fields[1].versions, Versions { from: 2, to: 5 });
    assert!(file.structs[1].fields[1].plain);
}

/// Replaces a part of the example and expects a refusal in that line.
fn refused(what: &str, by: &str, line: usize, text: &str) {
    assert!(EVERYTHING.contains(what), "{what}");
    let error = parse("everything", &EVERYTHING.replacen(what, by, 1)).unwrap_err();
    assert_eq!(error, ParseError { line, text: text.to_owned() });
}

#[test]
fn mistakes_are_refused_with_their_line() {
    refused("api Everything", "apy Everything", 4, "`apy` is not expected here");
    refused("99", "many", 4, "`many` is not an API key");
    refused("versions 0-5", "versions 0+", 5, "the versions of a message have an end");
    refused("bool ", "boolean ", 10, "`boolean` is not a type");
    refused("ignorable", "ignored", 11, "`ignored` is neither a property nor a range of versions");
    refused("= 0x10", "= ten", 14, "`ten` is not a default");
    refused("= true", "= 7", 10, "only a number has a number for its default");
    refused("= 0x10", "= 0x1ffffffff", 14, "8589934591 does not fit into the type");
    refused("float64    4", "float64    6+", 15, "this exists in no version of what surrounds it");
    refused("[Thing]?   1+", "[Thing]    1+", 16, "`null` needs a type with `?`");
    refused("tag 7", "tag", 21, "`tag` of what?");
    refused("3+   tag 7", "2+   tag 7", 21, "a tagged field exists in flexible versions only");
    refused("texts ", "flag ", 20, "EverythingRequest has two fields flag");
    refused("[Thing]\n}", "[Think]\n}", 25, "struct Think is not defined");
    refused("struct Cursor", "struct Thing", 0, "struct Thing is defined twice");
    refused("    raw       bytes      plain\n}\n", "", 29, "the file ends too early");
}

#[test]
fn what_is_committed_is_what_the_schemas_say() {
    xtask::codegen::run(&["--check".to_owned()]).unwrap();
}
