//! Whose the socket is, as far as the kernel tells: who was recorded, and whether the task that is at work on the socket
//! is there as its owner or acts on it from outside.

use resetmon_common::wire::{PF_KTHREAD, SOCK_DEAD, mark, origin};

use super::Reading;
use crate::model::{
    Direction, TcpState,
    process::{Exit, OwnerFrom, Process},
};

/// Both directions are shut down, as close(2) does before anything else.
const SHUTDOWN_MASK: u8 = 3;

impl Reading<'_> {
    /// The owner, and how it is known.
    pub(super) fn owner(&self) -> (Option<Process>, OwnerFrom) {
        let owner = &self.raw.owner;
        let recorded = self.recorded();
        let inherited = recorded == OwnerFrom::Listen && self.state() != Some(TcpState::Listen);
        let replaceable = recorded == OwnerFrom::None || inherited || self.is_closed_as_a_whole();
        if replaceable && self.current_is_owner() && self.raw.current.tgid != owner.task.tgid {
            return (Some(self.process(&self.raw.current)), OwnerFrom::Current);
        }
        match recorded {
            OwnerFrom::None if self.closes_with_its_listener() && !self.current_is_kernel() => {
                (Some(self.process(&self.raw.current)), OwnerFrom::Current)
            }
            OwnerFrom::None => (None, OwnerFrom::None),
            _ if self.has(mark::CLOSED) => (Some(self.process(&owner.task)), OwnerFrom::Recent),
            _ => (Some(self.process(&owner.task)), recorded),
        }
    }

    /// What the record says. A kernel thread owns no socket: it works for somebody else, or for the kernel.
    fn recorded(&self) -> OwnerFrom {
        let owner = &self.raw.owner;
        if owner.task.flags & PF_KTHREAD != 0 || self.is_of_kernel() {
            return OwnerFrom::None;
        }
        match owner.origin {
            origin::CONNECT => OwnerFrom::Connect,
            origin::LISTEN => OwnerFrom::Listen,
            origin::ACTED => OwnerFrom::Current,
            origin::ACCEPT => OwnerFrom::Accept,
            origin::SEED => OwnerFrom::Seed,
            _ => OwnerFrom::None,
        }
    }

    /// No process has a descriptor of the socket, and none ever had. What MPTCP connects on an application's behalf
    /// is not meant.
    pub(super) fn is_of_kernel(&self) -> bool {
        self.has(mark::KERNEL) && !self.has(mark::MPTCP)
    }

    /// The reset closes the socket, and nobody else holds it: only who holds a socket last closes it as a whole.
    fn is_closed_as_a_whole(&self) -> bool {
        self.direction == Direction::Sent && self.is_active() && self.raw.shutdown == SHUTDOWN_MASK
    }

    /// Whether the kernel proves that the current task uses the socket as its own: it holds the socket's lock in
    /// process context, and it is not `tcp_abort()`, which works on the sockets of others and leaves their state alone.
    fn current_is_owner(&self) -> bool {
        let at_work = self.acting().is_some() && !self.has(mark::MPTCP) && !self.current_is_kernel();
        let closed = self.state_at_event() == Some(TcpState::Close);
        at_work
            && !self.is_of_kernel()
            && match self.direction {
                Direction::Sent if self.is_active() => closed,
                Direction::Sent => true,
                Direction::Received => !closed,
            }
    }

    fn current_is_kernel(&self) -> bool {
        self.raw.current.flags & PF_KTHREAD != 0
    }

    /// The task under whose lock the socket was; a listener answers packets without one.
    pub(super) fn acting(&self) -> Option<Process> {
        let listening = self.state_at_event() == Some(TcpState::Listen);
        (self.is_full() && self.has(mark::OWNED) && !listening).then(|| self.process(&self.raw.current))
    }

    /// Whether the reset is that of a connection nobody accepted, whose listener is closed: `inet_csk_listen_stop()`
    /// works on it without its lock, in the context of who closes the listener.
    fn closes_with_its_listener(&self) -> bool {
        self.direction == Direction::Sent
            && self.is_active()
            && self.is_full()
            && self.state_at_event() == Some(TcpState::Close)
            && !self.has(mark::OWNED)
            && !self.has_flag(SOCK_DEAD)
    }

    /// Who made the reset happen from outside: by `tcp_abort()`, or by closing the listener of another.
    pub(super) fn actor(&self) -> Option<Process> {
        let aborted = self.direction == Direction::Sent
            && self.is_active()
            && self.has(mark::OWNED)
            && !self.has(mark::MPTCP)
            && self.state_at_event() != Some(TcpState::Close);
        let is_owner =
            self.recorded() != OwnerFrom::None && self.raw.current.tgid == self.raw.owner.task.tgid;
        let acts = aborted || self.closes_with_its_listener() && self.recorded() != OwnerFrom::None;
        (acts && !is_owner && !self.current_is_kernel()).then(|| self.process(&self.raw.current))
    }

    /// How the owner ended. A reset that arrives later is not caused by that.
    pub(super) fn exit(&self) -> Option<Exit> {
        if self.direction == Direction::Received || !self.has(mark::EXITED) {
            return None;
        }
        let [low, status] = self.raw.exit_code.to_le_bytes();
        let signal = low & 0x7f;
        Some(if signal == 0 { Exit::Code(status) } else { Exit::Signal(signal) })
    }
}
