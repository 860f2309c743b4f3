//! Emits the root module of a crate's generated files: the list of the others, and what goes through all of them.

use super::model::{Api, Message, SchemaFile, Versions};
use super::{Home, emit};

/// The root of the messages: the modules, the table of APIs, and a macro for each of them.
pub(super) fn apis(schemas: &[SchemaFile]) -> String {
    let mut out = "//! The messages, one module per API, and the table of APIs.\n//!\n\
        //! What all of them share is in `message.rs` beside this folder and in the `wire` crate's `codec.rs`.\n\n"
        .to_owned();
    out.push_str(&head(Home::Protocol));
    for schema in schemas {
        out.push_str(&format!("pub mod {};\n", schema.module));
    }
    let mut apis: Vec<(&Api, &SchemaFile)> =
        schemas.iter().filter_map(|schema| Some((schema.api.as_ref()?, schema))).collect();
    apis.sort_by_key(|(api, _)| api.key);
    out.push_str("\ncrate::api_key::api_keys! {\n");
    for (api, schema) in &apis {
        out.push_str(&api_entry(api, schema));
    }
    out.push_str("}\n");
    out.push_str(&macro_head(
        "Calls `$run!(module, Request, Response)` for every API, in the order of the keys.",
        "for_every_api",
    ));
    for (Api { name, .. }, SchemaFile { module, .. }) in &apis {
        out.push_str(&format!("        $run!({module}, {name}Request, {name}Response);\n"));
    }
    out.push_str("    };\n}\n");
    out
}

fn api_entry(api: &Api, schema: &SchemaFile) -> String {
    let summary = schema.doc.first().cloned().unwrap_or_default();
    let message = &schema.messages[0];
    let Versions { from, to } = message.versions;
    let flexible = option(message.flexible_from);
    let unstable = option(api.unstable_from);
    format!("    /// {summary}\n    {} = {}, {from}..={to}, {flexible}, {unstable};\n", api.name, api.key)
}

/// The root of the persisted records: the modules in their folders, and a macro for each record.
pub(super) fn records(schemas: &[SchemaFile]) -> String {
    let mut out = "//! The persisted records, one module per kind, in folders by who keeps them.\n//!\n\
        //! `records.rs` beside this folder tells what is where; what all of them share is in `codec.rs`.\n\n"
        .to_owned();
    out.push_str(&head(Home::Wire));
    let mut folder = "";
    for schema in schemas {
        if schema.folder != folder {
            out.push_str(if folder.is_empty() { "" } else { "}\n\n" });
            folder = &schema.folder;
            out.push_str(&format!("/// The records of `schemas/{folder}`.\npub mod {folder} {{\n"));
        }
        out.push_str(&format!("    pub mod {};\n", schema.module));
    }
    out.push_str("}\n");
    out.push_str(&macro_head("Calls `$run!(folder, module, Record)` for every persisted record.", "for_every_record"));
    for schema in schemas {
        for message in schema.messages.iter().filter(|message| message.stored.is_some()) {
            out.push_str(&format!("        $run!({}, {}, {});\n", schema.folder, schema.module, message.body.name));
        }
    }
    out.push_str("    };\n}\n");
    out.push_str(&by_number(schemas));
    out
}

/// Macros for the records that are told by a number: key and value beside each other, or one alone.
fn by_number(schemas: &[SchemaFile]) -> String {
    let pair = "Calls `$run!(folder, module, Key, Value)` for every record of a key and a value.";
    let alone = "Calls `$run!(folder, module, Record)` for every record that a number in front of it tells.";
    let mut pairs = macro_head(pair, "for_every_keyed_record");
    let mut framed = macro_head(alone, "for_every_framed_record");
    for schema in schemas {
        let is_told = |message: &&Message| message.stored.is_some_and(|stored| stored.record_type.is_some());
        let names: Vec<&str> = schema.messages.iter().filter(is_told).map(|it| it.body.name.as_str()).collect();
        let list = if names.len() == 2 { &mut pairs } else { &mut framed };
        if !names.is_empty() {
            list.push_str(&format!("        $run!({}, {}, {});\n", schema.folder, schema.module, names.join(", ")));
        }
    }
    format!("{pairs}    }};\n}}\n{framed}    }};\n}}\n")
}

fn head(home: Home) -> String {
    format!(
        "{}\n#![allow(clippy::too_many_lines, reason = \"a function here is as long as its message has fields\")]\n\n",
        emit::warning(home)
    )
}

fn macro_head(doc: &str, name: &str) -> String {
    format!("\n/// {doc}\n#[macro_export]\nmacro_rules! {name} {{\n    ($run:ident) => {{\n")
}

fn option(version: Option<i16>) -> String {
    version.map_or("None".to_owned(), |version| format!("Some({version})"))
}
