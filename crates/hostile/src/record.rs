//! A recording: stands between clients and a broker, passes everything on, and keeps one request of each kind.
//!
//! It listens on a free port and says which, for the broker to advertise that; then it reads the broker's own address
//! from its input. When its input ends it writes the file.

use std::io::{BufRead, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use ottla_hostile::recorded::Recording;

/// Longer requests are passed on like others and end the recording of their connection.
const FRAME_BYTES_MAX: usize = 100 << 20;

/// Records until the input ends.
pub(crate) fn run(file: &str) -> Result<(), String> {
    let listener = TcpListener::bind("127.0.0.1:0").map_err(|error| error.to_string())?;
    println!("listening on {}", listener.local_addr().map_err(|error| error.to_string())?);
    let mut lines = std::io::stdin().lock().lines();
    let broker = lines.next().ok_or("the broker's address is missing")?.map_err(|error| error.to_string())?;
    let recording = Arc::new(Mutex::new(Recording::default()));
    let kept = recording.clone();
    std::thread::spawn(move || {
        for client in listener.incoming().flatten() {
            if let Ok(broker) = TcpStream::connect(&broker) {
                pass(client, broker, kept.clone());
            }
        }
    });
    lines.for_each(drop);
    let text = recording.lock().expect("no thread panics while it records").text();
    std::fs::write(file, &text).map_err(|error| format!("{file}: {error}"))?;
    println!("{} requests, {} bytes", text.lines().count() - 1, text.len());
    Ok(())
}

/// Passes bytes both ways on threads of their own.
fn pass(client: TcpStream, broker: TcpStream, recording: Arc<Mutex<Recording>>) {
    let (Ok(mut to_client), Ok(mut from_broker)) = (client.try_clone(), broker.try_clone()) else { return };
    std::thread::spawn(move || {
        drop(std::io::copy(&mut from_broker, &mut to_client));
        drop(to_client.shutdown(Shutdown::Both));
    });
    std::thread::spawn(move || {
        drop(requests(client, &broker, &recording));
        drop(broker.shutdown(Shutdown::Write));
    });
}

fn requests(mut client: TcpStream, mut broker: &TcpStream, recording: &Mutex<Recording>) -> std::io::Result<()> {
    loop {
        let mut size = [0; 4];
        client.read_exact(&mut size)?;
        let length = usize::try_from(i32::from_be_bytes(size)).unwrap_or(usize::MAX);
        if length > FRAME_BYTES_MAX {
            broker.write_all(&size)?;
            std::io::copy(&mut client, &mut broker)?;
            return Ok(());
        }
        let mut frame = vec![0; length];
        client.read_exact(&mut frame)?;
        recording.lock().expect("no thread panics while it records").take(&frame);
        broker.write_all(&[&size[..], &frame].concat())?;
    }
}
