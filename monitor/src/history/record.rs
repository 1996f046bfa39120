//! A row of a shard as an event: the way back from `row`. What the row has only numbers for is looked up in the shard once.

use std::{
    collections::HashMap,
    hash::Hash,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use jiff::Timestamp;
use rusqlite::{Connection, Row, types::ValueRef};

use super::{
    columns::Column,
    packed::{self, Sentence},
    row::{CONNECTION, LISTENER, SIGNAL, STATUS},
};
use crate::{
    catalogue,
    cause::{Cause, Confidence},
    input::Recorded,
    model::{
        Direction, Errno, EventId, FourTuple, Reason, ResetEvent, TcpState,
        connection::{self, Figures, Gone, Role, Socket},
        diagnosis::{Diagnosis, Evidence},
        process::{Exit, OwnerFrom, Process, ProcessDetails},
        segment::{NetfilterHook, Segment, TcpFlags},
        workload::{Workload, WorkloadKind},
    },
};

/// Why a row is no event.
#[derive(Debug, thiserror::Error)]
pub enum RowError {
    /// The database says so.
    #[error("cannot be read")]
    Sql(#[from] rusqlite::Error),
    /// Something that every event has is not there.
    #[error("a row without {0}")]
    Missing(&'static str),
    /// A column has what nothing is called.
    #[error("a row whose {column} is `{found}`, which this resetmon does not know")]
    Unknown {
        /// The column.
        column: &'static str,
        /// What is there.
        found: String,
    },
}

type Read<T> = Result<T, RowError>;

/// Reads the rows of one shard.
#[derive(Debug)]
pub(super) struct Decoder {
    host: Arc<str>,
    strings: HashMap<i64, Arc<str>>,
    processes: HashMap<i64, Process>,
    workloads: HashMap<i64, Arc<Workload>>,
}

impl Decoder {
    /// Knows nothing yet but the host that the shard is of.
    pub(super) fn new(host: Arc<str>) -> Self {
        Self { host, strings: HashMap::new(), processes: HashMap::new(), workloads: HashMap::new() }
    }

    /// The event in a row that has every column.
    pub(super) fn decode(&mut self, row: &Row<'_>, shard: &Connection) -> Read<Recorded> {
        let event = Cursor { row, shard, decoder: self }.event()?;
        Ok(Recorded { host: Arc::clone(&self.host), event })
    }

    /// The text with this number.
    pub(super) fn string(&mut self, id: i64, shard: &Connection) -> Read<Arc<str>> {
        remembered(&mut self.strings, id, || {
            let mut query = shard.prepare_cached("SELECT text FROM strings WHERE id = ?")?;
            Ok(query.query_row([id], |row| row.get(0))?)
        })
    }

    fn process(&mut self, id: i64, shard: &Connection) -> Read<Process> {
        remembered(&mut self.processes, id, || {
            let mut query = shard
                .prepare_cached("SELECT pid, started, uid, comm, exe, cmdline FROM processes WHERE id = ?")?;
            Ok(query.query_row([id], process)?)
        })
    }

    fn workload(&mut self, id: i64, shard: &Connection) -> Read<Arc<Workload>> {
        remembered(&mut self.workloads, id, || {
            let mut query = shard
                .prepare_cached("SELECT kind, name, container_id, pod_uid FROM workloads WHERE id = ?")?;
            let (kind, name, container_id, pod_uid): (String, Option<Arc<str>>, _, _) =
                query.query_row([id], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)))?;
            let kind = named("workload", &kind, &WorkloadKind::ALL, WorkloadKind::as_str)?;
            Ok(Arc::new(Workload { kind, name, container_id, pod_uid }))
        })
    }
}

fn remembered<K: Copy + Eq + Hash, T: Clone>(
    known: &mut HashMap<K, T>,
    id: K,
    read: impl FnOnce() -> Read<T>,
) -> Read<T> {
    if let Some(value) = known.get(&id) {
        return Ok(value.clone());
    }
    let value = read()?;
    known.insert(id, value.clone());
    Ok(value)
}

fn process(row: &Row<'_>) -> rusqlite::Result<Process> {
    let comm: Arc<str> = row.get(3)?;
    let exe: Option<Arc<str>> = row.get(4)?;
    let cmdline: Option<String> = row.get(5)?;
    // It was written as a list of texts.
    let cmdline = cmdline.and_then(|cmdline| serde_json::from_str::<Vec<String>>(&cmdline).ok());
    let details = ProcessDetails { comm: Arc::clone(&comm), exe, cmdline: cmdline.map(Into::into) };
    let is_known = details.exe.is_some() || details.cmdline.is_some();
    Ok(Process {
        pid: row.get(0)?,
        started: Duration::ZERO,
        start_time: timestamp(row.get(1)?),
        comm,
        uid: row.get(2)?,
        details: is_known.then(|| Arc::new(details)),
    })
}

/// A row while it is read.
struct Cursor<'a> {
    row: &'a Row<'a>,
    shard: &'a Connection,
    decoder: &'a mut Decoder,
}

