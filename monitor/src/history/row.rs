//! An event as a row of a shard: what its JSON object says, and nothing that is made from the rest of it. `record` is the
//! way back.

use std::{
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use rusqlite::Connection;

use super::{
    columns::{Cell, Cells, Column},
    dictionary::Dictionary,
    packed::{self, Sentence},
};
use crate::{
    catalogue::{self, Language},
    model::{
        Errno, Reason, ResetEvent, TcpState,
        connection::{self, Gone},
        diagnosis::Diagnosis,
        process::{Exit, Process},
        segment::{NetfilterHook, Segment},
    },
};

/// What a row says of a socket that is gone, and of how its owner ended.
pub(super) const LISTENER: &str = "listener";
pub(super) const CONNECTION: &str = "connection";
pub(super) const STATUS: &str = "status";
pub(super) const SIGNAL: &str = "signal";

/// Writes events into the cells of one row, again and again.
pub(super) struct Encoder<'a> {
    /// Where numbers come from.
    pub(super) dictionary: &'a mut Dictionary,
    /// The shard that the dictionary is of.
    pub(super) shard: &'a Connection,
    /// The row.
    pub(super) cells: &'a mut Cells,
}

impl Encoder<'_> {
    /// Fills the row with an event; its key is for the caller to set.
    pub(super) fn encode(&mut self, event: &ResetEvent) -> rusqlite::Result<()> {
        self.cells.clear();
        self.cells.set(Column::Sequence, event.sequence);
        self.word(Column::Direction, Some(event.direction.as_str()))?;
        self.reason(Column::Reason, event.reason.as_ref())?;
        self.word(Column::State, event.state.map(TcpState::as_str))?;
        self.end(Column::LocalAddress, Column::LocalPort, event.tuple.local);
        self.end(Column::PeerAddress, Column::PeerPort, event.tuple.peer);
        self.cells.set(Column::Netns, event.netns);
        self.word(Column::Errno, event.errno.map(Errno::as_str))?;
        self.process(Column::Process, event.process.as_ref())?;
        self.word(Column::OwnerFrom, Some(event.owner_from.as_str()))?;
        self.holders(&event.other_holders)?;
        if event.socket.is_some_and(|socket| socket.kernel) {
            self.cells.set(Column::KernelSocket, 1_u8);
        }
        self.exit(event.exit)?;
        self.process(Column::Actor, event.actor.as_ref())?;
        if let Some(workload) = &event.workload {
            let id = self.dictionary.workload(workload, self.shard)?;
            self.cells.set(Column::Workload, id);
        }
        self.word(Column::Cgroup, event.cgroup.as_deref())?;
        if let Some(connection) = &event.connection {
            self.connection(connection, event.gone)?;
        }
        if let Some(gone) = event.gone {
            self.word(Column::GoneWas, Some(if gone.was_listener { LISTENER } else { CONNECTION }))?;
            self.cells.set(Column::GoneSince, microseconds(gone.since));
        }
        if let Some(trigger) = &event.trigger {
            self.trigger(trigger, event.netfilter_hook)?;
        }
        if let Some(rst) = &event.rst {
            self.rst(rst);
        }
        if let Some(other) = &event.counterpart {
            self.counterpart(other)?;
        }
        if let Some(incident) = event.incident {
            self.cells.set(Column::IncidentTime, incident.nanoseconds());
            self.cells.set(Column::IncidentSequence, incident.sequence());
        }
        event.diagnosis.as_ref().map_or(Ok(()), |diagnosis| self.diagnosis(diagnosis))
    }

    fn word(&mut self, column: Column, word: Option<&str>) -> rusqlite::Result<()> {
        if let Some(word) = word {
            let id = self.dictionary.string(word, self.shard)?;
            self.cells.set(column, id);
        }
        Ok(())
    }

    /// A reason without a name is its number, below zero.
    fn reason(&mut self, column: Column, reason: Option<&Reason>) -> rusqlite::Result<()> {
        match reason {
            Some(Reason::Named(name)) => self.word(column, Some(name)),
            Some(Reason::Unknown(number)) => {
                self.cells.set(column, -1 - i64::from(*number));
                Ok(())
            }
            None => Ok(()),
        }
    }

    fn end(&mut self, address: Column, port: Column, end: SocketAddr) {
        self.cells.set(
            address,
            match end.ip() {
                IpAddr::V4(ip) => Cell::from(ip.to_bits()),
                IpAddr::V6(ip) => Cell::Address(ip.octets()),
            },
        );
        self.cells.set(port, end.port());
    }

    fn process(&mut self, column: Column, process: Option<&Process>) -> rusqlite::Result<()> {
        if let Some(process) = process {
            let id = self.dictionary.process(process, self.shard)?;
            self.cells.set(column, id);
        }
        Ok(())
    }

    fn holders(&mut self, holders: &[Process]) -> rusqlite::Result<()> {
        if holders.is_empty() {
            return Ok(());
        }
        let mut ids = Vec::new();
        for holder in holders {
            packed::push(self.dictionary.process(holder, self.shard)?.cast_unsigned(), &mut ids);
        }
        self.cells.set(Column::OtherHolders, Cell::Bytes(ids));
        Ok(())
    }

    fn exit(&mut self, exit: Option<Exit>) -> rusqlite::Result<()> {
        let (kind, value) = match exit {
            Some(Exit::Code(value)) => (STATUS, value),
            Some(Exit::Signal(value)) => (SIGNAL, value),
            None => return Ok(()),
        };
        self.cells.set(Column::ExitValue, value);
        self.word(Column::ExitKind, Some(kind))
    }

    /// The bytes of a connection are its socket's, or where that is gone what is remembered of it.
    fn connection(
        &mut self,
        connection: &connection::Connection,
        gone: Option<Gone>,
    ) -> rusqlite::Result<()> {
        self.word(Column::Role, connection.role.map(connection::Role::as_str))?;
        let cells = &mut *self.cells;
        cells.set(Column::Connection, 1_u8);
        for (column, time) in [
            (Column::Age, connection.age),
            (Column::Idle, connection.idle),
            (Column::SinceSent, connection.since_sent),
            (Column::SinceReceived, connection.since_received),
        ] {
            cells.set(column, time.map(microseconds));
        }
        if let Some(figures) = &connection.figures {
            cells.set(Column::BytesSent, figures.bytes_sent);
            cells.set(Column::BytesAcked, figures.bytes_acked);
            cells.set(Column::BytesReceived, figures.bytes_received);
            cells.set(Column::Unacked, figures.unacked_bytes);
            cells.set(Column::Unread, figures.unread_bytes);
            cells.set(Column::Srtt, (!figures.srtt.is_zero()).then(|| microseconds(figures.srtt)));
            cells.set(Column::Retransmits, figures.retransmits);
        } else if let Some(gone) = gone {
            cells.set(Column::BytesSent, gone.bytes_sent);
            cells.set(Column::BytesAcked, gone.bytes_acked);
            cells.set(Column::BytesReceived, gone.bytes_received);
        }
        Ok(())
    }

    fn trigger(&mut self, trigger: &Segment, hook: Option<NetfilterHook>) -> rusqlite::Result<()> {
        let cells = &mut *self.cells;
        cells.set(Column::TriggerFlags, trigger.flags.0);
        cells.set(Column::TriggerBytes, trigger.payload_bytes);
        cells.set(Column::TriggerSeq, trigger.seq);
        cells.set(Column::TriggerAck, trigger.ack);
        cells.set(Column::TriggerWindow, trigger.window);
        cells.set(Column::TriggerTtl, trigger.ttl);
        cells.set(Column::TriggerIpId, trigger.ip_id);
        self.word(Column::TriggerHook, hook.map(NetfilterHook::as_str))
    }

    fn rst(&mut self, rst: &Segment) {
        self.cells.set(Column::RstTtl, rst.ttl);
        self.cells.set(Column::RstFlags, rst.flags.0);
        self.cells.set(Column::RstSeq, rst.seq);
        self.cells.set(Column::RstAck, rst.ack);
        self.cells.set(Column::RstWindow, rst.window);
    }

    fn counterpart(&mut self, other: &ResetEvent) -> rusqlite::Result<()> {
        self.cells.set(Column::OtherTime, other.id().nanoseconds());
        self.cells.set(Column::OtherSequence, other.sequence);
        self.word(Column::OtherDirection, Some(other.direction.as_str()))?;
        self.reason(Column::OtherReason, other.reason.as_ref())?;
        self.word(Column::OtherState, other.state.map(TcpState::as_str))?;
        self.cells.set(Column::OtherNetns, other.netns);
        self.word(Column::OtherErrno, other.errno.map(Errno::as_str))?;
        self.process(Column::OtherProcess, other.process.as_ref())?;
        self.word(Column::OtherOwnerFrom, Some(other.owner_from.as_str()))?;
        self.word(Column::OtherCause, other.diagnosis.as_ref().map(|diagnosis| diagnosis.cause.as_str()))
    }

    fn diagnosis(&mut self, diagnosis: &Diagnosis) -> rusqlite::Result<()> {
        self.word(Column::Cause, Some(diagnosis.cause.as_str()))?;
        self.word(Column::Confidence, Some(diagnosis.confidence.as_str()))?;
        let mut evidence = Vec::with_capacity(4 * diagnosis.evidence.len());
        for fact in &diagnosis.evidence {
            let sentence = Sentence::of(&catalogue::evidence(fact, Language::English));
            let frame = self.dictionary.string(&sentence.frame, self.shard)?.cast_unsigned();
            packed::push(frame << 1 | u64::from(sentence.numbers.is_some()), &mut evidence);
            for number in sentence.numbers.into_iter().flatten() {
                packed::push(number, &mut evidence);
            }
        }
        self.cells.set(Column::Evidence, Cell::Bytes(evidence));
        Ok(())
    }
}

fn microseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}
