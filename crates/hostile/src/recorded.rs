//! Requests that real clients sent to a broker, one of each kind: `frames/requests.txt`.
//!
//! A line is what sent it, the API with its version, and the frame behind its size in hexadecimal digits. `cargo xtask
//! hostile --record` writes the file anew. Old and new clients are among them, so that there are versions that no new
//! client sends.

use std::collections::BTreeMap;

use data_encoding::HEXLOWER;
use ottla_protocol::frame::RequestHead;

/// The file, as it stands in the sources.
const REQUESTS: &str = include_str!("../frames/requests.txt");
/// Frames of one API and version that are kept: that many lengths say different things.
const KEPT_EACH: usize = 4;
/// Longer frames are not kept.
const FRAME_BYTES_MAX: usize = 1500;

/// What was recorded, as whole frames with their size.
#[must_use]
pub fn requests() -> Vec<Vec<u8>> {
    let lines = REQUESTS.lines().filter(|line| !line.starts_with('#'));
    let frames = lines.filter_map(|line| HEXLOWER.decode(line.split(' ').next_back()?.as_bytes()).ok());
    frames.map(|frame| with_size(&frame)).collect()
}

/// `frame` behind its size.
#[must_use]
pub fn with_size(frame: &[u8]) -> Vec<u8> {
    let size = u32::try_from(frame.len()).expect("a frame has at most two gigabytes");
    [&size.to_be_bytes()[..], frame].concat()
}

/// What was recorded so far, while it is.
#[derive(Debug, Default)]
pub struct Recording {
    /// By API's key, version and length.
    frames: BTreeMap<(i16, i16, usize), (String, Vec<u8>)>,
}

impl Recording {
    /// Keeps `frame`, without its size, unless there are enough of its kind.
    pub fn take(&mut self, frame: &[u8]) {
        let Ok(head) = RequestHead::parse(frame) else { return };
        if head.api().is_none() || frame.len() > FRAME_BYTES_MAX {
            return;
        }
        let (key, version) = (head.api_key, head.api_version);
        if self.frames.range((key, version, 0)..=(key, version, usize::MAX)).count() < KEPT_EACH {
            let client = String::from_utf8_lossy(head.client_id.unwrap_or(b"-")).replace(char::is_whitespace, "_");
            self.frames.entry((key, version, frame.len())).or_insert_with(|| (client, frame.to_vec()));
        }
    }

    /// The file's text.
    #[must_use]
    pub fn text(&self) -> String {
        let mut text =
            "# What real clients sent: client, API, version, frame. Written by `cargo xtask hostile --record`.\n"
                .to_owned();
        for ((key, version, _), (client, frame)) in &self.frames {
            let name = ottla_protocol::ApiKey::from_raw(*key).map_or("unknown", ottla_protocol::ApiKey::name);
            text += &format!("{client} {name} {version} {}\n", HEXLOWER.encode(frame));
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn the_recorded_requests_are_of_many_apis_and_versions() {
        let requests = requests();
        let kinds: BTreeSet<_> = requests
            .iter()
            .map(|frame| RequestHead::parse(&frame[4..]).expect("a request"))
            .map(|head| (head.api().expect("one that is known"), head.api_version))
            .collect();
        let apis: BTreeSet<_> = kinds.iter().map(|(api, _)| api.name()).collect();
        assert!(apis.len() >= 10 && kinds.len() >= 50, "{} of {} APIs", kinds.len(), apis.len());
    }

    #[test]
    fn one_frame_of_each_length_is_kept_and_not_too_many() {
        let mut recording = Recording::default();
        let frame = |extra: usize| [&[0, 18, 0, 0, 0, 0, 0, 1, 0, 1, b'c'][..], &vec![0; extra]].concat();
        for extra in [0, 0, 1, 2, 3, 4, 5] {
            recording.take(&frame(extra));
        }
        recording.take(b"no request");
        let text = recording.text();
        let lines: Vec<_> = text.lines().filter(|line| !line.starts_with('#')).collect();
        assert_eq!(lines.len(), KEPT_EACH);
        assert_eq!(lines[0], "c ApiVersions 0 0012000000000001000163");
    }
}
