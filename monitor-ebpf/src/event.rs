//! Writing one wire event, in place in the ring buffer.

use aya_ebpf::{
    helpers::{bpf_jiffies64, bpf_ktime_get_boot_ns},
    maps::ring_buf::RingBufEntry,
};
use resetmon_common::{
    layout::LISTENER_REMEMBERED,
    wire::{RawResetEvent, RawSocketRecord, RawTuple, direction, mark, origin, trace},
};

use crate::{
    maps::EVENTS,
    packet::{ACK, SYN},
    record,
    sock::{FullSock, Sock, state, v4_mapped},
    task, words,
};

/// Nanoseconds by which the end of the handshake may be noted before the socket is established.
const SLACK: u64 = 1_000_000;

/// Room for one event, zeroed and dated; none when the ring buffer is full.
#[inline(always)]
pub(crate) fn reserve(direction: u8) -> Option<RingBufEntry<RawResetEvent>> {
    let mut entry = EVENTS.reserve::<RawResetEvent>(0)?;
    // SAFETY: room for one event, of which zeros are one; the helpers take no arguments.
    unsafe {
        words::zero(entry.as_mut_ptr());
        let event = entry.assume_init_mut();
        event.time = bpf_ktime_get_boot_ns();
        event.jiffies = bpf_jiffies64() as u32;
        event.direction = direction;
    }
    Some(entry)
}

/// Writes what the socket itself tells: identity, state, addresses, figures.
#[inline(always)]
pub(crate) fn write_sock(event: &mut RawResetEvent, sock: Sock, full: Option<FullSock>) {
    event.socket = sock.as_ptr() as u64;
    event.family = sock.family();
    event.state_at_event = sock.state();
    sock.write_tuple(&mut event.tuple);
    event.netns_mix = sock.netns_mix();
    if let Some(full) = full {
        event.tuple.local_port = full.source_port();
        full.write(event);
    }
}

/// Writes who owns the socket and who is at work on it.
#[inline(always)]
pub(crate) fn write_tasks(event: &mut RawResetEvent, record: Option<&RawSocketRecord>) {
    if event.marks & mark::OWNED != 0 || closes_with_its_listener(event) {
        task::write_current(&mut event.current);
        if let Some(exit_code) = task::exit_code_of_current(event.current.flags) {
            event.exit_code = exit_code;
            event.marks |= mark::EXITED;
        }
    } else {
        write_ids(event);
    }
    if let Some(record) = record {
        words::copy(&record.owner, &mut event.owner);
        event.established_at = record.established_at;
        event.handshake_ttl = record.handshake_ttl;
        if record.marks & trace::EXITED != 0 {
            event.exit_code = record.exit_code;
            event.marks |= mark::EXITED;
        }
        write_note(event);
    } else if event.marks & mark::FULL_SOCKET == 0 {
        write_closed(event);
    }
}

/// Whether a socket without a user closes on its own account: one that was never accepted, with its listener, in the
/// context of who closes that; or an orphan, by a timer.
#[inline(always)]
fn closes_with_its_listener(event: &RawResetEvent) -> bool {
    event.direction == direction::SENT
        && event.segment.ip_version == 0
        && event.state_at_event == state::CLOSE
        && event.marks & mark::FULL_SOCKET != 0
}

/// Writes the ids of the current task, which need not have anything to do with the reset.
#[inline(always)]
pub(crate) fn write_ids(event: &mut RawResetEvent) {
    (event.current.tgid, event.current.tid) = task::current_ids();
}

/// Writes what kprobes have noted, unless the record knows better. Accepting and the end of the handshake are at about
/// the time at which the connection is established; a note from before is of a socket that had the same address.
#[inline(always)]
fn write_note(event: &mut RawResetEvent) {
    let Some(note) = record::note(event.socket) else { return };
    if note.noted_at + SLACK < event.established_at {
        return;
    }
    if note.owner.origin != 0 && event.owner.origin == origin::LISTEN {
        words::copy(&note.owner, &mut event.owner);
    }
    if event.handshake_ttl == 0 {
        event.handshake_ttl = note.handshake_ttl;
    }
}

/// Writes what is remembered of a connection that is gone; if there was none, or who is answered wants a new one, of the
/// listener that the port had.
#[inline(always)]
fn write_closed(event: &mut RawResetEvent) {
    // A key must be on the stack: before 6.2 the verifier takes none from the ring buffer.
    let mut tuple = event.tuple;
    let wants_listener = event.segment.flags & (SYN | ACK) == SYN;
    if !wants_listener && write_closed_one(event, &tuple) || event.state_at_event == state::TIME_WAIT {
        return;
    }
    words::clear(&mut tuple.peer_addr);
    tuple.peer_port = 0;
    if write_closed_one(event, &tuple) {
        return;
    }
    words::clear(&mut tuple.local_addr);
    if write_closed_one(event, &tuple) {
        return;
    }
    tuple.local_addr = v4_mapped(0);
    write_closed_one(event, &tuple);
}

#[inline(always)]
fn write_closed_one(event: &mut RawResetEvent, tuple: &RawTuple) -> bool {
    let Some(closed) = record::closed(tuple) else { return false };
    if closed.netns_mix != event.netns_mix {
        return false; // Of another namespace, which had the same number.
    }
    if closed.marks & trace::LISTENER != 0 {
        if event.time - closed.closed_at > LISTENER_REMEMBERED {
            return false;
        }
        event.marks |= mark::LISTENER;
    }
    words::copy(&closed.owner, &mut event.owner);
    event.established_at = closed.established_at;
    event.closed_at = closed.closed_at;
    event.bytes_sent = closed.bytes_sent;
    event.bytes_acked = closed.bytes_acked;
    event.bytes_received = closed.bytes_received;
    event.lsndtime = closed.lsndtime;
    event.lrcvtime = closed.lrcvtime;
    event.marks |= mark::CLOSED;
    if closed.marks & trace::EXITED != 0 {
        event.exit_code = closed.exit_code;
        event.marks |= mark::EXITED;
    }
    true
}
