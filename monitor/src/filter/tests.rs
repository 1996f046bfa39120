//! Which events match which flags, what flags refuse, and the laws of combination.

use std::sync::Arc;

use clap::Parser as _;
use ipnet::IpNet;
use proptest::{collection::vec, prelude::*, sample::select};

use super::{Filter, Test, flags::FilterFlags, samples, value};
use crate::{
    cause::Cause,
    diagnosis::Diagnoser,
    model::{
        Direction, Errno, Family, ResetEvent,
        workload::{Workload, WorkloadKind},
    },
};

#[derive(clap::Parser)]
struct Cli {
    #[command(flatten)]
    flags: FilterFlags,
}

fn parse(flags: &str) -> Result<FilterFlags, String> {
    let words = std::iter::once("resetmon").chain(flags.split_whitespace());
    Cli::try_parse_from(words).map(|cli| cli.flags).map_err(|error| error.to_string())
}

fn flags(text: &str) -> FilterFlags {
    parse(text).unwrap_or_else(|error| panic!("{text}: {error}"))
}

fn check(text: &str, event: &ResetEvent, expected: bool) {
    assert_eq!(flags(text).filter().expect(text).matches(event), expected, "{text} on {event:?}");
}

/// Flags that the event matches, and flags that it does not.
fn check_all(event: &ResetEvent, matching: &[&str], others: &[&str]) {
    for text in matching {
        check(text, event, true);
    }
    for text in others {
        check(text, event, false);
    }
}

#[test]
fn no_flags_match_everything() {
    for (_, event) in samples::all() {
        check("", &event, true);
        assert!(Filter::everything().matches(&event));
    }
}

#[test]
fn processes() {
    check_all(
        &samples::refused(),
        &["--pid 4711", "--pid 1 --pid 4711", "--comm python3"],
        &["--pid 471", "--comm python", "--comm Python3", "--comm python3.11"],
    );
    let mut long = samples::unread();
    long.process = Some(samples::process(9, "a-process-with-"));
    check_all(
        &long,
        &["--comm a-process-with-", "--comm a-process-with-a-long-name"],
        &["--comm a-process-with"],
    );
    long.process = Some(samples::process(9, "fourteen-bytes\u{fffd}"));
    check_all(&long, &["--comm fourteen-bytesé"], &["--comm fourteen-bytes"]);
    let nobody = samples::bare(Direction::Sent, "10.0.0.5:1", "10.0.0.9:2");
    check_all(&nobody, &[], &["--pid 1", "--comm python3"]);
}

#[test]
fn workloads() {
    let id = "7be92808767a667f35c8505cbf40d14e931ef6db5b0210329cf193b15ba9d605";
    let in_pod = samples::unread();
    check_all(
        &in_pod,
        &[
            "--container 7be92808767a",
            "--container 7",
            &format!("--container {id}"),
            "--workload kubernetes",
            "--workload kubernetes/7be92808767a",
            "--workload 7be92808767a",
            &format!("--workload {id}"),
            "--workload 3e61c214-5fdb-4a3c-91bc-7d6a2b0f6e11",
            "--workload docker --workload kubernetes",
        ],
        &[
            "--container 8be9",
            "--container be9",
            "--workload 7be9",
            "--workload docker",
            "--unit kubernetes",
            "--unit 7be92808767a",
        ],
    );
    let in_unit = |name| ResetEvent { workload: Some(Arc::new(samples::unit(name))), ..samples::refused() };
    check_all(
        &in_unit("app.service"),
        &[
            "--unit app",
            "--unit app.service",
            "--workload app",
            "--workload systemd/app.service",
            "--workload systemd",
        ],
        &["--unit App", "--unit ap", "--unit app.socket", "--container app.service", "--workload user"],
    );
    check_all(
        &in_unit("my-app.scope"),
        &[r"--unit my\x2dapp.scope", "--unit my-app.scope"],
        &["--unit my-app"],
    );
    let named = Workload { kind: WorkloadKind::Lxc, ..samples::unit("web") };
    let named = ResetEvent { workload: Some(Arc::new(named)), ..samples::refused() };
    check_all(
        &named,
        &["--container web", "--workload web", "--workload lxc/web"],
        &["--unit web", "--container we"],
    );
    let unknown = ResetEvent { workload: None, ..samples::refused() };
    check_all(&unknown, &[], &["--unit app", "--container 7", "--workload host", "--workload systemd"]);
}

