//! `cargo xtask codegen`: message schemas in, Rust out.
//!
//! [`parse`] reads the notation that `crates/protocol/schemas/README.md` describes into a [`model`]; `emit` and its
//! neighbours turn that into one Rust file per schema file; this module reads and writes the files. With `--check`
//! nothing is written, and a difference is an error.

mod emit;
mod emit_errors;
mod emit_read;
mod emit_root;
mod emit_tell;
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

/// A crate with schemas.
#[derive(Clone, Copy)]
enum Home {
    /// Requests and responses.
    Protocol,
    /// Persisted records.
    Wire,
}

impl Home {
    const fn crate_name(self) -> &'static str {
        match self {
            Self::Protocol => "protocol",
            Self::Wire => "wire",
        }
    }

    fn folder(self) -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(self.crate_name())
    }
}

/// Runs the command with the words behind `codegen`.
pub fn run(arguments: &[String]) -> Result<(), String> {
    let check = match arguments {
        [] => false,
        [flag] if flag == "--check" => true,
        _ => return Err("usage: cargo xtask codegen [--check]".to_owned()),
    };
    for home in [Home::Protocol, Home::Wire] {
        let target = home.folder().join("src/generated");
        let files = generate(home, &read_schemas(&home.folder().join("schemas"))?)?;
        if check { compare(home, &target, &files)? } else { write(&target, &files)? }
    }
    Ok(())
}

/// Reads every schema of a directory and of the folders in it, in the order of their names.
pub fn read_schemas(directory: &Path) -> Result<Vec<SchemaFile>, String> {
    let mut paths = files_below(directory)?;
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "api" || extension == "record"));
    let read = |path: &PathBuf| {
        let full = directory.join(path);
        let text = fs::read_to_string(&full).map_err(|e| format!("{}: {e}", full.display()))?;
        let module = path.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
        let folder = path.parent().and_then(Path::to_str).unwrap_or_default().to_owned();
        let schema = parse::parse(module, &text).map_err(|e| format!("{}:{e}", full.display()))?;
        Ok(SchemaFile { folder, ..schema })
    };
    paths.iter().map(read).collect()
}

/// The files of a directory and of the folders in it, as paths below it, in the order of their names.
fn files_below(directory: &Path) -> Result<Vec<PathBuf>, String> {
    let failed = |e: std::io::Error| format!("{}: {e}", directory.display());
    let mut files = Vec::new();
    for entry in fs::read_dir(directory).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let name = PathBuf::from(entry.file_name());
        if entry.file_type().map_err(failed)?.is_dir() {
            files.extend(files_below(&entry.path())?.into_iter().map(|inner| name.join(inner)));
        } else {
            files.push(name);
        }
    }
    files.sort();
    Ok(files)
}

/// A generated file: its path below the target directory and its text.
type Generated = (PathBuf, String);

fn generate(home: Home, schemas: &[SchemaFile]) -> Result<Vec<Generated>, String> {
    let root = match home {
        Home::Protocol => emit_root::apis(schemas),
        Home::Wire => emit_root::records(schemas),
    };
    let mut files = vec![(PathBuf::from("mod.rs"), root)];
    for schema in schemas {
        let path = Path::new(&schema.folder).join(format!("{}.rs", schema.module));
        files.push((path, emit::file(home, schema)));
    }
    files.into_iter().map(|(name, text)| Ok((name, rustfmt(&text)?))).collect()
}

fn write(target: &Path, files: &[Generated]) -> Result<(), String> {
    let failed = |e: std::io::Error| format!("{}: {e}", target.display());
    for stale in strangers(target, files)? {
        fs::remove_file(target.join(stale)).map_err(failed)?;
    }
    for (name, text) in files {
        let path = target.join(name);
        fs::create_dir_all(path.parent().unwrap_or(target)).map_err(failed)?;
        fs::write(path, text).map_err(failed)?;
    }
    Ok(())
}

fn compare(home: Home, target: &Path, files: &[Generated]) -> Result<(), String> {
    let mut wrong = strangers(target, files)?;
    let differs = |(name, text): &&Generated| fs::read_to_string(target.join(name)).ok().as_ref() != Some(text);
    wrong.extend(files.iter().filter(differs).map(|(name, _)| name.clone()));
    if wrong.is_empty() {
        return Ok(());
    }
    let wrong: Vec<String> = wrong.iter().map(|path| path.display().to_string()).collect();
    Err(format!(
        "not what the schemas say: {} (in crates/{}/src/generated); run `cargo xtask codegen`",
        wrong.join(", "),
        home.crate_name()
    ))
}

/// Files in the target directory that no schema asks for.
fn strangers(target: &Path, files: &[Generated]) -> Result<Vec<PathBuf>, String> {
    if !target.exists() {
        return Ok(Vec::new());
    }
    let mut found = files_below(target)?;
    found.retain(|path| files.iter().all(|(known, _)| known != path));
    Ok(found)
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
