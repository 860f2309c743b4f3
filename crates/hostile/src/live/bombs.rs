//! Records that blow up, sent and read back.

use bytes::Bytes;
use ottla_hostile::bombs::{self, CODECS, OLD_CODECS, many_records, nested, old_record, one_record};
use ottla_protocol::frame::request_frame;
use ottla_protocol::list_offsets::{ListOffsetsPartition, ListOffsetsRequest, ListOffsetsTopic};
use ottla_protocol::produce::ProduceRequest;
use ottla_record::{Codec, OldMagic};
use ottla_types::Timestamp;

use super::honest::{FETCH, PRODUCE, create, fetch, produce};
use super::peer::{Peer, is_timeout};
use super::{Scene, now};

/// What a bomb becomes: just within what a batch may hold, and beyond it.
const WITHIN_BYTES: usize = 99 << 20;
const BEYOND_BYTES: usize = 130 << 20;
/// snappy cannot do better within a batch of a megabyte.
const SNAPPY_BYTES: usize = 20 << 20;
/// Records of a batch that has nothing but many.
const RECORDS: usize = 3_000_000;
/// Connections that send or fetch at once.
const PEERS: usize = 8;
/// Wrappers within wrappers.
const DEPTHS: [usize; 4] = [2, 3, 10, 100];
const LIST_OFFSETS: i16 = 7;

/// Batches of every codec.
pub(super) fn current(scene: &mut Scene) -> Result<String, String> {
    let now = Timestamp(now());
    let mut batches = Vec::new();
    for codec in CODECS {
        let (within, beyond) = sizes(codec);
        batches.extend([one_record(codec, within, now), one_record(codec, beyond, now)]);
        batches.push(many_records(codec, if codec == Codec::Snappy { RECORDS / 2 } else { RECORDS }, now));
    }
    let smallest = batches.iter().map(|batch| batch.len()).min().unwrap_or_default();
    let requests: Vec<_> = batches.into_iter().map(|batch| (PRODUCE, produce("bombs", 1, batch))).collect();
    let sent = all(scene, "bombs", &requests)?;
    Ok(format!("{sent} batches, the smallest of {smallest} bytes with {} MiB in it", WITHIN_BYTES >> 20))
}

const fn sizes(codec: Codec) -> (usize, usize) {
    match codec {
        Codec::Snappy => (SNAPPY_BYTES, SNAPPY_BYTES + (4 << 20)),
        _ => (WITHIN_BYTES, BEYOND_BYTES),
    }
}

/// Batches that announce what they do not hold.
pub(super) fn boasts(scene: &mut Scene) -> Result<String, String> {
    let batches = bombs::boasts(Timestamp(now()));
    let requests: Vec<_> = batches.into_iter().map(|(_, batch)| (PRODUCE, produce("boasts", 1, batch))).collect();
    let sent = all(scene, "boasts", &requests)?;
    Ok(format!("{sent} batches of {} kinds", requests.len()))
}

/// Message sets of magic 0 and 1.
pub(super) fn old(scene: &mut Scene) -> Result<String, String> {
    let mut requests = Vec::new();
    for (magic, version) in [(OldMagic::V0, 1), (OldMagic::V1, 2)] {
        let mut add = |set: Bytes| requests.push((version, produce("old-bombs", 1, set)));
        for codec in OLD_CODECS {
            let (within, beyond) = sizes(codec);
            [within, beyond].into_iter().for_each(|bytes| add(old_record(magic, codec, bytes)));
        }
        DEPTHS.into_iter().for_each(|depth| add(nested(magic, depth, 50 << 20)));
    }
    let sent = all(scene, "old-bombs", &requests)?;
    Ok(format!("{sent} message sets, up to {} wrappers deep", DEPTHS[DEPTHS.len() - 1]))
}

/// Sends all of them on some connections, again and again; each must be answered.
fn all(scene: &Scene, topic: &str, requests: &[(i16, ProduceRequest)]) -> Result<usize, String> {
    create(&mut scene.connect()?, topic)?;
    let frames: Vec<_> = requests
        .iter()
        .map(|(version, request)| {
            request_frame(1, Some("hostile"), *version, request).map_err(|error| error.to_string())
        })
        .collect::<Result<_, _>>()?;
    at_once(scene, |peer, number| {
        let mut sent = 0;
        while sent == 0 || scene.goes_on() {
            for at in 0..frames.len() {
                answered(peer, &frames[(at + number) % frames.len()])?;
                sent += 1;
                if sent > frames.len() && !scene.goes_on() {
                    break;
                }
            }
        }
        Ok(sent)
    })
}

/// What each of [`PEERS`] connections did, together.
fn at_once(scene: &Scene, run: impl Fn(&mut Peer, usize) -> Result<usize, String> + Sync) -> Result<usize, String> {
    std::thread::scope(|scope| {
        let begun: Vec<_> = (0..PEERS)
            .map(|number| {
                scope.spawn({
                    let run = &run;
                    move || run(&mut scene.connect()?, number)
                })
            })
            .collect();
        begun.into_iter().map(|thread| thread.join().map_err(|_| "a thread panicked".to_owned())?).sum()
    })
}

fn answered(peer: &mut Peer, frame: &[u8]) -> Result<u64, String> {
    peer.send(frame);
    peer.skip().map_err(|error| if is_timeout(&error) { "no answer".to_owned() } else { format!("no answer: {error}") })
}

/// Stored bombs, read in every way in which the broker opens them.
pub(super) fn read(scene: &mut Scene) -> Result<String, String> {
    const TOPIC: &str = "bombs-read";
    let mut peer = scene.connect()?;
    create(&mut peer, TOPIC)?;
    let now = Timestamp(now());
    let mut offsets = Vec::new();
    for codec in [Codec::Gzip, Codec::Lz4, Codec::Snappy] {
        for batch in [one_record(codec, sizes(codec).0, now), many_records(codec, RECORDS / 2, now)] {
            let answer = peer.ask(PRODUCE, &produce(TOPIC, -1, batch)).map_err(|error| error.to_string())?;
            let stored = &answer.responses[0].partition_responses[0];
            if stored.error_code == 0 {
                offsets.push(stored.base_offset);
            }
        }
    }
    if offsets.is_empty() {
        return Err("no bomb was stored".to_owned());
    }
    let asked = at_once(scene, |peer, number| {
        let mut asked = 0;
        while asked < offsets.len() || scene.goes_on() {
            let offset = offsets[(asked + number) % offsets.len()];
            for version in [0, 1, 2, 3, FETCH] {
                let mut fetch = fetch(TOPIC, offset, 0);
                fetch.session_epoch = if version < 7 { 0 } else { -1 };
                let frame = request_frame(1, None, version, &fetch).map_err(|error| error.to_string())?;
                answered(peer, &frame)?;
            }
            let by_time = ListOffsetsPartition { timestamp: now.0, ..ListOffsetsPartition::default() };
            let topic = ListOffsetsTopic { name: TOPIC.to_owned(), partitions: vec![by_time] };
            let request = ListOffsetsRequest { replica_id: -1, topics: vec![topic], ..ListOffsetsRequest::default() };
            let frame = request_frame(1, None, LIST_OFFSETS, &request).map_err(|error| error.to_string())?;
            answered(peer, &frame)?;
            asked += 1;
        }
        Ok(asked)
    })?;
    Ok(format!("{} bombs stored, each way of reading them {asked} times", offsets.len()))
}
