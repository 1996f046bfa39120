//! `memory_pressure`: more closed connections than may wait for their end.

use std::fs;

use resetmon_tests::{Abroad, corpus::judge};

use super::if_told;
use crate::host;

const MOST_ORPHANS: &str = "/proc/sys/net/ipv4/tcp_max_orphans";

/// No connection of this host may wait for its end until this goes.
struct NoOrphans(String);

impl NoOrphans {
    fn new() -> Self {
        let before = fs::read_to_string(MOST_ORPHANS).expect("a limit");
        fs::write(MOST_ORPHANS, "0").expect("root may set it");
        Self(before)
    }
}

impl Drop for NoOrphans {
    fn drop(&mut self) {
        fs::write(MOST_ORPHANS, &self.0).expect("root may set it");
    }
}

/// The kernel counts orphans roughly, so it takes some.
#[test]
fn too_many_orphans() {
    let _host = host::alone();
    let abroad = Abroad::by_ipv4();
    let peer = abroad.script(
        "
say('listening')
peers = [accept(80) for _ in range(100)]
say('accepted')
while True: next(segments())
",
    );
    assert_eq!(peer.line(), "listening");
    let mut client = abroad.program(
        "
connections = [connect(sys.argv[2], 80) for _ in range(100)]
say('connected')
wait()
for connection in connections[:50]: connection.close()
# The kernel sums up ten times a second, on a processor that has something to do.
for _ in range(os.cpu_count()):
    if fork() == 0:
        until = time.monotonic() + 0.5
        while time.monotonic() < until: pass
        os._exit(0)
time.sleep(0.5)
for connection in connections[50:]: connection.close()
say('closed')
wait()
",
    );
    assert_eq!((client.line(), peer.line()), ("connected".to_owned(), "accepted".to_owned()));
    let limit = NoOrphans::new();
    client.tell("close");
    assert_eq!(client.line(), "closed");
    drop(limit);
    let event = abroad.sent(client.pid());
    let confidence = if_told(&event, "certain", "likely");
    judge("memory_pressure/too_many_orphans", &event, "memory_pressure", confidence);
    client.tell("end");
}
