//! `server.properties`, as text that nobody meant.

#![no_main]

use libfuzzer_sys::fuzz_target;
use ottla_config::BrokerConfig;

fuzz_target!(|text: &str| {
    if let Err(problems) = BrokerConfig::from_layers(Some(text), &[]) {
        std::hint::black_box(problems.to_string());
    }
});
