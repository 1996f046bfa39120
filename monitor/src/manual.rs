//! The reference that comes with the program: manual pages and completions. Both are made of what `cli` has, so that
//! neither falls behind it; what is hidden there stays hidden here.

mod page;

use std::io::{self, Write};

use clap::{
    Command, CommandFactory as _,
    builder::{PossibleValuesParser, Resettable, Str},
};
use clap_complete::Shell;

use crate::cli::Args;

/// What the program is called, and its main page.
const PROGRAM: &str = "resetmon";

/// Why there is no reference.
#[derive(Debug, thiserror::Error)]
pub enum ManualError {
    /// A page was asked for that there is not.
    #[error("no manual page of a command `{name}`: there is one of {known}")]
    UnknownCommand {
        /// What was asked for.
        name: String,
        /// What could have been.
        known: String,
    },
    /// It cannot be written.
    #[error("cannot write the reference")]
    Output(#[from] io::Error),
}

/// Writes what makes a shell complete the command line.
pub fn completions(shell: Shell, to: &mut impl Write) -> Result<(), ManualError> {
    // By way of memory, since the generator panics when it cannot write.
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut command(), PROGRAM, &mut script);
    to.write_all(&script)?;
    Ok(())
}

/// Writes the manual page of a command, or the main one.
pub fn page(of: Option<&str>, to: &mut impl Write) -> Result<(), ManualError> {
    let mut program = command();
    program.build();
    let command = match of {
        None => &program,
        Some(name) => program.find_subcommand(name).ok_or_else(|| ManualError::UnknownCommand {
            name: name.to_owned(),
            known: names(&program).join(", "),
        })?,
    };
    page::write(&program, command, to)?;
    Ok(())
}

/// Writes the names of the commands that have a page, one a line.
pub fn list(to: &mut impl Write) -> Result<(), ManualError> {
    for name in names(&command()) {
        writeln!(to, "{name}")?;
    }
    Ok(())
}

/// The command line as users shall see it.
fn command() -> Command {
    let shown = visible(&Args::command());
    let names = PossibleValuesParser::new(names(&shown));
    shown.mut_subcommand("man", |man| man.mut_arg("command", |of| of.value_parser(names)))
}

/// A command without what is hidden. Made anew, since nothing can be taken away from a command, and the generators of
/// completions show all that there is.
fn visible(command: &Command) -> Command {
    let subcommands = command.get_subcommands().filter(|subcommand| !subcommand.is_hide_set());
    let version = command.get_version().map(|version| Str::from(version.to_owned()));
    Command::new(command.get_name().to_owned())
        .version(Resettable::from(version))
        .about(Resettable::from(command.get_about().cloned()))
        .long_about(Resettable::from(command.get_long_about().cloned()))
        .after_help(Resettable::from(command.get_after_help().cloned()))
        .args(command.get_arguments().filter(|argument| !argument.is_hide_set()).cloned())
        .subcommand_required(command.is_subcommand_required_set())
        .disable_help_subcommand(true)
        .subcommands(subcommands.map(visible))
}

fn names(command: &Command) -> Vec<String> {
    command.get_subcommands().map(|subcommand| subcommand.get_name().to_owned()).collect()
}

#[cfg(test)]
mod tests;
