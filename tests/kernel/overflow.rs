//! A burst that the ring buffer cannot hold: what is lost is counted, and the totals stay exact.

use std::{
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    thread,
    time::{Duration, Instant},
};

use resetmon_tests::{Agent, LIMIT, Metrics, Netns, page_size, sees_resets_without_socket};

use crate::host;

const THREADS: usize = 2;
const RESETS_PER_THREAD: usize = 3000;

/// How many resets are received.
const RECEIVED: u64 = 6000;

fn burst() {
    let closed = TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))
        .and_then(|listener| listener.local_addr());
    let closed = closed.expect("a port where nobody listens");
    let refused = || {
        for _ in 0..RESETS_PER_THREAD {
            let refused = TcpStream::connect(closed).expect_err("nobody listens");
            // Any other error would be one without a reset.
            assert_eq!(refused.kind(), std::io::ErrorKind::ConnectionRefused, "{refused}");
        }
    };
    // Threads are born in the network namespace of their parent.
    thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(refused);
        }
    });
}

fn counted(metrics: &Metrics) -> u64 {
    metrics.sum("resetmon_kernel_resets_sent_total", &[])
        + metrics.sum("resetmon_kernel_resets_received_total", &[])
}

fn lost(metrics: &Metrics) -> u64 {
    metrics.sum("resetmon_events_lost_total", &[("where", "ring_buffer")])
}

fn accounted(metrics: &Metrics) -> u64 {
    metrics.sum("resetmon_events_received_total", &[]) + lost(metrics)
}

#[test]
fn what_is_lost_is_counted() {
    let _host = host::alone();
    let resets = if sees_resets_without_socket() { 2 * RECEIVED } else { RECEIVED };
    let agent = Agent::start(&["--ring-buffer-bytes", &page_size().to_string()]);
    let before = agent.metrics();
    Netns::new().enter(burst);

    // The last events may still be on their way through the agent.
    let deadline = Instant::now() + LIMIT;
    let mut after = agent.metrics();
    while accounted(&after) != counted(&after) && Instant::now() < deadline {
        thread::sleep(Duration::from_millis(100));
        after = agent.metrics();
    }
    assert_eq!(accounted(&after), counted(&after), "received and lost, against the kernel's count");
    assert!(
        counted(&after) - counted(&before) >= resets,
        "{} of {resets}",
        counted(&after) - counted(&before)
    );
    assert!(lost(&after) > 0, "nothing was lost, so this shows nothing");
}
