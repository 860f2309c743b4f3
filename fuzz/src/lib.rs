//! What the targets share. `fuzz_targets/` has one target per family of decoders; CONTRIBUTING.md says how to run them.

use ottla_wire::{DecodeError, EncodeError, Reader, Writer};

/// One decoder of a family: its name, and what is tried with it.
pub struct Case {
    /// The message or record.
    pub name: &'static str,
    /// Takes the bytes, and a number that picks one of the versions.
    pub run: fn(&[u8], u8),
}

/// Picks a case by the first two bytes and a version by the third, and runs it on the rest.
///
/// `OTTLA_FUZZ_ONLY=Name` in the environment narrows the cases to those whose names begin so: one decoder gets all of
/// the time.
pub fn run_one(cases: &[Case], bytes: &[u8]) {
    let [high, low, version, body @ ..] = bytes else { return };
    let picked = usize::from(u16::from_be_bytes([*high, *low])) % cases.len();
    (cases[picked].run)(body, *version);
}

/// The cases whose names begin as the environment wants it; all if it does not say.
pub fn narrowed(mut cases: Vec<Case>) -> Vec<Case> {
    if let Ok(only) = std::env::var("OTTLA_FUZZ_ONLY") {
        cases.retain(|case| case.name.starts_with(&only));
        assert!(!cases.is_empty(), "OTTLA_FUZZ_ONLY={only} names nothing");
    }
    cases
}

/// The version that `number` picks out of a range.
pub fn pick_version(versions: std::ops::RangeInclusive<i16>, number: u8) -> i16 {
    let (from, to) = versions.into_inner();
    from + i16::from(number) % (to - from + 1)
}

/// What is read can be written, and what is written is read and written again to the same bytes.
pub fn read_write_read<T>(
    bytes: &[u8],
    read: impl Fn(&mut Reader<'_>) -> Result<T, DecodeError>,
    write: impl Fn(&T, &mut Writer) -> Result<(), EncodeError>,
) {
    let Ok(value) = read(&mut Reader::new(bytes)) else { return };
    let written = |value: &T| {
        let mut w = Writer::new();
        write(value, &mut w).expect("what was read can be written");
        w.into_vec()
    };
    let first = written(&value);
    let mut r = Reader::new(&first);
    let again = read(&mut r).expect("what was written can be read");
    r.finish().expect("and all of it");
    assert_eq!(written(&again), first);
}
