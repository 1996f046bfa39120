//! Events to test with: a handful as hosts see them, and any at all.

use std::{
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use jiff::{SignedDuration, Timestamp};
use proptest::{collection::vec, option, prelude::*, sample::select};

use crate::{
    diagnosis::Diagnoser,
    model::{
        Direction, Errno, FourTuple, Reason, ResetEvent, TcpState,
        connection::{AcceptQueue, Connection, Figures, Gone, Role, Socket},
        process::{Exit, OwnerFrom, Process, ProcessDetails},
        segment::{NetfilterHook, Segment, TcpFlags},
        workload::{Workload, WorkloadKind},
    },
};

/// 2026-01-31T12:00:00Z
const NOON: i64 = 1_769_860_800;

/// The kernel's names (`include/net/rstreason.h`, 6.12–6.18), one of those of Multipath TCP.
const REASONS: [&str; 18] = [
    "NOT_SPECIFIED",
    "NO_SOCKET",
    "TCP_INVALID_ACK_SEQUENCE",
    "TCP_RFC7323_PAWS",
    "TCP_TOO_OLD_ACK",
    "TCP_ACK_UNSENT_DATA",
    "TCP_FLAGS",
    "TCP_OLD_ACK",
    "TCP_ABORT_ON_DATA",
    "TCP_TIMEWAIT_SOCKET",
    "INVALID_SYN",
    "TCP_ABORT_ON_CLOSE",
    "TCP_ABORT_ON_LINGER",
    "TCP_ABORT_ON_MEMORY",
    "TCP_STATE",
    "TCP_KEEPALIVE_TIMEOUT",
    "TCP_DISCONNECT_WITH_DATA",
    "MPTCP_RST_EMIDDLEBOX",
];

/// A reset of which only the direction and the ends are known.
pub(crate) fn bare(direction: Direction, local: &str, peer: &str) -> ResetEvent {
    let end = |text: &str| -> SocketAddr { text.parse().expect("a socket address") };
    let time = Timestamp::new(NOON, 123_456_789).expect("a time");
    ResetEvent::bare(time, 7, direction, FourTuple { local: end(local), peer: end(peer) })
}

/// A process that `/proc` was not asked about.
pub(crate) fn process(pid: u32, comm: &str) -> Process {
    Process {
        pid,
        started: Duration::from_secs(90),
        start_time: Timestamp::new(NOON - 3600, 0).expect("a time"),
        comm: comm.into(),
        uid: 1000,
        details: None,
    }
}

/// One event of each kind that outputs have to get right, by name.
pub(crate) fn all() -> Vec<(&'static str, ResetEvent)> {
    let mut diagnoser = Diagnoser::default();
    let explained = |(name, mut event)| {
        diagnoser.explain(&mut event);
        (name, event)
    };
    undiagnosed().into_iter().map(explained).collect()
}

fn undiagnosed() -> Vec<(&'static str, ResetEvent)> {
    vec![
        ("refused", refused()),
        ("no socket", no_socket()),
        ("active close with unread data", unread()),
        ("IPv6", ipv6()),
        ("hostile name", hostile()),
        ("unknown reason", unknown_reason()),
        ("TIME_WAIT", time_wait()),
        ("made by the firewall", rejected()),
        ("both ends here", joined()),
    ]
}

/// A connect(2) that was refused, of a process that is known in full.
pub(crate) fn refused() -> ResetEvent {
    let details = ProcessDetails {
        comm: "python3".into(),
        exe: Some("/usr/bin/python3.11".into()),
        cmdline: Some(["python3", "app.py"].map(String::from).into()),
    };
    ResetEvent {
        state: Some(TcpState::SynSent),
        netns: Some(4_026_531_840),
        errno: Some(Errno::ConnectionRefused),
        rst: Some(Segment {
            flags: TcpFlags(20),
            payload_bytes: 0,
            seq: 0,
            ack: 77,
            window: 0,
            ttl: 63,
            ip_id: Some(0),
        }),
        process: Some(Process { details: Some(Arc::new(details)), ..process(4711, "python") }),
        owner_from: OwnerFrom::Connect,
        cgroup: Some("/system.slice/app.service".into()),
        workload: Some(Arc::new(unit("app.service"))),
        connection: Some(Connection {
            role: Some(Role::Client),
            figures: Some(Figures::default()),
            ..Connection::default()
        }),
        ..bare(Direction::Received, "10.0.0.5:41322", "10.0.0.9:443")
    }
}

fn no_socket() -> ResetEvent {
    ResetEvent {
        reason: Some(Reason::Named("NO_SOCKET".into())),
        trigger: Some(Segment {
            flags: TcpFlags(2),
            payload_bytes: 0,
            seq: 305_419_896,
            ack: 0,
            window: 64240,
            ttl: 63,
            ip_id: Some(4242),
        }),
        ..bare(Direction::Sent, "10.0.0.5:8080", "192.168.100.200:51234")
    }
}

/// A unit of systemd.
pub(crate) fn unit(name: &str) -> Workload {
    Workload { kind: WorkloadKind::Systemd, name: Some(name.into()), container_id: None, pod_uid: None }
}

/// A container of a pod.
pub(crate) fn pod() -> Workload {
    Workload {
        kind: WorkloadKind::Kubernetes,
        name: None,
        container_id: Some("7be92808767a667f35c8505cbf40d14e931ef6db5b0210329cf193b15ba9d605".into()),
        pod_uid: Some("3e61c214-5fdb-4a3c-91bc-7d6a2b0f6e11".into()),
    }
}

/// A server that closed before it had read all.
pub(crate) fn unread() -> ResetEvent {
    ResetEvent {
        reason: Some(Reason::Named("TCP_ABORT_ON_CLOSE".into())),
        state: Some(TcpState::Established),
        netns: Some(4_026_531_840),
        process: Some(process(900, "nginx")),
        owner_from: OwnerFrom::Listen,
        cgroup: Some("/kubepods/burstable/pod3e61c214-5fdb-4a3c-91bc-7d6a2b0f6e11/7be92808767a667f35c8505cbf40d14e931ef6db5b0210329cf193b15ba9d605".into()),
        workload: Some(Arc::new(pod())),
        connection: Some(Connection {
            handshake_ttl: None,
            role: Some(Role::Server),
            age: Some(Duration::from_millis(351_200)),
            idle: Some(Duration::from_millis(4)),
            since_sent: Some(Duration::from_millis(4)),
            since_received: Some(Duration::from_millis(8)),
            since_acked: Some(Duration::from_millis(8)),
            figures: Some(Figures {
                bytes_sent: 512,
                bytes_acked: 480,
                bytes_received: 9000,
                unacked_bytes: 32,
                unread_bytes: 1460,
                srtt: Duration::from_micros(820),
                rtt_deviation: Duration::from_micros(40),
                retransmits: 2,
                packets_out: 1,
            }),
        }),
        ..bare(Direction::Sent, "10.0.0.5:80", "10.0.0.9:50000")
    }
}

/// Long addresses, and a long name with wide characters.
pub(crate) fn ipv6() -> ResetEvent {
    ResetEvent {
        state: Some(TcpState::CloseWait),
        errno: Some(Errno::BrokenPipe),
        process: Some(process(4_194_304, "日本語サーバ")),
        owner_from: OwnerFrom::Seed,
        connection: Some(Connection { age: Some(Duration::from_hours(75)), ..Connection::default() }),
        ..bare(Direction::Received, "[2001:db8:1111:2222:3333:4444:5555:6666]:65535", "[2001:db8::1]:443")
    }
}

/// A process that wants to write on the terminal.
pub(crate) fn hostile() -> ResetEvent {
    ResetEvent {
        reason: Some(Reason::Named("TCP_DISCONNECT_WITH_DATA".into())),
        state: Some(TcpState::FinWait2),
        process: Some(Process {
            details: Some(Arc::new(ProcessDetails {
                comm: "a\u{1b}[2J\"\u{202e},\n".into(),
                exe: Some("/tmp/\u{9b}31m\u{7f}x (deleted)".into()),
                cmdline: Some(["\u{1b}]0;x\u{7}", "\u{2028}\u{9b}", ""].map(String::from).into()),
            })),
            ..process(666, "a\u{1b}[2J")
        }),
        owner_from: OwnerFrom::Current,
        ..bare(Direction::Sent, "127.0.0.1:1", "127.0.0.1:2")
    }
}

/// A reason that this kernel's type information does not name.
pub(crate) fn unknown_reason() -> ResetEvent {
    ResetEvent {
        reason: Some(Reason::Unknown(77)),
        state: Some(TcpState::Listen),
        process: Some(process(1, "systemd")),
        owner_from: OwnerFrom::Listen,
        ..bare(Direction::Sent, "[::1]:22", "[::1]:50000")
    }
}

fn time_wait() -> ResetEvent {
    ResetEvent {
        reason: Some(Reason::Named("TCP_TIMEWAIT_SOCKET".into())),
        state: Some(TcpState::TimeWait),
        process: Some(process(4712, "curl")),
        owner_from: OwnerFrom::Recent,
        connection: Some(Connection { role: Some(Role::Client), ..Connection::default() }),
        trigger: Some(Segment {
            flags: TcpFlags(24),
            payload_bytes: 1448,
            seq: 1,
            ack: 4_294_967_295,
            window: 501,
            ttl: 64,
            ip_id: None,
        }),
        ..bare(Direction::Sent, "10.0.0.5:41324", "10.0.0.9:443")
    }
}

/// A packet through this host that the firewall refused, and no socket anywhere.
fn rejected() -> ResetEvent {
    let header = Segment { flags: TcpFlags(2), payload_bytes: 0, ..time_wait().trigger.expect("a trigger") };
    ResetEvent {
        trigger: Some(header),
        netfilter_hook: Some(NetfilterHook::Forward),
        ..bare(Direction::Sent, "10.0.0.9:443", "10.0.0.5:41326")
    }
}

/// A client that is hit by the server beside it.
fn joined() -> ResetEvent {
    let (client, server) = ("127.0.0.1:50000", "127.0.0.1:80");
    let sender = ResetEvent { tuple: bare(Direction::Sent, server, client).tuple, ..unread() };
    ResetEvent {
        sequence: 8,
        state: Some(TcpState::Established),
        netns: sender.netns,
        errno: Some(Errno::ConnectionReset),
        process: Some(process(4713, "wget")),
        owner_from: OwnerFrom::Connect,
        incident: Some(sender.id()),
        counterpart: Some(Arc::new(sender)),
        ..bare(Direction::Received, client, server)
    }
}

prop_compose! {
    /// Any event, likely or not.
    pub(crate) fn any_event()(
        (seconds, nanoseconds, sequence, netns) in
            (0..4_000_000_000_i64, 0..1_000_000_000_i64, any::<u16>(), any::<Option<u32>>()),
        direction in select(vec![Direction::Sent, Direction::Received]),
        reason in option::of(any_reason()),
        state in option::of(select(TcpState::ALL.to_vec())),
        local in any_end(),
        peer in any_end(),
        errno in option::of(select(Errno::ALL.to_vec())),
        process in option::of(any_process()),
        owner_from in select(OwnerFrom::ALL.to_vec()),
        connection in option::of(any_connection()),
        (trigger, rst) in (option::of(any_segment()), option::of(any_segment())),
        (actor, cgroup) in (option::of(any_process()), option::of(any_text())),
        (workload, counterpart) in (option::of(any_workload()), any::<bool>()),
        (socket, gone) in (option::of(any_socket()), option::of(any_gone())),
        (exit, acting) in (option::of(any_exit()), option::of(any_process())),
        netfilter_hook in option::weighted(0.1, Just(NetfilterHook::Input)),
        diagnosed in any::<bool>(),
    ) -> ResetEvent {
        let since_1970 = SignedDuration::from_secs(seconds) + SignedDuration::from_nanos(nanoseconds);
        let time = Timestamp::UNIX_EPOCH + since_1970;
        let mut event = ResetEvent {
            time, sequence, reason, state, tuple: FourTuple { local, peer }, netns, errno, process, owner_from,
            connection, trigger, rst, actor, socket, gone, exit, acting, netfilter_hook, cgroup: cgroup.map(Into::into), workload: workload.map(Arc::new),
            counterpart: counterpart.then(|| Arc::new(refused())), incident: counterpart.then(|| refused().id()),
            ..bare(direction, "[::]:1", "[::]:2")
        };
        if diagnosed {
            Diagnoser::default().explain(&mut event);
        }
        event
    }
}

fn any_reason() -> impl Strategy<Value = Reason> {
    let named = prop_oneof![select(REASONS.to_vec()).prop_map(str::to_owned), "[A-Z0-9_]{1,40}",];
    prop_oneof![named.prop_map(|name| Reason::Named(name.into())), any::<u32>().prop_map(Reason::Unknown)]
}

fn any_end() -> impl Strategy<Value = SocketAddr> {
    (any::<IpAddr>(), any::<u16>()).prop_map(|(address, port)| SocketAddr::new(address, port))
}

/// Text as processes choose it: mostly plain, with a taste for what upsets terminals.
fn any_text() -> impl Strategy<Value = String> {
    let character = prop_oneof![
        4 => any::<char>(),
        3 => prop::char::range(' ', '~'),
        2 => prop::char::range('\0', '\u{9f}'),
        1 => prop::char::range('\u{2000}', '\u{206f}'),
        1 => select(vec!['語', '\u{301}', '\u{fe0f}', '\u{1f3fd}', '👩', '\u{e0041}', '\u{feff}']),
    ];
    vec(character, 0..40).prop_map(String::from_iter)
}

prop_compose! {
    fn any_process()(
        pid in 1..=4_194_304_u32,
        (comm, uid) in (any_text(), any::<u32>()),
        details in option::of((any_text(), option::of(any_text()), option::of(vec(any_text(), 0..3)))),
    ) -> Process {
        let details = details.map(|(comm, exe, cmdline)| Arc::new(ProcessDetails {
            comm: comm.into(),
            exe: exe.map(Into::into),
            cmdline: cmdline.map(Into::into),
        }));
        Process { uid, details, ..process(pid, &comm) }
    }
}

prop_compose! {
    fn any_workload()(
        kind in select(WorkloadKind::ALL.to_vec()),
        (name, container_id, pod_uid) in (option::of(any_text()), option::of(any_text()), option::of(any_text())),
    ) -> Workload {
        Workload { kind, name: name.map(Into::into), container_id: container_id.map(Into::into),
            pod_uid: pod_uid.map(Into::into) }
    }
}

prop_compose! {
    fn any_connection()(
        role in option::of(select(vec![Role::Client, Role::Server])),
        age in any::<Option<Duration>>(),
        idle in any::<Option<Duration>>(),
        (since_sent, since_received, since_acked) in any::<(Option<Duration>, Option<Duration>, Option<Duration>)>(),
        (handshake_ttl, figures) in (any::<Option<u8>>(), option::of(any_figures())),
    ) -> Connection {
        Connection { role, age, idle, since_sent, since_received, since_acked, handshake_ttl, figures }
    }
}

prop_compose! {
    fn any_figures()(
        (bytes_sent, bytes_acked, bytes_received) in any::<(u64, u64, u64)>(),
        (unacked_bytes, unread_bytes, retransmits, packets_out) in any::<(u32, u32, u32, u32)>(),
        (srtt, rtt_deviation) in any::<(Duration, Duration)>(),
    ) -> Figures {
        Figures {
            bytes_sent, bytes_acked, bytes_received, unacked_bytes, unread_bytes, srtt, rtt_deviation, retransmits,
            packets_out,
        }
    }
}

prop_compose! {
    fn any_segment()(
        (flags, payload_bytes, seq, ack) in any::<(u8, u32, u32, u32)>(),
        (window, ttl, ip_id) in any::<(u16, u8, Option<u16>)>(),
    ) -> Segment {
        Segment { flags: TcpFlags(flags), payload_bytes, seq, ack, window, ttl, ip_id }
    }
}

prop_compose! {
    fn any_socket()(
        state_at_event in option::of(select(TcpState::ALL.to_vec())),
        (orphaned, keepalive, linger2_negative, receive_shutdown, send_shutdown, mptcp) in
            any::<(bool, bool, bool, bool, bool, bool)>(),
        linger in option::of(prop_oneof![Just(Duration::ZERO), any::<Duration>()]),
        (probes_out, user_timeout) in any::<(u8, Option<Duration>)>(),
        accept_queue in option::of((0..4_u32, 0..4_u32)),
    ) -> Socket {
        Socket {
            state_at_event, orphaned, keepalive, linger2_negative, receive_shutdown, send_shutdown, mptcp, linger,
            probes_out, user_timeout,
            accept_queue: accept_queue.map(|(length, limit)| AcceptQueue { length, limit }),
            ..Socket::default()
        }
    }
}

prop_compose! {
    fn any_gone()(
        (was_listener, since, idle) in any::<(bool, Duration, Option<Duration>)>(),
        (bytes_sent, bytes_acked, bytes_received) in any::<(u64, u64, u64)>(),
    ) -> Gone {
        Gone { was_listener, since, idle, bytes_sent, bytes_acked, bytes_received }
    }
}

fn any_exit() -> impl Strategy<Value = Exit> {
    prop_oneof![any::<u8>().prop_map(Exit::Code), (1..=64_u8).prop_map(Exit::Signal)]
}
