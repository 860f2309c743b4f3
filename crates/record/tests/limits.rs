//! What hostile bytes may cost: bombs are refused at the limit, and no length from the wire is believed.
#![allow(clippy::unwrap_used, reason = "this is test code, though not always within a test function")]

mod support;

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use ottla_record::{
    BATCH_HEADER_BYTES, BatchError, Batches, Codec, CompressionError, Limits, RecordBatch, Records, Scratch,
    check_batch, single_batch,
};
use support::{RULES, batch, compress, header, seal, seal_compressed};

/// Counts what the current thread holds and the most it held. The C library of zstd allocates past it.
struct Counting;

thread_local! {
    static HELD: Cell<isize> = const { Cell::new(0) };
    static MOST: Cell<isize> = const { Cell::new(0) };
}

fn count(bytes: isize) {
    // A thread that ends may free after its counters are gone; nobody asks for those.
    let _ = HELD.try_with(|held| {
        held.set(held.get() + bytes);
        let _ = MOST.try_with(|most| most.set(most.get().max(held.get())));
    });
}

#[expect(unsafe_code, reason = "an allocator is unsafe by its trait; this one only counts and passes on")]
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size() as isize);
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        count(-(layout.size() as isize));
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// The most that `work` held at a time beyond what was held before, in bytes.
fn most_held<T>(work: impl FnOnce() -> T) -> (T, usize) {
    let before = HELD.get();
    MOST.set(before);
    let result = work();
    (result, (MOST.get() - before) as usize)
}

#[test]
fn the_counter_counts() {
    assert_eq!(most_held(|| drop(vec![0u8; 12345])).1, 12345);
}

#[test]
fn an_uncompressed_batch_costs_no_memory() {
    let bytes = batch(Codec::None, &[[7; 100]; 5000]);
    let mut scratch = Scratch::default();
    let (result, most) = most_held(|| check_batch(&bytes, &Limits::default(), &RULES, &mut scratch));
    result.unwrap();
    assert_eq!(most, 0);
}

#[test]
fn a_large_batch_of_small_records_passes_through_a_small_window() {
    for codec in [Codec::Gzip, Codec::Snappy, Codec::Lz4, Codec::Zstd] {
        let bytes = batch(codec, &vec![[7; 100]; 100_000]);
        let mut scratch = Scratch::default();
        let (result, most) = most_held(|| check_batch(&bytes, &Limits::default(), &RULES, &mut scratch));
        assert!(result.unwrap().records_bytes > 10_000_000);
        assert!(most < 512 << 10, "{codec:?} held {most} bytes");
    }
}

/// 64 MiB of zeros take some ten thousand bytes, or a few million with snappy, which compresses no better.
#[test]
fn bombs_are_refused_at_the_limit() {
    let zeros = vec![0u8; 64 << 20];
    let limits = Limits { batch_bytes_max: usize::MAX, records_bytes_max: 1 << 20 };
    for codec in [Codec::Gzip, Codec::Snappy, Codec::Lz4, Codec::Zstd] {
        // As one record that claims to have all of it, so that the walk waits for the rest.
        let mut records = vec![0xfe, 0xff, 0xff, 0x3f];
        records.extend_from_slice(&zeros);
        let payload = compress(codec, &records);
        assert!(payload.len() < 5 << 20, "{codec:?} is no bomb with {} bytes", payload.len());
        let bytes = seal_compressed(codec, 1, &payload);
        let mut scratch = Scratch::default();
        let (result, most) = most_held(|| check_batch(&bytes, &limits, &RULES, &mut scratch));
        let error = BatchError::from(CompressionError::TooLarge { bytes_max: 1 << 20 });
        assert_eq!(result, Err(error.clone()), "{codec:?}");
        assert!(most < 12 << 20, "{codec:?} held {most} bytes");

        let (result, most) = most_held(|| {
            let batch = RecordBatch::parse(&bytes).unwrap();
            batch.decompress(&mut Scratch::default(), 1 << 20, &mut Vec::new())
        });
        assert_eq!(result, Err(error), "{codec:?}");
        assert!(most < 12 << 20, "{codec:?} held {most} bytes while reading");
    }
}

