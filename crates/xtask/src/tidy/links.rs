//! Links in Markdown that stay inside the repository must lead somewhere: to a file, a folder, a heading.

use std::collections::BTreeSet;

use super::{Breach, File};

/// Checks every link of every Markdown file.
pub(super) fn check(files: &[File]) -> Vec<Breach> {
    let mut places: BTreeSet<&str> = files.iter().map(|file| file.path.as_str()).collect();
    places.extend(files.iter().flat_map(|file| file.path.match_indices('/').map(|(at, _)| &file.path[..at])));
    let markdown = files.iter().filter(|file| file.path.ends_with(".md"));
    markdown.flat_map(|file| check_file(file, files, &places)).collect()
}

fn check_file(file: &File, files: &[File], places: &BTreeSet<&str>) -> Vec<Breach> {
    let mut breaches = Vec::new();
    for (number, line) in prose(file) {
        for link in links(line) {
            if link.contains("://") || link.starts_with("mailto:") {
                continue;
            }
            let (target, anchor) = link.split_once('#').unwrap_or((link, ""));
            let Some(path) = resolve(&file.path, target) else {
                breaches.push(file.breach(number, "links", format!("{link} leads out of the repository")));
                continue;
            };
            if !path.is_empty() && !places.contains(path.as_str()) {
                breaches.push(file.breach(number, "links", format!("{link} leads nowhere: {path} is not there")));
            } else if !anchor.is_empty() && without_heading(files, &path, anchor) {
                breaches.push(file.breach(number, "links", format!("{path} has no heading #{anchor}")));
            }
        }
    }
    breaches
}

/// Whether the Markdown file at `path` lacks the heading that `anchor` names.
fn without_heading(files: &[File], path: &str, anchor: &str) -> bool {
    let there = files.iter().find(|file| file.path == path && path.ends_with(".md"));
    there.is_some_and(|file| !headings(file).contains(anchor))
}

/// The numbered lines outside of code blocks.
fn prose(file: &File) -> impl Iterator<Item = (usize, &str)> {
    let mut code = false;
    file.lines().filter(move |(_, line)| {
        let fence = line.trim_start().starts_with("```");
        code ^= fence;
        !code && !fence
    })
}

/// The targets of `[text](target)` on a line, but for those in code spans.
fn links(line: &str) -> Vec<&str> {
    let mut found = Vec::new();
    for (at, _) in line.match_indices("](") {
        // An odd number of backticks before it: inside a code span. Those within the text of the link come in pairs.
        if line[..at].matches('`').count() % 2 == 1 {
            continue;
        }
        let rest = &line[at + 2..];
        if let Some(end) = rest.find(')') {
            found.push(rest[..end].split(' ').next().unwrap_or_default());
        }
    }
    found
}

/// The path from the root that `target` means in the file at `from`; `None` if it leads out of the repository.
fn resolve(from: &str, target: &str) -> Option<String> {
    if target.is_empty() {
        return Some(from.to_owned());
    }
    let mut parts: Vec<&str> = from.split('/').collect();
    parts.pop();
    for part in target.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()?),
            name => parts.push(name),
        }
    }
    Some(parts.join("/"))
}

/// The anchors of a file's headings: lower case, spaces as dashes, nothing else but letters, digits, `-` and `_`.
fn headings(file: &File) -> BTreeSet<String> {
    let titles = prose(file).filter_map(|(_, line)| line.strip_prefix('#'));
    let titles = titles.map(|line| line.trim_start_matches('#').trim().to_lowercase().replace(' ', "-"));
    titles.map(|title| title.chars().filter(|c| c.is_alphanumeric() || matches!(c, '-' | '_')).collect()).collect()
}

#[cfg(test)]
mod tests {
    use super::super::tests::file;
    use super::*;

    fn breaches(text: &str) -> usize {
        let there = file("docs/there.md", "# A Heading, `code`\n```\n# no heading\n```\n");
        check(&[file("docs/a.md", text), there, file("src/lib.rs", ""), file("README.md", "")]).len()
    }

    #[test]
    fn links_to_files_folders_and_headings_pass() {
        for good in [
            "[x](there.md) and [`y`](../src/lib.rs)",
            "[x](../src) [y](..) [z](../docs/)",
            "[x](there.md#a-heading-code)",
            "[x](https://example.com/a) [y](mailto:a@example.com)",
            "```\n[x](nowhere.md)\n```",
            "`[x](nowhere.md)`",
        ] {
            assert_eq!(breaches(good), 0, "{good}");
        }
    }

    #[test]
    fn links_that_lead_nowhere_are_found() {
        for bad in [
            "[x](nowhere.md)",
            "a [x](there.md) b [`y`](nowhere.md)",
            "[x](../../out.md)",
            "[x](there.md#no-heading)",
            "[x](#none)",
        ] {
            assert_eq!(breaches(bad), 1, "{bad}");
        }
    }
}
