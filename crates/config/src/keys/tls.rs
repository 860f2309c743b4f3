//! TLS: certificates, trust and what a handshake may agree on.

use crate::key::{ACCEPTED, ANY, Allowed, Key, LIST};

keys! {
    /// Whether a new certificate may carry another distinguished name.
    "ssl.allow.dn.changes": Boolean = "false", ANY, Low, ReadOnly, ACCEPTED;
    /// Whether a new certificate may carry other alternative names.
    "ssl.allow.san.changes": Boolean = "false", ANY, Low, ReadOnly, ACCEPTED;
    /// The cipher suites that may be agreed on; empty means the library's own.
    "ssl.cipher.suites": List = "", LIST, Medium, PerBroker, ACCEPTED;
    /// Whether clients must, may or need not show a certificate.
    "ssl.client.auth": String = "none",
        Allowed::OneOf(&["required", "requested", "none"]), Medium, PerBroker, ACCEPTED;
    /// The versions of TLS that may be agreed on.
    "ssl.enabled.protocols": List = "TLSv1.2,TLSv1.3", LIST, Medium, PerBroker, ACCEPTED;
    /// How a server's name is checked against its certificate; empty does not check it.
    "ssl.endpoint.identification.algorithm": String = "https", ANY, Low, PerBroker, ACCEPTED;
    /// A Java class that makes TLS engines.
    "ssl.engine.factory.class": Class, ANY, Low, PerBroker, ACCEPTED;
    /// The password of the private key.
    "ssl.key.password": Password, ANY, Medium, PerBroker, ACCEPTED;
    /// The Java algorithm that picks a key.
    "ssl.keymanager.algorithm": String = "SunX509", ANY, Medium, PerBroker, ACCEPTED;
    /// The certificate chain itself, in PEM.
    "ssl.keystore.certificate.chain": Password, ANY, Medium, PerBroker, ACCEPTED;
    /// The private key itself, in PEM.
    "ssl.keystore.key": Password, ANY, Medium, PerBroker, ACCEPTED;
    /// The file of the key store.
    "ssl.keystore.location": String, ANY, Medium, PerBroker, ACCEPTED;
    /// The password of the key store.
    "ssl.keystore.password": Password, ANY, Medium, PerBroker, ACCEPTED;
    /// The form of the key store.
    "ssl.keystore.type": String = "JKS", ANY, Medium, PerBroker, ACCEPTED;
    /// Rules that make a user name of a certificate's name; the first that fits counts.
    "ssl.principal.mapping.rules": String = "DEFAULT", ANY, Low, ReadOnly, ACCEPTED;
    /// The version of TLS that a context is made for.
    "ssl.protocol": String = "TLSv1.3", ANY, Medium, PerBroker, ACCEPTED;
    /// The Java provider of TLS.
    "ssl.provider": String, ANY, Medium, PerBroker, ACCEPTED;
    /// The Java source of random numbers.
    "ssl.secure.random.implementation": String, ANY, Low, PerBroker, ACCEPTED;
    /// The Java algorithm that checks trust.
    "ssl.trustmanager.algorithm": String = "PKIX", ANY, Medium, PerBroker, ACCEPTED;
    /// The trusted certificates themselves, in PEM.
    "ssl.truststore.certificates": Password, ANY, Medium, PerBroker, ACCEPTED;
    /// The file of the trust store.
    "ssl.truststore.location": String, ANY, Medium, PerBroker, ACCEPTED;
    /// The password of the trust store.
    "ssl.truststore.password": Password, ANY, Medium, PerBroker, ACCEPTED;
    /// The form of the trust store.
    "ssl.truststore.type": String = "JKS", ANY, Medium, PerBroker, ACCEPTED;
}