#[test]
fn a_snappy_block_that_lies_about_its_size_is_refused_before_room_is_made() {
    // Two GiB in a block of six bytes, bare and framed.
    let block = [0xff, 0xff, 0xff, 0xff, 0x07, 0];
    let mut framed = b"\x82SNAPPY\0\0\0\0\x01\0\0\0\x01\0\0\0\x06".to_vec();
    framed.extend(block);
    for payload in [&block[..], &framed] {
        let bytes = seal_compressed(Codec::Snappy, 1, payload);
        let limits = Limits { records_bytes_max: usize::MAX, ..Limits::default() };
        let mut scratch = Scratch::default();
        let (result, most) = most_held(|| check_batch(&bytes, &limits, &RULES, &mut scratch));
        assert!(matches!(result, Err(BatchError::Compression(CompressionError::Broken { .. }))), "{result:?}");
        assert!(most < 1000, "held {most} bytes");
    }
}

#[test]
fn an_lz4_block_size_of_4_mib_makes_no_room_for_a_block_of_few_bytes() {
    // The header of a frame with blocks of 4 MiB, then a block of two bytes.
    let mut payload = vec![0x04, 0x22, 0x4d, 0x18, 0x60, 0x70, 0x73];
    payload.extend([2, 0, 0, 0, 0x10, 0x00, 0, 0, 0, 0]);
    let bytes = seal_compressed(Codec::Lz4, 1, &payload);
    let mut scratch = Scratch::default();
    let (result, most) = most_held(|| check_batch(&bytes, &Limits::default(), &RULES, &mut scratch));
    // The block holds one zero byte: a record of no length.
    assert!(matches!(result, Err(BatchError::Framing { .. })), "{result:?}");
    assert!(most < 4096, "held {most} bytes");
}

#[test]
fn absurd_lengths_and_counts_cost_nothing() {
    let huge = [0xfe, 0xff, 0xff, 0xff, 0x0f];
    let record = |parts: &[&[u8]]| {
        let body = parts.concat();
        [&[(body.len() * 2) as u8][..], &body].concat()
    };
    let payloads = [
        huge.to_vec(),
        record(&[&[0, 0, 0], &huge]),
        record(&[&[0, 0, 0, 1], &huge]),
        record(&[&[0, 0, 0, 1, 1], &huge]),
        record(&[&[0, 0, 0, 1, 1, 2], &huge]),
        record(&[&[0, 0, 0, 1, 1, 2, 0], &huge]),
    ];
    for payload in &payloads {
        let one = seal(header(1), payload);
        let all = seal(header(i32::MAX), payload);
        for codec in Codec::ALL {
            let bytes = seal_compressed(codec, i32::MAX, &compress(codec, payload));
            let mut scratch = Scratch::default();
            let (result, most) = most_held(|| check_batch(&bytes, &Limits::default(), &RULES, &mut scratch));
            assert!(result.is_err());
            assert!(most < 256 << 10, "{codec:?} held {most} bytes");
        }
        for bytes in [one, all] {
            let mut scratch = Scratch::default();
            let (refused, most) = most_held(|| {
                let batch = RecordBatch::parse(&bytes).unwrap();
                let refused = Records::new(batch.header(), batch.payload()).any(|record| record.is_err());
                refused && check_batch(&bytes, &Limits::default(), &RULES, &mut scratch).is_err()
            });
            assert!(refused);
            assert_eq!(most, 0);
        }
    }
    let mut length = batch(Codec::None, &["v"]);
    for batch_length in [i32::MAX, i32::MAX - 12, i32::MIN, -12, -1] {
        length[8..12].copy_from_slice(&batch_length.to_be_bytes());
        let (_, most) = most_held(|| {
            assert!(check_batch(&length, &Limits::default(), &RULES, &mut Scratch::default()).is_err());
            assert!(single_batch(&length).is_err());
            assert!(Batches::new(&length).all(|batch| batch.is_err()));
        });
        assert_eq!(most, 0);
    }
    assert!(length.len() > BATCH_HEADER_BYTES);
}
