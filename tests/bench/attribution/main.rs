//! How often the right process is named: makes thousands of real resets whose owners are known, in every situation in
//! which owners are hard to tell, on a busy machine, and compares what resetmon says of each, and beside it the task that
//! was on the CPU. Fails when anybody is blamed wrongly, or when more than one reset in a thousand is without its owner.

mod current;
mod load;
mod score;
mod situations;
mod truth;

use std::{
    collections::HashMap,
    env,
    io::{self, Write as _},
    process::ExitCode,
    thread,
    time::{Duration, Instant},
};

use resetmon_tests::{Netns, Script, Watch};
use serde_json::{Value, json};

use crate::{
    current::Current,
    load::Load,
    score::{Row, table},
    situations::{ALL, Situation, Stage},
    truth::{Direction, Key, Owner, Truth, key_of, owner_of},
};

/// Resets for each address family in each situation.
const RESETS: usize = 350;
/// What every script begins with, after the harness's own beginning.
const COMMON: &str = include_str!("scripts/common.py");
/// The joined namespaces' addresses, near and far.
const JOINED: [(&str, &str); 2] = [("10.9.8.1", "10.9.8.2"), ("fd00:8::1", "fd00:8::2")];
/// How long events may be under way when the script has come to its end.
const LATE: Duration = Duration::from_secs(5);
/// Answers that are shown when they are not right, for each situation.
const MOST_SHOWN: usize = 3;

const USAGE: &str = "\
usage: attribution [--resets N] [--only TEXT]
  --resets N   resets for each address family in each situation, at most 900 (350)
  --only TEXT  only the situations whose names contain this";

struct Options {
    resets: usize,
    only: String,
}

fn main() -> ExitCode {
    let Some(options) = options() else {
        say(USAGE);
        return ExitCode::from(2);
    };
    let _load = Load::start();
    let current = Current::start();
    let chosen = ALL.iter().filter(|situation| situation.name.contains(&options.only));
    // Once a namespace is there, no other one of the watch's life has its number.
    let places: Vec<_> = chosen.map(|situation| (situation, Place::new(&situation.stage))).collect();
    let watch = Watch::with(&[]);
    let mut rows = Vec::new();
    let mut sum = Row::new("**all**");
    for (situation, place) in places {
        let start = Instant::now();
        let row = run(situation, &place, options.resets, &watch, &current);
        say(&format!("{}: {} resets in {:.1} s", row.name, row.resets, start.elapsed().as_secs_f64()));
        sum.add(&row);
        rows.push(row);
    }
    let mut output = io::stdout().lock();
    let _ = output.write_all(table(&rows, &sum).as_bytes());
    if rows.iter().all(|row| row.resetmon.wrong == 0) && sum.resetmon.is_good() {
        ExitCode::SUCCESS
    } else {
        say("wanted: wrong = 0, and at most 0.1 % without an owner");
        ExitCode::FAILURE
    }
}

/// What was typed; none when it makes no sense.
fn options() -> Option<Options> {
    let mut options = Options { resets: RESETS, only: String::new() };
    // Cargo says that it is a benchmark.
    let mut arguments = env::args().skip(1).filter(|argument| argument != "--bench");
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--resets" => options.resets = arguments.next()?.parse().ok().filter(|count| *count <= 900)?,
            "--only" => options.only = arguments.next()?,
            _ => return None,
        }
    }
    Some(options)
}

#[expect(clippy::print_stderr, reason = "progress, which is not the result")]
fn say(line: &str) {
    eprintln!("{line}");
}

/// A script at work, and the namespace it is in.
struct Maker<'a> {
    script: Script,
    netns: &'a Netns,
}

impl<'a> Maker<'a> {
    fn start(netns: &'a Netns, code: &str, resets: usize, arguments: &[&str]) -> Self {
        let resets = resets.to_string();
        let arguments = [&[resets.as_str()], arguments].concat();
        Self { script: Script::start(netns, &format!("{COMMON}{code}"), &arguments), netns }
    }

    /// Takes down what it tells of resets until it says something else.
    fn tells(&self, truth: &mut Truth) -> String {
        loop {
            let line = self.script.line();
            let Some((key, owner)) = truth::parse(&line, self.netns.inode()) else { return line };
            truth.entry(key).or_default().push(owner);
        }
    }

    fn must_say(&self, expected: &str, truth: &mut Truth) {
        let said = self.tells(truth);
        assert_eq!(said, expected, "the script is not where it should be");
    }
}

