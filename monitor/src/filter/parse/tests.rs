//! What expressions mean, what their errors show, and that what is printed is read back.

use ipnet::IpNet;
use proptest::{collection::vec, prelude::*, sample::select};

use crate::{
    cause::Cause,
    filter::{Filter, Test, samples, value},
    model::{Direction, Errno, Family, ResetEvent},
};

fn read(text: &str) -> Filter {
    text.parse().unwrap_or_else(|error| panic!("{error}"))
}

/// The expression means what the other one does, which is as it is printed.
fn check(text: &str, expected: &str) {
    assert_eq!(read(text).to_string(), expected, "{text}");
    assert_eq!(read(expected), read(text), "{text}");
}

#[test]
fn words_and_signs() {
    check("", "everything");
    check("  ", "everything");
    check(
        "peer 10.0.0.0/8 and port 443 and not cause closed_port",
        "peer 10.0.0.0/8 and port 443 and not cause closed_port",
    );
    check("port 1 or port 2 and port 3", "port 1 or port 2 and port 3");
    check("(port 1 or port 2) and port 3", "(port 1 or port 2) and port 3");
    check("port 1 && port 2 || !port 3", "port 1 and port 2 or not port 3");
    check("PORT 1 AND Received", "port 1 and received");
    check("port 1 received sent", "port 1 and received and sent");
    check("port 1 (received or ipv6) not sent", "port 1 and (received or ipv6) and not sent");
    check("not not received", "not not received");
    check("!(received)", "not received");
    check("not (received and ipv4)", "not (received and ipv4)");
    check("((port 1))", "port 1");
    check("port 1 and (port 2 and port 3)", "port 1 and (port 2 and port 3)");
}

