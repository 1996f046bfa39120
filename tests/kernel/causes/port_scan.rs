//! `closed_port` once more: many of them by one peer are a scan, which each of them has as evidence.

use resetmon_tests::{Abroad, corpus::judge, sees_resets_without_socket};

use crate::host;

fn scan(abroad: &Abroad, family: &str) {
    let _host = host::shared();
    if !sees_resets_without_socket() {
        return;
    }
    let peer = abroad.script(
        "
for port in range(1001, 1021):
    peer = Connection(40000, port)
    peer.send(SYN)
    peer.take_reset()
say('done')
",
    );
    assert_eq!(peer.line(), "done");
    let (first, last) = (abroad.sent_for(1001), abroad.sent_for(1020));
    judge(&format!("closed_port/foreign_{family}"), &first, "closed_port", "certain");
    judge(&format!("closed_port/scanned_{family}"), &last, "closed_port", "certain");
    assert!(!first["evidence"].to_string().contains("closed ports"), "{first}");
    assert!(last["evidence"].to_string().contains("the peer tried 20 closed ports within"), "{last}");
}

#[test]
fn scan_ipv4() {
    scan(&Abroad::by_ipv4(), "ipv4");
}

#[test]
fn scan_ipv6() {
    scan(&Abroad::by_ipv6(), "ipv6");
}
