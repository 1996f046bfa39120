//! Totals are exact: every one of a thousand resets is told, and counted where Prometheus looks.

use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};

use resetmon_tests::{Agent, Metrics, Netns, Watch};
use serde_json::json;

use crate::host;

const RESETS: usize = 1000;

/// Connects to a port where nobody listens, so many times.
fn be_refused(times: usize) {
    let closed = TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))
        .and_then(|listener| listener.local_addr());
    let closed = closed.expect("a port where nobody listens");
    for _ in 0..times {
        let refused = TcpStream::connect(closed).expect_err("nobody listens");
        assert_eq!(refused.kind(), std::io::ErrorKind::ConnectionRefused);
    }
}

fn sent(metrics: &Metrics) -> u64 {
    metrics.sum("resetmon_kernel_resets_sent_total", &[("reason", "NO_SOCKET"), ("state", "none")])
}

fn received(metrics: &Metrics) -> u64 {
    metrics.sum("resetmon_kernel_resets_received_total", &[("state", "SYN_SENT")])
}

#[test]
fn a_thousand_refused_connections() {
    let _host = host::alone();
    let watch = Watch::start();
    let agent = Agent::start(&[]);
    let netns = Netns::new();

    let before = agent.metrics();
    netns.enter(|| be_refused(RESETS));
    let after = agent.metrics();

    let sent_here = json!({
        "direction": "sent",
        "kernel_reason": "NO_SOCKET",
        "state": null,
        "netns": netns.inode(),
        "process": null,
    });
    let received_here = json!({
        "direction": "received",
        "state": "SYN_SENT",
        "errno": "ECONNREFUSED",
        "netns": netns.inode(),
        "process": {"pid": std::process::id()},
    });
    watch.expect_count(&sent_here, RESETS);
    watch.expect_count(&received_here, RESETS);
    watch.settle();
    assert_eq!(watch.matching(&sent_here).len(), RESETS);
    assert_eq!(watch.matching(&received_here).len(), RESETS);
    assert_eq!(watch.matching(&json!({"netns": netns.inode()})).len(), 2 * RESETS);

    // The watch has seen all that happened on the host between the two scrapes, and, on a busy host, some more around
    // them.
    let least = u64::try_from(RESETS).expect("a small number");
    let most = |event| u64::try_from(watch.matching(&event).len()).expect("a small number");
    let most_sent = most(json!({"direction": "sent", "kernel_reason": "NO_SOCKET", "state": null}));
    let most_received = most(json!({"direction": "received", "state": "SYN_SENT"}));
    let sent = sent(&after) - sent(&before);
    let received = received(&after) - received(&before);
    assert!((least..=most_sent).contains(&sent), "{least} ≤ {sent} ≤ {most_sent}");
    assert!((least..=most_received).contains(&received), "{least} ≤ {received} ≤ {most_received}");
    assert_eq!(agent.metrics().sum("resetmon_events_lost_total", &[("where", "ring_buffer")]), 0);
}
