//! Decoding: total over any bytes, and right about what users rely on.

use std::time::Duration;

use jiff::Timestamp;
use proptest::prelude::{ProptestConfig, any, prop, proptest};
use resetmon_common::wire::{
    CGROUP_MADE, CGROUP_PATH, PF_KTHREAD, RawAddress, RawCgroup, RawOwner, RawResetEvent, RawSegment,
    RawTask, SOCK_DEAD, SOCK_KEEPOPEN, direction, mark, origin, role,
};
use zerocopy::{FromBytes as _, IntoBytes as _};

use super::{Claim, DecodeError, Decoded, Decoder, cgroup_made};
use crate::{
    model::{
        Errno, Family, Reason, TcpState,
        connection::{Role, SequenceNumbers},
        process::{Exit, OwnerFrom},
        workload::CgroupId,
    },
    reason::ReasonNames,
};

const TICK: Duration = Duration::from_millis(4);

fn decoder() -> Decoder {
    Decoder { reasons: ReasonNames::new([(1, "NO_SOCKET"), (11, "TCP_ABORT_ON_CLOSE")]), tick: TICK }
}

fn decode(raw: &RawResetEvent) -> Decoded {
    decoder().decode(raw.as_bytes(), Timestamp::UNIX_EPOCH, 7).expect("an event")
}

fn task(tgid: u32, comm: &str) -> RawTask {
    let mut task = RawTask { tgid, tid: tgid, start_time: 1_000_000_000, uid: 1000, ..RawTask::default() };
    task.comm[..comm.len()].copy_from_slice(comm.as_bytes());
    task
}

fn words(address: &str) -> RawAddress {
    let octets = address.parse::<std::net::Ipv6Addr>().expect("an address").octets();
    RawAddress::read_from_bytes(&octets).expect("sixteen bytes")
}

/// An established full socket that received a reset.
fn received() -> RawResetEvent {
    RawResetEvent {
        time: 5_000_000_000,
        socket: 0xffff_8880_0000_0000,
        direction: direction::RECEIVED,
        state: TcpState::Established as u8,
        state_at_event: TcpState::Established as u8,
        marks: mark::FULL_SOCKET,
        family: 2,
        owner: RawOwner {
            task: task(42, "server"),
            origin: origin::LISTEN,
            role: role::SERVER,
            ..RawOwner::default()
        },
        ..RawResetEvent::default()
    }
}

