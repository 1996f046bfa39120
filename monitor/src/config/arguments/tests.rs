//! Who wins, what is refused, and that the sample is right.

use std::{collections::BTreeSet, ffi::OsString, fs, path::PathBuf};

use clap::CommandFactory as _;

use super::{ArgumentsError, parse};
use crate::{
    cli::{AgentArgs, Args, Command, ConfigArgs},
    notice::Chain,
};

const SAMPLE: &str = include_str!("../../../../deploy/config.toml");

/// The agent's arguments with this file.
fn agent(text: &str, flags: &[&str]) -> Result<AgentArgs, ArgumentsError> {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("config.toml");
    fs::write(&path, text).expect("written");
    let fixed = ["resetmon", "agent", "--config"].map(OsString::from);
    let flags = flags.iter().map(OsString::from);
    match parse(fixed.into_iter().chain([path.into_os_string()]).chain(flags))?.command {
        Command::Agent(args) => Ok(args),
        other => panic!("{other:?}"),
    }
}

fn read(text: &str, flags: &[&str]) -> AgentArgs {
    agent(text, flags).unwrap_or_else(|error| panic!("{text}: {}", Chain(&error)))
}

fn listen(args: &AgentArgs) -> Vec<String> {
    args.listen.iter().map(ToString::to_string).collect()
}

#[test]
fn the_file_replaces_defaults() {
    let text = "ring-buffer-bytes = 65_536\nbpf-stats = true\nprobes = \"none\"\n[web]\n\
                listen-address = [\"127.0.0.1:1\", \"[::1]:2\"]\nconfig.file = \"/x\"\ntelemetry-path = \"/m\"\n";
    let args = read(text, &[]);
    assert_eq!(args.capture.ring_buffer_bytes, 65_536);
    assert!(args.bpf_stats);
    assert_eq!(listen(&args), ["127.0.0.1:1", "[::1]:2"]);
    assert_eq!(args.web_config, Some(PathBuf::from("/x")));
    assert_eq!(args.telemetry_path.to_string(), "/m");
    assert_eq!(args.capture.procfs, PathBuf::from("/proc"));
}

#[test]
fn flags_win() {
    let text = "bpf-stats = true\nring-buffer-bytes = 0x10000\nweb.listen-address = \"127.0.0.1:1\"\n";
    let args = read(text, &["--web.listen-address", "127.0.0.1:3", "--bpf-stats=false"]);
    assert_eq!(listen(&args), ["127.0.0.1:3"]);
    assert!(!args.bpf_stats);
    assert_eq!(args.capture.ring_buffer_bytes, 65_536);
    assert!(read("", &["--bpf-stats"]).bpf_stats && !read("", &[]).bpf_stats);
}

#[test]
fn what_is_wrong_is_named_with_its_line() {
    let check = |text: &str, expected: &str| {
        let error = agent(text, &[]).map(|args| listen(&args)).expect_err(text);
        let message = Chain(&error).to_string();
        assert!(message.contains(expected), "{text}: {expected:?} is not in {message}");
    };
    check(
        "\n[web]\nlisten-adress = \"127.0.0.1:1\"\n",
        "config.toml:3: there is no key web.listen-adress; did you mean web.listen-address?",
    );
    check(
        "weather = 1\n",
        "config.toml:1: there is no key weather (keys are the names of the flags of resetmon agent)",
    );
    check("config = \"x\"\n", "there is no key config");
    check("color = \"never\"\n", "there is no key color");
    check("help = true\n", "there is no key help");
    check("[web]\n\nlisten-address = \"here\"\n", "config.toml:3: web.listen-address: invalid value 'here'");
    check("ring-buffer-bytes = -1\n", "config.toml:1: ring-buffer-bytes: invalid value '-1'");
    check("ring-buffer-bytes = [4096, 8192]\n", "config.toml:1: ring-buffer-bytes: the argument");
    check("ring-buffer-bytes = 1.5\n", "config.toml:1: ring-buffer-bytes: expected text, a number");
    check("probes = [\"no_such_probe\"]\n", "config.toml:1: probes: invalid value 'no_such_probe'");
    check("bpf-stats = 2\n", "config.toml:1: bpf-stats: invalid value '2'");
    check("web.telemetry-path = \"metrics\"\n", "expected a path such as /metrics");
    check("a = \n", "config.toml:1: ");
    check("probes = \"none\"\nprobes = \"all\"\n", "config.toml:2: duplicate key");
}

#[test]
fn a_file_that_was_named_has_to_be_there() {
    let arguments = ["resetmon", "agent", "--config", "/no/such/file.toml"].map(OsString::from);
    let error = parse(arguments).expect_err("no file");
    assert!(Chain(&error).to_string().starts_with("cannot read /no/such/file.toml: No such file"), "{error}");
}

#[test]
fn commands_without_the_flag_take_nothing_from_it() {
    let arguments = ["resetmon", "causes"].map(OsString::from);
    assert!(matches!(parse(arguments), Ok(Args { command: Command::Causes(_), .. })));
}

/// The sample with every setting that it shows switched on.
fn switched_on() -> String {
    let is_setting =
        |line: &&str| line.strip_prefix('#').is_some_and(|rest| rest.starts_with(char::is_alphabetic));
    let lines = SAMPLE.lines().map(|line| if is_setting(&line) { &line[1..] } else { line });
    lines.collect::<Vec<_>>().join("\n")
}

#[test]
fn the_sample_shows_the_defaults() {
    let debug = |args: AgentArgs| format!("{:?}", AgentArgs { config: ConfigArgs::default(), ..args });
    let defaults = debug(read("", &[]));
    assert_eq!(debug(read(SAMPLE, &[])), defaults);
    // This has no default; what is shown is where the file would be.
    let web = read(&switched_on(), &[]);
    assert_eq!(web.web_config, Some(PathBuf::from("/etc/resetmon/web.yml")));
    assert_eq!(debug(AgentArgs { web_config: None, ..web }), defaults);
}

#[test]
fn the_sample_shows_every_key() {
    let command = Args::command();
    let agent = command.find_subcommand("agent").expect("a subcommand");
    let keys: BTreeSet<String> = agent
        .get_arguments()
        .filter_map(|flag| flag.get_long())
        .filter(|long| !["config", "check-config"].contains(long))
        .map(str::to_owned)
        .collect();
    let shown = switched_on();
    let mut section = String::new();
    let mut found = BTreeSet::new();
    for line in shown.lines() {
        if let Some(name) = line.strip_prefix('[').and_then(|line| line.strip_suffix(']')) {
            section = format!("{name}.");
        } else if let Some((key, _)) = line.split_once(" = ").filter(|_| !line.starts_with('#')) {
            found.insert(format!("{section}{key}"));
        }
    }
    assert_eq!(found, keys);
}
