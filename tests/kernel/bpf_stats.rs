//! What the BPF programs cost, by the agent's metrics: only when it is asked for, and then for real.

use resetmon_tests::{Agent, Family, Netns};

use crate::host;

const RUNS: &str = "resetmon_bpf_program_runs_total";
const PROGRAM: [(&str, &str); 1] = [("program", "tcp_receive_reset")];

#[test]
fn programs_are_measured_when_asked_for() {
    let _host = host::shared();
    let agent = Agent::start(&["--bpf-stats"]);
    let before = agent.metrics().sum(RUNS, &PROGRAM);

    let netns = Netns::new();
    let mut actor = netns.actor("test-stats");
    let server_at = actor.address(Family::Ipv4.listen());
    actor.run("close-listener");
    for _ in 0..5 {
        actor.fails(&format!("connect {server_at}"), "ECONNREFUSED");
    }

    let metrics = agent.metrics();
    let runs = metrics.sum(RUNS, &PROGRAM) - before;
    assert!(runs >= 5, "the program ran for five resets, and was measured {runs} times");
    assert!(metrics.has("resetmon_bpf_program_seconds_total", &PROGRAM));
    assert!(metrics.has(RUNS, &[("program", "inet_sock_set_state")]));
}

#[test]
fn programs_are_not_measured_otherwise() {
    let _host = host::shared();
    assert!(!Agent::start(&[]).metrics().has(RUNS, &[]));
}
