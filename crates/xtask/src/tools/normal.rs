//! The rules that make two runs of one command comparable. They are few, and these are all; what one tool alone prints
//! is cut in its transcript, with `sed`, where everybody sees it.
//!
//! 1. The broker's address, its data folder and the folder of the run are BOOTSTRAP, DATA and WORK.
//! 2. Ids of 16 bytes in base64 (topics, directories, the cluster) are UUID.
//! 3. Milliseconds since 1970 (13 digits) are TIME.
//! 4. Stack traces, empty lines and blanks at the ends of lines are left out.

/// What a run's names are, by the word that replaces them.
pub(super) type Names = [(String, &'static str); 3];

/// One answer, line by line, with an exit code other than 0 as its last line.
pub(super) fn answer(lines: &[String], exit: Option<i32>, names: &Names) -> Vec<String> {
    let mut answer: Vec<String> = lines.iter().filter(|line| !is_trace(line)).map(|text| line(text, names)).collect();
    answer.retain(|line| !line.is_empty());
    match exit {
        Some(0) => {}
        Some(code) => answer.push(format!("(exit {code})")),
        None => answer.push("(killed)".to_owned()),
    }
    answer
}

/// A line of a stack trace below its first one.
fn is_trace(line: &str) -> bool {
    let text = line.trim_start();
    text.len() < line.len() && (text.starts_with("at ") || text.starts_with("... ") && text.ends_with(" more"))
}

fn line(text: &str, names: &Names) -> String {
    let mut text = text.replace('\r', "");
    for (name, word) in names {
        text = text.replace(name, word);
    }
    let (mut out, mut token) = (String::new(), String::new());
    for c in text.trim_end().chars() {
        if c.is_ascii_alphanumeric() || c == '-' || c == '_' {
            token.push(c);
        } else {
            out += word(&token);
            token.clear();
            out.push(c);
        }
    }
    out += word(&token);
    out
}

/// What stands for one word of letters, digits, `-` and `_`.
fn word(token: &str) -> &str {
    let has = |of: fn(&u8) -> bool| token.bytes().any(|b| of(&b));
    if token.len() == 22 && has(u8::is_ascii_uppercase) && has(u8::is_ascii_lowercase) && !is_name(token) {
        "UUID"
    } else if token.len() == 13 && token.starts_with('1') && token.bytes().all(|b| b.is_ascii_digit()) {
        "TIME"
    } else {
        token
    }
}

/// Words of three letters or more, each with its first letter raised, as names of APIs and exceptions are.
fn is_name(token: &str) -> bool {
    let is_word = |word: &str| word.len() >= 2 && word.bytes().all(|b| b.is_ascii_lowercase());
    token.starts_with(|c: char| c.is_ascii_uppercase())
        && token.split(|c: char| c.is_ascii_uppercase()).skip(1).all(is_word)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn normal(text: &str, exit: i32) -> Vec<String> {
        let names = [
            ("127.0.0.1:4711".to_owned(), "BOOTSTRAP"),
            ("/tmp/x/data".to_owned(), "DATA"),
            ("/tmp/x".to_owned(), "WORK"),
        ];
        let lines: Vec<String> = text.lines().map(str::to_owned).collect();
        answer(&lines, Some(exit), &names)
    }

    #[test]
    fn what_differs_from_run_to_run_has_a_name() {
        assert_eq!(normal("on 127.0.0.1:4711 in /tmp/x/data/t-0, /tmp/x/y", 0), ["on BOOTSTRAP in DATA/t-0, WORK/y"]);
        assert_eq!(normal("TopicId: wTPqctRXS6Wqf07FO5Hckw\tA: 0", 0), ["TopicId: UUID\tA: 0"]);
        assert_eq!(normal("CreateTime:1763735400123 offset: 12", 0), ["CreateTime:TIME offset: 12"]);
    }

    #[test]
    fn what_tells_answers_apart_stays() {
        for line in [
            "UnknownServerException: x",
            "ConsumerGroupHeartbeat(68)",
            "Offset: 9223372036854775807",
            "Configs: a.b=1,c=2",
            "\ta\tb",
        ] {
            assert_eq!(normal(line, 0), [line]);
        }
    }

    #[test]
    fn traces_and_empty_lines_go_and_exit_codes_come() {
        assert_eq!(normal("bad: x  \r\n\tat a.b.C(D.java:1)\n\t... 3 more\n\n", 1), ["bad: x", "(exit 1)"]);
    }
}
