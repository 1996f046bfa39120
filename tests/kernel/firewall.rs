//! Resets that netfilter makes: TCP has no part in them, so only a probe on `nf_send_reset()` sees them where they are
//! made. The refused end sees them in any case.

use std::{
    thread,
    time::{Duration, Instant},
};

use resetmon_tests::{
    Agent, LIMIT, Netns, Version, Watch, corpus::judge, endpoint, requires_absent, requires_probe,
    sees_resets_without_socket,
};
use serde_json::json;

use crate::host;

const PORT: u16 = 7070;

/// Refuses connections to [`PORT`] at a hook of this namespace.
fn reject(netns: &Netns, hook: &str) {
    let rules = format!(
        "table inet test {{\n chain c {{\n type filter hook {hook} priority 0\n tcp dport {PORT} reject with tcp reset\n }}\n}}"
    );
    netns.run("nft", &[&rules]);
}

#[test]
fn the_refused_end_sees_it() {
    let _host = host::shared();
    let netns = Netns::new();
    let watch = Watch::with(&[]);
    reject(&netns, "input");
    let mut client = netns.actor("test-client");
    client.fails(&format!("connect 127.0.0.1:{PORT}"), "ECONNREFUSED");
    let received = watch.expect(&json!({
        "direction": "received",
        "state": "SYN_SENT",
        "errno": "ECONNREFUSED",
        "netns": netns.inode(),
        "peer": {"addr": "127.0.0.1", "port": PORT},
        "process": {"pid": client.pid()},
    }));
    let (cause, confidence) = match (sees_resets_without_socket(), received["counterpart"].is_null()) {
        // The probe has told of the firewall's own end.
        (_, false) => ("firewall_reject", "certain"),
        (true, true) => ("firewall_reject", "possible"),
        (false, true) => ("connection_refused", "certain"),
    };
    judge(&format!("{cause}/at_the_refused_end"), &received, cause, confidence);
    // Nobody listens there either, but the firewall was first.
    let by_tcp = json!({"direction": "sent", "netns": netns.inode(), "trigger": {"netfilter_hook": null}});
    watch.expect_none(&by_tcp);
}

/// At `hook` of its own host, seen from the end that the firewall stands before.
fn check(variant: &str, hook: &str, address: &str) {
    let _host = host::shared();
    let netns = Netns::new();
    reject(&netns, hook);
    if !requires_probe("nf_send_reset", Version(5, 10)) {
        return;
    }
    let watch = Watch::with(&[]);
    let mut client = netns.actor("test-client");
    client.fails(&format!("connect {address}:{PORT}"), "ECONNREFUSED");
    let received = watch.expect(&json!({"direction": "received", "netns": netns.inode()}));
    let (server_end, client_end) = (&received["peer"], &received["local"]);
    let (local, peer) = if hook == "output" { (client_end, server_end) } else { (server_end, client_end) };
    let sent = watch.expect(&json!({
        "direction": "sent",
        "kernel_reason": null,
        "state": null,
        "netns": netns.inode(),
        "local": local,
        "peer": peer,
        "process": null,
        "trigger": {"flags": "S", "payload_bytes": 0, "netfilter_hook": hook},
    }));
    judge(variant, &sent, "firewall_reject", "certain");
    watch.settle();
    assert_eq!(watch.matching(&json!({"direction": "sent", "netns": netns.inode()})).len(), 1);
}

#[test]
fn input_ipv4() {
    check("firewall_reject/input_ipv4", "input", "127.0.0.1");
}

#[test]
fn input_ipv6() {
    check("firewall_reject/input_ipv6", "input", "[::1]");
}

#[test]
fn output_ipv4() {
    check("firewall_reject/output_ipv4", "output", "127.0.0.1");
}

#[test]
fn forwarded() {
    let _host = host::shared();
    let (client_host, router) = Netns::joined(&["10.9.1.1/24"], &["10.9.1.2/24"]);
    reject(&router, "forward");
    if !requires_probe("nf_send_reset", Version(5, 10)) {
        return;
    }
    client_host.ip(&["route", "add", "default", "via", "10.9.1.2"]);
    // Beyond the router; the packet is refused before it would leave for there.
    router.ip(&["link", "add", "beyond", "type", "veth", "peer", "name", "beyond-peer"]);
    router.ip(&["address", "add", "10.9.2.2/24", "dev", "beyond"]);
    router.ip(&["link", "set", "beyond", "up"]);
    router.ip(&["link", "set", "beyond-peer", "up"]);
    router.run("sh", &["-c", "echo 1 > /proc/sys/net/ipv4/ip_forward"]);
    let watch = Watch::with(&[]);
    let mut client = client_host.actor("test-client");
    let to = format!("10.9.2.1:{PORT}");
    client.fails(&format!("connect {to}"), "ECONNREFUSED");
    let sent = watch.expect(&json!({
        "direction": "sent",
        "netns": router.inode(),
        "local": endpoint(to.parse().expect("an address")),
        "peer": {"addr": "10.9.1.1"},
        "process": null,
        "trigger": {"netfilter_hook": "forward"},
    }));
    judge("firewall_reject/forward_ipv4", &sent, "firewall_reject", "certain");
    watch.expect(&json!({"direction": "received", "netns": client_host.inode(), "errno": "ECONNREFUSED"}));
}

/// The first rule that needs it loads the module, which may be long after the agent has given up its capabilities.
#[test]
fn a_module_that_comes_later() {
    const PROBE: &str = "nf_send_reset";
    let _host = host::alone();
    if !requires_probe(PROBE, Version(5, 10)) {
        return;
    }
    let Some(modules) = requires_absent("nf_reject_ipv4", PROBE) else { return };
    let agent = Agent::start(&[]);
    let attached = || agent.metrics().sum("resetmon_probe_attached", &[("probe", PROBE)]);
    let sent = || agent.metrics().sum("resetmon_kernel_resets_sent_total", &[("reason", "netfilter")]);
    assert_eq!((attached(), sent()), (0, 0));

    modules.load();
    let netns = Netns::new();
    reject(&netns, "input");
    let deadline = Instant::now() + LIMIT;
    while attached() == 0 {
        assert!(Instant::now() < deadline, "the probe is not attached");
        thread::sleep(Duration::from_millis(50));
    }
    netns.actor("test-client").fails(&format!("connect 127.0.0.1:{PORT}"), "ECONNREFUSED");
    assert_eq!(sent(), 1);
    let (status, said) = agent.terminate();
    // At first, and again when it waited for nothing more.
    assert!(status.success() && said.matches("dropped all capabilities").count() == 2, "{status}: {said}");
}
