//! Message sets of magic 0 and 1 as old producers send them, and as none should.

use bytes::Bytes;
use ottla_record::{Codec, Compressor, MessageSetBuilder, OldMagic, Packing};
use ottla_types::{Offset, Timestamp};

use super::Recipe;

/// The set of a recipe, with something wrong unless `what` is empty: `crc`, `cut`, `length`, `append-time`, `codec`,
/// `mixed`; and with a wrapper of gzip around it `inner-crc`, `inner-magic`, `nested`, `empty`, `null`, `offset`.
pub(crate) fn message_set(magic: OldMagic, recipe: &Recipe, what: &str) -> Bytes {
    let plain = |magic| set(magic, Codec::None, recipe);
    let mut bytes = set(magic, recipe.options.codec, recipe);
    match what {
        "" => return bytes.into(),
        "crc" => {
            let last = bytes.len() - 1;
            bytes[last] ^= 1;
            return bytes.into();
        }
        "cut" => {
            bytes.truncate(bytes.len() - 1);
            return bytes.into();
        }
        "length" => bytes[8..12].copy_from_slice(&13i32.to_be_bytes()),
        "append-time" => bytes[17] |= 8,
        "codec" => bytes[17] |= 7,
        "zstd" => bytes[17] |= 4,
        "mixed" => {
            let other = if magic == OldMagic::V0 { OldMagic::V1 } else { OldMagic::V0 };
            return [bytes, plain(other)].concat().into();
        }
        "inner-crc" => {
            let mut content = plain(magic);
            let last = content.len() - 1;
            content[last] ^= 1;
            return wrapper(magic, 0, Some(&content));
        }
        "inner-magic" => {
            let other = if magic == OldMagic::V0 { OldMagic::V1 } else { OldMagic::V0 };
            return wrapper(magic, 0, Some(&plain(other)));
        }
        "nested" => {
            let inner = wrapper(magic, 0, Some(&plain(magic)));
            return wrapper(magic, 0, Some(&inner));
        }
        "empty" => return wrapper(magic, 0, Some(&[])),
        "null" => return wrapper(magic, 0, None),
        "offset" => {
            let mut content = plain(magic);
            content[7] = 9;
            return wrapper(magic, 1, Some(&content));
        }
        _ => panic!("no way to break a message set is called {what}"),
    }
    seal(&mut bytes);
    bytes.into()
}

fn set(magic: OldMagic, codec: Codec, recipe: &Recipe) -> Vec<u8> {
    let packing = Packing { codec, level: None };
    let mut builder = MessageSetBuilder::new(magic, packing, None).expect("not zstd");
    for ((key, value), index) in recipe.records.iter().zip(0..) {
        let bytes = |text: &Option<String>| text.as_ref().map(|text| text.clone().into_bytes());
        let time = recipe.time_of(index);
        let index = i64::try_from(index).expect("few records");
        builder.append(Offset(index), time, bytes(key).as_deref(), bytes(value).as_deref()).expect("small");
    }
    let mut out = Vec::new();
    builder.build(&mut Compressor::default(), &mut out).expect("small");
    out
}

/// A message that says that `content` is compressed with gzip, as it then is.
fn wrapper(magic: OldMagic, offset: i64, content: Option<&[u8]>) -> Bytes {
    use std::io::Write;
    let value = content.map(|content| {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        encoder.write_all(content).expect("into memory");
        encoder.finish().expect("into memory")
    });
    let mut builder = MessageSetBuilder::new(magic, Packing::default(), None).expect("not zstd");
    builder.append(Offset(offset), Timestamp::NONE, None, value.as_deref()).expect("small");
    let mut bytes = Vec::new();
    builder.build(&mut Compressor::default(), &mut bytes).expect("small");
    bytes[17] = 1;
    seal(&mut bytes);
    bytes.into()
}

/// Makes the CRC right again.
fn seal(bytes: &mut [u8]) {
    let mut crc = flate2::Crc::new();
    crc.update(&bytes[16..]);
    bytes[12..16].copy_from_slice(&crc.sum().to_be_bytes());
}
