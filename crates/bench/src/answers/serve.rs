//! One connection: frames in, answers out, one after another.

use std::io::{BufReader, Read, Write};
use std::net::TcpStream;

use ottla_protocol::frame::{SIZE_PREFIX, frame_size};
use ottla_protocol::{ApiKey, RequestHead};

use crate::fetch::FetchFrame;
use crate::{Answers, Outcome, fetch, produce, small};

/// The longest request: a batch of 100 MB and what is around it.
const REQUEST_MAX: usize = 200 << 20;
/// What is read at once. Longer requests are read into their place behind the first of it.
const READ_BYTES: usize = 64 << 10;

/// What is sent back.
pub(crate) enum Answer {
    /// To a producer that wants none (acks=0).
    None,
    Bytes(Vec<u8>),
    Fetched(FetchFrame),
}

/// Serves one client until it leaves.
pub(crate) fn serve(answers: &Answers, mut socket: TcpStream) -> Outcome<()> {
    socket.set_nodelay(true).map_err(|error| error.to_string())?;
    let mut incoming = BufReader::with_capacity(READ_BYTES, socket.try_clone().map_err(|error| error.to_string())?);
    let (mut frame, mut scratch) = (Vec::new(), Vec::new());
    while let Some(size) = next(&mut incoming, &mut frame)? {
        let sent = match answer(answers, &mut frame[..size])? {
            Answer::None => Ok(()),
            Answer::Bytes(bytes) => socket.write_all(&bytes),
            Answer::Fetched(parts) => parts.send(&mut socket, &answers.prepared, &mut scratch),
        };
        if sent.is_err() {
            // A client may leave at any time.
            return Ok(());
        }
    }
    Ok(())
}

/// Reads the next request into the front of `frame`, which only grows; its size, or none if the client has left.
fn next(incoming: &mut BufReader<TcpStream>, frame: &mut Vec<u8>) -> Outcome<Option<usize>> {
    let mut prefix = [0; SIZE_PREFIX];
    if incoming.read_exact(&mut prefix).is_err() {
        return Ok(None);
    }
    let size = frame_size(prefix, REQUEST_MAX).map_err(|error| error.to_string())?;
    if frame.len() < size {
        frame.resize(size, 0);
    }
    Ok(incoming.read_exact(&mut frame[..size]).is_ok().then_some(size))
}

fn answer(answers: &Answers, frame: &mut [u8]) -> Outcome<Answer> {
    let head = RequestHead::parse(frame).map_err(|error| error.to_string())?;
    let (key, version, correlation_id, body) = (head.api_key, head.api_version, head.correlation_id, head.body);
    let known = ApiKey::from_raw(key);
    let Some(api) = known.filter(|api| small::versions(*api).is_some_and(|served| served.contains(&version))) else {
        return match known {
            // A client that is too new is told what there is, and asks again (KIP-511).
            Some(ApiKey::ApiVersions) => small::too_new(correlation_id).map(Answer::Bytes),
            _ => Err(format!("a client asks for API {key} in version {version}")),
        };
    };
    let body = &mut frame[body..];
    match api {
        ApiKey::Produce => produce::answer(answers, correlation_id, version, body),
        ApiKey::Fetch => fetch::answer(answers, correlation_id, version, body).map(Answer::Fetched),
        _ => small::answer(answers, api, correlation_id, version, body).map(Answer::Bytes),
    }
}
