//! Peers that take their time, and those that do nothing at all.

use std::time::{Duration, Instant};

use ottla_protocol::api_versions::ApiVersionsRequest;
use ottla_protocol::describe_configs::{DescribeConfigsRequest, DescribeConfigsResource};
use ottla_protocol::frame::request_frame;
use ottla_protocol::metadata::MetadataRequest;

use super::Scene;
use super::frames::expect_end;
use super::honest::{FETCH, TOPIC, create, fetch};
use super::peer::Peer;

/// Connections that open and stay half open.
const HALF_OPEN: usize = 300;
/// Connections of one byte a second.
const DRIPPING: usize = 200;
/// The crowd.
const CROWD: usize = 10_000;
/// How long it does nothing at a time: after ten minutes (`connections.max.idle.ms`) it would be sent away.
const CROWD_IDLE: Duration = Duration::from_secs(240);
/// Descriptors that this process wants for other things.
const OWN_DESCRIPTORS: u64 = 200;
/// Peers that never read, and what each asks for at once.
const DEAF: usize = 100;
const DEAF_REQUESTS: usize = 1000;
/// A broker's settings, with documentation: the largest answer to the smallest request.
const DESCRIBE_CONFIGS: i16 = 4;
const BROKER: i8 = 4;

/// Half of a request on each connection; and requests that wait while their connection is closed on this side.
pub(super) fn half_open(scene: &mut Scene) -> Result<String, String> {
    let whole = request_frame(1, Some("hostile"), FETCH, &fetch(TOPIC, 0, 0)).map_err(|error| error.to_string())?;
    let waiting = fetch(TOPIC, i64::from(i32::MAX) << 20, 2000);
    let waiting = request_frame(2, Some("hostile"), FETCH, &waiting).map_err(|error| error.to_string())?;
    let mut connections = 0u64;
    while connections == 0 || scene.goes_on() {
        let mut held = Vec::new();
        for _ in 0..HALF_OPEN {
            let mut peer = scene.connect()?;
            match scene.random.below(3) {
                0 => peer.send(&whole[..scene.random.below(whole.len())]),
                1 => peer.send(&[&whole[..], &whole[..7]].concat()),
                _ => peer.send(&waiting),
            };
            held.push(peer);
        }
        connections += HALF_OPEN as u64;
        rest(Duration::from_millis(200));
        // A third goes without a word, the others wait for the broker to close.
        let stay = held.split_off(HALF_OPEN / 3);
        drop(held);
        for mut peer in stay {
            peer.finish();
            expect_end(&mut peer)?;
        }
    }
    Ok(format!("{connections} connections"))
}

/// Large requests, a byte a second of each.
pub(super) fn byte_a_second(scene: &mut Scene) -> Result<String, String> {
    let mut held = Vec::new();
    for _ in 0..DRIPPING {
        let mut peer = scene.connect()?;
        peer.send(&50_000_000_i32.to_be_bytes());
        held.push(peer);
    }
    let (mut bytes, mut gone) = (0u64, 0u64);
    while bytes == 0 || scene.goes_on() {
        for peer in &mut held {
            if peer.send(&[0]) {
                bytes += 1;
            } else {
                gone += 1;
            }
        }
        rest(Duration::from_secs(1));
    }
    Ok(format!("{DRIPPING} connections, {bytes} bytes, {gone} in vain"))
}

/// As many connections as this process may have, each of which was served once.
pub(super) fn idle_crowd(scene: &mut Scene) -> Result<String, String> {
    let room = descriptors_max().saturating_sub(OWN_DESCRIPTORS);
    let count = CROWD.min(usize::try_from(room).unwrap_or(CROWD));
    let mut held = Vec::with_capacity(count);
    for _ in 0..count {
        let mut peer = scene.connect()?;
        served(&mut peer)?;
        held.push(peer);
    }
    let mut served_at = Instant::now();
    while scene.goes_on() {
        rest(Duration::from_millis(100));
        if served_at.elapsed() > CROWD_IDLE {
            held.iter_mut().try_for_each(served)?;
            served_at = Instant::now();
        }
    }
    held.iter_mut().try_for_each(served)?;
    Ok(format!("{count} connections at a time, each served at first and at last"))
}

fn served(peer: &mut Peer) -> Result<(), String> {
    let answer = peer.ask(0, &ApiVersionsRequest::default()).map_err(|error| format!("not served: {error}"))?;
    if answer.api_keys.is_empty() { Err("an empty answer".to_owned()) } else { Ok(()) }
}

/// Many small requests in one packet, each with a large answer, which nobody reads.
pub(super) fn deaf(scene: &mut Scene) -> Result<String, String> {
    let mut admin = scene.connect()?;
    (0..50).try_for_each(|number| create(&mut admin, &format!("deaf-{number}")))?;
    let resource =
        DescribeConfigsResource { resource_type: BROKER, resource_name: "1".to_owned(), ..Default::default() };
    let settings =
        DescribeConfigsRequest { resources: vec![resource], include_synonyms: true, include_documentation: true };
    let settings = request_frame(1, None, DESCRIBE_CONFIGS, &settings).map_err(|error| error.to_string())?;
    let everything = MetadataRequest { topics: None, ..MetadataRequest::default() };
    let everything = request_frame(1, None, 12, &everything).map_err(|error| error.to_string())?;
    let requests = [settings, everything].concat().repeat(DEAF_REQUESTS / 2);
    let (mut connections, mut bytes) = (0u64, 0);
    while connections == 0 || scene.goes_on() {
        let mut held = Vec::new();
        for _ in 0..DEAF {
            let mut peer = scene.connect()?;
            peer.send(&requests);
            held.push(peer);
        }
        connections += DEAF as u64;
        rest(Duration::from_millis(1000));
        // One of them was only late, and gets all of its answers.
        let mut late = held.swap_remove(0);
        drop(held);
        bytes = 0;
        for _ in 0..DEAF_REQUESTS {
            bytes += late.skip().map_err(|error| format!("an answer is missing: {error}"))?;
        }
    }
    let asked = connections * DEAF_REQUESTS as u64;
    Ok(format!("{connections} connections, {asked} requests, for {} KiB on each", bytes >> 10))
}

/// Time itself is what is waited for here.
pub(super) fn rest(time: Duration) {
    let end = Instant::now() + time;
    while let Some(left) = end.checked_duration_since(Instant::now()).filter(|left| !left.is_zero()) {
        std::thread::park_timeout(left);
    }
}

/// How many descriptors this process may have.
fn descriptors_max() -> u64 {
    let limits = std::fs::read_to_string("/proc/self/limits").unwrap_or_default();
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files"));
    line.and_then(|line| line.split_whitespace().next()?.parse().ok()).unwrap_or(1024)
}
