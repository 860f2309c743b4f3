//! The check that every batch goes through, by codec, size and size of records; and what of it is the codec's.

use ottla_loops::{Loops, Prepared};
use ottla_record::{BatchHeader, Codec, RecordBatch, Scratch, check_batch};

use super::{LIMITS, RULES, Shape};

pub(super) fn add(loops: &mut Loops) {
    for codec in [Codec::None, Codec::Lz4, Codec::Zstd, Codec::Snappy, Codec::Gzip] {
        for shape in Shape::ALL {
            loops.add(format!("check {}, {}", codec.name(), shape.name), move || {
                let ((batch, records), mut scratch) = (shape.batch(codec), Scratch::default());
                Prepared::new(records, move || {
                    check_batch(&batch, &LIMITS, &RULES, &mut scratch).expect("a good batch").records_bytes
                })
            });
        }
    }
    loops.add("crc, 1 MiB", || {
        let (batch, _) = Shape::MIB_OF_100.batch(Codec::None);
        Prepared::new(1, move || RecordBatch::parse(&batch).expect("a good batch").check_crc())
    });
    for codec in [Codec::Lz4, Codec::Zstd, Codec::Snappy, Codec::Gzip] {
        for shape in [Shape::ALL[2], Shape::ALL[3]] {
            loops.add(format!("decompress {}, {}", codec.name(), shape.name), move || {
                let ((batch, records), mut scratch) = (shape.batch(codec), Scratch::default());
                Prepared::new(records, move || {
                    let batch = RecordBatch::parse(&batch).expect("a good batch");
                    batch.records(&mut scratch, LIMITS.records_bytes_max).is_ok()
                })
            });
        }
    }
    loops.add("read none, 1 MiB of 100 B", || {
        let ((batch, records), mut scratch) = (Shape::MIB_OF_100.batch(Codec::None), Scratch::default());
        Prepared::new(records, move || {
            let batch = RecordBatch::parse(&batch).expect("a good batch");
            let records = batch.records(&mut scratch, LIMITS.records_bytes_max).expect("a good batch");
            records.map(|record| record.expect("a good record").value.map_or(0, <[u8]>::len)).sum::<usize>()
        })
    });
    loops.add("header, parsed and written", || {
        let (batch, _) = Shape::MIB_OF_100.batch(Codec::None);
        Prepared::new(1, move || BatchHeader::parse(&batch).expect("a good batch").to_bytes())
    });
}
