//! What decoders allocate, counted: nothing by the readers in place, and by the owned ones never out of proportion to
//! what was received, whatever lengths the bytes announce.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use ottla_protocol::frame::RequestHead;
use ottla_protocol::{FetchRequestView, Message, ProduceRequestView};
use ottla_wire::Reader;
use support::random::Random;
use support::sample::{self, Options};

thread_local! {
    static ALLOCATIONS: Cell<usize> = const { Cell::new(0) };
    static BYTES: Cell<usize> = const { Cell::new(0) };
}

struct Counting;

#[expect(unsafe_code, reason = "an allocator that counts is an allocator")]
// SAFETY: passes every call on to the system's allocator unchanged.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size());
        // SAFETY: the caller's promises are the system allocator's conditions.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, place: *mut u8, layout: Layout) {
        // SAFETY: as above.
        unsafe { System.dealloc(place, layout) }
    }

    unsafe fn realloc(&self, place: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count(size);
        // SAFETY: as above.
        unsafe { System.realloc(place, layout, size) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

fn count(size: usize) {
    ALLOCATIONS.set(ALLOCATIONS.get() + 1);
    BYTES.set(BYTES.get() + size);
}

/// Allocations of this thread while `run` runs, and their bytes.
fn counted(run: impl FnOnce()) -> (usize, usize) {
    let before = (ALLOCATIONS.get(), BYTES.get());
    run();
    (ALLOCATIONS.get() - before.0, BYTES.get() - before.1)
}

fn walk_produce(body: &[u8], version: i16) -> usize {
    let Ok(view) = ProduceRequestView::parse(body, version) else { return 0 };
    let partitions = view.topics().flat_map(|topic| topic.partitions());
    partitions.map(|partition| partition.records.map_or(0, |range| range.len())).sum()
}

fn walk_fetch(body: &[u8], version: i16) -> i64 {
    let Ok(view) = FetchRequestView::parse(body, version) else { return 0 };
    let forgotten: i64 = view.forgotten_topics().flat_map(|topic| topic.partitions()).map(i64::from).sum();
    let fetched = view.topics().flat_map(|topic| topic.partitions()).map(|p| i64::from(p.partition));
    fetched.fold(forgotten, i64::wrapping_add)
}

#[test]
fn the_counter_counts() {
    assert_eq!(counted(|| drop(std::hint::black_box(vec![0u8; 100]))), (1, 100));
}

#[test]
fn readers_in_place_allocate_nothing() {
    for seed in 0..64 {
        for (name, versions) in [("ProduceRequest", 0..=13), ("FetchRequest", 0..=18)] {
            let (file, schema) = support::schema_of(name);
            for version in versions {
                let body = sample::bytes(file, schema, version, seed, Options { unknown_tags: true });
                let run = || {
                    if name == "ProduceRequest" {
                        std::hint::black_box(walk_produce(&body, version));
                    } else {
                        std::hint::black_box(walk_fetch(&body, version));
                    }
                };
                assert_eq!(counted(run), (0, 0), "{name} v{version} seed {seed}");
            }
        }
    }
}

#[test]
fn request_heads_are_parsed_without_allocation() {
    let frame = [0, 18, 0, 3, 0, 0, 0, 7, 0, 2, b'm', b'e', 0, 1, 1, 0];
    let head = || assert_eq!(RequestHead::parse(&frame).map(|head| head.client_id), Ok(Some(&b"me"[..])));
    assert_eq!(counted(head), (0, 0));
}

/// Room for one element of each array that is open, and for growing vectors of elements that were really there.
const FACTOR: usize = 64;
const CONSTANT: usize = 2_000;

fn stays_in_proportion<M: Message>(bytes: &[u8], version: i16) {
    let (_, allocated) = counted(|| drop(std::hint::black_box(M::decode(&mut Reader::new(bytes), version))));
    let limit = FACTOR * bytes.len() + CONSTANT;
    assert!(allocated <= limit, "{} v{version}: {} bytes made it allocate {allocated}", M::NAME, bytes.len());
}

/// Puts every absurd length at every place of a sample.
fn survives_absurd_lengths<M: Message>(seed: u64) {
    const LENGTHS: [&[u8]; 5] = [
        &[0x7f, 0xff, 0xff, 0xff],
        &[0x80, 0, 0, 0],
        &[0x7f, 0xff],
        &[0xff, 0xff, 0xff, 0xff, 0x07],
        &[0xff, 0xff, 0xff, 0xff, 0x0f],
    ];
    let (file, schema) = support::schema_of(M::NAME);
    for version in M::VERSIONS {
        let bytes = sample::bytes(file, schema, version, seed, Options::default());
        for at in 0..bytes.len() {
            for length in LENGTHS {
                let mut damaged = bytes.clone();
                let end = (at + length.len()).min(damaged.len());
                damaged.splice(at..end, length.iter().copied());
                stays_in_proportion::<M>(&damaged, version);
            }
        }
    }
}

/// Truncates samples at every byte: every one is refused, none panics.
fn refuses_truncations<M: Message>(seed: u64) {
    let (file, schema) = support::schema_of(M::NAME);
    for version in M::VERSIONS {
        let bytes = sample::bytes(file, schema, version, seed, Options::default());
        for end in 0..bytes.len() {
            stays_in_proportion::<M>(&bytes[..end], version);
            let refused = M::decode(&mut Reader::new(&bytes[..end]), version);
            assert!(refused.is_err(), "{} v{version} seed {seed} cut at {end}", M::NAME);
        }
    }
}

fn survives_random_bytes<M: Message>(seed: u64) {
    let mut random = Random::new(seed);
    for version in M::VERSIONS {
        let mut bytes = random.bytes(400);
        // Small bytes reach deeper: they are possible lengths.
        let mask = [0xff, 0x0f, 0x03][random.below(3)];
        bytes.iter_mut().for_each(|byte| *byte &= mask);
        stays_in_proportion::<M>(&bytes, version);
        std::hint::black_box(walk_produce(&bytes, version));
        std::hint::black_box(walk_fetch(&bytes, version));
        std::hint::black_box(RequestHead::parse(&bytes)).ok();
    }
}

#[test]
fn absurd_lengths_allocate_nothing_absurd() {
    for seed in 0..2 {
        macro_rules! run {
            ($ours:ty) => {
                survives_absurd_lengths::<$ours>(seed)
            };
        }
        for_every_message!(run);
    }
}

#[test]
fn truncated_messages_are_refused_at_every_byte() {
    for seed in 0..4 {
        macro_rules! run {
            ($ours:ty) => {
                refuses_truncations::<$ours>(seed)
            };
        }
        for_every_message!(run);
    }
}

#[test]
fn random_bytes_neither_panic_nor_allocate_without_bound() {
    for seed in 0..500 {
        macro_rules! run {
            ($ours:ty) => {
                survives_random_bytes::<$ours>(seed)
            };
        }
        for_every_message!(run);
    }
}
