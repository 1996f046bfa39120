//! Resets in other network namespaces than resetmon's own, and between two of them.

use std::{
    fs,
    net::SocketAddr,
    os::unix::fs::MetadataExt as _,
    thread,
    time::{Duration, Instant},
};

use resetmon_tests::{Family, Netns, Scene, Watch, endpoint, kernel_reason, sees_resets_without_socket};
use serde_json::json;

use crate::host;

#[test]
fn another_namespace_is_named() {
    let _host = host::shared();
    let mut scene = Scene::connected(Family::Ipv4);
    let own = fs::metadata("/proc/self/ns/net").expect("the own namespace").ino();
    assert_ne!(scene.netns.inode(), own);
    let watching =
        fs::metadata(format!("/proc/{}/ns/net", scene.watch.pid())).expect("watch's namespace").ino();
    assert_eq!(watching, own);

    scene.server.run("linger 0");
    scene.server.run("close");
    scene.client.fails("recv 1", "ECONNRESET");
    scene.expect_at_server(json!({"direction": "sent"}));
    scene.expect_at_client(json!({"direction": "received"}));
    scene.expect_total(1, 1);
}

#[test]
fn each_end_in_its_own_namespace() {
    let _host = host::shared();
    let (left, right) = Netns::joined(&["10.9.8.1/24", "fd00:9::1/64"], &["10.9.8.2/24", "fd00:9::2/64"]);
    let watch = Watch::start();
    let mut client = left.actor("left-client");
    let mut server = right.actor("right-server");
    for listen in ["listen 10.9.8.2:0", "listen [fd00:9::2]:0"] {
        let server_at = server.address(listen);
        let client_at = client.address(&format!("connect {server_at}"));
        server.run("accept");
        client.run("send 100");
        server.run("await 100");
        server.run("close");
        client.fails("recv 1", "ECONNRESET");

        watch.expect(&json!({
            "direction": "sent",
            "kernel_reason": kernel_reason("TCP_ABORT_ON_CLOSE"),
            "local": endpoint(server_at),
            "peer": endpoint(client_at),
            "netns": right.inode(),
            "process": {"pid": server.pid(), "comm": "right-server"},
        }));
        watch.expect(&json!({
            "direction": "received",
            "state": "ESTABLISHED",
            "local": endpoint(client_at),
            "peer": endpoint(server_at),
            "netns": left.inode(),
            "process": {"pid": client.pid(), "comm": "left-client"},
        }));

        server.run("close-listener");
        client.run("close");
        client.fails(&format!("connect {server_at}"), "ECONNREFUSED");
        if sees_resets_without_socket() {
            watch.expect(&json!({
                "direction": "sent",
                "kernel_reason": kernel_reason("NO_SOCKET"),
                "state": null,
                "local": endpoint(server_at),
                "netns": right.inode(),
                "owner_from": "recent",
                "process": {"pid": server.pid()},
            }));
        }
        watch.expect(&json!({
            "direction": "received",
            "state": "SYN_SENT",
            "peer": endpoint(server_at),
            "netns": left.inode(),
            "process": {"pid": client.pid(), "comm": "left-client"},
        }));
    }
    watch.settle();
    let sent = if sees_resets_without_socket() { 4 } else { 2 };
    for (netns, direction, unwanted, count) in
        [(&left, "received", "sent", 4), (&right, "sent", "received", sent)]
    {
        assert_eq!(watch.matching(&json!({"netns": netns.inode(), "direction": direction})).len(), count);
        assert_eq!(watch.matching(&json!({"netns": netns.inode(), "direction": unwanted})).len(), 0);
    }
}

/// More than are gone when the test begins.
const FILLERS: usize = 40;

/// The kernel gives the number of a namespace again as soon as that is gone. What is remembered of a port in the old one
/// says nothing about the same port in the new one.
#[test]
fn a_number_that_is_given_again() {
    let _host = host::alone();
    let watch = Watch::start();
    // The files of /proc/net have numbers from the same source, which gives the lowest first: these fill the gaps that other
    // namespaces have left, so that the next one to go leaves the lowest, for one like it.
    let _fillers: Vec<Netns> = (0..FILLERS).map(|_| Netns::new()).collect();
    let (new, address) = (0..8).find_map(|_| again()).expect("a number that is given again");
    let mut client = new.actor("new-client");
    client.fails(&format!("connect {address}"), "ECONNREFUSED");
    if sees_resets_without_socket() {
        watch.expect(&json!({
            "direction": "sent",
            "netns": new.inode(),
            "local": endpoint(address),
            "process": null,
            "owner_from": "none",
        }));
    }
    watch.expect(&json!({"direction": "received", "netns": new.inode(), "process": {"pid": client.pid()}}));
}

/// A network namespace with the number of one that is gone, and where a process listened in that. None when the number was
/// given to somebody else.
fn again() -> Option<(Netns, SocketAddr)> {
    let old = Netns::new();
    let number = old.inode();
    let mut server = old.actor("old-server");
    let address = server.address("listen 127.0.0.1:0");
    server.run("close-listener");
    drop(server);
    drop(old);
    let until = Instant::now() + Duration::from_secs(3);
    // Those with other numbers are kept, so that their numbers are not given again.
    let mut others = Vec::new();
    while Instant::now() < until {
        let netns = Netns::new();
        if netns.inode() == number {
            return Some((netns, address));
        }
        others.push(netns);
        thread::sleep(Duration::from_millis(50));
    }
    None
}
