//! What is in the reference, and what is not.

use std::{
    io::Write as _,
    process::{Command as Program, Stdio},
};

use clap::{CommandFactory as _, ValueEnum as _};
use clap_complete::Shell;

use super::{ManualError, command, completions, list, names, page};
use crate::cli::Args;

fn written(write: impl FnOnce(&mut Vec<u8>) -> Result<(), ManualError>) -> String {
    let mut bytes = Vec::new();
    write(&mut bytes).expect("what writes to memory");
    String::from_utf8(bytes).expect("UTF-8")
}

/// A page as roff has it, but with hyphens and apostrophes as they are read.
fn page_of(of: Option<&str>) -> String {
    written(|to| page(of, to)).replace(r"\-", "-").replace(r"\*(Aq", "'")
}

fn script(shell: Shell) -> String {
    written(|to| completions(shell, to))
}

/// The main page, and those of all commands.
fn pages() -> Vec<(Option<String>, String)> {
    let all = std::iter::once(None).chain(names(&command()).into_iter().map(Some));
    all.map(|of| (of.clone(), page_of(of.as_deref()))).collect()
}

fn hidden() -> Vec<String> {
    let args = Args::command();
    let hidden = args.get_subcommands().filter(|command| command.is_hide_set());
    hidden.map(|command| command.get_name().to_owned()).collect()
}

#[test]
fn commands_with_a_page() {
    insta::assert_snapshot!(written(list));
}

#[test]
fn pages_name_their_flags() {
    for (of, page) in pages() {
        let args = Args::command();
        let command = of.as_deref().map_or(&args, |name| args.find_subcommand(name).expect("a command"));
        let arguments = command.get_arguments().filter(|argument| !argument.is_hide_set());
        for flag in arguments.filter_map(clap::Arg::get_long) {
            assert!(page.contains(&format!(r"\fB--{flag}\fR")), "{of:?} lacks --{flag}");
        }
    }
}

#[test]
fn every_page_has_its_sections() {
    for (of, page) in pages() {
        let headings: Vec<_> = page.lines().filter_map(|line| line.strip_prefix(".SH ")).collect();
        let wanted =
            ["NAME", "SYNOPSIS", "DESCRIPTION", "OPTIONS", "ENVIRONMENT", "\"EXIT STATUS\"", "\"SEE ALSO\""];
        let found: Vec<_> = headings.iter().copied().filter(|heading| wanted.contains(heading)).collect();
        assert_eq!(found, wanted, "{of:?}: {headings:?}");
        let opened = page.matches("\n.RS").count();
        assert_eq!(opened, page.matches("\n.RE").count(), "{of:?}: indents that do not end");
    }
}

#[test]
fn what_is_hidden_is_nowhere() {
    assert_eq!(hidden(), ["actor", "launch"]);
    for name in hidden() {
        assert!(matches!(page(Some(&name), &mut Vec::new()), Err(ManualError::UnknownCommand { .. })));
        assert!(!written(list).lines().any(|line| line == name));
        assert!(!page_of(None).contains(&format!("resetmon-{name}")), "{name} in the main page");
    }
    assert!(!page_of(Some("watch")).contains("--facts"));
    for shell in Shell::value_variants() {
        let script = script(*shell);
        assert!(script.contains("standalone"), "{shell} lacks a flag");
        for hidden in ["launch", "actor", "facts"] {
            let is_word = |word: &str| word.trim_start_matches("--") == hidden;
            let words = script.split(|character: char| !character.is_alphanumeric() && character != '-');
            assert!(!words.into_iter().any(is_word), "{shell} shows {hidden}");
        }
    }
}

#[test]
fn pages_say_what_help_does_not() {
    let check = |of: Option<&str>, expected: &[&str], absent: &[&str]| {
        let page = page_of(of);
        for text in expected {
            assert!(page.contains(text), "{of:?} lacks {text:?}\n{page}");
        }
        for text in absent {
            assert!(!page.contains(text), "{of:?} has {text:?}\n{page}");
        }
    };
    let files = ["/etc/resetmon/config.toml", "/run/resetmon/resetmon.sock", "/var/lib/resetmon"];
    check(None, &files, &[]);
    check(Some("agent"), &files, &[]);
    check(Some("query"), &["/var/lib/resetmon", "\n.EX\n"], &["config.toml"]);
    check(Some("causes"), &["RESETMON_LANG"], &[".SH FILES"]);
    check(None, &["\\fBRESETMON_LANG\\fR\nThe same as \\fB--lang\\fR of run, demo, explain, causes"], &[]);
    check(Some("agent"), &["The same as \\fB--web.listen-address\\fR\n", "NO_COLOR"], &[]);
    check(None, &["\\fB0\\fR\n", "\\fB1\\fR\n", "\\fB2\\fR\n", "\\fB3\\fR\n", "\\fB4\\fR\n"], &["128"]);
    check(Some("run"), &["128 and the number of the signal"], &[]);
    check(Some("doctor"), &["when resetmon cannot work here"], &[]);
    check(Some("watch"), &["\\fBresetmon watch\\fR [OPTIONS] [EXPRESSION]..."], &[]);
    check(None, &["\\fBresetmon-agent\\fR(1), "], &["\\fBresetmon\\fR(1)"]);
}

#[test]
fn an_unknown_command_is_told_from_the_known() {
    let error = page(Some("wach"), &mut Vec::new()).expect_err("no command");
    let text = error.to_string();
    assert!(text.contains("`wach`") && text.contains("watch, query, run, agent"), "{text}");
}

#[test]
fn completions_are_syntactically_right() {
    let mut bash = Program::new("bash").arg("-n").stdin(Stdio::piped()).spawn().expect("bash");
    let mut to = bash.stdin.take().expect("a pipe");
    to.write_all(script(Shell::Bash).as_bytes()).expect("bash reads");
    drop(to);
    assert!(bash.wait().expect("an end").success());
}
