//! One manual page as roff. What clap knows is laid out by `clap_mangen`; here is what it does not know: examples that
//! keep their lines, files, the environment and exit codes.

use std::{
    collections::BTreeMap,
    io::{self, Write},
};

use clap::{Arg, Command};
use clap_mangen::{
    Man,
    roff::{Inline, Roff, bold, italic, roman},
};

use super::PROGRAM;
use crate::{config::file, exit::Exit, history, socket};

/// A file, and the flag that names another one instead.
struct File {
    path: &'static str,
    flag: &'static str,
    meaning: &'static str,
}

const FILES: [File; 3] = [
    File {
        path: file::DEFAULT_PATH,
        flag: "config",
        meaning: "The configuration, if it is there: every key is the name of a flag of the agent.",
    },
    File {
        path: socket::DEFAULT_PATH,
        flag: "socket",
        meaning: "The socket on which the agent answers the other commands.",
    },
    File {
        path: history::DEFAULT_FOLDER,
        flag: "history-dir",
        meaning: "The history, which the agent writes; any copy of the folder can be read as well.",
    },
];

/// Writes the page of `command`, which is `program` or a command of it; both are built.
pub(super) fn write(program: &Command, command: &Command, to: &mut impl Write) -> io::Result<()> {
    let version = program.get_version().unwrap_or_default();
    let man = Man::new(command.clone().override_usage(usage(command)).subcommand_help_heading("COMMANDS"))
        .source(format!("{PROGRAM} {version}"))
        .manual(format!("Manual of {PROGRAM}"));
    man.render_title(to)?;
    man.render_name_section(to)?;
    man.render_synopsis_section(to)?;
    man.render_description_section(to)?;
    man.render_options_section(to)?;
    if command.has_subcommands() {
        man.render_subcommands_section(to)?;
    }
    let mut roff = Roff::default();
    examples(&mut roff, command);
    files(&mut roff, command);
    environment(&mut roff, command);
    exit_status(&mut roff, command);
    see_also(&mut roff, program, command);
    roff.to_writer(to)
}

/// How the command is called, in one line: the flags have sections of their own.
fn usage(command: &Command) -> String {
    let usage = command.clone().render_usage().to_string();
    usage.trim_start_matches("Usage:").trim().to_owned()
}

/// What help ends with: a heading, and lines to be typed as they are.
fn examples(roff: &mut Roff, command: &Command) {
    let text = command.get_after_help().map(ToString::to_string).unwrap_or_default();
    let Some((heading, lines)) = text.split_once('\n') else { return };
    roff.control("SH", [heading.trim_end_matches(':').to_uppercase().as_str()]);
    roff.control("RS", ["4"]);
    roff.control("EX", []);
    for line in lines.lines() {
        roff.text([roman(line.trim_start())]);
    }
    roff.control("EE", []);
    roff.control("RE", []);
}

fn files(roff: &mut Roff, command: &Command) {
    let is_flag = |argument: &Arg, flag| argument.get_long() == Some(flag);
    let mut files = FILES
        .iter()
        .filter(|file| flags(command).iter().any(|(_, argument)| is_flag(argument, file.flag)))
        .peekable();
    if files.peek().is_none() {
        return;
    }
    roff.control("SH", ["FILES"]);
    for file in files {
        let other = format!(" Another one is named by --{}.", file.flag);
        entry(roff, [italic(file.path)], [roman(file.meaning), roman(other)]);
    }
}

fn environment(roff: &mut Roff, command: &Command) {
    // By name of the variable: the flag, and the commands that have it.
    let mut variables = BTreeMap::<String, (&str, Vec<&str>)>::new();
    for (of, argument) in flags(command) {
        if let (Some(variable), Some(flag)) = (argument.get_env(), argument.get_long()) {
            let variable = variable.to_string_lossy().into_owned();
            variables.entry(variable).or_insert((flag, Vec::new())).1.push(of.get_name());
        }
    }
    roff.control("SH", ["ENVIRONMENT"]);
    if !variables.is_empty() {
        roff.text([roman("A flag wins over its variable, and this over the configuration file.")]);
    }
    for (variable, (flag, commands)) in variables {
        let of =
            if command.has_subcommands() { format!(" of {}", commands.join(", ")) } else { String::new() };
        entry(roff, [bold(variable)], [roman("The same as "), bold(format!("--{flag}")), roman(of)]);
    }
    let no_color = "If it is set and not empty, there are no colours unless --color asks for them.";
    entry(roff, [bold("NO_COLOR")], [roman(no_color)]);
}

fn exit_status(roff: &mut Roff, command: &Command) {
    roff.control("SH", ["EXIT STATUS"]);
    if let Some(remark) = remark(command.get_name()) {
        roff.text([roman(remark)]);
    }
    for exit in Exit::ALL {
        entry(roff, [bold(exit.code().to_string())], [roman(exit.meaning())]);
    }
}

/// What is said before the exit codes that all commands have, of commands that have others.
fn remark(command: &str) -> Option<&'static str> {
    match command {
        "run" => Some(
            "Once the command has been started, its own exit code, or 128 and the number of the signal that ended it; \
             126 when it cannot be executed, and 127 when there is no such program. Before that:",
        ),
        "doctor" => Some(
            "1 as well when something is missing and --strict was given, and 2 when resetmon cannot work here. \
             Apart from that:",
        ),
        _ => None,
    }
}

fn see_also(roff: &mut Roff, program: &Command, command: &Command) {
    let pages: Vec<_> = if command.has_subcommands() {
        let subcommands = command.get_subcommands();
        subcommands.map(|subcommand| format!("{PROGRAM}-{}", subcommand.get_name())).collect()
    } else {
        vec![program.get_name().to_owned()]
    };
    let mut line = Vec::new();
    for page in pages {
        if !line.is_empty() {
            line.push(roman(", "));
        }
        line.extend([bold(page), roman("(1)")]);
    }
    roff.control("SH", ["SEE ALSO"]);
    roff.text(line);
}

/// The flags of a command and of those below it, each with the command it belongs to.
fn flags(command: &Command) -> Vec<(&Command, &Arg)> {
    let own = command.get_arguments().map(|argument| (command, argument));
    own.chain(command.get_subcommands().flat_map(flags)).collect()
}

/// A term and what there is to say about it.
fn entry(roff: &mut Roff, term: impl Into<Vec<Inline>>, text: impl Into<Vec<Inline>>) {
    roff.control("TP", []);
    roff.text(term);
    roff.text(text);
}
