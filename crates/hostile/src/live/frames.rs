//! Bytes and frames that are wrong.

use ottla_hostile::damage::damaged;
use ottla_hostile::random::Random;
use ottla_hostile::{grown, recorded};

use super::Scene;
use super::peer::{End, Peer};

/// Frames that are sent on one connection, at most.
const TOGETHER_MAX: usize = 8;
/// Sizes that a connection is closed for, and one of which the rest may come.
const SIZES: [i32; 7] = [-1, i32::MIN, i32::MAX, i32::MAX - 7, 0x7fff_0000, 104_857_601, 104_857_600];
/// Fetch's key, whose requests may say that they wait for days.
const FETCH: [u8; 2] = [0, 1];

/// Random bytes, half of them in frames of the right size.
pub(super) fn random_bytes(scene: &mut Scene) -> Result<String, String> {
    let (mut connections, mut sent) = (0u64, 0u64);
    while connections == 0 || scene.goes_on() {
        let count = scene.random.below(3000);
        let end = *scene.random.one_of(&[4, 256]);
        let bytes = scene.random.bytes(count, end);
        let bytes = if scene.random.below(2) == 0 { bytes } else { recorded::with_size(&bytes) };
        let mut peer = scene.connect()?;
        peer.send(&bytes);
        peer.finish();
        expect_end(&mut peer)?;
        connections += 1;
        sent += bytes.len() as u64;
    }
    Ok(format!("{connections} connections, {sent} bytes"))
}

/// Damaged requests, some on one connection.
pub(super) fn damaged_frames(scene: &mut Scene) -> Result<String, String> {
    let mut frames = recorded::requests();
    frames.extend(grown::requests(2, &mut Random::new(7)));
    let (mut connections, mut sent) = (0u64, 0u64);
    while connections == 0 || scene.goes_on() {
        let mut peer = scene.connect()?;
        let mut waits = false;
        for _ in 0..=scene.random.below(TOGETHER_MAX) {
            let at = scene.random.below(frames.len());
            let frame = damaged(&frames[at], &frames, &mut scene.random);
            waits |= frame.get(4..6) == Some(&FETCH);
            peer.send(&frame);
            sent += 1;
        }
        peer.finish();
        // A fetch may ask to wait for long, and then it does, whoever is there to hear.
        if !waits {
            expect_end(&mut peer)?;
        }
        connections += 1;
    }
    Ok(format!("{connections} connections, {sent} frames"))
}

/// Sizes that no frame has, and sizes of the most that a frame has with little behind them.
pub(super) fn absurd_lengths(scene: &mut Scene) -> Result<String, String> {
    let mut connections = 0u64;
    while connections == 0 || scene.goes_on() {
        let mut held = Vec::new();
        for size in SIZES.repeat(30) {
            let mut peer = scene.connect()?;
            peer.send(&size.to_be_bytes());
            let count = scene.random.below(9000);
            peer.send(&vec![0; count]);
            held.push(peer);
            connections += 1;
        }
        held.iter().for_each(Peer::finish);
        held.iter_mut().try_for_each(expect_end)?;
    }
    Ok(format!("{connections} connections"))
}

/// The broker answers or closes, in the end the latter.
pub(super) fn expect_end(peer: &mut Peer) -> Result<(), String> {
    match peer.drain() {
        End::Closed(_) => Ok(()),
        End::Silent => Err("the broker neither answered nor closed".to_owned()),
    }
}
