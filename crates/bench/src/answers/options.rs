//! The command line of `answers`.

use std::net::SocketAddr;
use std::path::PathBuf;

use crate::Outcome;

const USAGE: &str = "usage: answers [options]
    --listen HOST:PORT    default 127.0.0.1:0, any free port
    --partitions N        of a topic that nobody created (default 6)
    --value-bytes N       of the records that are fetched when nothing is kept (default 1000)
    --write DIRECTORY     keep what is produced, a file for each partition
    --reserve MB          by how much such a file is reserved at a time (default 64)";

/// What is asked for.
#[derive(Debug, PartialEq)]
pub(crate) struct Options {
    pub(crate) listen: SocketAddr,
    /// Of a topic that nobody created.
    pub(crate) partitions: usize,
    /// Bytes of a prepared record's value.
    pub(crate) value_bytes: usize,
    /// Where records are kept, if they are.
    pub(crate) write: Option<PathBuf>,
    /// Bytes that a file grows by.
    pub(crate) reserve: u64,
}

impl Default for Options {
    fn default() -> Self {
        let listen = SocketAddr::from(([127, 0, 0, 1], 0));
        Self { listen, partitions: 6, value_bytes: 1000, write: None, reserve: 64 << 20 }
    }
}

impl Options {
    pub(crate) fn parse(mut arguments: impl Iterator<Item = String>) -> Outcome<Self> {
        let mut options = Self::default();
        while let Some(flag) = arguments.next() {
            if matches!(flag.as_str(), "-h" | "--help") {
                return Err(USAGE.to_owned());
            }
            let value = arguments.next().ok_or_else(|| format!("{flag} needs a value\n{USAGE}"))?;
            match flag.as_str() {
                "--listen" => {
                    options.listen = value.parse().map_err(|_| format!("--listen: {value} is no HOST:PORT"))?
                }
                "--partitions" => options.partitions = number(&flag, &value)?,
                "--value-bytes" => options.value_bytes = number(&flag, &value)?,
                "--write" => options.write = Some(value.into()),
                "--reserve" => options.reserve = (number(&flag, &value)? as u64) << 20,
                _ => return Err(format!("there is no {flag}\n{USAGE}")),
            }
        }
        Ok(options)
    }
}

fn number(flag: &str, value: &str) -> Outcome<usize> {
    let number = value.parse().map_err(|_| format!("{flag}: {value} is not a number"))?;
    // More is a mistake, whatever it is of.
    if (1..=1_000_000).contains(&number) { Ok(number) } else { Err(format!("{flag}: {value} is not 1 to 1000000")) }
}
