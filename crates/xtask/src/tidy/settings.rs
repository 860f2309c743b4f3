//! Every typed setting is read by somebody: a key that is honoured has a field in `ottla-config`, as a test there holds,
//! and a field that nobody reads honours nothing.

use super::{Breach, File};

/// Where settings are typed: the file, and the struct.
const TYPED: [(&str, &str); 5] = [
    ("crates/config/src/broker.rs", "BrokerConfig"),
    ("crates/config/src/topic.rs", "TopicConfig"),
    ("crates/config/src/connections.rs", "ConnectionLimits"),
    ("crates/config/src/client_metrics.rs", "ClientMetricsConfig"),
    // What a log takes over of its topic's.
    ("crates/storage/src/log/config.rs", "LogConfig"),
];

/// Fields that nobody outside reads, and why. The list may only shrink.
const UNREAD: [(&str, &str); 1] =
    [("unclean_leader_election", "a lone replica is always in sync; the key says that it has no effect")];

/// Runs the rule.
pub(super) fn check(files: &[File]) -> Vec<Breach> {
    let readers: Vec<&str> = files
        .iter()
        .filter(|file| file.is_rust() && !file.is_generated() && is_reader(&file.path))
        .map(|file| without_tests(&file.text))
        .collect();
    let mut breaches = Vec::new();
    for (path, name) in TYPED {
        let Some(file) = files.iter().find(|file| file.path == path) else { continue };
        for (line, field) in fields(file, name) {
            let read = readers.iter().any(|reader| reads(reader, field));
            let excused = UNREAD.iter().any(|(unread, _)| *unread == field);
            if !read && !excused {
                breaches.push(file.breach(
                    line,
                    "settings",
                    format!("nobody reads {name}.{field}: honour it or remove it"),
                ));
            } else if read && excused {
                breaches.push(file.breach(line, "settings", format!("{field} is read: take it off the list in xtask")));
            }
        }
    }
    breaches
}

/// Whether what a file reads counts: tests, the tables themselves and the tools do not.
fn is_reader(path: &str) -> bool {
    let tools = ["crates/config/", "crates/xtask/", "crates/testkit/", "crates/bench/", "crates/sim/"];
    path.contains("/src/") && !path.contains("/tests") && !tools.iter().any(|folder| path.starts_with(folder))
}

/// A file up to the tests at its end.
fn without_tests(text: &str) -> &str {
    text.split_once("\n#[cfg(test)]\nmod tests {").map_or(text, |(code, _)| code)
}

/// The public fields of a struct with their lines.
fn fields<'a>(file: &'a File, name: &str) -> Vec<(usize, &'a str)> {
    let begins = format!("pub struct {name} {{");
    let body = file.lines().skip_while(|(_, line)| *line != begins).skip(1).take_while(|(_, line)| *line != "}");
    let field = |(number, line): (usize, &'a str)| Some((number, line.strip_prefix("    pub ")?.split_once(':')?.0));
    body.filter_map(field).collect()
}

/// Whether `.field` stands in the text as a whole word.
fn reads(text: &str, field: &str) -> bool {
    let access = format!(".{field}");
    text.match_indices(&access).any(|(at, _)| {
        let next = text[at + access.len()..].chars().next();
        next.is_none_or(|next| !next.is_alphanumeric() && next != '_')
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(path: &str, text: &str) -> File {
        File { path: path.to_owned(), text: text.to_owned() }
    }

    #[test]
    fn a_field_that_nobody_reads_is_told() {
        let typed = file(
            "crates/config/src/topic.rs",
            "pub struct TopicConfig {\n    /// A.\n    pub segment_ms: i64,\n    pub segment: i64,\n}\n",
        );
        let reader = file("crates/broker/src/partition.rs", "let x = config.segment_ms;");
        let told = check(&[typed.clone(), reader]);
        assert_eq!(told.len(), 1);
        assert!(told[0].what.contains("TopicConfig.segment:") && told[0].line == 4);
        let tested = "fn f() {}\n\n#[cfg(test)]\nmod tests {\n    config.segment\n}\n";
        for (path, text) in [
            ("crates/broker/src/partition.rs", tested),
            ("crates/broker/src/log/tests/model.rs", "config.segment"),
            ("crates/bench/src/main.rs", "config.segment"),
        ] {
            assert_eq!(check(&[typed.clone(), file(path, text)]).len(), 2, "{path} reads for tests only");
        }
        let both = file("crates/broker/src/partition.rs", "config.segment_ms + config.segment");
        assert_eq!(check(&[typed, both]), []);
    }
}