impl Cursor<'_> {
    fn event(&mut self) -> Read<ResetEvent> {
        let time = self.needed::<i64>(Column::Key)? - self.needed::<i64>(Column::Shift)?;
        let tuple = FourTuple {
            local: self.end(Column::LocalAddress, Column::LocalPort)?,
            peer: self.end(Column::PeerAddress, Column::PeerPort)?,
        };
        let gone = self.gone()?;
        let (connection, gone) = self.connection(gone)?;
        let diagnosis = self.diagnosis()?.map(Arc::new);
        let kernel_socket = self.number::<u8>(Column::KernelSocket)?.is_some();
        Ok(ResetEvent {
            time: timestamp(time),
            sequence: self.needed(Column::Sequence)?,
            direction: self
                .one_of(Column::Direction, &Direction::ALL, Direction::as_str)?
                .ok_or(RowError::Missing("direction"))?,
            reason: self.reason(Column::Reason)?,
            state: self.one_of(Column::State, &TcpState::ALL, TcpState::as_str)?,
            tuple,
            netns: self.number(Column::Netns)?,
            errno: self.one_of(Column::Errno, &Errno::ALL, Errno::as_str)?,
            process: self.process(Column::Process)?,
            owner_from: self.owner_from(Column::OwnerFrom)?,
            connection,
            gone,
            trigger: self.trigger()?,
            rst: self.rst()?,
            netfilter_hook: self.one_of(Column::TriggerHook, &NetfilterHook::ALL, NetfilterHook::as_str)?,
            socket: kernel_socket.then(|| Socket { kernel: true, ..Socket::default() }),
            acting: None,
            actor: self.process(Column::Actor)?,
            other_holders: self.holders()?,
            exit: self.exit()?,
            cgroup_id: None,
            cgroup: self.word(Column::Cgroup)?,
            workload: match self.number(Column::Workload)? {
                Some(id) => Some(self.decoder.workload(id, self.shard)?),
                None => None,
            },
            counterpart: self.counterpart(tuple, diagnosis.as_deref())?.map(Arc::new),
            incident: self.id(Column::IncidentTime, Column::IncidentSequence)?,
            diagnosis,
        })
    }

    fn number<T: TryFrom<i64>>(&self, column: Column) -> Read<Option<T>> {
        let Some(number) = self.row.get::<_, Option<i64>>(column as usize)? else { return Ok(None) };
        let unknown = |_| RowError::Unknown { column: column.as_str(), found: number.to_string() };
        number.try_into().map(Some).map_err(unknown)
    }

    fn needed<T: TryFrom<i64>>(&self, column: Column) -> Read<T> {
        self.number(column)?.ok_or(RowError::Missing(column.as_str()))
    }

    /// A number that may be beyond what `SQLite` has.
    fn large(&self, column: Column) -> Read<Option<u64>> {
        Ok(self.number::<i64>(column)?.map(i64::cast_unsigned))
    }

    fn time(&self, column: Column) -> Read<Option<Duration>> {
        Ok(self.large(column)?.map(Duration::from_micros))
    }

    fn word(&mut self, column: Column) -> Read<Option<Arc<str>>> {
        match self.number(column)? {
            Some(id) => self.decoder.string(id, self.shard).map(Some),
            None => Ok(None),
        }
    }

    fn one_of<T: Copy>(
        &mut self,
        column: Column,
        all: &[T],
        name: impl Fn(T) -> &'static str,
    ) -> Read<Option<T>> {
        let word = self.word(column)?;
        word.map(|word| named(column.as_str(), &word, all, name)).transpose()
    }

    fn reason(&mut self, column: Column) -> Read<Option<Reason>> {
        match self.number::<i64>(column)? {
            Some(number @ ..0) => {
                let unknown = |_| RowError::Unknown { column: column.as_str(), found: number.to_string() };
                u32::try_from(-1 - number).map(Reason::Unknown).map(Some).map_err(unknown)
            }
            _ => Ok(self.word(column)?.map(Reason::Named)),
        }
    }

    fn owner_from(&mut self, column: Column) -> Read<OwnerFrom> {
        Ok(self.one_of(column, &OwnerFrom::ALL, OwnerFrom::as_str)?.unwrap_or(OwnerFrom::None))
    }

    fn end(&self, address: Column, port: Column) -> Read<SocketAddr> {
        let unknown = |found: String| RowError::Unknown { column: address.as_str(), found };
        let ip = match self.row.get_ref(address as usize)? {
            ValueRef::Integer(bits) => {
                IpAddr::V4(Ipv4Addr::from_bits(bits.try_into().map_err(|_| unknown(bits.to_string()))?))
            }
            ValueRef::Blob(octets) => {
                let octets: [u8; 16] =
                    octets.try_into().map_err(|_| unknown(format!("{} bytes", octets.len())))?;
                IpAddr::V6(Ipv6Addr::from_octets(octets))
            }
            _ => return Err(RowError::Missing(address.as_str())),
        };
        Ok(SocketAddr::new(ip, self.needed(port)?))
    }

    fn id(&self, time: Column, sequence: Column) -> Read<Option<EventId>> {
        let Some(nanoseconds) = self.large(time)? else { return Ok(None) };
        Ok(Some(EventId::new(nanoseconds, self.needed(sequence)?)))
    }

    fn process(&mut self, column: Column) -> Read<Option<Process>> {
        match self.number(column)? {
            Some(id) => self.decoder.process(id, self.shard).map(Some),
            None => Ok(None),
        }
    }

    fn bytes(&self, column: Column) -> Read<Option<&[u8]>> {
        Ok(self.row.get_ref(column as usize)?.as_blob_or_null().map_err(rusqlite::Error::from)?)
    }

    fn holders(&mut self) -> Read<Vec<Process>> {
        let bytes = self.bytes(Column::OtherHolders)?.unwrap_or_default().to_vec();
        let mut rest = bytes.as_slice();
        std::iter::from_fn(|| packed::pull(&mut rest))
            .map(|id| self.decoder.process(id.cast_signed(), self.shard))
            .collect()
    }

    fn exit(&mut self) -> Read<Option<Exit>> {
        let Some(kind) = self.one_of(Column::ExitKind, &[STATUS, SIGNAL], |kind| kind)? else {
            return Ok(None);
        };
        let value = self.needed(Column::ExitValue)?;
        Ok(Some(if kind == STATUS { Exit::Code(value) } else { Exit::Signal(value) }))
    }

    fn gone(&mut self) -> Read<Option<Gone>> {
        let Some(was) = self.one_of(Column::GoneWas, &[LISTENER, CONNECTION], |was| was)? else {
            return Ok(None);
        };
        let since = self.time(Column::GoneSince)?.ok_or(RowError::Missing("gone_closed_us"))?;
        let was_listener = was == LISTENER;
        Ok(Some(Gone { was_listener, since, idle: None, bytes_sent: 0, bytes_acked: 0, bytes_received: 0 }))
    }

    /// The bytes of a connection are its socket's, or where that is gone what is remembered of it.
    fn connection(&mut self, mut gone: Option<Gone>) -> Read<(Option<connection::Connection>, Option<Gone>)> {
        if self.number::<u8>(Column::Connection)?.is_none() {
            return Ok((None, gone));
        }
        let mut figures = None;
        if let (Some(bytes_sent), Some(bytes_acked), Some(bytes_received)) = (
            self.large(Column::BytesSent)?,
            self.large(Column::BytesAcked)?,
            self.large(Column::BytesReceived)?,
        ) {
            if let Some(retransmits) = self.number(Column::Retransmits)? {
                figures = Some(Figures {
                    bytes_sent,
                    bytes_acked,
                    bytes_received,
                    unacked_bytes: self.needed(Column::Unacked)?,
                    unread_bytes: self.needed(Column::Unread)?,
                    srtt: self.time(Column::Srtt)?.unwrap_or_default(),
                    retransmits,
                    ..Figures::default()
                });
            } else if let Some(gone) = &mut gone {
                *gone = Gone { bytes_sent, bytes_acked, bytes_received, ..*gone };
            }
        }
        let connection = connection::Connection {
            role: self.one_of(Column::Role, &Role::ALL, Role::as_str)?,
            age: self.time(Column::Age)?,
            idle: self.time(Column::Idle)?,
            since_sent: self.time(Column::SinceSent)?,
            since_received: self.time(Column::SinceReceived)?,
            figures,
            ..connection::Connection::default()
        };
        Ok((Some(connection), gone))
    }

    fn trigger(&self) -> Read<Option<Segment>> {
        let Some(flags) = self.number(Column::TriggerFlags)? else { return Ok(None) };
        Ok(Some(Segment {
            flags: TcpFlags(flags),
            payload_bytes: self.needed(Column::TriggerBytes)?,
            seq: self.needed(Column::TriggerSeq)?,
            ack: self.needed(Column::TriggerAck)?,
            window: self.needed(Column::TriggerWindow)?,
            ttl: self.needed(Column::TriggerTtl)?,
            ip_id: self.number(Column::TriggerIpId)?,
        }))
    }

    fn rst(&self) -> Read<Option<Segment>> {
        let Some(flags) = self.number(Column::RstFlags)? else { return Ok(None) };
        Ok(Some(Segment {
            flags: TcpFlags(flags),
            payload_bytes: 0,
            seq: self.needed(Column::RstSeq)?,
            ack: self.needed(Column::RstAck)?,
            window: self.needed(Column::RstWindow)?,
            ttl: self.needed(Column::RstTtl)?,
            ip_id: None,
        }))
    }

    fn diagnosis(&mut self) -> Read<Option<Diagnosis>> {
        let Some(cause) = self.one_of(Column::Cause, &Cause::ALL, Cause::as_str)? else { return Ok(None) };
        let confidence = self.one_of(Column::Confidence, &Confidence::ALL, Confidence::as_str)?;
        let confidence = confidence.ok_or(RowError::Missing("confidence"))?;
        let bytes = self.bytes(Column::Evidence)?.unwrap_or_default().to_vec();
        let mut rest = bytes.as_slice();
        let mut evidence = Vec::new();
        while let Some(frame) = packed::pull(&mut rest) {
            evidence.push(self.fact(frame, &mut rest)?);
        }
        Ok(Some(Diagnosis { cause, confidence, evidence }))
    }

    /// One fact, whose numbers are next in `rest`.
    fn fact(&mut self, frame: u64, rest: &mut &[u8]) -> Read<Evidence> {
        let text = self.decoder.string((frame >> 1).cast_signed(), self.shard)?;
        let words = if frame & 1 == 0 {
            text.as_ref().to_owned()
        } else {
            let numbers: Vec<_> = (0..Sentence::places(&text)).map_while(|_| packed::pull(rest)).collect();
            Sentence::join(&text, &numbers)
        };
        Ok(catalogue::fact_from_words(&words).unwrap_or_else(|| Evidence::Told(words.into())))
    }

    /// What is written of the other end's event.
    fn counterpart(&mut self, tuple: FourTuple, own: Option<&Diagnosis>) -> Read<Option<ResetEvent>> {
        let Some(id) = self.id(Column::OtherTime, Column::OtherSequence)? else { return Ok(None) };
        let direction = self.one_of(Column::OtherDirection, &Direction::ALL, Direction::as_str)?;
        let cause = self.one_of(Column::OtherCause, &Cause::ALL, Cause::as_str)?;
        let direction = direction.ok_or(RowError::Missing("counterpart_direction"))?;
        let other = FourTuple { local: tuple.peer, peer: tuple.local };
        Ok(Some(ResetEvent {
            reason: self.reason(Column::OtherReason)?,
            state: self.one_of(Column::OtherState, &TcpState::ALL, TcpState::as_str)?,
            netns: self.number(Column::OtherNetns)?,
            errno: self.one_of(Column::OtherErrno, &Errno::ALL, Errno::as_str)?,
            process: self.process(Column::OtherProcess)?,
            owner_from: self.owner_from(Column::OtherOwnerFrom)?,
            diagnosis: cause.map(|cause| Arc::new(Diagnosis::of_counterpart(cause, own))),
            ..ResetEvent::bare(id.time(), id.sequence(), direction, other)
        }))
    }
}

fn named<T: Copy>(column: &'static str, found: &str, all: &[T], name: impl Fn(T) -> &'static str) -> Read<T> {
    let unknown = || RowError::Unknown { column, found: found.to_owned() };
    all.iter().copied().find(|one| name(*one) == found).ok_or_else(unknown)
}

/// A moment in nanoseconds since 1970, of which 64 bits hold no one that is not a timestamp.
fn timestamp(nanoseconds: i64) -> Timestamp {
    Timestamp::from_nanosecond(nanoseconds.into()).unwrap_or_default()
}
