//! The least of an HTTP client: one GET on a connection of its own.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};

use super::PATIENCE;

/// The status and the body.
pub(crate) fn http_get(address: SocketAddr, path: &str) -> (u16, String) {
    let mut socket = TcpStream::connect(address).expect("the broker serves HTTP");
    socket.set_read_timeout(Some(PATIENCE)).expect("a socket");
    write!(socket, "GET {path} HTTP/1.1\r\nHost: broker\r\nConnection: close\r\n\r\n").expect("a request");
    let mut answer = String::new();
    socket.read_to_string(&mut answer).expect("an answer");
    let (head, body) = answer.split_once("\r\n\r\n").expect("a head and a body");
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status");
    (status, body.to_owned())
}
