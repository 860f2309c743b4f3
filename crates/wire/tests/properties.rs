//! Every word of the writer is read back by the reader's, in every form; and no bytes whatever make the reader panic
//! or read beyond its end.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use ottla_types::Uuid;
use ottla_wire::{DecodeError, DecodeErrorKind, EncodeError, Form, Reader, Writer, codec};
use ottla_wire::{unsigned_varint_size, unsigned_varlong_size, varint_size, varlong_size};
use proptest::prelude::*;
use proptest::test_runner::RngSeed;

const FORMS: [Form; 2] = [Form::Plain, Form::Compact];

fn written(write: impl FnOnce(&mut Writer)) -> Vec<u8> {
    let mut w = Writer::new();
    write(&mut w);
    w.into_vec()
}

/// Reads with `read` and demands that nothing is left.
fn read<'a, T>(bytes: &'a [u8], read: impl FnOnce(&mut Reader<'a>) -> Result<T, DecodeError>) -> T {
    let mut r = Reader::new(bytes);
    let value = read(&mut r).unwrap();
    assert_eq!(r.position(), bytes.len());
    r.finish().unwrap();
    value
}

/// Calls every word of the reader on the same bytes. Positions never leave the bytes and never go back.
fn use_every_word(bytes: &[u8]) {
    type Word = fn(&mut Reader<'_>) -> Result<(), DecodeError>;
    let words: [Word; 23] = [
        |r| r.i8().map(drop),
        |r| r.i16().map(drop),
        |r| r.i32().map(drop),
        |r| r.i64().map(drop),
        |r| r.u16().map(drop),
        |r| r.u32().map(drop),
        |r| r.f64().map(drop),
        |r| r.bool().map(drop),
        |r| r.uuid().map(drop),
        |r| r.unsigned_varint().map(drop),
        |r| r.unsigned_varlong().map(drop),
        |r| r.varint().map(drop),
        |r| r.varlong().map(drop),
        |r| r.string(Form::Plain).map(drop),
        |r| r.nullable_string(Form::Compact).map(drop),
        |r| r.text(Form::Plain).map(drop),
        |r| r.bytes(Form::Compact).map(drop),
        |r| r.nullable_bytes(Form::Plain).map(drop),
        |r| r.array_length(Form::Plain, 3).map(drop),
        |r| r.nullable_array_length(Form::Compact, 0).map(drop),
        |r| r.skip_tagged_fields(),
        |r| r.slice(usize::MAX).map(drop),
        |r| r.sub_reader(3).map(drop),
    ];
    for start in 0..=bytes.len() {
        for word in words {
            let mut r = Reader::new(bytes);
            r.slice(start).unwrap();
            match word(&mut r) {
                Ok(()) => assert!(r.position() >= start && r.position() <= bytes.len()),
                Err(e) => assert!(e.position >= start && e.position <= bytes.len(), "{e}"),
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, rng_seed: RngSeed::Fixed(1), ..ProptestConfig::default() })]

    #[test]
    fn numbers_read_back(a: i8, b: i16, c: i32, d: i64, e: u16, f: u32, g: bool, h: [u8; 16]) {
        let bytes = written(|w| {
            w.i8(a); w.i16(b); w.i32(c); w.i64(d); w.u16(e); w.u32(f); w.bool(g); w.uuid(Uuid(h)); w.f64(d as f64);
        });
        let back = read(&bytes, |r| {
            let numbers = (r.i8()?, r.i16()?, r.i32()?, r.i64()?, r.u16()?, r.u32()?, r.bool()?, r.uuid()?);
            Ok((numbers, r.f64()?))
        });
        prop_assert_eq!(back, ((a, b, c, d, e, f, g, Uuid(h)), d as f64));
    }

    #[test]
    fn varints_read_back_and_know_their_size(value: u64, bits in 0u32..64) {
        let long = value >> bits;
        let short = long as u32;
        let bytes = written(|w| w.unsigned_varint(short));
        prop_assert_eq!((read(&bytes, Reader::unsigned_varint), bytes.len()), (short, unsigned_varint_size(short)));
        let bytes = written(|w| w.unsigned_varlong(long));
        prop_assert_eq!((read(&bytes, Reader::unsigned_varlong), bytes.len()), (long, unsigned_varlong_size(long)));
        let bytes = written(|w| w.varint(short as i32));
        prop_assert_eq!((read(&bytes, Reader::varint), bytes.len()), (short as i32, varint_size(short as i32)));
        let bytes = written(|w| w.varlong(long as i64));
        prop_assert_eq!((read(&bytes, Reader::varlong), bytes.len()), (long as i64, varlong_size(long as i64)));
    }

    #[test]
    fn strings_and_bytes_read_back(text: Option<String>, data: Option<Vec<u8>>) {
        for form in FORMS {
            let bytes = written(|w| {
                w.nullable_string(form, text.as_deref()).unwrap();
                w.nullable_bytes(form, data.as_deref()).unwrap();
            });
            let back = read(&bytes, |r| Ok((r.nullable_string(form)?, r.nullable_bytes(form)?)));
            prop_assert_eq!(back, (text.as_deref(), data.as_deref()));
        }
    }

    #[test]
    fn tagged_fields_read_back(fields: Vec<(u32, Vec<u8>)>) {
        let bytes = written(|w| {
            let mut tags = w.tagged_fields();
            for (tag, content) in &fields {
                tags.field(*tag, |w| { w.slice(content); Ok(()) }).unwrap();
            }
        });
        let back = read(&bytes, |r| {
            let mut back = Vec::new();
            let mut tags = r.tagged_fields()?;
            while let Some((tag, content)) = tags.next_field()? {
                back.push((tag, content.rest().to_vec()));
            }
            Ok(back)
        });
        prop_assert_eq!(back, fields);
        read(&bytes, Reader::skip_tagged_fields);
    }

    #[test]
    fn random_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
        use_every_word(&bytes);
    }

    #[test]
    fn random_small_bytes_never_panic(bytes in prop::collection::vec(0u8..8, 0..64)) {
        use_every_word(&bytes);
    }
}