/// A reset sent on close, in the closing task.
fn sent_on_close() -> RawResetEvent {
    RawResetEvent {
        direction: direction::SENT,
        state_at_event: TcpState::Close as u8,
        marks: mark::FULL_SOCKET | mark::OWNED | mark::HAS_REASON,
        reason: 11,
        shutdown: 3,
        current: task(43, "worker"),
        ..received()
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_bytes_give_an_event_or_an_error(bytes in prop::collection::vec(any::<u8>(), 0..800)) {
        let _ = decoder().decode(&bytes, Timestamp::UNIX_EPOCH, 0);
    }

    #[test]
    fn any_bytes_of_the_right_size_never_panic(
        bytes in prop::collection::vec(any::<u8>(), size_of::<RawResetEvent>()),
        boot in -1_000_000_000_i64..4_000_000_000,
    ) {
        let boot = Timestamp::from_second(boot).expect("a time");
        match decoder().decode(&bytes, boot, 0) {
            Ok(decoded) => { let _ = decoded.event.id().to_string(); }
            Err(error) => assert!(matches!(error, DecodeError::Direction(_))),
        }
    }

    #[test]
    fn what_was_written_is_read(
        bytes in prop::collection::vec(any::<u8>(), size_of::<RawResetEvent>()),
        sent in any::<bool>(),
    ) {
        let mut raw = RawResetEvent::read_from_bytes(&bytes).expect("the right size");
        raw.direction = if sent { direction::SENT } else { direction::RECEIVED };
        raw.marks |= mark::FULL_SOCKET;
        let event = decode(&raw).event;
        assert_eq!(event.tuple.local.port(), raw.tuple.local_port);
        assert_eq!(event.tuple.peer.port(), raw.tuple.peer_port);
        assert_eq!(event.netns.unwrap_or(0), raw.tuple.netns);
        let socket = event.socket.expect("a full socket");
        assert_eq!(socket.cookie.unwrap_or(0), raw.cookie);
        assert_eq!(socket.inode.unwrap_or(0), raw.inode);
        assert_eq!(socket.uid, raw.uid);
        if let Some(figures) = event.connection.and_then(|connection| connection.figures) {
            assert_eq!(figures.bytes_sent, raw.bytes_sent);
            assert_eq!(figures.bytes_acked, raw.bytes_acked);
            assert_eq!(figures.bytes_received, raw.bytes_received);
            assert_eq!(figures.retransmits, raw.total_retrans);
        }
        if let Some(trigger) = event.trigger {
            assert_eq!((trigger.seq, trigger.ack, trigger.payload_bytes), (raw.segment.seq, raw.segment.ack, raw.segment.payload));
        }
    }
}

#[test]
fn size_and_direction_are_checked() {
    let short = decoder().decode(&[0; 10], Timestamp::UNIX_EPOCH, 0);
    assert_eq!(short, Err(DecodeError::Size { got: 10 }));
    let raw = RawResetEvent { direction: 9, ..RawResetEvent::default() };
    assert_eq!(decoder().decode(raw.as_bytes(), Timestamp::UNIX_EPOCH, 0), Err(DecodeError::Direction(9)));
}

#[test]
fn mapped_addresses_are_ipv4() {
    let mut raw = received();
    raw.family = 10;
    raw.tuple.local_addr = words("::ffff:10.0.0.5");
    raw.tuple.peer_addr = words("::ffff:10.0.0.9");
    let tuple = decode(&raw).event.tuple;
    assert_eq!((tuple.local.ip().to_string().as_str(), tuple.family()), ("10.0.0.5", Family::Ipv4));
}

#[test]
fn reasons_are_named_or_stay_numbers() {
    let check = |marks, reason, expected: Option<Reason>| {
        let raw = RawResetEvent { marks, reason, ..sent_on_close() };
        assert_eq!(decode(&raw).event.reason, expected);
    };
    check(mark::HAS_REASON, 1, Some(Reason::Named("NO_SOCKET".into())));
    check(mark::HAS_REASON, 99, Some(Reason::Unknown(99)));
    check(0, 1, None);
}

#[test]
fn errno_is_what_the_next_call_returns() {
    fn check(raw: &RawResetEvent, expected: Option<Errno>) {
        assert_eq!(decode(raw).event.errno, expected, "{raw:?}");
    }
    let received_in = |state: TcpState| RawResetEvent { state: state as u8, ..received() };
    check(&received_in(TcpState::SynSent), Some(Errno::ConnectionRefused));
    check(&received_in(TcpState::Established), Some(Errno::ConnectionReset));
    check(&received_in(TcpState::FinWait1), Some(Errno::ConnectionReset));
    check(&received_in(TcpState::CloseWait), Some(Errno::BrokenPipe));
    check(&received_in(TcpState::Close), None);
    check(&RawResetEvent { sk_flags: 1 << SOCK_DEAD, ..received() }, None);
    check(&RawResetEvent { marks: 0, ..received() }, None);

    let active = |state_at_event: TcpState, marks, shutdown, sk_flags| RawResetEvent {
        state_at_event: state_at_event as u8,
        marks: mark::FULL_SOCKET | marks,
        shutdown,
        sk_flags,
        ..sent_on_close()
    };
    check(&active(TcpState::Close, mark::OWNED, 3, 0), None);
    check(&active(TcpState::Close, mark::OWNED, 0, 0), Some(Errno::ConnectionReset));
    check(&active(TcpState::Close, 0, 0, 0), None);
    check(&active(TcpState::Established, mark::OWNED, 0, 0), Some(Errno::ConnectionAborted));
    check(&active(TcpState::Established, 0, 0, 1 << SOCK_KEEPOPEN), Some(Errno::TimedOut));
    check(&active(TcpState::Established, mark::MPTCP | mark::OWNED, 0, 0), None);

    let passive = |state: TcpState, marks| RawResetEvent {
        state: state as u8,
        marks: mark::FULL_SOCKET | marks,
        segment: RawSegment { ip_version: 4, ..RawSegment::default() },
        ..sent_on_close()
    };
    check(&passive(TcpState::FinWait2, mark::REFUTES_RECEIVE), Some(Errno::ConnectionReset));
    check(&passive(TcpState::CloseWait, mark::REFUTES_RECEIVE), Some(Errno::BrokenPipe));
    check(&passive(TcpState::FinWait1, 0), None);
}

#[test]
fn owner_is_proven_or_recorded_or_nobody() {
    fn check(raw: &RawResetEvent, expected: (Option<u32>, OwnerFrom)) {
        let event = decode(raw).event;
        assert_eq!((event.process.map(|process| process.pid), event.owner_from), expected, "{raw:?}");
    }
    let nobody = RawOwner::default();
    let client = RawOwner { origin: origin::CONNECT, role: role::CLIENT, ..received().owner };

    check(&received(), (Some(42), OwnerFrom::Listen));
    check(&RawResetEvent { owner: client, ..received() }, (Some(42), OwnerFrom::Connect));
    // The worker that closes an accepted connection is its owner, not the one that called listen.
    check(&sent_on_close(), (Some(43), OwnerFrom::Current));
    check(&RawResetEvent { owner: nobody, ..sent_on_close() }, (Some(43), OwnerFrom::Current));
    // Nobody else holds a socket that is closed as a whole: not even who connected it.
    check(&RawResetEvent { owner: client, ..sent_on_close() }, (Some(43), OwnerFrom::Current));
    check(&RawResetEvent { owner: client, shutdown: 0, ..sent_on_close() }, (Some(42), OwnerFrom::Connect));
    // In softirq current is whoever was on the CPU.
    let softirq = |raw: RawResetEvent| RawResetEvent { marks: raw.marks & !mark::OWNED, ..raw };
    let orphan = RawResetEvent { owner: nobody, sk_flags: 1 << SOCK_DEAD, ..sent_on_close() };
    check(&softirq(orphan), (None, OwnerFrom::None));
    // tcp_abort() leaves the state alone: current is the killer.
    let abort =
        RawResetEvent { state_at_event: TcpState::Established as u8, owner: nobody, ..sent_on_close() };
    check(&abort, (None, OwnerFrom::None));
    // A kernel thread closes on behalf of others.
    let kernel_thread = RawTask { flags: PF_KTHREAD, ..task(9, "kworker/0:1") };
    check(
        &RawResetEvent { owner: nobody, current: kernel_thread, ..sent_on_close() },
        (None, OwnerFrom::None),
    );
    // A listener answers packets without holding its lock.
    let listening = TcpState::Listen as u8;
    let listener =
        RawResetEvent { state: listening, state_at_event: listening, owner: nobody, ..sent_on_close() };
    check(&listener, (None, OwnerFrom::None));
    // A connection that is gone has its last owner.
    let gone = RawResetEvent { marks: mark::CLOSED, socket: 0, ..sent_on_close() };
    check(&gone, (Some(42), OwnerFrom::Recent));
    // One that was never accepted belongs to who listened; without a record, to who closes the listener.
    let unaccepted = softirq(sent_on_close());
    check(&unaccepted, (Some(42), OwnerFrom::Listen));
    check(&RawResetEvent { sk_flags: 0, owner: nobody, ..unaccepted }, (Some(43), OwnerFrom::Current));
    // A thread of the kernel's connected, or the kernel itself uses the socket.
    let of_kernel = RawOwner { task: kernel_thread, ..client };
    check(&RawResetEvent { owner: of_kernel, ..received() }, (None, OwnerFrom::None));
    let marks = received().marks | mark::KERNEL;
    check(&RawResetEvent { owner: client, marks, ..received() }, (None, OwnerFrom::None));
    check(
        &RawResetEvent { owner: client, marks: marks | mark::MPTCP, ..received() },
        (Some(42), OwnerFrom::Connect),
    );
    let seeded = RawOwner { origin: origin::SEED, ..client };
    check(&RawResetEvent { owner: seeded, ..received() }, (Some(42), OwnerFrom::Seed));
}

#[test]
fn actors_are_not_owners() {
    fn check(raw: &RawResetEvent, expected: Option<u32>) {
        assert_eq!(decode(raw).event.actor.map(|process| process.pid), expected, "{raw:?}");
    }
    let abort = RawResetEvent { state_at_event: TcpState::Established as u8, ..sent_on_close() };
    check(&abort, Some(43));
    check(&RawResetEvent { current: task(42, "server"), ..abort }, None);
    check(&sent_on_close(), None);
    check(&received(), None);
    // Somebody else closes the listener that a connection waits at.
    let unaccepted = RawResetEvent { marks: sent_on_close().marks & !mark::OWNED, ..sent_on_close() };
    check(&unaccepted, Some(43));
    check(&RawResetEvent { current: task(42, "server"), ..unaccepted }, None);
}

#[test]
fn how_the_owner_ended() {
    fn check(exit_code: u16, marks: u16, expected: Option<Exit>) {
        let raw = RawResetEvent { exit_code, marks: sent_on_close().marks | marks, ..sent_on_close() };
        assert_eq!(decode(&raw).event.exit, expected);
        assert_eq!(decode(&RawResetEvent { direction: direction::RECEIVED, ..raw }).event.exit, None);
    }
    check(9, mark::EXITED, Some(Exit::Signal(9)));
    check(0x8b, mark::EXITED, Some(Exit::Signal(11)));
    check(3 << 8, mark::EXITED, Some(Exit::Code(3)));
    check(0, mark::EXITED, Some(Exit::Code(0)));
    check(9, 0, None);
}

#[test]
fn what_is_remembered_of_a_socket_that_is_gone() {
    let raw = RawResetEvent { marks: mark::CLOSED, closed_at: 600, time: 1000, socket: 0, ..sent_on_close() };
    let event = decode(&raw).event;
    let gone = event.gone.expect("something");
    assert_eq!((gone.was_listener, gone.since), (false, Duration::from_nanos(400)));
    assert!(event.connection.is_some());
    let event = decode(&RawResetEvent { marks: mark::CLOSED | mark::LISTENER, ..raw }).event;
    assert!(event.gone.expect("something").was_listener);
    assert_eq!(event.connection, None);
    assert_eq!(decode(&received()).event.gone, None);
}

#[test]
fn sequence_numbers_of_syn_and_fin_are_no_bytes() {
    fn check(state: TcpState, (unacked, unread): (u32, u32)) {
        let raw = RawResetEvent {
            state: state as u8,
            snd_una: u32::MAX - 4,
            write_seq: 5,
            copied_seq: 100,
            rcv_nxt: 120,
            ..received()
        };
        let figures =
            decode(&raw).event.connection.and_then(|connection| connection.figures).expect("figures");
        assert_eq!((figures.unacked_bytes, figures.unread_bytes), (unacked, unread), "{state:?}");
    }
    check(TcpState::Established, (10, 20));
    check(TcpState::SynSent, (9, 20));
    check(TcpState::FinWait1, (9, 20));
    check(TcpState::FinWait2, (10, 20));
    check(TcpState::CloseWait, (10, 19));
    check(TcpState::LastAck, (9, 19));
}

#[test]
fn sequence_numbers_are_those_of_a_connection() {
    fn check(state: TcpState, expected: Option<(u32, u32, Option<u32>)>) {
        let raw = RawResetEvent {
            state: state as u8,
            state_at_event: state as u8,
            snd_una: 10,
            snd_nxt: 20,
            rcv_nxt: 30,
            ..received()
        };
        let socket = decode(&raw).event.socket.expect("a full socket");
        let expected =
            expected.map(|(snd_una, snd_nxt, rcv_nxt)| SequenceNumbers { snd_una, snd_nxt, rcv_nxt });
        assert_eq!(socket.sequence, expected, "{state:?}");
    }
    check(TcpState::Established, Some((10, 20, Some(30))));
    check(TcpState::SynSent, Some((10, 20, None)));
    check(TcpState::Listen, None);
    let closed = RawResetEvent { snd_nxt: 20, ..sent_on_close() };
    assert!(decode(&closed).event.socket.is_some_and(|socket| socket.sequence.is_some()));
}

#[test]
fn idle_counts_from_the_later_stamp_and_age_from_the_handshake() {
    let raw = RawResetEvent {
        jiffies: 50,
        lsndtime: u32::MAX - 49,
        lrcvtime: 25,
        established_at: 2_000_000_000,
        ..received()
    };
    let connection = decode(&raw).event.connection.expect("a connection");
    assert_eq!(connection.idle, Some(TICK * 25));
    assert_eq!(connection.age, Some(Duration::from_secs(3)));
    assert_eq!(connection.role, Some(Role::Server));

    let silent = RawResetEvent { lsndtime: 0, lrcvtime: 0, established_at: 0, ..raw };
    let connection = decode(&silent).event.connection.expect("a connection");
    assert_eq!((connection.idle, connection.age), (None, None));
}

#[test]
fn each_direction_of_data_has_its_time() {
    let raw = RawResetEvent { jiffies: 50, lsndtime: 40, lrcvtime: 25, rcv_tstamp: 45, ..received() };
    let times = |raw: &RawResetEvent| {
        let connection = decode(raw).event.connection.expect("a connection");
        (connection.since_sent, connection.since_received, connection.since_acked)
    };
    assert_eq!(times(&raw), (Some(TICK * 10), Some(TICK * 25), Some(TICK * 5)));
    let never = RawResetEvent { lsndtime: 0, lrcvtime: 0, rcv_tstamp: 0, ..raw };
    assert_eq!(times(&never), (None, None, None));
    let handshake = RawResetEvent { state: TcpState::SynSent as u8, ..raw };
    assert_eq!(times(&handshake), (None, None, None));
}

#[test]
fn the_idle_time_of_what_is_gone_ends_with_its_close() {
    let closed_at = 900_000_000;
    let gone = RawResetEvent {
        marks: mark::CLOSED,
        closed_at,
        time: closed_at + 100_000_000,
        jiffies: 1050,
        lsndtime: 1000,
        lrcvtime: 900,
        socket: 0,
        ..sent_on_close()
    };
    let idle = |raw: &RawResetEvent| decode(raw).event.gone.expect("something").idle;
    assert_eq!(idle(&gone), Some(Duration::from_millis(100)));
    assert_eq!(idle(&RawResetEvent { lsndtime: 1049, ..gone }), Some(Duration::ZERO));
    assert_eq!(idle(&RawResetEvent { lsndtime: 0, lrcvtime: 0, ..gone }), None);
    assert_eq!(idle(&RawResetEvent { marks: mark::CLOSED | mark::LISTENER, ..gone }), None);
    assert_eq!(decode(&gone).event.connection.expect("it was one").idle, None);
}

#[test]
fn claims_follow_the_marks() {
    let claim = |marks| decode(&RawResetEvent { marks, ..received() }).claim;
    assert_eq!(claim(mark::UNPROVEN), Claim::Unproven);
    assert_eq!(claim(mark::REFUTES_RECEIVE), Claim::Refutes);
    assert_eq!(claim(mark::FULL_SOCKET), Claim::Stands);
}

#[test]
fn hostile_names_become_text() {
    let mut raw = received();
    raw.owner.task.comm = [0xff; 16];
    let process = decode(&raw).event.process.expect("an owner");
    assert_eq!(process.comm.chars().count(), 16);
}

#[test]
fn news_of_control_groups() {
    let news = |tag, path: &[u8]| {
        let mut made = RawCgroup { tag, id: 7, path: [0; CGROUP_PATH] };
        made.path[..path.len()].copy_from_slice(path);
        cgroup_made(made.as_bytes())
    };
    let (longest, cut) = ([b'/'; CGROUP_PATH - 2], [b'/'; CGROUP_PATH - 1]);
    let check = |path: &[u8], expected: Option<&[u8]>| {
        let expected = expected.map(|path| String::from_utf8_lossy(path).into_owned());
        assert_eq!(news(CGROUP_MADE, path), Some((CgroupId(7), expected)), "{path:?}");
    };
    check(b"/a.slice/b.service", Some(b"/a.slice/b.service"));
    check(b"/\xff", Some("/\u{fffd}".as_bytes()));
    check(&longest, Some(&longest));
    check(&cut, None);
    check(&[b'/'; CGROUP_PATH], None);
    check(b"", None);
    assert_eq!(news(0, b"/a"), None);
    assert_eq!(cgroup_made(received().as_bytes()), None);
    assert_eq!(cgroup_made(b""), None);
}

#[test]
fn control_groups() {
    let check = |socket: u64, owner: u64, expected: Option<u64>| {
        let mut raw = RawResetEvent { cgroup_id: socket, ..received() };
        raw.owner.cgroup_id = owner;
        assert_eq!(decode(&raw).event.cgroup_id, expected.map(CgroupId));
    };
    check(0, 0, None);
    check(7, 0, Some(7));
    check(7, 8, Some(7));
    check(0, 8, Some(8));
}
