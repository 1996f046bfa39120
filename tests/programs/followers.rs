//! Many clients on the agent's socket, of which some never read, and curl, which everybody has. Whatever they do, the counts
//! are exact, who reads is told everything or how much it missed, and memory stays bounded.

use std::{
    io::Write as _,
    os::unix::net::UnixStream,
    process::Command,
    thread,
    time::{Duration, Instant},
};

use resetmon_tests::{Agent, Following, LIMIT, Netns, Running, Script, host};
use serde_json::{Value, json};

const READERS: usize = 100;
const DEAF: usize = 100;
/// More than wait for one follower.
const RESETS: u64 = 8_000;
/// What the agent may have grown by, in kilobytes: all that waits is shared.
const GROWTH: u64 = 64 << 10;

/// Tries a closed port, many times, under a name of its own.
const REFUSED: &str = "
import errno
open('/proc/self/comm', 'w').write('test-followed')
listener = listen('127.0.0.1')
address = listener.getsockname()
listener.close()
say('ready')
input()
for _ in range(int(sys.argv[1])):
    client = socket.socket()
    assert client.connect_ex(address) == errno.ECONNREFUSED
    client.close()
say('done')
";

fn resident(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("a running process");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("a size");
    line.trim().trim_end_matches(" kB").parse().expect("a number")
}

/// Reads until everything was told or known to be lost: how many were told, how many lost.
fn read_all(mut following: Following) -> (u64, u64) {
    let (mut told, mut lost) = (0, 0);
    while told + lost < RESETS {
        let object = following.next().expect("more to come");
        if object["kind"] == "lost" {
            lost += object["count"].as_u64().expect("a number");
        } else {
            assert_eq!(object["process"]["comm"], json!("test-followed"));
            told += 1;
        }
    }
    (told, lost)
}

#[test]
fn who_does_not_read_harms_nobody() {
    let _host = host::alone();
    let netns = Netns::new();
    let agent = Agent::start(&[]);
    let before = agent.metrics();
    let path = "/v1/events?filter=comm+test-followed+and+received";
    let readers: Vec<_> = (0..READERS).map(|_| agent.follow(path)).collect();
    let deaf: Vec<UnixStream> = (0..DEAF)
        .map(|_| {
            let mut stream = UnixStream::connect(agent.socket()).expect("room");
            write!(stream, "GET {path} HTTP/1.1\r\nHost: a\r\n\r\n").expect("a request");
            stream
        })
        .collect();
    let everybody = json!(READERS + DEAF);
    let deadline = Instant::now() + LIMIT;
    while status(&agent)["followers"] != everybody {
        assert!(Instant::now() < deadline, "{}", status(&agent));
        thread::sleep(Duration::from_millis(20));
    }
    let size = resident(agent.pid());

    let mut script = Script::start(&netns, REFUSED, &[&RESETS.to_string()]);
    assert_eq!(script.line(), "ready");
    let readers: Vec<_> =
        readers.into_iter().map(|following| thread::spawn(move || read_all(following))).collect();
    script.tell("go");
    assert_eq!(script.line(), "done");
    for reader in readers {
        let (told, lost) = reader.join().expect("a reader does not panic");
        assert!(told > 0 && told + lost >= RESETS, "{told} told, {lost} lost");
    }

    let grown = resident(agent.pid()).saturating_sub(size);
    assert!(grown < GROWTH, "{grown} kB more for {DEAF} that do not read");
    let after = agent.metrics();
    let labels = [("state", "SYN_SENT")];
    let name = "resetmon_kernel_resets_received_total";
    assert!(after.sum(name, &labels) - before.sum(name, &labels) >= RESETS);
    let lost_at = |place| after.sum("resetmon_events_lost_total", &[("where", place)]);
    let lost = lost_at("subscriber") + lost_at("queue");
    assert!(lost > 0, "those that do not read have lost nothing of {RESETS}");
    drop(deaf);
}

fn status(agent: &Agent) -> Value {
    serde_json::from_str(&agent.ask("/v1/status").body).expect("an object")
}

#[test]
fn curl_follows() {
    let _host = host::shared();
    let netns = Netns::new();
    let agent = Agent::start(&[]);
    let socket = agent.socket().to_str().expect("text");
    let mut curl = Running::start(Command::new("curl").args([
        "--silent",
        "--no-buffer",
        "--unix-socket",
        socket,
        "http://resetmon/v1/events?limit=2&filter=comm+test-followed+and+received",
    ]));
    let deadline = Instant::now() + LIMIT;
    while status(&agent)["followers"] != json!(1) {
        assert!(Instant::now() < deadline, "{}", status(&agent));
        thread::sleep(Duration::from_millis(20));
    }
    let mut script = Script::start(&netns, REFUSED, &["2"]);
    assert_eq!(script.line(), "ready");
    script.tell("go");
    let output = curl.take_output();
    assert!(curl.wait().success(), "{}", curl.said());
    let text = std::io::read_to_string(output).expect("text");
    let events: Vec<Value> =
        text.lines().map(|line| serde_json::from_str(line).expect("an object")).collect();
    assert_eq!(events.len(), 2, "{text}");
    assert!(events.iter().all(|event| event["errno"] == "ECONNREFUSED"), "{text}");
}