fn kind<T>(result: Result<T, DecodeError>) -> DecodeErrorKind {
    result.map(drop).unwrap_err().kind
}

#[test]
fn over_long_varints_are_refused() {
    use DecodeErrorKind::{Truncated, VarintTooLong};
    let unsigned = |bytes: &[u8]| Reader::new(bytes).unsigned_varint();
    assert_eq!(unsigned(&[0xff, 0xff, 0xff, 0xff, 0x0f]), Ok(u32::MAX));
    assert_eq!(kind(unsigned(&[0xff, 0xff, 0xff, 0xff, 0x1f])), VarintTooLong);
    assert_eq!(kind(unsigned(&[0x80, 0x80, 0x80, 0x80, 0x80, 0x01])), VarintTooLong);
    assert_eq!(kind(unsigned(&[0x80, 0x80])), Truncated { needed: 3, remaining: 2 });
    // Zeros in front are how some clients fill in a length afterwards; Kafka takes them.
    assert_eq!(unsigned(&[0x83, 0x80, 0x80, 0x80, 0x00]), Ok(3));
    let long = |bytes: &[u8]| Reader::new(bytes).unsigned_varlong();
    assert_eq!(long(&[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01]), Ok(u64::MAX));
    assert_eq!(kind(long(&[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x02])), VarintTooLong);
    assert_eq!(kind(long(&[0x80; 11])), VarintTooLong);
}

#[test]
fn zigzag_is_kafkas() {
    for (value, byte) in [(0, 0), (-1, 1), (1, 2), (-2, 3), (63, 126), (-64, 127)] {
        assert_eq!(written(|w| w.varint(value)), [byte]);
        assert_eq!(written(|w| w.varlong(i64::from(value))), [byte]);
    }
    assert_eq!(written(|w| w.varint(i32::MIN)), [0xff, 0xff, 0xff, 0xff, 0x0f]);
}

#[test]
fn arrays_that_cannot_fit_are_refused_before_anyone_allocates() {
    let mut r = Reader::new(&[0, 0, 0, 3, 1, 2, 3, 4, 5]);
    assert_eq!(r.clone().array_length(Form::Plain, 1), Ok(3));
    let refused = r.array_length(Form::Plain, 2).unwrap_err();
    assert_eq!(refused, DecodeError { position: 0, kind: DecodeErrorKind::TooManyElements { count: 3, remaining: 5 } });
    assert_eq!(refused.to_string(), "at byte 0: an array of 3 elements cannot fit into the 5 bytes left");
    let huge = [0xff, 0xff, 0xff, 0xff, 0x07];
    assert!(matches!(
        kind(Reader::new(&huge).array_length(Form::Compact, usize::MAX)),
        DecodeErrorKind::TooManyElements { .. }
    ));
}

