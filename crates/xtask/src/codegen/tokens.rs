//! The lines of a schema file, cut into words and comments.

/// One line that says something, with the comment that describes it.
#[derive(Debug)]
pub(super) struct Line {
    /// Its number, from 1.
    pub(super) number: usize,
    /// Its words. Never empty.
    pub(super) words: Vec<String>,
    /// The comment lines directly above it and the comment behind it.
    pub(super) doc: Vec<String>,
}

/// All lines of a file, and the comment at its top if an empty line separates it from what follows.
pub(super) fn lines(text: &str) -> (Vec<String>, Vec<Line>) {
    let mut head = Vec::new();
    let mut doc: Vec<String> = Vec::new();
    let mut lines = Vec::new();
    for (i, line) in text.lines().enumerate() {
        let (words, comment) = match line.split_once('#') {
            Some((words, comment)) => (words, Some(comment.strip_prefix(' ').unwrap_or(comment).trim_end().to_owned())),
            None => (line, None),
        };
        let words: Vec<String> = words.split_whitespace().map(str::to_owned).collect();
        let silent = words.is_empty();
        if silent && comment.is_none() {
            // An empty line: a comment above it describes nothing below it, but at the top it describes the file.
            if lines.is_empty() && head.is_empty() {
                head = std::mem::take(&mut doc);
            }
            doc.clear();
            continue;
        }
        doc.extend(comment);
        if !silent {
            lines.push(Line { number: i + 1, words, doc: std::mem::take(&mut doc) });
        }
    }
    (head, lines)
}
