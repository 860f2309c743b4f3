//! What a conversion costs beside the check that every batch goes through: 1 MB of 100-byte records, by codec.
//!
//! The figure to look at is the ratio to `check`. `cargo bench -p ottla-record --bench convert`.

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use ottla_record::{
    BatchBuilder, BatchOptions, Codec, Compressor, DownConverter, Limits, MessageSetBuilder, OldMagic, Packing,
    RecordBatch, Rules, Scratch, TimestampRule, check_and_recompress, check_batch, convert_up,
};
use ottla_types::{Offset, Timestamp};

const NOW: Timestamp = Timestamp(1_700_000_000_000);
const VALUE: &[u8; 100] =
    b"{\"user\":\"name\",\"line\":1234567890,\"more\":\"text that is like other text and not quite the same, all!\"}";
const RECORDS: i64 = 9000;

fn convert(c: &mut Criterion) {
    let limits = Limits { batch_bytes_max: 4 << 20, ..Limits::default() };
    let timestamps = TimestampRule::CreateTime { now: NOW, before_max_ms: i64::MAX, after_max_ms: i64::MAX };
    let rules = Rules { timestamps, compacted: false };
    let (mut scratch, mut compressor) = (Scratch::default(), Compressor::default());
    for codec in [Codec::None, Codec::Gzip, Codec::Snappy, Codec::Lz4] {
        let packing = Packing { codec, level: None };
        let mut batch = BatchBuilder::new(BatchOptions { codec, ..BatchOptions::default() });
        let mut set = MessageSetBuilder::new(OldMagic::V1, packing, None).expect("not zstd");
        for offset in 0..RECORDS {
            let (time, key) = (Timestamp(NOW.0 + offset), offset.to_be_bytes());
            batch.append(time, Some(&key), Some(VALUE), &[]).expect("small");
            set.append(Offset(offset), time, Some(&key), Some(VALUE)).expect("small");
        }
        let batch = batch.build(&mut compressor).expect("there are records");
        let mut old = Vec::new();
        set.build(&mut compressor, &mut old).expect("small");

        let mut group = c.benchmark_group(codec.name());
        group.throughput(Throughput::Elements(RECORDS as u64));
        group.bench_function("check", |b| {
            b.iter(|| check_batch(&batch, &limits, &rules, &mut scratch).expect("a good batch"));
        });
        group.bench_function("up", |b| {
            b.iter(|| convert_up(&old, &limits, &rules, packing, &mut scratch, &mut compressor).expect("a good set"));
        });
        group.bench_function("down", |b| {
            let batch = RecordBatch::parse(&batch).expect("a good batch");
            let mut converter = DownConverter::new(OldMagic::V1, Offset(0), 4 << 20);
            b.iter(|| {
                let mut out = Vec::new();
                converter.convert(&batch, &mut out).expect("a good batch");
                out
            });
        });
        let zstd = Packing { codec: Codec::Zstd, level: None };
        group.bench_function("to zstd", |b| {
            b.iter(|| check_and_recompress(&batch, &limits, &rules, zstd, &mut scratch, &mut compressor));
        });
        group.finish();
    }
}

criterion_group! {
    name = benches;
    config = Criterion::default()
        .warm_up_time(std::time::Duration::from_millis(200))
        .measurement_time(std::time::Duration::from_millis(600))
        .sample_size(15);
    targets = convert
}
criterion_main!(benches);
