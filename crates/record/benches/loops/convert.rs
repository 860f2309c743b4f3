//! Conversions: to and from magic 1 for old clients, and into the codec of the topic.
//!
//! The figure to look at is that beside `check`, `decompress` and `compress`: what a conversion adds to them.

use ottla_loops::{Loops, Prepared};
use ottla_record::{
    Codec, Compressor, DownConverter, MessageSetBuilder, OldMagic, Packing, RecordBatch, Scratch, check_and_recompress,
    convert_up,
};
use ottla_types::Offset;

use super::{LIMITS, RULES, Shape};

const SHAPE: Shape = Shape::MIB_OF_100;

pub(super) fn add(loops: &mut Loops) {
    for codec in [Codec::None, Codec::Lz4, Codec::Snappy, Codec::Gzip] {
        let packing = Packing { codec, level: None };
        loops.add(format!("up {}, {}", codec.name(), SHAPE.name), move || up(packing));
        loops.add(format!("down {}, {}", codec.name(), SHAPE.name), move || down(codec));
    }
    for codec in [Codec::Lz4, Codec::Zstd, Codec::Snappy, Codec::Gzip] {
        loops.add(format!("compress {}, {}", codec.name(), SHAPE.name), move || {
            let (builder, mut compressor) = (SHAPE.builder(codec), Compressor::default());
            Prepared::new(builder.record_count() as usize, move || {
                builder.clone().build(&mut compressor).expect("there are records").len()
            })
        });
    }
    for (from, to) in [(Codec::None, Codec::Lz4), (Codec::None, Codec::Zstd), (Codec::Lz4, Codec::Zstd)] {
        loops.add(format!("recompress {} to {}, {}", from.name(), to.name(), SHAPE.name), move || recompress(from, to));
    }
}

fn up(packing: Packing) -> Prepared {
    let mut set = MessageSetBuilder::new(OldMagic::V1, packing, None).expect("not zstd");
    let mut records = 0;
    for (time, value) in SHAPE.values() {
        set.append(Offset(records), time, None, Some(&value)).expect("small");
        records += 1;
    }
    let (mut scratch, mut compressor, mut old) = (Scratch::default(), Compressor::default(), Vec::new());
    set.build(&mut compressor, &mut old).expect("small");
    Prepared::new(records as usize, move || {
        convert_up(&old, &LIMITS, &RULES, packing, &mut scratch, &mut compressor, &mut Vec::with_capacity)
            .expect("a good set")
            .bytes
            .len()
    })
}

fn down(codec: Codec) -> Prepared {
    let (batch, records) = SHAPE.batch(codec);
    let mut converter = DownConverter::new(OldMagic::V1, Offset(0), LIMITS.records_bytes_max);
    Prepared::new(records, move || {
        let mut out = Vec::new();
        let batch = RecordBatch::parse(&batch).expect("a good batch");
        converter.convert(&batch, &mut out).expect("a good batch");
        out.len()
    })
}

fn recompress(from: Codec, to: Codec) -> Prepared {
    let (batch, records) = SHAPE.batch(from);
    let (mut scratch, mut compressor) = (Scratch::default(), Compressor::default());
    let packing = Packing { codec: to, level: None };
    Prepared::new(records, move || {
        let converted = check_and_recompress(
            &batch,
            &LIMITS,
            &RULES,
            packing,
            &mut scratch,
            &mut compressor,
            &mut Vec::with_capacity,
        );
        converted.expect("a good batch").bytes.len()
    })
}
