//! The inner loops over batches: what a leader does with each that it is sent, and what conversions cost beside it.
//!
//! `cargo bench -p ottla-record --bench loops`; how loops are named, timed and counted is told in `ottla-loops`. The
//! floors stand beside: `crc` is the checksum alone, `decompress` and `compress` are the codec alone.

mod check;
mod convert;

use std::process::ExitCode;

use bytes::Bytes;
use ottla_loops::Loops;
use ottla_record::{BatchBuilder, BatchOptions, Codec, Compressor, Limits, Rules, TimestampRule};
use ottla_types::Timestamp;

const NOW: Timestamp = Timestamp(1_700_000_000_000);
const LIMITS: Limits = Limits { batch_bytes_max: 4 << 20, records_bytes_max: 100 << 20 };
const RULES: Rules = Rules {
    timestamps: TimestampRule::CreateTime { now: NOW, before_max_ms: i64::MAX, after_max_ms: 3_600_000 },
    compacted: false,
};

fn main() -> ExitCode {
    let mut loops = Loops::default();
    check::add(&mut loops);
    convert::add(&mut loops);
    loops.main()
}

/// Some of the sizes that batches and records have.
#[derive(Clone, Copy)]
struct Shape {
    name: &'static str,
    batch_bytes: usize,
    value_bytes: usize,
}

impl Shape {
    /// The Java producer's `batch.size` and about the largest batch that a broker takes, full of small or of larger records.
    const ALL: [Self; 4] = [
        Self { name: "16 KiB of 100 B", batch_bytes: 16 << 10, value_bytes: 100 },
        Self { name: "16 KiB of 1 KB", batch_bytes: 16 << 10, value_bytes: 1000 },
        Self { name: "1 MiB of 100 B", batch_bytes: 1 << 20, value_bytes: 100 },
        Self { name: "1 MiB of 1 KB", batch_bytes: 1 << 20, value_bytes: 1000 },
    ];
    /// What conversions are tried on.
    const MIB_OF_100: Self = Self::ALL[2];

    /// Values that come to `batch_bytes` with what a record adds: half text that repeats and half noise.
    fn values(self) -> impl Iterator<Item = (Timestamp, Vec<u8>)> {
        let mut noise = 0x9e37_79b9_7f4a_7c15u64;
        let mut time = NOW;
        let count = self.batch_bytes / (self.value_bytes + 12);
        (0..count).map(move |_| {
            let mut value = vec![0; self.value_bytes];
            for (index, byte) in value.iter_mut().enumerate() {
                noise ^= noise << 13;
                noise ^= noise >> 7;
                noise ^= noise << 17;
                *byte = if index / 16 % 2 == 0 { b"{\"user\":\"name\", "[index % 16] } else { noise as u8 };
            }
            time.0 += i64::from(noise.is_multiple_of(8));
            (time, value)
        })
    }

    /// A batch of these values, and how many there are.
    fn batch(self, codec: Codec) -> (Bytes, usize) {
        let builder = self.builder(codec);
        let count = builder.record_count() as usize;
        (builder.build(&mut Compressor::default()).expect("there are records"), count)
    }

    fn builder(self, codec: Codec) -> BatchBuilder {
        let mut builder = BatchBuilder::new(BatchOptions { codec, ..BatchOptions::default() });
        for (time, value) in self.values() {
            builder.append(time, None, Some(&value), &[]).expect("far below 2 GiB");
        }
        builder
    }
}