#[test]
fn addresses_and_ports() {
    check_all(
        &samples::refused(),
        &[
            "--peer 10.0.0.9",
            "--peer 10.0.0.0/8",
            "--peer 10.1.2.3/8",
            "--peer 0.0.0.0/0",
            "--peer ::ffff:10.0.0.9",
            "--peer ::ffff:10.0.0.0/104",
            "--local 10.0.0.5/32",
            "--port 443",
            "--port 41322",
            "--lport 41322",
            "-4",
            "--ipv4",
            "-4 -6",
        ],
        &["--peer 10.0.0.5", "--peer ::/0", "--local 10.0.0.9", "--port 80", "--lport 443", "-6"],
    );
    check_all(
        &samples::ipv6(),
        &["--peer 2001:db8::/32", "--peer 2001:DB8::1", "--local 2001:db8:1111::/48", "--ipv6"],
        &["--peer 2001:db8::2", "--peer 0.0.0.0/0", "-4"],
    );
}

#[test]
fn reasons_errors_and_directions() {
    check_all(
        &samples::unread(),
        &[
            "--reason TCP_ABORT_ON_CLOSE",
            "--reason abort_on_close",
            "--reason SK_RST_REASON_TCP_ABORT_ON_CLOSE",
            "--reason sk_rst_reason_abort_on_close",
            "--sent",
            "--sent --received",
        ],
        &["--reason close", "--reason abort_on_linger", "--received", "--errno ECONNRESET"],
    );
    check_all(
        &samples::refused(),
        &["--errno ECONNREFUSED", "--errno econnrefused", "--received"],
        &["--errno epipe", "--sent", "--reason no_socket"],
    );
    check_all(
        &samples::unknown_reason(),
        &["--reason 77", "--reason no_socket --reason 77"],
        &["--reason 7", "--reason no_socket"],
    );
}

#[test]
fn causes() {
    let mut event = samples::unread();
    Diagnoser::default().explain(&mut event);
    check_all(
        &event,
        &["--cause close_unread", "--cause Close-Unread", "--cause mptcp --cause close_unread"],
        &["--cause process_exit", "--cause close_unread --received"],
    );
    let undiagnosed = samples::bare(Direction::Sent, "10.0.0.5:1", "10.0.0.9:2");
    check_all(&undiagnosed, &[], &["--cause unknown"]);
}

#[test]
fn flags_combine() {
    check_all(
        &samples::refused(),
        &["--port 443 --received", "--port 443 --port 80 --pid 4711", "--peer 10.0.0.9 --peer 10.9.9.9 -4"],
        &["--port 443 --sent", "--port 80 --pid 4711", "--peer 10.0.0.9 --local 10.0.0.9"],
    );
}

#[test]
fn an_expression_narrows_down() {
    check_all(
        &samples::refused(),
        &[
            "port 443",
            "--received port 443 or port 80",
            "port 443 --received and not sent",
            "--port 443 ( peer 10.0.0.9 or ipv6 )",
            "! --received sent",
        ],
        &["--sent port 443 or port 80", "--port 443 ( peer 10.0.0.8 or ipv6 )", "--port 80 port 443"],
    );
    let error = flags("--sent prot 443").filter().expect_err("no property").to_string();
    assert_eq!(error, "there is no property `prot`; did you mean `port`?\n  prot 443\n  ^^^^");
}

