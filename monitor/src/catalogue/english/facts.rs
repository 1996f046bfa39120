//! English evidence read back into facts: what an event that was written as JSON has left of them. The inverse of
//! `evidence`, and held to it: a fact counts as read only if it is said in exactly these words.

use std::{str::FromStr, time::Duration};

use super::evidence::text;
use crate::{
    diagnosis::known_timer,
    model::{
        Reason, TcpState, connection::AcceptQueue, diagnosis::Evidence, process::Exit, segment::NetfilterHook,
    },
};

/// Facts without numbers, and those whose number is said otherwise when it is zero.
const FIXED: [Evidence; 13] = [
    Evidence::SenderIsHere,
    Evidence::NoSocket,
    Evidence::UnackedBytes(0),
    Evidence::BytesSent(0),
    Evidence::BytesReceived(0),
    Evidence::NothingRemembered,
    Evidence::LingerZero,
    Evidence::Linger2Negative,
    Evidence::NotShutDown,
    Evidence::Orphaned,
    Evidence::NeverAccepted,
    Evidence::NoLocalSender,
    Evidence::Mptcp,
];

/// The others, each with the sentence that it reads.
#[rustfmt::skip] // A fact a line.
const NUMBERED: [fn(&str) -> Option<Evidence>; 29] = [
    |said| Some(Evidence::KernelReason(reason(said.strip_prefix("the kernel's reason is ")?))),
    |said| named(said.strip_prefix("the state was ")?, &TcpState::ALL, TcpState::as_str).map(Evidence::State),
    trigger,
    |said| bytes(said.strip_suffix(" had come and not been read")?).map(Evidence::UnreadBytes),
    |said| bytes(said.strip_suffix(" not acknowledged")?).map(Evidence::UnackedBytes),
    |said| bytes(said.strip_suffix(" sent so far")?).map(Evidence::BytesSent),
    |said| bytes(said.strip_suffix(" received so far")?).map(Evidence::BytesReceived),
    |said| duration(said.strip_prefix("idle for ")?).map(Evidence::Idle),
    |said| duration(between(said, "idle for ", " before the close")?).map(Evidence::IdleBeforeClose),
    |said| {
        let (idle, name) = said.strip_prefix("idle for ")?.split_once(", the idle timeout of ")?;
        Some(Evidence::KnownTimer { idle: duration(idle)?, name: known_timer(name)? })
    },
    |said| {
        let (times, idle) = between(said, "the peer has reset ", " idle before")?.split_once(" after ")?;
        Some(Evidence::PeersTimer { idle: duration(idle)?, times: connections(times)? })
    },
    |said| duration(between(said, "data was last sent ", " before the reset")?).map(Evidence::SinceSent),
    |said| duration(between(said, "data last came ", " before the reset")?).map(Evidence::SinceReceived),
    |said| duration(between(said, "nothing had come from the peer for ", " when data was sent")?).map(Evidence::Pause),
    |said| duration(said.strip_prefix("a round trip takes ")?).map(Evidence::RoundTrip),
    |said| duration(between(said, "the connection was closed ", " before")?).map(Evidence::SinceClose),
    |said| duration(between(said, "a program listened on the port until ", " before")?).map(Evidence::ListenedUntil),
    |said| {
        let (rst, handshake) = between(said, "the TTL of the RST is ", " in the handshake")?.split_once(", and was ")?;
        Some(Evidence::TtlDiffers { handshake: number(handshake)?, rst: number(rst)? })
    },
    |said| {
        let times = said.strip_prefix("the RST came ")?.split_once(" after the last data, and a round trip takes ")?;
        Some(Evidence::FasterThanRoundTrip { after: duration(times.0)?, round_trip: duration(times.1)? })
    },
    |said| {
        let since = between(said, "a RST in the peer's name came ", " before, and the peer went on sending")?;
        duration(since).map(Evidence::PeerSentAfterReset)
    },
    |said| duration(between(said, "this end had reset the connection ", " before")?).map(Evidence::OwnReset),
    |said| {
        let times = between(said, "on ", " before, the peer went on sending after a RST in its name")?;
        connections(times).map(Evidence::PeerHasSentAfterReset)
    },
    |said| {
        let (length, limit) = said.split_once(" in the accept queue, whose limit is ")?;
        Some(Evidence::AcceptQueue(AcceptQueue { length: number(length)?, limit: number(limit)? }))
    },
    |said| {
        let probes = said.strip_suffix(" keepalive probes had no answer");
        number(probes.or_else(|| said.strip_suffix(" keepalive probe had no answer"))?).map(Evidence::KeepaliveProbes)
    },
    |said| duration(said.strip_prefix("TCP_USER_TIMEOUT is ")?).map(Evidence::UserTimeout),
    |said| exit(said.strip_prefix("the process ended with ")?).map(Evidence::Exit),
    |said| {
        let times = said.strip_suffix(" of the process had been reset at its end before")?;
        connections(times).map(Evidence::Burst)
    },
    actor,
    |said| {
        let (ports, within) = said.strip_prefix("the peer tried ")?.split_once(" closed ports within ")?;
        Some(Evidence::PortScan { ports: number(ports)?, within: duration(within)? })
    },
];

