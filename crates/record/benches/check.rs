//! What it costs to check a batch of 1 MB (or 16 KB, the Java producer's default), by size of record and by codec.
//!
//! The CRC alone is measured beside it, for it is the floor. `cargo bench -p ottla-record`.

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use ottla_record::{
    BatchBuilder, BatchOptions, Codec, Compressor, Limits, RecordBatch, Rules, Scratch, TimestampRule, check_batch,
};
use ottla_types::Timestamp;

const NOW: Timestamp = Timestamp(1_700_000_000_000);

/// A batch of about `bytes` bytes when uncompressed, whose values are half text that repeats and half noise.
fn batch(codec: Codec, bytes: usize, value_bytes: usize) -> (Vec<u8>, u64) {
    let mut builder = BatchBuilder::new(BatchOptions { codec, ..BatchOptions::default() });
    let mut noise = 0x9e37_79b9_7f4a_7c15u64;
    let mut value = vec![0u8; value_bytes];
    let mut time = NOW.0;
    while builder.size_in_bytes() + value_bytes + 20 < bytes {
        for (index, byte) in value.iter_mut().enumerate() {
            noise ^= noise << 13;
            noise ^= noise >> 7;
            noise ^= noise << 17;
            *byte = if index / 16 % 2 == 0 { b"{\"user\":\"name\", "[index % 16] } else { noise as u8 };
        }
        time += i64::from(noise.is_multiple_of(8));
        builder.append(Timestamp(time), None, Some(&value), &[]).expect("far below 2 GiB");
    }
    let records = builder.record_count() as u64;
    let built = builder.build(&mut Compressor::default()).expect("there are records");
    (built.to_vec(), records)
}

fn check(c: &mut Criterion) {
    let limits = Limits { batch_bytes_max: 2 << 20, ..Limits::default() };
    let timestamps = TimestampRule::CreateTime { now: NOW, before_max_ms: i64::MAX, after_max_ms: 3_600_000 };
    let rules = Rules { timestamps, compacted: false };
    let mut scratch = Scratch::default();
    for (codec, bytes, value_bytes) in [
        (Codec::None, 1 << 20, 100),
        (Codec::None, 1 << 20, 1000),
        (Codec::Lz4, 1 << 20, 100),
        (Codec::Lz4, 16 << 10, 100),
        (Codec::Zstd, 1 << 20, 100),
        (Codec::Zstd, 16 << 10, 100),
        (Codec::Snappy, 1 << 20, 100),
        (Codec::Gzip, 1 << 20, 100),
    ] {
        let (built, records) = batch(codec, bytes, value_bytes);
        let name = format!("{}, {} KiB of {value_bytes}-byte records", codec.name(), bytes >> 10);
        let mut group = c.benchmark_group(name);
        group.throughput(Throughput::Elements(records));
        group.bench_function("check", |b| {
            b.iter(|| check_batch(&built, &limits, &rules, &mut scratch).expect("a good batch"));
        });
        group.bench_function("crc alone", |b| {
            b.iter(|| RecordBatch::parse(&built).and_then(|batch| batch.check_crc()).expect("a good batch"));
        });
        group.finish();
    }
}

criterion_group! {
    name = benches;
    config = Criterion::default()
        .warm_up_time(std::time::Duration::from_millis(300))
        .measurement_time(std::time::Duration::from_secs(1))
        .sample_size(30);
    targets = check
}
criterion_main!(benches);