#[test]
fn bad_values_get_a_clear_error() {
    let check = |text: &str, expected: &str| {
        let error = parse(text).expect_err(text);
        assert!(error.contains(expected), "{text}: {error}");
    };
    check(
        "--peer 10.0.0.0/33",
        "'10.0.0.0/33' for '--peer <CIDR>': the prefix length of an IPv4 network is at most 32",
    );
    check("--peer ::/999", "the prefix length of an IPv6 network is at most 128");
    for network in ["example.com", "10.0.0/8", "10.0.0.0/", "10.0.0.0/+8", "[::1]", "10.0.0.1:80", "::1%lo"] {
        check(
            &format!("--local {network}"),
            "expected an address or a network, such as 10.0.0.9, 10.0.0.0/8 or",
        );
    }
    check("--port 65536", "65536 is not in 1..=65535");
    check("--lport 0", "0 is not in 1..=65535");
    check("--port http", "'http' for '--port <PORT>'");
    check("--pid 0", "0 is not in 1..=4294967295");
    check("--reason no-socket", "expected a reset reason of the kernel, such as no_socket");
    check("--reason SK_RST_REASON_", "expected a reset reason");
    for flag in ["--unit", "--container", "--workload"] {
        check(&format!("{flag}="), "expected a name");
    }
    check("--errno EAGAIN", "a reset causes one of ECONNRESET, ECONNREFUSED, EPIPE, ETIMEDOUT, ECONNABORTED");
    check("--cause close_unred", "there is no such cause; did you mean close_unread?");
    check("--sent=yes", "unexpected value");
}

#[test]
fn help_has_its_own_heading() {
    let help = <Cli as clap::CommandFactory>::command().render_help().to_string();
    assert!(help.contains("Filters:\n      --pid <PID>"), "{help}");
    assert!(help.contains("-6, --ipv6"), "{help}");
}

fn any_filter() -> impl Strategy<Value = Filter> {
    any_test().prop_map(Filter::Test).prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(Filter::All),
            vec(inner.clone(), 0..4).prop_map(Filter::Any),
            inner.prop_map(|filter| Filter::Not(Box::new(filter))),
        ]
    })
}

fn any_test() -> impl Strategy<Value = Test> {
    let network = |text| -> IpNet { value::network(text).expect("a network") };
    prop_oneof![
        (1..3_u32).prop_map(Test::Pid),
        Just(Test::Comm("systemd".parse().expect("a name"))),
        Just(Test::Unit("app".parse().expect("a unit"))),
        Just(Test::Container("7be9".parse().expect("a container"))),
        Just(Test::Workload("host".parse().expect("a workload"))),
        select(vec!["0.0.0.0/1", "::/1"]).prop_map(network).prop_map(Test::Peer),
        select(vec!["0.0.0.0/1", "::/1"]).prop_map(network).prop_map(Test::Local),
        any::<u16>().prop_map(Test::Port),
        any::<u16>().prop_map(Test::LocalPort),
        any::<u16>().prop_map(Test::PeerPort),
        Just(Test::Reason("no_socket".parse().expect("a reason"))),
        select(Cause::ALL.to_vec()).prop_map(Test::Cause),
        select(vec![Direction::Sent, Direction::Received]).prop_map(Test::Direction),
        select(vec![Family::Ipv4, Family::Ipv6]).prop_map(Test::Family),
        select(Errno::ALL.to_vec()).prop_map(Test::Errno),
    ]
}

fn not(filter: &Filter) -> Filter {
    Filter::Not(Box::new(filter.clone()))
}

proptest! {
    #[test]
    fn laws(event in samples::any_event(), filters in vec(any_filter(), 0..4), one in any_filter()) {
        let matches = |filter: &Filter| filter.matches(&event);
        prop_assert_eq!(matches(&not(&not(&one))), matches(&one));
        prop_assert_ne!(matches(&not(&one)), matches(&one));
        prop_assert_eq!(matches(&Filter::All(vec![one.clone()])), matches(&one));
        prop_assert_eq!(matches(&Filter::Any(vec![one.clone()])), matches(&one));
        let negated = || filters.iter().map(not).collect();
        let all = Filter::All(filters.clone());
        let any = Filter::Any(filters.clone());
        prop_assert_eq!(matches(&not(&all)), matches(&Filter::Any(negated())));
        prop_assert_eq!(matches(&not(&any)), matches(&Filter::All(negated())));
        prop_assert_eq!(matches(&all), filters.iter().all(matches));
        prop_assert!(!matches(&all) || filters.is_empty() || matches(&any));
        prop_assert!(matches(&Filter::Any(vec![one.clone(), not(&one)])));
    }

    #[test]
    fn values_never_panic(text in any::<String>()) {
        let _ = (value::network(&text), value::errno(&text));
        let _ = (text.parse::<value::ReasonName>(), text.parse::<value::ProcessName>());
        let _ = (text.parse::<value::UnitName>(), text.parse::<value::WorkloadName>());
    }
}
