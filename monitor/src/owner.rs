//! Whose a socket is when several processes may hold it: after fork(2), a descriptor that was passed on, or a listener
//! that several accept from. Pure: who holds it is found elsewhere.

use std::time::Duration;

use crate::model::{
    ResetEvent, TcpState,
    process::{OwnerFrom, Process},
};

/// The kernel tells the start of a process to the nanosecond, `/proc` in ticks of ten milliseconds.
const TICK: Duration = Duration::from_millis(20);

/// What open descriptors say about the holders of a socket.
#[derive(Clone, Debug, PartialEq)]
pub enum Holders {
    /// These processes hold it: one at least.
    Found(Vec<Process>),
    /// Nobody whose descriptors were looked at holds it.
    Nobody,
    /// They could not be looked at: permission or time was lacking.
    Unknown {
        /// Whether others than the presumed owner may: it does not hold the socket, is gone, or has children, which may
        /// have it from their parent.
        may_be_anothers: bool,
    },
}

/// The inode by which descriptors of the socket are found, where they can say more than the kernel has told.
pub fn asks_for_holders(event: &ResetEvent) -> Option<u64> {
    let socket = event.socket.as_ref()?;
    let presumed = event.process.as_ref().map(|process| process.pid);
    let settled = match event.owner_from {
        OwnerFrom::Current | OwnerFrom::Holder | OwnerFrom::Recent => true,
        // Who waits in connect(2) has the socket.
        OwnerFrom::Connect if event.state == Some(TcpState::SynSent) => true,
        OwnerFrom::None => false,
        _ => event.actor.is_none() && event.acting.as_ref().map(|acting| acting.pid) == presumed,
    };
    if settled || socket.kernel { None } else { socket.inode }
}

/// Makes the owner of those who hold the socket: who connected or accepted if it still holds it, else who acted on it,
/// else the oldest. The rest is evidence.
pub fn settle(event: &mut ResetEvent, mut holders: Vec<Process>) {
    holders.sort_by_key(|holder| (holder.started, holder.pid));
    let position = |of: &Option<Process>| {
        let of = of.as_ref()?;
        holders.iter().position(|holder| is_same(holder, of))
    };
    if let Some(at) = position(&event.process) {
        holders.remove(at);
        if is_inherited(event) {
            event.owner_from = OwnerFrom::Holder;
        }
    } else if !holders.is_empty() {
        let at = position(&event.acting).unwrap_or(0);
        event.process = Some(holders.remove(at));
        event.owner_from = OwnerFrom::Holder;
    }
    event.other_holders = holders;
}

/// The socket was closed by this process, the last to hold it.
pub fn closed_by(event: &mut ResetEvent, process: &Process) {
    let is_owner = event.process.as_ref().is_some_and(|owner| is_same(owner, process));
    if !is_owner || is_inherited(event) {
        event.process = Some(process.clone());
        event.owner_from = OwnerFrom::Holder;
    }
}

/// Nobody was found to hold the socket, nor seen to close it. Who listens need not have accepted it, and would be blamed
/// for what is another's; who connected or accepted is still the best answer.
pub fn give_up(event: &mut ResetEvent, may_be_anothers: bool) {
    if is_inherited(event) && may_be_anothers {
        event.process = None;
        event.owner_from = OwnerFrom::None;
    }
}

/// Whether the owner is known only as that of the listener the connection came from.
fn is_inherited(event: &ResetEvent) -> bool {
    event.owner_from == OwnerFrom::Listen && event.state != Some(TcpState::Listen)
}

fn is_same(one: &Process, other: &Process) -> bool {
    one.pid == other.pid && one.started.abs_diff(other.started) < TICK
}

#[cfg(test)]
mod tests;