#[test]
fn lengths_below_null_are_null_in_both_forms() {
    assert_eq!(Reader::new(&[0xff, 0xfe]).nullable_string(Form::Plain), Ok(None));
    assert_eq!(Reader::new(&[0x80, 0, 0, 0]).nullable_bytes(Form::Plain), Ok(None));
    assert_eq!(Reader::new(&[0xff, 0xff, 0xff, 0xfe]).nullable_array_length(Form::Plain, 1), Ok(None));
    assert_eq!(kind(Reader::new(&[0xff, 0xfe]).string(Form::Plain)), DecodeErrorKind::UnexpectedNull);
    let beyond = [0xff, 0xff, 0xff, 0xff, 0x0f];
    assert_eq!(Reader::new(&beyond).nullable_bytes(Form::Compact), Ok(None));
    assert_eq!(kind(Reader::new(&beyond).bytes(Form::Compact)), DecodeErrorKind::UnexpectedNull);
}

#[test]
fn null_is_refused_where_a_value_must_be() {
    assert_eq!(kind(Reader::new(&[0]).string(Form::Compact)), DecodeErrorKind::UnexpectedNull);
    assert_eq!(kind(Reader::new(&[0xff, 0xff]).string(Form::Plain)), DecodeErrorKind::UnexpectedNull);
    assert_eq!(kind(Reader::new(&[0xff; 4]).array_length(Form::Plain, 1)), DecodeErrorKind::UnexpectedNull);
}

#[test]
fn strings_are_utf8_and_bounded() {
    let refused = Reader::new(&[3, 0xff, 0xff]).string(Form::Compact).unwrap_err();
    assert_eq!(refused, DecodeError { position: 1, kind: DecodeErrorKind::NotUtf8 });
    assert_eq!(read(&[3, b'a', 0xff], |r| r.nullable_text(Form::Compact)).as_deref(), Some("a\u{fffd}"));
    assert_eq!(read(&[0, 2, 0xc3, 0xa4], |r| codec::read_string(r, Form::Plain)), "\u{e4}");
    assert_eq!(read(&[0, 1, 0xc3], |r| codec::read_string(r, Form::Plain)), "\u{fffd}");
    let longest = "x".repeat(32_767);
    for form in FORMS {
        let bytes = written(|w| w.string(form, &longest).unwrap());
        assert_eq!(read(&bytes, |r| r.string(form)), longest);
        let refused = Writer::new().string(form, &"x".repeat(32_768));
        assert_eq!(refused, Err(EncodeError::TooLong { length: 32_768 }));
    }
    let mut too_long = written(|w| w.unsigned_varint(32_769));
    too_long.resize(40_000, b'x');
    assert_eq!(kind(Reader::new(&too_long).string(Form::Compact)), DecodeErrorKind::InvalidLength(32_768));
}

#[test]
fn positions_count_on_in_sub_readers() {
    let mut r = Reader::new(&[1, 2, 3, 4]);
    r.i8().unwrap();
    let mut sub = r.sub_reader(2).unwrap();
    assert_eq!((sub.position(), sub.remaining(), r.position()), (1, 2, 3));
    assert_eq!(sub.i32().unwrap_err().position, 1);
    assert_eq!(kind(sub.finish()), DecodeErrorKind::TrailingBytes(2));
}

#[test]
fn lengths_are_filled_in_behind_what_they_measure() {
    let bytes = written(|w| {
        w.i8(9);
        let mark = w.reserve_i32();
        w.i16(5);
        w.fill_length(mark, 10).unwrap();
    });
    assert_eq!(bytes, [9, 0, 0, 0, 12, 0, 5]);
}

#[test]
fn a_frame_beyond_31_bits_is_refused() {
    let mut w = Writer::new();
    let mark = w.reserve_i32();
    assert_eq!(w.fill_length(mark, 1 << 31), Err(EncodeError::TooLong { length: 1 << 31 }));
}
