//! Writing one wire event, in place in the ring buffer.

use aya_ebpf::{
    helpers::{bpf_jiffies64, bpf_ktime_get_boot_ns},
    maps::ring_buf::RingBufEntry,
};
use resetmon_common::wire::{RawResetEvent, RawSocketRecord, mark, origin};

use crate::{
    maps::EVENTS,
    record,
    sock::{FullSock, Sock},
    task,
};

/// Nanoseconds by which the end of the handshake may be noted before the socket is established.
const SLACK: u64 = 1_000_000;

/// Room for one event, zeroed and dated; none when the ring buffer is full.
#[inline(always)]
pub(crate) fn reserve(direction: u8) -> Option<RingBufEntry<RawResetEvent>> {
    let mut entry = EVENTS.reserve::<RawResetEvent>(0)?;
    let event = entry.write(RawResetEvent::default());
    // SAFETY: the helpers take no arguments.
    unsafe {
        event.time = bpf_ktime_get_boot_ns();
        event.jiffies = bpf_jiffies64() as u32;
    }
    event.direction = direction;
    Some(entry)
}

/// Writes what the socket itself tells: identity, state, addresses, figures.
#[inline(always)]
pub(crate) fn write_sock(event: &mut RawResetEvent, sock: Sock, full: Option<FullSock>) {
    event.socket = sock.as_ptr() as u64;
    event.family = sock.family();
    event.state_at_event = sock.state();
    sock.write_tuple(&mut event.tuple);
    if let Some(full) = full {
        event.tuple.local_port = full.source_port();
        full.write(event);
    }
}

/// Writes who owns the socket and who is at work on it.
#[inline(always)]
pub(crate) fn write_tasks(event: &mut RawResetEvent, record: Option<&RawSocketRecord>) {
    if event.marks & mark::OWNED != 0 {
        task::write_current(&mut event.current);
    } else {
        write_ids(event);
    }
    if let Some(record) = record {
        event.owner = record.owner;
        event.established_at = record.established_at;
        event.handshake_ttl = record.handshake_ttl;
        write_note(event);
    } else if event.marks & mark::FULL_SOCKET == 0 {
        write_closed(event);
    }
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
        event.owner = note.owner;
    }
    if event.handshake_ttl == 0 {
        event.handshake_ttl = note.handshake_ttl;
    }
}

/// Writes what is remembered of a connection that is gone.
#[inline(always)]
fn write_closed(event: &mut RawResetEvent) {
    // A key must be on the stack: before 6.2 the verifier takes none from the ring buffer.
    let tuple = event.tuple;
    if let Some(closed) = record::closed(&tuple) {
        event.owner = closed.owner;
        event.established_at = closed.established_at;
        event.closed_at = closed.closed_at;
        event.marks |= mark::CLOSED;
    }
}
