//! The agent's endpoint, its end, and a port that is taken.

use std::{
    net::{SocketAddr, TcpListener},
    path::Path,
    thread,
    time::{Duration, Instant},
};

use resetmon_tests::{
    Agent, Family, LIMIT, Metrics, Netns, get, kernel_reason, reason_label, sees_resets_without_socket,
};

use crate::host;

const CAPTURING: &str = "capturing";

/// How many refused connections are counted, at each end where they are seen.
fn refused(metrics: &Metrics) -> Vec<u64> {
    let received = metrics.sum("resetmon_kernel_resets_received_total", &[("state", "SYN_SENT")]);
    let sent = sees_resets_without_socket().then(|| {
        let labels = [("reason", reason_label("NO_SOCKET")), ("state", "none")];
        metrics.sum("resetmon_kernel_resets_sent_total", &labels)
    });
    [received].into_iter().chain(sent).collect()
}

#[test]
fn endpoint() {
    let _host = host::shared();
    let agent = Agent::start(&[]);
    let metrics = agent.get("/metrics");
    assert_eq!(metrics.status, 200);
    let content_type = metrics.header("content-type").expect("a content type");
    assert!(content_type.starts_with("text/plain; version=0.0.4"), "{content_type}");
    assert!(metrics.body.contains("# TYPE resetmon_kernel_resets_sent_total counter"), "{}", metrics.body);

    for path in ["/-/healthy", "/-/ready"] {
        assert_eq!(agent.get(path).status, 200, "{path}");
    }
    let landing = agent.get("/");
    assert_eq!(landing.status, 200);
    assert!(
        landing.header("content-type").is_some_and(|value| value.starts_with("text/html")),
        "{}",
        landing.head
    );
    assert!(landing.body.contains("href=\"/metrics\""), "{}", landing.body);
    assert_eq!(agent.get("/no-such-page").status, 404);
}

#[test]
fn series_are_there_before_anything_happens() {
    let _host = host::alone();
    let agent = Agent::start(&[]);
    let metrics = agent.metrics();
    for (reason, state) in [
        ("NO_SOCKET", "none"),
        ("TCP_FLAGS", "LISTEN"),
        ("TCP_TIMEWAIT_SOCKET", "TIME_WAIT"),
        ("TCP_ABORT_ON_CLOSE", "ESTABLISHED"),
        ("TCP_ABORT_ON_DATA", "FIN_WAIT2"),
        ("TCP_STATE", "ESTABLISHED"),
        ("TCP_KEEPALIVE_TIMEOUT", "ESTABLISHED"),
    ] {
        let without_socket = matches!(state, "none" | "TIME_WAIT");
        // What a kernel cannot tell apart has no series of its own before it happens.
        if kernel_reason(reason) == "NOT_SPECIFIED" || (without_socket && !sees_resets_without_socket()) {
            continue;
        }
        let labels = [("reason", reason_label(reason)), ("state", state)];
        assert!(metrics.has("resetmon_kernel_resets_sent_total", &labels), "{labels:?}");
    }
    for state in ["SYN_SENT", "ESTABLISHED", "CLOSE_WAIT", "FIN_WAIT1"] {
        assert!(metrics.has("resetmon_kernel_resets_received_total", &[("state", state)]), "{state}");
    }
    // Seldom enough that nobody else on the host has just had one.
    let seldom = [("reason", reason_label("TCP_KEEPALIVE_TIMEOUT")), ("state", "FIN_WAIT2")];
    assert_eq!(metrics.sum("resetmon_kernel_resets_sent_total", &seldom), 0);
    for place in ["ring_buffer", "rate_limit", "queue", "history", "subscriber"] {
        assert_eq!(metrics.sum("resetmon_events_lost_total", &[("where", place)]), 0, "{place}");
    }
    for direction in ["sent", "received"] {
        let others = [("workload_kind", "systemd"), ("workload", "other")];
        assert_eq!(metrics.sum(&format!("resetmon_workload_resets_{direction}_total"), &others), 0);
    }
    for probe in ["tcp_send_reset", "tcp_receive_reset", "inet_sock_set_state"] {
        assert_eq!(metrics.sum("resetmon_probe_attached", &[("probe", probe)]), 1, "{probe}");
    }
    for (direction, causes) in [
        ("sent", &["closed_port", "process_exit", "unknown", "undiagnosed"][..]),
        ("received", &["connection_refused", "close_unread", "injected", "undiagnosed"]),
    ] {
        for cause in causes {
            let name = format!("resetmon_resets_{direction}_total");
            assert!(metrics.has(&name, &[("cause", cause)]), "{direction} {cause}");
        }
    }
    assert!(!metrics.has("resetmon_resets_sent_total", &[("cause", "connection_refused")]));
    assert_eq!(metrics.sum("resetmon_resets_received_total", &[("cause", "injected")]), 0);
    for name in ["resetmon_reset_connection_age_seconds", "resetmon_reset_idle_seconds"] {
        assert!(metrics.has(&format!("{name}_count"), &[]), "{name}");
    }
    assert!(metrics.has("resetmon_errors_delivered_total", &[("errno", "EPIPE")]));
    assert_eq!(metrics.sum("resetmon_build_info", &[]), 1);
    assert!(metrics.has("process_start_time_seconds", &[]));
}

#[test]
fn a_signal_ends_it() {
    let _host = host::shared();
    let agent = Agent::start(&[]);
    let entry = format!("/proc/{}", agent.pid());
    assert!(Path::new(&entry).exists());
    let (status, said) = agent.terminate();
    assert_eq!(status.code(), Some(0), "{status}: {said}");
    assert!(!Path::new(&entry).exists());
    // Nothing is left that would be in the way of the next one.
    let (status, said) = Agent::start(&[]).terminate();
    assert_eq!(status.code(), Some(0), "{status}: {said}");
}

#[test]
fn a_taken_port_stops_nothing() {
    let _host = host::shared();
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = taken.local_addr().expect("its address");
    let mut agent = Agent::spawn(&address.to_string(), &[]);
    agent.wait_for(CAPTURING);
    let complaint = agent.wait_for("listen on");
    assert!(complaint.contains(&address.to_string()), "{complaint}");

    // Captured while nobody can ask for it.
    let netns = Netns::new();
    let mut actor = netns.actor("test-refused");
    let server_at = actor.address(Family::Ipv4.listen());
    actor.run("close-listener");
    actor.fails(&format!("connect {server_at}"), "ECONNREFUSED");

    drop(taken);
    let metrics = wait_for_metrics(address);
    let refused = refused(&metrics);
    assert!(
        refused.iter().all(|count| *count >= 1),
        "what happened before the port was free is not counted: {refused:?}"
    );
    assert_eq!(agent.said().matches("listen on").count(), 1, "said once:\n{}", agent.said());
}

/// The first answer of an endpoint that is not there yet.
fn wait_for_metrics(address: SocketAddr) -> Metrics {
    let deadline = Instant::now() + LIMIT;
    loop {
        match get(address, "/metrics") {
            Ok(response) => return Metrics::parse(&response.body),
            Err(error) => assert!(Instant::now() < deadline, "nobody serves on {address}: {error}"),
        }
        thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn the_ring_buffer_has_a_size_that_the_kernel_takes() {
    // No power of two, so wrong whatever the size of a page is.
    for size in ["0", "1000", "5000"] {
        let mut agent = Agent::spawn("127.0.0.1:0", &["--ring-buffer-bytes", size]);
        let status = agent.wait();
        assert!(matches!(status.code(), Some(1 | 2)), "{status}: {}", agent.said());
        assert!(agent.said().contains(size), "{}", agent.said());
    }
}
