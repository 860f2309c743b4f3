//! `cargo xtask codegen`: message schemas in, Rust out.
//!
//! [`parse`] reads the notation that `crates/protocol/schemas/README.md` describes into a [`model`]; `emit` and its
//! neighbours turn that into one Rust file per schema file; this module reads and writes the files. With `--check`
//! nothing is written, and a difference is an error.

mod emit;
mod emit_read;
mod emit_type;
mod emit_write;
pub mod model;
pub mod parse;
mod tokens;

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use model::SchemaFile;

/// Runs the command with the words behind `codegen`.
pub fn run(arguments: &[String]) -> Result<(), String> {
    let check = match arguments {
        [] => false,
        [flag] if flag == "--check" => true,
        _ => return Err("usage: cargo xtask codegen [--check]".to_owned()),
    };
    let protocol = Path::new(env!("CARGO_MANIFEST_DIR")).join("../protocol");
    let target = protocol.join("src/generated");
    let files = generate(&read_schemas(&protocol.join("schemas"))?)?;
    if check { compare(&target, &files) } else { write(&target, &files) }
}

/// Reads every `*.api` file of a directory, in the order of their names.
pub fn read_schemas(directory: &Path) -> Result<Vec<SchemaFile>, String> {
    let entries = fs::read_dir(directory).map_err(|e| format!("{}: {e}", directory.display()))?;
    let mut paths: Vec<PathBuf> = entries.filter_map(|entry| entry.ok().map(|entry| entry.path())).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "api"));
    paths.sort();
    let read = |path: &PathBuf| {
        let text = fs::read_to_string(path).map_err(|e| format!("{}: {e}", path.display()))?;
        let module = path.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
        parse::parse(module, &text).map_err(|e| format!("{}:{e}", path.display()))
    };
    paths.iter().map(read).collect()
}

/// A generated file: its name and its text.
type Generated = (String, String);

fn generate(schemas: &[SchemaFile]) -> Result<Vec<Generated>, String> {
    let mut files = vec![("mod.rs".to_owned(), emit::root(schemas))];
    files.extend(schemas.iter().map(|schema| (format!("{}.rs", schema.module), emit::file(schema))));
    files.into_iter().map(|(name, text)| Ok((name, rustfmt(&text)?))).collect()
}

fn write(target: &Path, files: &[Generated]) -> Result<(), String> {
    let failed = |e: std::io::Error| format!("{}: {e}", target.display());
    fs::create_dir_all(target).map_err(failed)?;
    for stale in strangers(target, files)? {
        fs::remove_file(target.join(stale)).map_err(failed)?;
    }
    for (name, text) in files {
        fs::write(target.join(name), text).map_err(failed)?;
    }
    Ok(())
}

fn compare(target: &Path, files: &[Generated]) -> Result<(), String> {
    let mut wrong = strangers(target, files)?;
    let differs = |(name, text): &&Generated| fs::read_to_string(target.join(name)).ok().as_ref() != Some(text);
    wrong.extend(files.iter().filter(differs).map(|(name, _)| name.clone()));
    if wrong.is_empty() {
        return Ok(());
    }
    Err(format!(
        "not what the schemas say: {} (in crates/protocol/src/generated); run `cargo xtask codegen`",
        wrong.join(", ")
    ))
}

/// Files in the target directory that no schema asks for.
fn strangers(target: &Path, files: &[Generated]) -> Result<Vec<String>, String> {
    if !target.exists() {
        return Ok(Vec::new());
    }
    let entries = fs::read_dir(target).map_err(|e| format!("{}: {e}", target.display()))?;
    let names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    Ok(names.filter(|name| files.iter().all(|(known, _)| known != name)).collect())
}

/// Passes text through the toolchain's formatter, with the workspace's settings.
fn rustfmt(text: &str) -> Result<String, String> {
    let failed = |e: std::io::Error| format!("rustfmt: {e}");
    let mut child = Command::new("rustfmt")
        .args(["--edition", "2024", "--config-path"])
        .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../rustfmt.toml"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .map_err(failed)?;
    // Read by the formatter to its end before it writes, so this cannot wait for itself.
    child.stdin.take().ok_or("rustfmt has no input")?.write_all(text.as_bytes()).map_err(failed)?;
    let output = child.wait_with_output().map_err(failed)?;
    if !output.status.success() {
        return Err(format!("rustfmt refuses what was generated: {}", output.status));
    }
    String::from_utf8(output.stdout).map_err(|e| format!("rustfmt: {e}"))
}
