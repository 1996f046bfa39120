//! Manual pages and completions as files, named as packages want them: resetmon writes them itself, from its command line.
//!
//! Deliberately lacks any knowledge of which commands there are: that is asked as well.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use crate::process::{self, Network, say};
use crate::setup::{self, Needs};

/// Shells, and what the file for each is called.
const SHELLS: [(&str, &str); 5] = [
    ("bash", "resetmon"),
    ("zsh", "_resetmon"),
    ("fish", "resetmon.fish"),
    ("elvish", "resetmon.elv"),
    ("powershell", "_resetmon.ps1"),
];

/// Where the files are, in the target folder.
const FOLDER: &str = "reference";

/// A file, and what resetmon is told to write it.
#[derive(Debug, PartialEq, Eq)]
struct Page {
    path: PathBuf,
    arguments: Vec<String>,
}

/// Builds resetmon and writes all of it anew, so that nothing is left of commands that are gone.
pub(crate) fn reference(network: Network) -> Result<()> {
    setup::setup(Needs::Build, network)?;
    process::run(network.cargo("build")?.args(["--package", "resetmon"]))?;
    let binary = process::target_dir()?.join("debug/resetmon");
    let written_by = |arguments: &[String]| process::run_for_output(Command::new(&binary).args(arguments));
    let commands = written_by(&["man".into(), "--list".into()])?;

    let folder = process::target_dir()?.join(FOLDER);
    if folder.exists() {
        fs::remove_dir_all(&folder).with_context(|| format!("cannot remove {}", folder.display()))?;
    }
    let pages = pages(commands.lines());
    for page in &pages {
        let path = folder.join(&page.path);
        let parent = path.parent().unwrap_or(&folder);
        fs::create_dir_all(parent).with_context(|| format!("cannot create {}", parent.display()))?;
        fs::write(&path, written_by(&page.arguments)?)
            .with_context(|| format!("cannot write {}", path.display()))?;
    }
    say(&format!("{} files in {}", pages.len(), folder.display()));
    Ok(())
}

/// All files for a resetmon with these commands.
fn pages<'a>(commands: impl Iterator<Item = &'a str>) -> Vec<Page> {
    let main = Page { path: Path::new("man").join("resetmon.1"), arguments: vec!["man".into()] };
    let of_commands = commands.map(|command| Page {
        path: Path::new("man").join(format!("resetmon-{command}.1")),
        arguments: vec!["man".into(), command.into()],
    });
    let completions = SHELLS.iter().map(|&(shell, file)| Page {
        path: Path::new("completions").join(shell).join(file),
        arguments: vec!["completions".into(), shell.into()],
    });
    std::iter::once(main).chain(of_commands).chain(completions).collect()
}

#[cfg(test)]
mod tests {
    use super::pages;

    #[test]
    fn every_file_has_its_command() {
        let pages = pages(["watch", "run"].into_iter());
        let lines: Vec<_> = pages
            .iter()
            .map(|page| format!("{}: {}", page.path.display(), page.arguments.join(" ")))
            .collect();
        assert_eq!(
            lines,
            [
                "man/resetmon.1: man",
                "man/resetmon-watch.1: man watch",
                "man/resetmon-run.1: man run",
                "completions/bash/resetmon: completions bash",
                "completions/zsh/_resetmon: completions zsh",
                "completions/fish/resetmon.fish: completions fish",
                "completions/elvish/resetmon.elv: completions elvish",
                "completions/powershell/_resetmon.ps1: completions powershell",
            ]
        );
    }
}
