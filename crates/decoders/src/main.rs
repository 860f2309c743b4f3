//! `decoders list | seeds NAME FOLDER | run NAME FILE...`: what the fuzzer wants to know, and an input tried again
//! without it.

use std::process::ExitCode;
use std::{env, fs};

use ottla_decoders::{Decoder, all, find};

fn main() -> ExitCode {
    let words: Vec<String> = env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match carry_out(&words) {
        Ok(()) => ExitCode::SUCCESS,
        Err(what) => {
            say(&what);
            ExitCode::FAILURE
        }
    }
}

fn carry_out(words: &[&str]) -> Result<(), String> {
    match words {
        ["list"] => {
            for decoder in all() {
                say(&format!("{} {} {}", decoder.name, decoder.input_bytes_max, decoder.allocation_mib_max));
            }
            Ok(())
        }
        ["seeds", name, folder] => write_seeds(&known(name)?, folder),
        ["run", name, files @ ..] => {
            let decoder = known(name)?;
            for file in files {
                (decoder.run)(&fs::read(file).map_err(|error| format!("{file}: {error}"))?);
                say(&format!("{file}: fine"));
            }
            Ok(())
        }
        _ => Err("usage: decoders list | seeds NAME FOLDER | run NAME FILE...".to_owned()),
    }
}

fn known(name: &str) -> Result<Decoder, String> {
    find(name).ok_or_else(|| format!("there is no decoder {name}; `decoders list` names all"))
}

fn write_seeds(decoder: &Decoder, folder: &str) -> Result<(), String> {
    fs::create_dir_all(folder).map_err(|error| format!("{folder}: {error}"))?;
    for (number, seed) in (decoder.seeds)().into_iter().enumerate() {
        let path = format!("{folder}/seed-{number}");
        fs::write(&path, seed).map_err(|error| format!("{path}: {error}"))?;
    }
    Ok(())
}

#[expect(clippy::print_stdout, reason = "this is a program of the command line")]
fn say(line: &str) {
    println!("{line}");
}
