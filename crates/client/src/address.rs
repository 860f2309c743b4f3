//! Where a broker is: a host and a port, as `bootstrap.servers` lists them.

use std::fmt;
use std::str::FromStr;

/// Host and port of a broker.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Address {
    /// A name or an IP address, without brackets.
    pub host: String,
    /// The port.
    pub port: u16,
}

/// The text is no address.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("\"{0}\" is not HOST:PORT")]
pub struct InvalidAddress(String);

impl Address {
    /// The port where none is named.
    pub const DEFAULT_PORT: u16 = 9092;

    /// Reads a list such as `a:9092,b:9092`; there is one at least.
    pub fn parse_list(text: &str) -> Result<Vec<Self>, InvalidAddress> {
        let list: Vec<Self> =
            text.split(',').map(str::trim).filter(|part| !part.is_empty()).map(str::parse).collect::<Result<_, _>>()?;
        if list.is_empty() { Err(InvalidAddress(text.to_owned())) } else { Ok(list) }
    }
}

impl FromStr for Address {
    type Err = InvalidAddress;

    /// `host:port`, `[ipv6]:port`, or either without the port.
    fn from_str(text: &str) -> Result<Self, InvalidAddress> {
        let invalid = || InvalidAddress(text.to_owned());
        let (host, port) = match text.strip_prefix('[') {
            Some(rest) => {
                let (host, rest) = rest.split_once(']').ok_or_else(invalid)?;
                (host, if rest.is_empty() { None } else { Some(rest.strip_prefix(':').ok_or_else(invalid)?) })
            }
            None => match text.rsplit_once(':') {
                // More than one colon without brackets is an IPv6 address.
                Some((before, _)) if before.contains(':') => (text, None),
                Some((host, port)) => (host, Some(port)),
                None => (text, None),
            },
        };
        let port = match port {
            Some(port) => port.parse().ok().filter(|port| *port > 0).ok_or_else(invalid)?,
            None => Self::DEFAULT_PORT,
        };
        if host.is_empty() || host.contains(['/', ' ']) {
            return Err(invalid());
        }
        Ok(Self { host: host.to_owned(), port })
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_read_and_print() {
        for (text, printed) in [
            ("localhost:9092", "localhost:9092"),
            ("kafka", "kafka:9092"),
            ("10.0.0.1:1", "10.0.0.1:1"),
            ("[::1]:9093", "[::1]:9093"),
            ("[::1]", "[::1]:9092"),
            ("fe80::1", "[fe80::1]:9092"),
        ] {
            assert_eq!(text.parse::<Address>().unwrap().to_string(), printed);
        }
        for bad in ["", ":9092", "a:", "a:0", "a:70000", "a:x", "[::1", "[::1]9092", "http://a:1"] {
            assert!(bad.parse::<Address>().is_err(), "{bad}");
        }
    }

    #[test]
    fn lists_have_one_address_at_least() {
        assert_eq!(Address::parse_list("a:1, b:2,").unwrap().len(), 2);
        assert!(Address::parse_list(" , ").is_err());
    }
}