/// The namespaces of a situation.
struct Place {
    near: Netns,
    far: Option<Netns>,
}

impl Place {
    fn new(stage: &Stage) -> Self {
        if !matches!(stage, Stage::Joined { .. }) {
            return Self { near: Netns::new(), far: None };
        }
        let [(near4, far4), (near6, far6)] = JOINED;
        let (near4, near6) = (format!("{near4}/24"), format!("{near6}/64"));
        let (far4, far6) = (format!("{far4}/24"), format!("{far6}/64"));
        let (near, far) = Netns::joined(&[&near4, &near6], &[&far4, &far6]);
        Self { near, far: Some(far) }
    }

    fn far(&self) -> &Netns {
        self.far.as_ref().expect("joined namespaces are two")
    }
}

/// Makes a situation happen and judges what was said of it. The scripts' processes live until everything is told.
fn run(situation: &Situation, place: &Place, resets: usize, watch: &Watch, current: &Current) -> Row {
    let mut truth = Truth::new();
    match situation.stage {
        Stage::Loopback { script, arguments } => {
            let maker = Maker::start(&place.near, script, resets, arguments);
            maker.must_say("done", &mut truth);
            judge(situation.name, &truth, &seen(watch, place, &truth), current)
        }
        Stage::Older { script } => {
            let mut maker = Maker::start(&place.near, script, resets, &[]);
            maker.must_say("ready", &mut truth);
            let younger = Watch::with(&[]);
            maker.script.tell("go");
            maker.must_say("done", &mut truth);
            judge(situation.name, &truth, &seen(&younger, place, &truth), current)
        }
        Stage::Joined { near, far, far_does } => {
            let [(near4, far4), (near6, far6)] = JOINED;
            let mut server = Maker::start(place.far(), far, resets, &[far_does, far4, far6]);
            let ports = [(); 2].map(|()| {
                let end = server.tells(&mut truth);
                end.rsplit(':').next().unwrap_or_default().to_owned()
            });
            let arguments = [far4, &ports[0], near4, far6, &ports[1], near6];
            let client = Maker::start(&place.near, near, resets, &arguments);
            let mut said = client.tells(&mut truth);
            if said == "cut" {
                place.far().ip(&["link", "set", "test1", "down"]);
                said = client.tells(&mut truth);
            }
            assert_eq!(said, "done", "the script is not where it should be");
            server.script.tell("end");
            server.must_say("done", &mut truth);
            judge(situation.name, &truth, &seen(watch, place, &truth), current)
        }
    }
}

/// The events of a place, once all are told.
fn seen(watch: &Watch, place: &Place, truth: &Truth) -> Vec<Value> {
    watch.settle();
    let expected: usize = truth.values().map(Vec::len).sum();
    let deadline = Instant::now() + LATE;
    loop {
        let namespaces = [&place.near].into_iter().chain(&place.far);
        let events: Vec<_> =
            namespaces.flat_map(|netns| watch.matching(&json!({"netns": netns.inode()}))).collect();
        if events.len() >= expected || Instant::now() > deadline {
            return events;
        }
        thread::sleep(Duration::from_millis(100));
    }
}

fn judge(name: &'static str, truth: &Truth, events: &[Value], current: &Current) -> Row {
    let mut told: HashMap<Key, Vec<(Owner, &Value)>> = HashMap::new();
    for event in events {
        if let Some(key) = key_of(event) {
            told.entry(key).or_default().push((owner_of(event), event));
        }
    }
    let on_cpu = current.seen();
    let mut row = Row::new(name);
    let mut not_right = Vec::new();
    for (key, owners) in truth {
        let told = told.remove(key).unwrap_or_default();
        for (number, expected) in owners.iter().enumerate() {
            row.events += 1;
            row.resets += usize::from(key.direction == Direction::Sent);
            let answer = told.get(number);
            if !row.resetmon.count(*expected, answer.map(|(named, _)| *named)) {
                not_right.push((key, *expected, answer.map(|(_, event)| *event)));
            }
            row.current.count(*expected, on_cpu.at(key, number));
        }
    }
    for (key, expected, event) in not_right.iter().take(MOST_SHOWN) {
        let event = event.map_or_else(|| "nothing".to_owned(), Value::to_string);
        say(&format!("{name}: expected {expected:?} for {key:?}, told was {event}"));
    }
    let unforeseen: usize = told.values().map(Vec::len).sum();
    if unforeseen > 0 {
        say(&format!(
            "{name}: {unforeseen} events that no script knows of, such as {:?}",
            told.keys().next()
        ));
    }
    row
}
