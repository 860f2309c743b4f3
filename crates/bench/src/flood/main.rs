//! `flood`: many small records a second over many partitions, from a client that costs next to nothing.
//!
//! `flood HOST:PORT TOPIC PARTITIONS RATE SIZE SECONDS`: RATE records of SIZE bytes a second, over all partitions, as a client
//! with a linger of 100 ms sends them: each partition gets a batch ten times a second. Whoever makes a million records a
//! second by building each takes more than a core of the machine that the broker runs on; here every request is built once and
//! sent again and again, when it is due, whether those before it were answered or not (an open loop).
//!
//! Its answer is one line of JSON with the keys of the load generator (`interop/go/bench`). The exit code is 0 only if all
//! was acknowledged. The producer is not idempotent: the same bytes could not be sent twice.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a command speaks to the one who typed it")]

mod requests;

use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::ExitCode;
use std::str::FromStr;
use std::time::{Duration, Instant};

use ottla_protocol::frame::parse_response_head;
use ottla_protocol::produce::ProduceResponse;
use ottla_protocol::{ApiKey, Message};
use ottla_wire::Reader;
use requests::{Flood, PRODUCE, REQUESTS, ROUNDS};

/// What went wrong, in words for the one who typed the command.
type Outcome<T> = Result<T, String>;

const USAGE: &str = "usage: flood HOST:PORT TOPIC PARTITIONS RATE SIZE SECONDS";
/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(60);
/// The longest answer: some hundred partitions with an error message each.
const ANSWER_MAX: usize = 16 << 20;

fn main() -> ExitCode {
    match run(&std::env::args().skip(1).collect::<Vec<_>>()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(reason) => {
            eprintln!("flood: {reason}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &[String]) -> Outcome<()> {
    let [address, topic, partitions, rate, size, seconds] = arguments else { return Err(USAGE.to_owned()) };
    let flood = Flood { topic, partitions: number(partitions)?, rate: number(rate)?, size: number(size)? };
    let mut socket = connect(address)?;
    ask(&mut socket, &flood.create()?)?;
    let requests = flood.requests()?;
    let total = number::<usize>(seconds)? * ROUNDS * REQUESTS;
    // Its own thread reads: what is sent when does not depend on what was answered.
    let reading = socket.try_clone().map_err(|error| error.to_string())?;
    let begin = Instant::now();
    let (late, times) = std::thread::scope(|scope| {
        let answers = scope.spawn(move || read(reading, total, begin));
        let late = send(&mut socket, &requests, total, begin);
        (late, answers.join().expect("it does not panic"))
    });
    let (late, (mut times, failed)) = (late?, times?);
    let records = total * flood.records_a_request();
    let seconds = begin.elapsed().as_secs_f64();
    times.sort_unstable();
    let at = |share: f64| times[((times.len() - 1) as f64 * share) as usize].as_secs_f64() * 1e3;
    println!(
        "{{\"verb\":\"flood\",\"records\":{records},\"bytes\":{},\"seconds\":{seconds:.4},\"ack_ms\":{{\"p50\":{:.4},\
         \"p99\":{:.4},\"p999\":{:.4},\"max\":{:.4}}},\"late_ms\":{{\"max\":{:.4}}},\"failed\":{failed}}}",
        records * flood.size,
        at(0.5),
        at(0.99),
        at(0.999),
        at(1.0),
        late.as_secs_f64() * 1e3,
    );
    if failed == 0 { Ok(()) } else { Err(format!("{failed} batches were refused")) }
}

fn number<N: FromStr>(word: &str) -> Outcome<N> {
    word.parse().map_err(|_| format!("{word} is not a number\n{USAGE}"))
}

fn connect(address: &str) -> Outcome<TcpStream> {
    let open = || {
        let socket = TcpStream::connect(address)?;
        socket.set_nodelay(true)?;
        socket.set_read_timeout(Some(PATIENCE))?;
        socket.set_write_timeout(Some(PATIENCE))?;
        Ok(socket)
    };
    open().map_err(|error: std::io::Error| format!("{address}: {error}"))
}

/// When the request of that number is due, after the beginning: those of a round are spread over it.
fn due(number: usize) -> Duration {
    Duration::from_secs(1) * u32::try_from(number).unwrap_or(u32::MAX) / (ROUNDS * REQUESTS) as u32
}

/// Sends each request when it is due; how late the latest was.
fn send(socket: &mut TcpStream, requests: &[Vec<u8>], total: usize, begin: Instant) -> Outcome<Duration> {
    let mut latest = Duration::ZERO;
    for number in 0..total {
        let early = due(number).saturating_sub(begin.elapsed());
        if !early.is_zero() {
            std::thread::sleep(early);
        }
        latest = latest.max(begin.elapsed().saturating_sub(due(number)));
        socket.write_all(&requests[number % requests.len()]).map_err(|error| format!("request {number}: {error}"))?;
    }
    Ok(latest)
}

/// Reads all answers: how long each took since its request was due, and how many batches were refused.
fn read(mut socket: TcpStream, total: usize, begin: Instant) -> Outcome<(Vec<Duration>, usize)> {
    let (mut times, mut failed) = (Vec::with_capacity(total), 0);
    for number in 0..total {
        let frame = answer(&mut socket).map_err(|error| format!("answer {number}: {error}"))?;
        times.push(begin.elapsed().saturating_sub(due(number)));
        let (_, body) = parse_response_head(&frame, ApiKey::Produce, PRODUCE).map_err(|error| error.to_string())?;
        let answer = ProduceResponse::decode(&mut Reader::new(&frame[body..]), PRODUCE);
        let answer = answer.map_err(|error| error.to_string())?;
        let partitions = answer.responses.iter().flat_map(|topic| &topic.partition_responses);
        failed += partitions.filter(|partition| partition.error_code != 0).count();
    }
    Ok((times, failed))
}

fn ask(socket: &mut TcpStream, request: &[u8]) -> Outcome<Vec<u8>> {
    socket.write_all(request).and_then(|()| answer(socket)).map_err(|error| error.to_string())
}

fn answer(socket: &mut TcpStream) -> std::io::Result<Vec<u8>> {
    let mut size = [0; 4];
    socket.read_exact(&mut size)?;
    let size = u32::from_be_bytes(size) as usize;
    if size > ANSWER_MAX {
        return Err(std::io::Error::other(format!("it announces {size} bytes")));
    }
    let mut frame = vec![0; size];
    socket.read_exact(&mut frame)?;
    Ok(frame)
}
