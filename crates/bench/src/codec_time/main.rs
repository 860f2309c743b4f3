//! `codec-time FROM TO`: the CPU seconds that two codecs alone take for a gigabyte of values, one to decompress it and the
//! other to compress it again. What a broker that has to do both is compared with.
//!
//! The records are those of the load generator with a codec: 1,000 bytes, half of each noise and half repeated, a thousand
//! to a batch. Building a batch is measured with the codec and without; the difference is the codec's.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a command speaks to the one who typed it")]

use std::process::ExitCode;

use ottla_record::{BATCH_HEADER_BYTES, BatchBuilder, BatchOptions, Codec, Compressor, decompress};
use ottla_types::Timestamp;
use rustix::time::{ClockId, clock_gettime};

const VALUE_BYTES: usize = 1000;
const RECORDS: usize = 1000;
/// Batches that are measured: a tenth of a gigabyte.
const BATCHES: u64 = 100;
/// More than a batch's records ever are.
const BYTES_MAX: usize = 4 << 20;

fn main() -> ExitCode {
    let names: Vec<String> = std::env::args().skip(1).collect();
    let codecs: Vec<Codec> =
        names.iter().filter_map(|name| Codec::ALL.into_iter().find(|c| c.name() == name)).collect();
    let [from, to] = codecs[..] else {
        eprintln!("usage: codec-time FROM TO, each of none, gzip, snappy, lz4, zstd");
        return ExitCode::FAILURE;
    };
    let bytes = BATCHES as f64 * (RECORDS * VALUE_BYTES) as f64;
    println!("{}", (unpacking(from) + packing(to) - packing(Codec::None)) / (bytes / 1e9));
    ExitCode::SUCCESS
}

/// Seconds to decompress all batches. The first is not counted: it takes memory anew.
fn unpacking(codec: Codec) -> f64 {
    let batch = builder(codec, 0).build(&mut Compressor::default()).expect("it has records");
    let records = &batch[BATCH_HEADER_BYTES..];
    let unpack = || decompress(codec, records, BYTES_MAX).expect("what was compressed here").len();
    unpack();
    let began = cpu_seconds();
    for _ in 0..BATCHES {
        std::hint::black_box(unpack());
    }
    cpu_seconds() - began
}

/// Seconds to build all batches from their records.
fn packing(codec: Codec) -> f64 {
    let mut compressor = Compressor::default();
    let mut seconds = 0.0;
    for seed in 0..=BATCHES {
        let builder = builder(codec, seed);
        let began = cpu_seconds();
        std::hint::black_box(builder.build(&mut compressor).expect("it has records"));
        if seed > 0 {
            seconds += cpu_seconds() - began;
        }
    }
    seconds
}

fn builder(codec: Codec, seed: u64) -> BatchBuilder {
    let mut builder = BatchBuilder::new(BatchOptions { codec, ..BatchOptions::default() });
    // xorshift: any noise will do that does not compress.
    let mut noise = seed * RECORDS as u64 + 88_172_645_463_325_252;
    for _ in 0..RECORDS {
        let mut value: Vec<u8> = (0..VALUE_BYTES).map(|at| b'a' + (at % 7) as u8).collect();
        for byte in &mut value[..VALUE_BYTES / 2] {
            noise ^= noise << 13;
            noise ^= noise >> 7;
            noise ^= noise << 17;
            *byte = noise as u8;
        }
        builder.append(Timestamp(1), None, Some(&value), &[]).expect("it is small");
    }
    builder
}

/// CPU seconds of this thread so far.
fn cpu_seconds() -> f64 {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_compress_about_two_to_one() {
        let size = |codec| builder(codec, 1).build(&mut Compressor::default()).expect("records").len();
        let share = size(Codec::Zstd) as f64 / size(Codec::None) as f64;
        assert!((0.4..0.65).contains(&share), "{share}");
    }
}
