//! Every decoder against some thousands of inputs, the same ones every time. `cargo xtask fuzz` does it for longer.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeSet;
use std::panic::{self, AssertUnwindSafe};

use ottla_decoders::inputs::inputs;
use ottla_decoders::{Decoder, all};

/// Runs one decoder on its inputs; the panic names it and the input.
fn run(decoder: &Decoder, count: usize) {
    for bytes in inputs((decoder.seeds)(), count, decoder.input_bytes_max) {
        let outcome = panic::catch_unwind(AssertUnwindSafe(|| (decoder.run)(&bytes)));
        assert!(outcome.is_ok(), "{} does not stand {}", decoder.name, bytes.escape_ascii());
    }
}

fn is_message(decoder: &Decoder) -> bool {
    decoder.name.starts_with(char::is_uppercase)
}

fn is_of_many_parts(decoder: &Decoder) -> bool {
    ["log-", "batch-", "kraft-"].iter().any(|start| decoder.name.starts_with(start))
}

#[test]
fn requests_responses_and_records_stand_any_bytes() {
    all().iter().filter(|decoder| is_message(decoder)).for_each(|decoder| run(decoder, 5000));
}

#[test]
fn files_texts_and_codecs_stand_any_bytes() {
    let others = all().into_iter().filter(|decoder| !is_message(decoder) && !is_of_many_parts(decoder));
    others.for_each(|decoder| run(&decoder, 5000));
}

#[test]
fn batches_stand_any_bytes() {
    all().iter().filter(|decoder| decoder.name.starts_with("batch-")).for_each(|decoder| run(decoder, 5000));
}

#[test]
fn logs_stand_any_bytes() {
    let logs = all().into_iter().filter(|decoder| ["log-", "kraft-"].iter().any(|s| decoder.name.starts_with(s)));
    logs.for_each(|decoder| run(&decoder, 5000));
}

#[test]
fn every_decoder_has_a_name_of_its_own_and_seeds() {
    let all = all();
    let names: BTreeSet<_> = all.iter().map(|decoder| decoder.name).collect();
    assert_eq!(names.len(), all.len());
    for decoder in &all {
        assert!(!(decoder.seeds)().is_empty(), "{} has no seed", decoder.name);
        assert!(decoder.name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-'), "{}", decoder.name);
    }
}
