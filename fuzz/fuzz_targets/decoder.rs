//! One decoder, which `OTTLA_DECODER` in the environment names, against the bytes that libFuzzer chooses. The decoders
//! are in `crates/decoders`; CONTRIBUTING.md says how this is run.

#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use ottla_decoders::{Decoder, find};

static DECODER: LazyLock<Decoder> = LazyLock::new(|| {
    let name = std::env::var("OTTLA_DECODER").expect("OTTLA_DECODER names the decoder");
    find(&name).expect("OTTLA_DECODER is one of those that `decoders list` names")
});

fuzz_target!(|bytes: &[u8]| (DECODER.run)(bytes));
