//! Who may connect and do what: authorisation, principals, SASL in general, delegation tokens.

use crate::key::{ACCEPTED, ANY, Key, LIST, Status, at_least};

keys! {
    /// The class that decides who may do what. There is no authorisation yet, so none can be asked for.
    "authorizer.class.name": String = "",
        ANY, Low, ReadOnly,
        Status::Refused("there is no authorisation yet: the broker would let everybody do everything");
    /// A Java class that makes a principal of a connection.
    "principal.builder.class": Class = "org.apache.kafka.common.security.authenticator.DefaultKafkaPrincipalBuilder",
        ANY, Medium, PerBroker, ACCEPTED;
    /// Java classes that provide algorithms.
    "security.providers": String, ANY, Low, ReadOnly, ACCEPTED;
    /// How long a failed authentication waits for its answer.
    "connection.failed.authentication.delay.ms": Int = "100", at_least(0), Low, ReadOnly, ACCEPTED;
    /// After how long a SASL client must authenticate again; 0 never asks it to.
    "connections.max.reauth.ms": Long = "0", ANY, Medium, ReadOnly, ACCEPTED;
    /// The SASL mechanisms that are offered.
    "sasl.enabled.mechanisms": List = "GSSAPI", LIST, Medium, PerBroker, ACCEPTED;
    /// The SASL mechanism between brokers.
    "sasl.mechanism.inter.broker.protocol": String = "GSSAPI", ANY, Medium, PerBroker, ACCEPTED;
    /// The SASL mechanism towards controllers.
    "sasl.mechanism.controller.protocol": String = "GSSAPI", ANY, High, ReadOnly, ACCEPTED;
    /// The login of a SASL listener, in JAAS form.
    "sasl.jaas.config": Password, ANY, Medium, PerBroker, ACCEPTED;
    /// A Java class that answers SASL callbacks of clients.
    "sasl.client.callback.handler.class": Class, ANY, Medium, ReadOnly, ACCEPTED;
    /// A Java class that answers SASL callbacks of the server.
    "sasl.server.callback.handler.class": Class, ANY, Medium, ReadOnly, ACCEPTED;
    /// The largest SASL message that is taken before authentication.
    "sasl.server.max.receive.size": Int = "524288", ANY, Medium, ReadOnly, ACCEPTED;
    /// A Java class that logs in.
    "sasl.login.class": Class, ANY, Medium, ReadOnly, ACCEPTED;
    /// A Java class that answers callbacks of the login.
    "sasl.login.callback.handler.class": Class, ANY, Medium, ReadOnly, ACCEPTED;
    /// How long a login tries to connect to its provider.
    "sasl.login.connect.timeout.ms": Int, ANY, Low, ReadOnly, ACCEPTED;
    /// How long a login waits for its provider.
    "sasl.login.read.timeout.ms": Int, ANY, Low, ReadOnly, ACCEPTED;
    /// How long a login rests after its first failure.
    "sasl.login.retry.backoff.ms": Long = "100", ANY, Low, ReadOnly, ACCEPTED;
    /// The longest rest between two tries.
    "sasl.login.retry.backoff.max.ms": Long = "10000", ANY, Low, ReadOnly, ACCEPTED;
    /// The share of a credential's life after which it is renewed.
    "sasl.login.refresh.window.factor": Double = "0.8", ANY, Medium, PerBroker, ACCEPTED;
    /// The most that is added to that by chance.
    "sasl.login.refresh.window.jitter": Double = "0.05", ANY, Medium, PerBroker, ACCEPTED;
    /// The least time between two renewals.
    "sasl.login.refresh.min.period.seconds": Short = "60", ANY, Medium, PerBroker, ACCEPTED;
    /// How long before its end a credential is renewed at the latest.
    "sasl.login.refresh.buffer.seconds": Short = "300", ANY, Medium, PerBroker, ACCEPTED;
    /// The path of kinit.
    "sasl.kerberos.kinit.cmd": String = "/usr/bin/kinit", ANY, Medium, PerBroker, ACCEPTED;
    /// The Kerberos name under which the brokers run.
    "sasl.kerberos.service.name": String, ANY, Medium, PerBroker, ACCEPTED;
    /// Milliseconds between two logins at least.
    "sasl.kerberos.min.time.before.relogin": Long = "60000", ANY, Medium, PerBroker, ACCEPTED;
    /// The share of a ticket's life after which it is renewed.
    "sasl.kerberos.ticket.renew.window.factor": Double = "0.8", ANY, Medium, PerBroker, ACCEPTED;
    /// The most that is added to that by chance.
    "sasl.kerberos.ticket.renew.jitter": Double = "0.05", ANY, Medium, PerBroker, ACCEPTED;
    /// Rules that make a user name of a Kerberos principal; the first that fits counts.
    "sasl.kerberos.principal.to.local.rules": List = "DEFAULT", LIST, Medium, PerBroker, ACCEPTED;
    /// The secret that signs delegation tokens; the same on every node.
    "delegation.token.secret.key": Password, ANY, Medium, ReadOnly, ACCEPTED;
    /// How long a delegation token lives unless renewed.
    "delegation.token.expiry.time.ms": Long = "86400000", at_least(1), Medium, ReadOnly, ACCEPTED;
    /// How long it lives at most.
    "delegation.token.max.lifetime.ms": Long = "604800000", at_least(1), Medium, ReadOnly, ACCEPTED;
    /// How often expired tokens are removed.
    "delegation.token.expiry.check.interval.ms": Long = "3600000", at_least(1), Low, ReadOnly, ACCEPTED;
}
