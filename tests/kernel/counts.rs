//! Totals are exact: every one of a thousand resets is told, and counted where Prometheus looks.

use std::{
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    thread,
    time::{Duration, Instant},
};

use resetmon_tests::{
    Agent, LIMIT, Metrics, Netns, Watch, kernel_reason, reason_label, sees_resets_without_socket,
};
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
    let labels = [("reason", reason_label("NO_SOCKET")), ("state", "none")];
    // Where nobody sees such resets there is no series for them.
    if !sees_resets_without_socket() && !metrics.has("resetmon_kernel_resets_sent_total", &labels) {
        return 0;
    }
    metrics.sum("resetmon_kernel_resets_sent_total", &labels)
}

fn received(metrics: &Metrics) -> u64 {
    metrics.sum("resetmon_kernel_resets_received_total", &[("state", "SYN_SENT")])
}

#[test]
fn a_thousand_refused_connections() {
    let _host = host::alone();
    let netns = Netns::new();
    let watch = Watch::start();
    let agent = Agent::start(&[]);

    let before = agent.metrics();
    netns.enter(|| be_refused(RESETS));
    let after = agent.metrics();

    let seen_sent = if sees_resets_without_socket() { RESETS } else { 0 };
    let sent_here = json!({
        "direction": "sent",
        "kernel_reason": kernel_reason("NO_SOCKET"),
        "state": null,
        "netns": netns.inode(),
        "process": {"pid": std::process::id()},
        "owner_from": "recent",
    });
    let received_here = json!({
        "direction": "received",
        "state": "SYN_SENT",
        "errno": "ECONNREFUSED",
        "netns": netns.inode(),
        "process": {"pid": std::process::id()},
    });
    watch.expect_count(&sent_here, seen_sent);
    watch.expect_count(&received_here, RESETS);
    watch.settle();
    assert_eq!(watch.matching(&sent_here).len(), seen_sent);
    assert_eq!(watch.matching(&received_here).len(), RESETS);
    assert_eq!(watch.matching(&json!({"netns": netns.inode()})).len(), RESETS + seen_sent);

    // The watch has seen all that happened on the host between the two scrapes, and, on a busy host, some more around
    // them.
    let number = |count: usize| u64::try_from(count).expect("a small number");
    let (least, least_sent) = (number(RESETS), number(seen_sent));
    let most = |event| number(watch.matching(&event).len());
    let reason = kernel_reason("NO_SOCKET");
    let most_sent = most(json!({"direction": "sent", "kernel_reason": reason, "state": null}));
    let most_received = most(json!({"direction": "received", "state": "SYN_SENT"}));
    let sent = sent(&after) - sent(&before);
    let received = received(&after) - received(&before);
    assert!((least_sent..=most_sent).contains(&sent), "{least_sent} ≤ {sent} ≤ {most_sent}");
    assert!((least..=most_received).contains(&received), "{least} ≤ {received} ≤ {most_received}");
    for (metrics, direction) in
        [&before, &after].into_iter().flat_map(|one| [(one, "sent"), (one, "received")])
    {
        let by_cause = metrics.sum(&format!("resetmon_resets_{direction}_total"), &[]);
        assert_eq!(
            by_cause,
            metrics.sum(&format!("resetmon_kernel_resets_{direction}_total"), &[]),
            "{direction}"
        );
    }
    // All that was counted is diagnosed in the end.
    let cause = if seen_sent > 0 { "closed_port" } else { "connection_refused" };
    let deadline = Instant::now() + LIMIT;
    loop {
        let now = agent.metrics();
        let more = |name: &str, labels: &[(&str, &str)]| now.sum(name, labels) - before.sum(name, labels);
        let sent = more("resetmon_resets_sent_total", &[("cause", "closed_port")]);
        let received = more("resetmon_resets_received_total", &[("cause", cause)]);
        let refused = more("resetmon_errors_delivered_total", &[("errno", "ECONNREFUSED")]);
        let owned = more("resetmon_attributions_total", &[("owner_from", "connect")]);
        if sent >= least_sent && [received, refused, owned].into_iter().all(|count| count >= least) {
            break;
        }
        assert!(
            Instant::now() < deadline,
            "{sent} sent, {received} received, {refused} refused, {owned} owned"
        );
        thread::sleep(Duration::from_millis(50));
    }
    assert_eq!(agent.metrics().sum("resetmon_events_lost_total", &[("where", "ring_buffer")]), 0);
}
