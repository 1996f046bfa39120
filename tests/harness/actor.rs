//! A process that makes traffic as it is told: the product's hidden subcommand of that name.

use std::{
    io::{BufRead as _, BufReader, Write as _},
    net::SocketAddr,
    process::{ChildStdin, Command},
    sync::mpsc::{Receiver, channel},
    thread,
};

use crate::{LIMIT, Running, binary};

/// One actor, which ends with this value.
#[derive(Debug)]
pub struct Actor {
    name: String,
    commands: ChildStdin,
    answers: Receiver<String>,
    process: Running,
}

impl Actor {
    /// Starts an actor in the current network namespace, under the process name `name`.
    pub fn start(name: &str) -> Self {
        let mut process = Running::start(Command::new(binary()).args(["actor", name]));
        let output = process.take_output();
        let (to, answers) = channel();
        thread::spawn(move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                if to.send(line).is_err() {
                    break;
                }
            }
        });
        Self { name: name.to_owned(), commands: process.take_input(), answers, process }
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.process.pid()
    }

    /// The name it runs under.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Has it carry out a command: the values of its answer, or the name of an errno.
    pub fn try_do(&mut self, command: &str) -> Result<String, String> {
        let name = &self.name;
        let sent = writeln!(self.commands, "{command}");
        sent.unwrap_or_else(|error| panic!("{name} does not take {command:?}: {error}"));
        let answer = self.answers.recv_timeout(LIMIT);
        let answer = answer.unwrap_or_else(|error| panic!("{name} does not answer {command:?}: {error}"));
        match answer.split_once(' ').unwrap_or((&answer, "")) {
            ("ok", values) => Ok(values.to_owned()),
            ("error", errno) => Err(errno.to_owned()),
            _ => panic!("{name} answers {command:?} with {answer:?}"),
        }
    }

    /// Has it carry out a command that must succeed.
    pub fn run(&mut self, command: &str) -> String {
        let result = self.try_do(command);
        result.unwrap_or_else(|errno| panic!("{}: {command:?} failed with {errno}", self.name))
    }

    /// The same, for an answer that is an address.
    pub fn address(&mut self, command: &str) -> SocketAddr {
        let answer = self.run(command);
        answer.parse().unwrap_or_else(|_| panic!("{}: {command:?} gave {answer:?}", self.name))
    }

    /// Has it carry out a command that must fail with `errno`.
    pub fn fails(&mut self, command: &str, errno: &str) {
        assert_eq!(self.try_do(command), Err(errno.to_owned()), "{}: {command:?}", self.name);
    }
}
