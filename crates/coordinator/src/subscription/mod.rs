//! Subscriptions by a regular expression: which topics a member means (KIP-848).
//!
//! The syntax is RE2's as Kafka's Java reads it, which is not the one of Rust's expressions: `a{` and `[a&&b]` mean
//! something else, `\Q…\E` nothing, `a**` is refused by one only. So expressions are read here (`syntax`) and written
//! anew. Names of topics are ASCII, and the whole name has to match, which makes every class a set of 128 and every
//! answer a yes or a no.
//!
//! What is not here: when topics are matched again, and what is remembered of it. That is the group's.

mod class;
mod escape;
mod names;
mod syntax;

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use regex::{Regex, RegexBuilder};

/// The largest form of an expression: it comes from whoever may join a group.
const EXPRESSION_BYTES_MAX: usize = 1 << 20;

/// How deep groups may be nested in an expression.
const NESTING_MAX: u32 = 250;

/// The text is no regular expression.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct InvalidPattern(String);

impl fmt::Display for InvalidPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Whether the text is a regular expression.
///
/// # Errors
/// What is wrong with it, and where.
pub fn check(pattern: &str) -> Result<(), InvalidPattern> {
    compiled(pattern).map(|_| ())
}

/// Those topics whose whole names match.
///
/// # Errors
/// As [`check`].
pub fn matching<'a>(
    pattern: &str,
    topics: impl IntoIterator<Item = &'a Arc<str>>,
) -> Result<BTreeSet<Arc<str>>, InvalidPattern> {
    let pattern = compiled(pattern)?;
    Ok(topics.into_iter().filter(|topic| pattern.is_match(topic)).cloned().collect())
}

fn compiled(pattern: &str) -> Result<Regex, InvalidPattern> {
    let written = syntax::rewritten(pattern).map_err(|error| InvalidPattern(error.to_string()))?;
    let mut builder = RegexBuilder::new(&format!(r"\A(?:{written})\z"));
    // Three more for what is put around it here and there.
    builder.size_limit(EXPRESSION_BYTES_MAX).nest_limit(2 * NESTING_MAX + 3);
    builder
        .build()
        .map_err(|_| InvalidPattern(format!("it takes more than {EXPRESSION_BYTES_MAX} bytes when it is read")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(pattern: &str) -> String {
        check(pattern).expect_err("it is none").to_string()
    }

    #[test]
    fn what_is_wrong_is_told_with_its_place() {
        assert_eq!(refusal("orders("), "a group is not closed at 7");
        assert_eq!(refusal("orders)"), "no group is open that could be closed at 6");
        assert_eq!(refusal("a**"), "a repetition is repeated at 2");
        assert_eq!(refusal("a{1001}"), "a repetition is out of bounds (0 to 1000, the smaller first) at 1");
        assert_eq!(refusal(r"\p{Klingon}"), "there is no such class of characters at 0");
    }

    #[test]
    fn an_expression_stays_within_its_memory() {
        assert!(check("(a{10}){100}").is_ok());
        assert!(refusal("((a{1000}){1000}){1000}").starts_with("it takes more than"));
        assert!(check(r"((){1000}\b{1000}){1000}").is_ok());
        let nested = |depth: usize| format!("{}a{}", "(".repeat(depth), ")".repeat(depth));
        assert!(check(&nested(250)).is_ok());
        assert_eq!(refusal(&nested(251)), "groups are nested deeper than 250 at 250");
        assert!(refusal(&nested(100_000)).starts_with("groups are nested"));
    }

    #[test]
    fn the_whole_name_has_to_match() {
        let topics: Vec<Arc<str>> = ["order", "orders", "orders-2", "Orders"].map(Into::into).into();
        let matched = matching("orders|(?i:ORDER)", &topics).expect("valid");
        assert_eq!(matched.iter().map(|topic| &**topic).collect::<Vec<_>>(), ["order", "orders"]);
    }
}
