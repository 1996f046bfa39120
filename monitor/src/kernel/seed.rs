//! Sockets that are older than resetmon: the iterator `task_file` visits every open file once and gives them owners.

use std::{
    fs::File,
    io::{self, Read as _},
    time::{Duration, Instant},
};

use aya::{
    Btf,
    programs::{Iter, ProgramError},
};

/// How long visiting may take; what is not visited by then has no owner from the start.
const LIMIT: Duration = Duration::from_secs(5);

/// What the iterator has done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seeded {
    /// Sockets that got an owner.
    pub sockets: u64,
    /// How long it took.
    pub took: Duration,
    /// Whether every file was visited.
    pub complete: bool,
}

/// Runs the iterator once, and unloads it.
pub(super) fn run(program: &mut Iter, btf: &Btf) -> Result<Seeded, ProgramError> {
    let start = Instant::now();
    program.load("task_file", btf)?;
    let link = program.attach()?;
    let file = program.take_link(link)?.into_file().map_err(io::Error::other);
    let visited = file.and_then(|file| visit(file, start));
    program.unload()?;
    let (sockets, complete) = visited?;
    Ok(Seeded { sockets, took: start.elapsed(), complete })
}

/// The program writes a byte for each socket.
fn visit(mut file: File, start: Instant) -> io::Result<(u64, bool)> {
    let mut buffer = [0; 4096];
    let mut sockets = 0;
    while start.elapsed() < LIMIT {
        match file.read(&mut buffer) {
            Ok(0) => return Ok((sockets, true)),
            Ok(count) => sockets += count as u64,
            // So many files had nothing to say that the kernel takes a break.
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
    }
    Ok((sockets, false))
}
