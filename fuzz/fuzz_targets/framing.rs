//! What stands before a body: request heads, response heads, and the ways in which persisted records tell their kind.

#![no_main]

use libfuzzer_sys::fuzz_target;
use ottla_protocol::frame::{RequestHead, frame_size};
use ottla_wire::records::cluster::register_broker::RegisterBrokerRecord;
use ottla_wire::records::group::group_metadata::{GroupMetadataKey, GroupMetadataValue};
use ottla_wire::records::quorum::voters::VotersRecord;
use ottla_wire::{Reader, Record, framing};

fuzz_target!(|bytes: &[u8]| {
    let _ = RequestHead::parse(bytes);
    if let Some(size) = bytes.first_chunk() {
        let _ = frame_size(*size, 100 << 20);
    }
    if let Ok(key) = framing::read_key::<GroupMetadataKey>(bytes) {
        assert_eq!(framing::write_key(&key).expect("what was read can be written"), bytes);
    }
    let _ = framing::key_type(bytes);
    let _ = framing::read_versioned_leniently::<GroupMetadataValue>(bytes);
    if let Ok((value, version)) = framing::read_versioned::<GroupMetadataValue>(bytes) {
        framing::write_versioned(&value, version).expect("what was read can be written");
    }
    if let Ok(voters) = framing::read_self_versioned::<VotersRecord>(bytes) {
        framing::write_self_versioned(&voters, voters.version).expect("what was read can be written");
    }
    let mut r = Reader::new(bytes);
    if let Ok(head) = framing::read_frame_head(&mut r) {
        if let Ok(record) = RegisterBrokerRecord::decode(&mut r, head.version) {
            framing::write_framed(&record, head.version).expect("what was read can be written");
        }
    }
});
