//! What the user typed, completed: flags win over variables of the environment, these over the configuration file, and that
//! over the defaults.

use std::{ffi::OsString, path::PathBuf};

use clap::{ArgMatches, CommandFactory as _, FromArgMatches as _};

use super::file::{ConfigFile, FileError};
use crate::cli::Args;

/// Id of the flag that names the file; a command without it takes nothing from there.
const FILE: &str = "config";

/// Why there are no arguments to work with.
#[derive(Debug, thiserror::Error)]
pub enum ArgumentsError {
    /// The command line is wrong, or asks for help.
    #[error(transparent)]
    CommandLine(#[from] clap::Error),
    /// The configuration file cannot be used.
    #[error(transparent)]
    File(#[from] FileError),
}

/// Reads the arguments of a process, and the file that is meant by them.
pub fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<Args, ArgumentsError> {
    let arguments: Vec<_> = arguments.into_iter().collect();
    let command = Args::command();
    let typed = command.clone().try_get_matches_from(&arguments)?;
    let completed = match file_for(&typed)? {
        Some((file, subcommand)) => {
            file.check(&command)?;
            file.apply(command, &subcommand).try_get_matches_from(&arguments)?
        }
        None => typed,
    };
    let mut args = Args::from_arg_matches(&completed)?;
    args.settle(&completed);
    Ok(args)
}

/// The file, and the subcommand that it is for.
fn file_for(typed: &ArgMatches) -> Result<Option<(ConfigFile, String)>, FileError> {
    let Some((subcommand, matches)) = typed.subcommand() else { return Ok(None) };
    let Ok(named) = matches.try_get_one::<PathBuf>(FILE) else { return Ok(None) };
    let file = ConfigFile::read(named.map(PathBuf::as_path))?;
    Ok(file.map(|file| (file, subcommand.to_owned())))
}

#[cfg(test)]
mod tests;
