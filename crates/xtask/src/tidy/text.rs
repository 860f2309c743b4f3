//! Rules on every text file: nothing that is true only on the machine where it was written.

use super::{Breach, File};

/// Folders at the root of somebody's machine.
const MACHINE_FOLDERS: [&str; 4] = ["work", "home", "root", "Users"];

/// Hosts that serve packages. A build names packages; where they come from is the machine's business. In halves, so
/// that this file passes.
const REGISTRY_HOSTS: [&str; 11] = [
    concat!("pypi", ".org"),
    concat!("python", "hosted.org"),
    concat!("npmjs", ".org"),
    concat!("npmjs", ".com"),
    concat!("index.crates", ".io"),
    concat!("static.crates", ".io"),
    concat!("proxy.golang", ".org"),
    concat!("sum.golang", ".org"),
    concat!("repo1.maven", ".org"),
    concat!("repo.maven", ".apache.org"),
    concat!("deb.debian", ".org"),
];

/// Runs every rule of this file.
pub(super) fn check(files: &[File]) -> Vec<Breach> {
    let mut breaches = Vec::new();
    for file in files {
        for (number, line) in file.lines() {
            if let Some(path) = machine_path(line) {
                let what = format!("{path} is there on one machine only: use a path from the root, or an argument");
                breaches.push(file.breach(number, "machine-path", what));
            }
            if let Some(host) = REGISTRY_HOSTS.iter().find(|host| line.contains(*host)) {
                let what = format!("{host}: name the package, not the host it comes from");
                breaches.push(file.breach(number, "registry-host", what));
            }
        }
    }
    breaches
}

/// The first path on the line that begins in one of [`MACHINE_FOLDERS`].
fn machine_path(line: &str) -> Option<&str> {
    line.match_indices('/').find_map(|(at, _)| {
        // Part of a longer path or of an address, unless something that no path holds stands before it.
        let before = line[..at].chars().next_back();
        if before.is_some_and(|c| c.is_alphanumeric() || "._-/~*})]$".contains(c)) {
            return None;
        }
        let rest = &line[at + 1..];
        let end = rest.find(|c: char| !(c.is_alphanumeric() || "._-".contains(c))).unwrap_or(rest.len());
        let deeper = rest[end..].starts_with('/');
        (MACHINE_FOLDERS.contains(&&rest[..end]) && deeper).then(|| &line[at..at + 1 + end])
    })
}

#[cfg(test)]
mod tests {
    use super::super::tests::file;
    use super::*;

    #[test]
    fn paths_of_one_machine_are_found() {
        for folder in MACHINE_FOLDERS {
            for around in ["DIR=/{}/x", "(/{}/x)", "\"/{}/\"", "/{}/a b"] {
                let line = around.replace("{}", folder);
                assert_eq!(check(&[file("a.md", &line)]).len(), 1, "{line}");
            }
        }
    }

    #[test]
    fn other_paths_and_addresses_pass() {
        let lines =
            ["target/work/x", "https://example.com/home/x", "/homes/x", "$HOME/work/x", "../root/x", "and/or", "/work"];
        for line in lines {
            assert_eq!(machine_path(line), None, "{line}");
        }
    }

    #[test]
    fn hosts_of_packages_are_found() {
        for host in REGISTRY_HOSTS {
            assert_eq!(check(&[file("a.toml", &format!("url = \"https://{host}/simple\""))]).len(), 1, "{host}");
        }
        assert_eq!(check(&[file("a.toml", "registry = \"crates-io\"")]), []);
    }
}
