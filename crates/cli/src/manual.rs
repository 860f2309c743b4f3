//! What a packager installs beside the binary: completions for shells, manual pages. Both are made from the command
//! line's own definition, so that they cannot differ from it.

use std::path::Path;

use clap::CommandFactory as _;
use clap_complete::Shell;

use crate::args::Cli;
use crate::failure::Failure;
use crate::output::Output;

/// Prints the completions for `shell`.
pub(crate) fn completions(shell: Shell) -> Result<(), Failure> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "ottla", &mut script);
    let mut output = Output::stdout();
    output.write(&script)?;
    output.flush()
}

/// Writes `ottla.1`, `ottla-topic.1`, `ottla-topic-create.1`, … into `directory`.
pub(crate) fn pages(directory: &Path) -> Result<(), Failure> {
    std::fs::create_dir_all(directory)
        .and_then(|()| clap_mangen::generate_to(Cli::command(), directory))
        .map_err(|error| Failure::new(format!("{}: {error}", directory.display())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_command_has_a_page() {
        let directory = tempfile::tempdir().unwrap();
        pages(directory.path()).unwrap();
        for page in
            ["ottla.1", "ottla-topic-create.1", "ottla-group-reset-offsets.1", "ottla-consume.1", "ottla-dump.1"]
        {
            let text = std::fs::read_to_string(directory.path().join(page)).unwrap();
            assert!(text.starts_with(".ie"), "{page}: {text}");
        }
    }
}
