//! A registered broker: who it is, where it listens, whether it may lead.

use std::fmt;

use minicbor::{Decode, Encode};
use ottla_types::{BrokerId, Uuid};

use crate::BrokerEpoch;

/// A broker as it registered, and what has become of it since.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Broker {
    /// Its `node.id`.
    pub id: BrokerId,
    /// The id of this run of its process: a restart brings another.
    pub incarnation: Uuid,
    /// The epoch of this registration.
    pub epoch: BrokerEpoch,
    /// Its `broker.rack`.
    pub rack: Option<String>,
    /// Where it listens, in the order in which it named them.
    pub endpoints: Vec<Endpoint>,
    /// Whether it is shut out: a fenced broker leads nothing and clients do not see it.
    pub fenced: bool,
}

impl Broker {
    /// The endpoint of the listener called `listener`.
    #[must_use]
    pub fn endpoint(&self, listener: &str) -> Option<&Endpoint> {
        self.endpoints.iter().find(|endpoint| endpoint.listener == listener)
    }
}

/// One address of a broker.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
#[cbor(map)]
pub struct Endpoint {
    /// The listener's name, as in `listeners`.
    #[n(0)]
    pub listener: String,
    /// The host that clients are told.
    #[n(1)]
    pub host: String,
    /// The port that clients are told.
    #[n(2)]
    pub port: u16,
    /// What is spoken there.
    #[n(3)]
    pub security_protocol: SecurityProtocol,
}

/// What protects the connections of a listener; the numbers are Kafka's (`SecurityProtocol`).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Encode, Decode)]
#[cbor(index_only)]
pub enum SecurityProtocol {
    /// Nothing.
    #[n(0)]
    Plaintext,
    /// TLS.
    #[n(1)]
    Ssl,
    /// A SASL exchange on an open connection.
    #[n(2)]
    SaslPlaintext,
    /// A SASL exchange inside TLS.
    #[n(3)]
    SaslSsl,
}

impl SecurityProtocol {
    /// Kafka's name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Plaintext => "PLAINTEXT",
            Self::Ssl => "SSL",
            Self::SaslPlaintext => "SASL_PLAINTEXT",
            Self::SaslSsl => "SASL_SSL",
        }
    }
}

impl fmt::Display for SecurityProtocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl fmt::Display for Endpoint {
    /// `<listener>://<host>:<port>`, and the protocol where the listener's name does not say it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}:{}", self.listener, self.host, self.port)?;
        if self.listener == self.security_protocol.name() { Ok(()) } else { write!(f, "({})", self.security_protocol) }
    }
}