/// The fact that is said in these words.
pub(in crate::catalogue) fn fact(said: &str) -> Option<Evidence> {
    let is_said = |fact: &Evidence| text(fact) == said;
    let fixed = FIXED.iter().find(|fact| is_said(fact)).cloned();
    let places = || place(said).filter(is_said);
    fixed.or_else(|| NUMBERED.iter().find_map(|read| read(said).filter(is_said))).or_else(places)
}

fn place(said: &str) -> Option<Evidence> {
    if let Some(hook) = said.strip_prefix("the firewall made it in the hook ") {
        return named(hook, &NetfilterHook::ALL, NetfilterHook::as_str).map(Evidence::Firewall);
    }
    let (peer, netns) = said
        .strip_prefix("packets of ")?
        .split_once(" for the same port were seen in the network namespace ")?;
    Some(Evidence::OtherNamespace { netns: netns.parse().ok()?, peer: peer.parse().ok()? })
}

fn trigger(said: &str) -> Option<Evidence> {
    let packet = said.strip_prefix("it answers a packet with the flags ")?;
    let (flags, payload) = packet.split_once(" and ")?;
    let bytes = if payload == "no data" { 0 } else { bytes(payload.strip_suffix(" of data")?)? };
    Some(Evidence::Trigger { flags: flags.parse().ok()?, bytes })
}

/// A name may hold anything, brackets as well; what follows it may not.
fn actor(said: &str) -> Option<Evidence> {
    let (comm, pid) = said.strip_suffix("] did it, and is not the owner")?.rsplit_once('[')?;
    Some(Evidence::Actor { comm: comm.into(), pid: pid.parse().ok()? })
}

fn reason(text: &str) -> Reason {
    text.parse().map_or_else(|_| Reason::Named(text.into()), Reason::Unknown)
}

fn exit(text: &str) -> Option<Exit> {
    if let Some(code) = text.strip_prefix("exit code ") {
        return number(code).map(Exit::Code);
    }
    number(text.strip_prefix("signal ")?.split(' ').next()?).map(Exit::Signal)
}

fn between<'a>(text: &'a str, before: &str, after: &str) -> Option<&'a str> {
    text.strip_prefix(before)?.strip_suffix(after)
}

fn named<T: Copy>(text: &str, all: &[T], name: impl Fn(T) -> &'static str) -> Option<T> {
    all.iter().copied().find(|one| name(*one) == text)
}

fn bytes<T: FromStr>(text: &str) -> Option<T> {
    number(text.strip_suffix(" bytes").or_else(|| text.strip_suffix(" byte"))?)
}

fn connections(text: &str) -> Option<u32> {
    number(text.strip_suffix(" connections").or_else(|| text.strip_suffix(" connection"))?)
}

/// A number, in groups of digits or not.
fn number<T: FromStr>(text: &str) -> Option<T> {
    text.replace(',', "").parse().ok()
}

/// A time with one digit behind the point.
fn duration(text: &str) -> Option<Duration> {
    let (figure, unit) = text.split_once(' ')?;
    let (whole, tenths) = figure.split_once('.')?;
    let (whole, tenths): (u64, u32) = (number(whole)?, tenths.parse().ok().filter(|tenths| *tenths < 10)?);
    match unit {
        "ms" => Some(Duration::from_micros(whole.checked_mul(1000)?.checked_add((tenths * 100).into())?)),
        "s" => Some(Duration::new(whole, tenths * 100_000_000)),
        _ => None,
    }
}
