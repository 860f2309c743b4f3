//! SASL/OAUTHBEARER: how tokens are fetched and checked.

use crate::key::{ACCEPTED, ANY, Allowed, Key, LIST, between};

keys! {
    /// The algorithm that signs an assertion.
    "sasl.oauthbearer.assertion.algorithm": String = "RS256",
        Allowed::OneOfAnyCase(&["ES256", "RS256"]), Medium, ReadOnly, ACCEPTED;
    /// The audience of an assertion.
    "sasl.oauthbearer.assertion.claim.aud": String, ANY, Medium, ReadOnly, ACCEPTED;
    /// How long an assertion is good.
    "sasl.oauthbearer.assertion.claim.exp.seconds": Int = "300", between(0, 86_400), Low, ReadOnly, ACCEPTED;
    /// The issuer of an assertion.
    "sasl.oauthbearer.assertion.claim.iss": String, ANY, Medium, ReadOnly, ACCEPTED;
    /// Whether an assertion carries an id of its own.
    "sasl.oauthbearer.assertion.claim.jti.include": Boolean = "false", ANY, Medium, ReadOnly, ACCEPTED;
    /// How far before its making an assertion is good.
    "sasl.oauthbearer.assertion.claim.nbf.seconds": Int = "60", between(0, 3600), Low, ReadOnly, ACCEPTED;
    /// The subject of an assertion.
    "sasl.oauthbearer.assertion.claim.sub": String, ANY, Medium, ReadOnly, ACCEPTED;
    /// A file that holds a ready assertion.
    "sasl.oauthbearer.assertion.file": String, ANY, Medium, ReadOnly, ACCEPTED;
    /// The file of the key that signs assertions.
    "sasl.oauthbearer.assertion.private.key.file": String, ANY, Medium, ReadOnly, ACCEPTED;
    /// The passphrase of that key.
    "sasl.oauthbearer.assertion.private.key.passphrase": Password, ANY, Medium, ReadOnly, ACCEPTED;
    /// A file with the fixed parts of an assertion.
    "sasl.oauthbearer.assertion.template.file": String, ANY, Medium, ReadOnly, ACCEPTED;
    /// The client's id for the client-credentials grant.
    "sasl.oauthbearer.client.credentials.client.id": String, ANY, Medium, ReadOnly, ACCEPTED;
    /// The client's secret for that grant.
    "sasl.oauthbearer.client.credentials.client.secret": Password, ANY, Medium, ReadOnly, ACCEPTED;
    /// How far the clocks of issuer and broker may differ.
    "sasl.oauthbearer.clock.skew.seconds": Int = "30", ANY, Low, ReadOnly, ACCEPTED;
    /// Audiences that a token may be meant for.
    "sasl.oauthbearer.expected.audience": List = "", LIST, High, ReadOnly, ACCEPTED;
    /// The issuer that a token must come from.
    "sasl.oauthbearer.expected.issuer": String, ANY, High, ReadOnly, ACCEPTED;
    /// Where the issuer publishes its keys.
    "sasl.oauthbearer.jwks.endpoint.url": String, ANY, Medium, ReadOnly, ACCEPTED;
    /// How often those keys are fetched anew.
    "sasl.oauthbearer.jwks.endpoint.refresh.ms": Long = "3600000", ANY, Low, ReadOnly, ACCEPTED;
    /// How long the first rest after a failed fetch is.
    "sasl.oauthbearer.jwks.endpoint.retry.backoff.ms": Long = "100", ANY, Low, ReadOnly, ACCEPTED;
    /// How long such a rest is at most.
    "sasl.oauthbearer.jwks.endpoint.retry.backoff.max.ms": Long = "10000", ANY, Low, ReadOnly, ACCEPTED;
    /// A Java class that fetches tokens.
    "sasl.oauthbearer.jwt.retriever.class": Class = "org.apache.kafka.common.security.oauthbearer.DefaultJwtRetriever",
        ANY, Medium, ReadOnly,
        ACCEPTED;
    /// A Java class that checks tokens.
    "sasl.oauthbearer.jwt.validator.class": Class = "org.apache.kafka.common.security.oauthbearer.DefaultJwtValidator",
        ANY, Medium, ReadOnly,
        ACCEPTED;
    /// The scope that a token is asked for.
    "sasl.oauthbearer.scope": String, ANY, Medium, ReadOnly, ACCEPTED;
    /// The claim that holds a token's scope.
    "sasl.oauthbearer.scope.claim.name": String = "scope", ANY, Low, ReadOnly, ACCEPTED;
    /// The claim that holds a token's subject.
    "sasl.oauthbearer.sub.claim.name": String = "sub", ANY, Low, ReadOnly, ACCEPTED;
    /// Where tokens are fetched.
    "sasl.oauthbearer.token.endpoint.url": String, ANY, Medium, ReadOnly, ACCEPTED;
}
