//! What a connection costs more with resetmon: connects, accepts, sends a byte each way and closes, many times, without
//! any probe, with one that does nothing, and with the agent, in turns.

use std::{
    env,
    fmt::Write as _,
    io::{self, Read as _, Write as _},
    net::{TcpListener, TcpStream},
    process::ExitCode,
    thread,
    time::{Duration, Instant},
};

use nix::time::{ClockId, clock_gettime};
use resetmon_tests::{Agent, Bpftrace, Netns};

/// Turns of each.
const ROUNDS: usize = 15;
/// Connections of one turn: fewer than there are ports, for every one leaves a `TIME_WAIT` behind.
const CONNECTIONS: u32 = 20_000;
/// Connections that are made first, and not counted.
const WARM_UP: u32 = 1_000;
/// From the end of one turn to the next: probes and namespaces go when the kernel has time for it.
const PAUSE: Duration = Duration::from_millis(300);
/// How much longer a connection may take, in parts of a thousand.
const MOST: f64 = 1.02;
/// A probe that is called, and does nothing.
const EMPTY: &str = "tracepoint:sock:inet_sock_set_state /0/ { @ = 1; }";

const USAGE: &str = "\
usage: connections [--rounds N]
  --rounds N   turns of each (15, at least 3)";

/// What is attached meanwhile.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Attached {
    Nothing,
    EmptyProbe,
    Resetmon,
}

const ALL: [Attached; 3] = [Attached::Nothing, Attached::EmptyProbe, Attached::Resetmon];

impl Attached {
    fn name(self) -> &'static str {
        match self {
            Self::Nothing => "without",
            Self::EmptyProbe => "empty probe on `inet_sock_set_state`",
            Self::Resetmon => "`resetmon agent`",
        }
    }

    /// One turn.
    fn measure(self) -> Cost {
        let netns = Netns::new();
        let _agent = (self == Self::Resetmon).then(|| Agent::start(&[]));
        let _bpftrace = (self == Self::EmptyProbe).then(|| Bpftrace::start(EMPTY));
        netns.enter(|| connect(CONNECTIONS))
    }
}

/// What one connection takes, in nanoseconds.
#[derive(Clone, Copy, Debug)]
struct Cost {
    /// On the clock.
    elapsed: f64,
    /// Of the processor, which other processes do not change.
    processor: f64,
}

fn main() -> ExitCode {
    let Some(rounds) = rounds() else {
        let _ = writeln!(io::stderr(), "{USAGE}");
        return ExitCode::from(2);
    };
    let mut costs: [Vec<Cost>; ALL.len()] = Default::default();
    for round in 0..rounds {
        for turn in 0..ALL.len() {
            // Each is first, second and last as often as the others.
            let which = (round + turn) % ALL.len();
            costs[which].push(ALL[which].measure());
            thread::sleep(PAUSE);
        }
    }
    let (table, worst) = table(&costs);
    let _ = io::stdout().lock().write_all(table.as_bytes());
    if worst <= MOST { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn rounds() -> Option<usize> {
    // Cargo says that it is a benchmark.
    let mut arguments = env::args().skip(1).filter(|argument| argument != "--bench");
    match (arguments.next().as_deref(), arguments.next(), arguments.next()) {
        (None, _, _) => Some(ROUNDS),
        (Some("--rounds"), Some(number), None) => number.parse().ok().filter(|rounds| *rounds >= 3),
        _ => None,
    }
}

/// Makes connections on one thread, so that nobody waits for anybody. The server closes first and the client's port is
/// free again.
fn connect(count: u32) -> Cost {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a listener");
    let address = listener.local_addr().expect("its address");
    let once = || {
        let mut client = TcpStream::connect(address)?;
        let (mut server, _) = listener.accept()?;
        let mut byte = [0];
        client.write_all(b"x")?;
        server.read_exact(&mut byte)?;
        server.write_all(b"y")?;
        client.read_exact(&mut byte)?;
        drop(server);
        drop(client);
        io::Result::Ok(())
    };
    for _ in 0..WARM_UP {
        once().expect("a connection");
    }
    let (start, processor) = (Instant::now(), processor_time());
    for _ in 0..count {
        once().expect("a connection");
    }
    let each = |time: Duration| time.as_secs_f64() * 1e9 / f64::from(count);
    Cost { elapsed: each(start.elapsed()), processor: each(processor_time().saturating_sub(processor)) }
}

fn processor_time() -> Duration {
    clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID).expect("every thread has this clock").into()
}

/// The table in Markdown, and resetmon's ratio to nothing at all.
fn table(costs: &[Vec<Cost>; ALL.len()]) -> (String, f64) {
    let mut table = String::from(
        "| | connections per second | ratio | processor time of a connection | more | ratio |\n\
         |---|--:|--:|--:|--:|--:|\n",
    );
    let mut last = 1.0;
    for (which, costs_here) in ALL.into_iter().zip(costs) {
        let of = |cost: fn(&Cost) -> f64| median(costs_here.iter().map(cost).collect());
        let to_nothing = |compare: fn(&Cost, &Cost) -> f64| {
            median(costs_here.iter().zip(&costs[0]).map(|(here, without)| compare(here, without)).collect())
        };
        let rate = 1e9 / of(|cost| cost.elapsed);
        let rate_ratio = to_nothing(|here, without| without.elapsed / here.elapsed);
        let more = to_nothing(|here, without| here.processor - without.processor);
        last = to_nothing(|here, without| here.processor / without.processor);
        let processor = of(|cost| cost.processor);
        let name = which.name();
        let _ = writeln!(
            table,
            "| {name} | {rate:.0} | {rate_ratio:.3} | {processor:.0} ns | {more:.0} ns | {last:.3} |"
        );
    }
    (table, last)
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    if values.len() % 2 == 1 { values[middle] } else { f64::midpoint(values[middle - 1], values[middle]) }
}