#[test]
fn properties() {
    check("pid = 4711", "pid 4711");
    check("comm != nginx", "not comm nginx");
    check("comm 'my program'", r#"comm "my program""#);
    check(r"unit my\x2dapp.scope", "unit my-app.scope");
    check("container 7be9 workload docker", "container 7be9 and workload docker");
    check("reason TCP_ABORT_ON_CLOSE", "reason ABORT_ON_CLOSE");
    check("errno econnreset and ipv4", "errno ECONNRESET and ipv4");
    check("comm port or comm sent", "comm port or comm sent");
    check(r#"comm "and""#, r#"comm "and""#);
    check("lport 80 pport 443", "lport 80 and pport 443");
    check("nothing or everything", "nothing or everything");
}

#[test]
fn as_ss_has_it() {
    check("dport = :443 or sport = :443", "pport 443 or lport 443");
    check("( dport :443 or sport 443 ) dst 10.0.0.0/8", "(pport 443 or lport 443) and peer 10.0.0.0/8");
    check("dst = 10.0.0.9:443", "peer 10.0.0.9 and pport 443");
    check("src [::1]:443 or dst :22", "local ::1 and lport 443 or pport 22");
}

#[test]
fn matches_as_it_reads() {
    let check = |text: &str, event: &ResetEvent, expected: bool| {
        assert_eq!(read(text).matches(event), expected, "{text} on {event:?}");
    };
    let refused = samples::refused();
    check("", &refused, true);
    check("peer 10.0.0.9:443 and comm python3", &refused, true);
    check("dport 41322", &refused, false);
    check("sport 41322 and dport 443", &refused, true);
    check("not peer 10.0.0.9:443", &refused, false);
    check("peer != 10.0.0.9:444", &refused, true);
    check("sent or pid 4711 and ipv4", &refused, true);
    check("(sent or pid 4711) and ipv6", &refused, false);
    check("unit app and errno ECONNREFUSED", &refused, true);
    check("nothing", &refused, false);
}

#[test]
fn errors_show_the_place() {
    let check = |text: &str, expected: &str| {
        let error = text.parse::<Filter>().expect_err(text);
        assert_eq!(error.to_string(), expected, "{text}");
    };
    check(
        "prot 443 and received",
        "there is no property `prot`; did you mean `port`?\n  prot 443 and received\n  ^^^^",
    );
    check(
        "port http and received",
        "wrong value of `port`: a port is a number from 1 to 65535\n  port http and received\n       ^^^^",
    );
    check(
        "received and cause close_unred",
        "wrong value of `cause`: there is no such cause; did you mean close_unread?\n  \
         received and cause close_unred\n                     ^^^^^^^^^^^",
    );
    check("port", "`port` needs a value, such as `port 443`\n  port\n      ^");
    check(
        "comm and received",
        "`comm` needs a value, such as `comm python3`\n  comm and received\n       ^^^",
    );
    check(
        "received and",
        "expected a condition, such as `port 443` or `received`\n  received and\n              ^",
    );
    check("or sent", "expected a condition, such as `port 443` or `received`\n  or sent\n  ^^");
    check("sent and (port 1", "this parenthesis is not closed\n  sent and (port 1\n           ^");
    check("sent ) port 1", "this parenthesis closes nothing\n  sent ) port 1\n       ^");
    check("ipv4 \u{1b}pid", "there is no property ` pid`; did you mean `pid`?\n  ipv4  pid\n       ^^^^");
    check("comm \"日本 x", "this quotation has no end\n  comm \"日本 x\n       ^^^^^^^");
}

#[test]
fn errors_name_what_is_expected() {
    let check = |text: &str, expected: &str| {
        let error = text.parse::<Filter>().expect_err(text).to_string();
        assert!(error.contains(expected), "{text}: {error}");
    };
    check("weather fine", "there are pid, comm, unit, container, workload, peer, local, port,");
    check("dport >= :1024", "values are compared by = and != only\n  dport >= :1024\n        ^^");
    check("sent = yes", "`sent` has no value to compare");
    check("pid 0", "a process id is a number from 1 to 4294967295");
    check("port 65536", "a port is a number");
    check("peer example.com", "expected an address, a network or a port, such as 10.0.0.9");
    check("peer 10.0.0.0/33", "the prefix length of an IPv4 network is at most 32");
    check("dst [::1:443", "expected an address, a network or a port");
    check("dst 10.0.0.9:0", "a port is a number");
    check("errno EAGAIN", "a reset causes one of ECONNRESET");
    check(&"(".repeat(100), "nested deeper than 64 times");
    check(&"!".repeat(10_000), "nested deeper than 64 times");
}

fn any_test() -> impl Strategy<Value = Test> {
    let network = || {
        (any::<std::net::IpAddr>(), 0..=32_u8).prop_map(|(address, length)| -> IpNet {
            value::network(&format!("{address}/{length}")).expect("a network")
        })
    };
    let name = || ".{1,12}";
    prop_oneof![
        (1..=u32::MAX).prop_map(Test::Pid),
        name().prop_map(|name| Test::Comm(name.parse().expect("a name"))),
        name().prop_map(|name| Test::Unit(name.parse().expect("a unit"))),
        name().prop_map(|name| Test::Container(name.parse().expect("a container"))),
        name().prop_map(|name| Test::Workload(name.parse().expect("a workload"))),
        network().prop_map(Test::Peer),
        network().prop_map(Test::Local),
        (1..=u16::MAX).prop_map(Test::Port),
        (1..=u16::MAX).prop_map(Test::LocalPort),
        (1..=u16::MAX).prop_map(Test::PeerPort),
        select(Cause::ALL.to_vec()).prop_map(Test::Cause),
        "[A-S0-9_]{1,9}".prop_map(|name| Test::Reason(name.parse().expect("a reason"))),
        select(Direction::ALL.to_vec()).prop_map(Test::Direction),
        select(vec![Family::Ipv4, Family::Ipv6]).prop_map(Test::Family),
        select(Errno::ALL.to_vec()).prop_map(Test::Errno),
    ]
}

/// Any filter whose lists have as many members as `lengths` says, or none.
fn any_filter(least: usize) -> impl Strategy<Value = Filter> {
    let leaf = prop_oneof![
        8 => any_test().prop_map(Filter::Test),
        1 => Just(Filter::All(Vec::new())),
        1 => Just(Filter::Any(Vec::new())),
    ];
    leaf.prop_recursive(4, 24, 4, move |inner| {
        prop_oneof![
            vec(inner.clone(), least..4).prop_map(Filter::All),
            vec(inner.clone(), least..4).prop_map(Filter::Any),
            inner.prop_map(|filter| Filter::Not(Box::new(filter))),
        ]
    })
}

proptest! {
    #[test]
    fn what_is_printed_is_read_back(filter in any_filter(2)) {
        prop_assert_eq!(filter.to_string().parse(), Ok(filter));
    }

    #[test]
    fn any_filter_keeps_its_meaning(filter in any_filter(0), event in samples::any_event()) {
        let again: Filter = filter.to_string().parse().expect("what was printed");
        prop_assert_eq!(again.matches(&event), filter.matches(&event));
        prop_assert_eq!(again.to_string().parse(), Ok(again));
    }

    #[test]
    fn any_text_is_read_or_refused(
        text in any::<String>(),
        words in vec(select(vec!["port", "443", "peer", "10.0.0.9:1", "and", "or", "not", "(", ")", "=", "!", "sent", "\""]), 0..12),
    ) {
        for text in [text, words.join(" "), words.concat()] {
            match text.parse::<Filter>() {
                Ok(filter) => prop_assert_eq!(filter.to_string().parse(), Ok(filter)),
                Err(error) => {
                    prop_assert!(text.get(error.span.clone()).is_some(), "{:?}", error.span);
                    prop_assert!(error.to_string().lines().count() >= 3);
                }
            }
        }
    }
}
