//! `cargo xtask connections [N]`: opens many connections to one broker and says what they cost it.
//!
//! Each asks for ApiVersions and Metadata, as a client does first, and then stays. Measured are the broker's resident
//! memory before and with them, and its processor time while nothing happens. With `--bootstrap` and `--pid` it is another
//! broker of this computer, such as a real Kafka.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use crate::broker::{self, Broker};
use crate::interop;

/// How long nothing happens while it is measured.
const IDLE: Duration = Duration::from_secs(10);
/// Rest before memory is read, so that what was freed is given back.
const REST: Duration = Duration::from_secs(2);
/// How long one answer may take.
const PATIENCE: Duration = Duration::from_secs(30);
/// Of the clock that processor time is told in, as Linux has it on every platform.
const TICKS_PER_SECOND: f64 = 100.0;

/// ApiVersions v0 and Metadata v1 for no topic, with client id "many".
const REQUESTS: [&[u8]; 2] = [b"\0\x12\0\0\0\0\0\x01\0\x04many", b"\0\x03\0\x01\0\0\0\x02\0\x04many\0\0\0\0"];

/// What the command line asks for.
#[derive(Debug, PartialEq)]
struct Options {
    connections: usize,
    binary: PathBuf,
    /// Another broker's address and process.
    other: Option<(SocketAddr, i64)>,
}

fn parse(arguments: &[String]) -> Result<Options, String> {
    let mut options = Options { connections: 10_000, binary: broker::release_binary(), other: None };
    let (mut bootstrap, mut pid) = (None, None);
    let mut rest = arguments.iter();
    while let Some(argument) = rest.next() {
        let mut value = || rest.next().ok_or(format!("{argument} needs a value"));
        match argument.as_str() {
            "--bootstrap" => bootstrap = Some(value()?.parse().map_err(|_| "--bootstrap needs ADDRESS:PORT")?),
            "--pid" => pid = Some(value()?.parse().map_err(|_| "--pid needs a process id")?),
            "--binary" => options.binary = value()?.into(),
            count => options.connections = count.parse().map_err(|_| format!("\"{count}\" is not a number"))?,
        }
    }
    options.other = match (bootstrap, pid) {
        (Some(bootstrap), Some(pid)) => Some((bootstrap, pid)),
        (None, None) => None,
        _ => return Err("--bootstrap and --pid go together".to_owned()),
    };
    Ok(options)
}

/// Opens them, measures, and prints.
pub(crate) fn run(arguments: &[String]) -> Result<(), String> {
    let options = parse(arguments)?;
    if let Some((address, pid)) = options.other {
        return measure(address, pid, options.connections);
    }
    let folder = interop::scratch("connections")?;
    let mut broker = Broker::start(&options.binary, &folder, 0)?;
    let address = broker.address().parse().map_err(|error| format!("{}: {error}", broker.address()))?;
    measure(address, broker.id(), options.connections)?;
    broker.stop()?;
    std::fs::remove_dir_all(&folder).map_err(|error| error.to_string())
}

fn measure(address: SocketAddr, pid: i64, count: usize) -> Result<(), String> {
    // What a first connection brings about once is not the connections' cost.
    drop(open(address)?);
    let_pass(REST);
    let before = resident_kib(pid)?;
    let began = (Instant::now(), cpu_seconds(pid)?);
    let mut open_ones = Vec::with_capacity(count);
    for _ in 0..count {
        open_ones.push(open(address).map_err(|error| format!("after {} connections: {error}", open_ones.len()))?);
    }
    let opened = (began.0.elapsed().as_secs_f64(), cpu_seconds(pid)? - began.1);
    let_pass(REST);
    let with = resident_kib(pid)?;
    let idle_before = cpu_seconds(pid)?;
    let_pass(IDLE);
    let idle = (cpu_seconds(pid)? - idle_before) / IDLE.as_secs_f64() * 100.0;
    // Every one of them is still served.
    for connection in &mut open_ones {
        ask(connection).map_err(|error| format!("a connection was lost: {error}"))?;
    }
    let each = (with.saturating_sub(before)) as f64 / count as f64;
    println!("connections: {count}");
    println!("opened and asked twice: {:.2} s, {:.2} CPU s of the broker", opened.0, opened.1);
    println!("resident: {:.1} MB before, {:.1} MB with them, {each:.2} KiB each", mb(before), mb(with));
    println!("idle: {idle:.2} % of one processor");
    Ok(())
}

/// Time itself is what is waited for here.
pub(crate) fn let_pass(time: Duration) {
    let end = Instant::now() + time;
    while let Some(rest) = end.checked_duration_since(Instant::now()).filter(|rest| !rest.is_zero()) {
        std::thread::park_timeout(rest);
    }
}

fn mb(kib: u64) -> f64 {
    kib as f64 * 1024.0 / 1e6
}

fn open(address: SocketAddr) -> Result<TcpStream, String> {
    let mut connection = TcpStream::connect(address).map_err(|error| error.to_string())?;
    connection.set_read_timeout(Some(PATIENCE)).map_err(|error| error.to_string())?;
    connection.set_nodelay(true).map_err(|error| error.to_string())?;
    ask(&mut connection).map_err(|error| error.to_string())?;
    Ok(connection)
}

fn ask(connection: &mut TcpStream) -> std::io::Result<()> {
    for request in REQUESTS {
        let size = u32::try_from(request.len()).expect("a short request").to_be_bytes();
        connection.write_all(&[&size, request].concat())?;
        let mut size = [0; 4];
        connection.read_exact(&mut size)?;
        std::io::copy(&mut connection.take(u32::from_be_bytes(size).into()), &mut std::io::sink())?;
    }
    Ok(())
}

fn proc_file(pid: i64, name: &str) -> Result<String, String> {
    std::fs::read_to_string(format!("/proc/{pid}/{name}")).map_err(|error| format!("process {pid}: {error}"))
}

fn resident_kib(pid: i64) -> Result<u64, String> {
    let status = proc_file(pid, "status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|line| line.split_whitespace().next()?.parse().ok()).ok_or("VmRSS is not told".to_owned())
}

/// User and system time of the process so far.
fn cpu_seconds(pid: i64) -> Result<f64, String> {
    let stat = proc_file(pid, "stat")?;
    // The name in brackets may hold anything.
    let fields: Vec<&str> = stat.rsplit_once(") ").map_or("", |(_, rest)| rest).split_whitespace().collect();
    let ticks = |at: usize| fields.get(at).and_then(|field| field.parse::<f64>().ok());
    let (user, system) = ticks(11).zip(ticks(12)).ok_or("processor times are not told")?;
    Ok((user + system) / TICKS_PER_SECOND)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_broker_needs_address_and_process() {
        let words = |text: &str| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
        assert_eq!(parse(&words("500")).expect("a number").connections, 500);
        let other = parse(&words("--bootstrap 127.0.0.1:9 --pid 3")).expect("both").other;
        assert_eq!(other, Some(("127.0.0.1:9".parse().expect("an address"), 3)));
        assert!(parse(&words("--pid 3")).is_err());
        assert!(parse(&words("many")).is_err());
    }

    #[test]
    fn a_process_can_be_looked_at() {
        let own = i64::from(std::process::id());
        assert!(resident_kib(own).expect("this process") > 100);
        assert!(cpu_seconds(own).is_ok());
    }
}
