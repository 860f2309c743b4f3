//! Frames as they go over the wire: sizes, headers, bodies.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use ottla_protocol::api_versions::{ApiVersionsRequest, ApiVersionsResponse};
use ottla_protocol::frame::{FrameSizeError, frame_size, parse_response_head, request_frame, response_frame};
use ottla_protocol::metadata::{MetadataRequest, MetadataRequestTopic, MetadataResponse};
use ottla_protocol::produce::{PartitionProduceResponse, ProduceRequest};
use ottla_protocol::{ApiKey, Message, RequestHead};
use ottla_wire::{DecodeErrorKind, EncodeError, Reader, Writer};

#[test]
fn sizes_beyond_the_limit_are_refused_with_the_limit() {
    assert_eq!(frame_size([0, 0, 1, 0], 256), Ok(256));
    let refused = frame_size([0, 0, 1, 1], 256).unwrap_err();
    assert_eq!(refused, FrameSizeError::TooLarge { size: 257, limit: 256 });
    assert_eq!(refused.to_string(), "a frame announces 257 bytes, the limit is 256");
    // What an HTTP or TLS client sends to the wrong port.
    assert!(frame_size(*b"GET ", 100 * 1024 * 1024).is_err());
    assert_eq!(frame_size([0xff; 4], 256), Err(FrameSizeError::Negative(-1)));
}

#[test]
fn request_frames_read_back_in_every_header_version() {
    let request = MetadataRequest { topics: Some(Vec::new()), ..Default::default() };
    for version in MetadataRequest::VERSIONS.skip(1) {
        for client_id in [Some("client"), Some(""), None] {
            let frame = request_frame(7, client_id, version, &request).unwrap();
            let size = frame_size(frame[..4].try_into().unwrap(), 1 << 20).unwrap();
            let frame = &frame[4..];
            assert_eq!(size, frame.len());
            let head = RequestHead::parse(frame).unwrap();
            assert_eq!((head.api_key, head.api_version, head.correlation_id), (3, version, 7));
            assert_eq!((head.client_id, head.api()), (client_id.map(str::as_bytes), Some(ApiKey::Metadata)));
            let mut r = Reader::new(&frame[head.body..]);
            assert_eq!(MetadataRequest::decode(&mut r, version), Ok(request.clone()));
            r.finish().unwrap();
        }
    }
}

#[test]
fn api_versions_of_the_future_still_yields_its_correlation_id() {
    // Key 18, version 99, correlation 5, client id "c" in the plain form, tags, and a body nobody knows.
    let frame = [0, 18, 0, 99, 0, 0, 0, 5, 0, 1, b'c', 0, 0xde, 0xad];
    let head = RequestHead::parse(&frame).unwrap();
    assert_eq!((head.api_key, head.api_version, head.correlation_id), (18, 99, 5));
    assert_eq!((head.client_id, head.api()), (Some(&b"c"[..]), None));
    // Its header ends behind the tags, which have to be there.
    assert_eq!(head.body, 12);
    assert!(RequestHead::parse(&frame[..11]).is_err());
}

#[test]
fn response_frames_have_the_header_of_their_version() {
    let response = MetadataResponse::default();
    let of = |version| response_frame(258, version, &response).unwrap();
    assert_eq!(of(8)[4..8], [0, 0, 1, 2]);
    assert_eq!(parse_response_head(&of(8)[4..], ApiKey::Metadata, 8), Ok((258, 4)));
    assert_eq!(parse_response_head(&of(9)[4..], ApiKey::Metadata, 9), Ok((258, 5)));
    // ApiVersions has header 0 for ever: the error code follows the correlation id at once.
    let response = ApiVersionsResponse { error_code: 35, ..Default::default() };
    for version in ApiVersionsResponse::VERSIONS {
        let frame = response_frame(1, version, &response).unwrap();
        assert_eq!(frame[..4], (frame.len() as i32 - 4).to_be_bytes());
        assert_eq!(frame[4..10], [0, 0, 0, 1, 0, 35], "v{version}");
    }
}

#[test]
fn a_field_that_the_version_lacks_must_not_say_anything() {
    let request = ProduceRequest { transactional_id: Some("t".into()), ..Default::default() };
    let refused = request.encode(&mut Writer::new(), 2).unwrap_err();
    assert_eq!(refused, EncodeError::NotInVersion { field: "ProduceRequest.transactional_id", version: 2 });
    assert_eq!(refused.to_string(), "ProduceRequest.transactional_id is set, but version 2 lacks it");
    request.encode(&mut Writer::new(), 3).unwrap();
    // Ignorable fields are dropped.
    let request = ApiVersionsRequest { client_software_name: "x".into(), ..Default::default() };
    request.encode(&mut Writer::new(), 0).unwrap();
}

#[test]
fn null_is_refused_both_ways_where_the_version_forbids_it() {
    let all_topics = MetadataRequest { topics: None, ..Default::default() };
    let refused = all_topics.encode(&mut Writer::new(), 0).unwrap_err();
    assert_eq!(refused, EncodeError::NullInVersion { field: "MetadataRequest.topics", version: 0 });
    let read = MetadataRequest::decode(&mut Reader::new(&[0xff; 4]), 0).unwrap_err();
    assert_eq!((read.position, read.kind), (0, DecodeErrorKind::UnexpectedNull));
    assert_eq!(MetadataRequest::decode(&mut Reader::new(&[0xff; 4]), 1), Ok(all_topics));

    let nameless = MetadataRequestTopic { name: None, ..Default::default() };
    let by_id = MetadataRequest { topics: Some(vec![nameless]), ..Default::default() };
    by_id.encode(&mut Writer::new(), 10).unwrap();
    assert!(by_id.encode(&mut Writer::new(), 9).is_err());
}

#[test]
fn versions_that_do_not_exist_are_refused() {
    let refused = MetadataRequest::default().encode(&mut Writer::new(), 14).unwrap_err();
    assert_eq!(refused, EncodeError::UnsupportedVersion { message: "MetadataRequest", version: 14 });
    assert!(MetadataRequest::decode(&mut Reader::new(&[0; 64]), -1).is_err());
}

#[test]
fn defaults_are_kafkas() {
    assert_eq!(PartitionProduceResponse::default().log_append_time_ms, -1);
    assert!(MetadataRequest::default().allow_auto_topic_creation);
    assert_eq!(ottla_protocol::fetch::FetchRequest::default().max_bytes, 0x7fff_ffff);
    assert_eq!(ottla_protocol::fetch::FetchPartition::default().high_watermark, i64::MAX);
}
