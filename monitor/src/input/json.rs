//! Schema 1 read back, the inverse of `output::json`. Keys that this version does not know are passed over, since newer ones
//! add keys, and missing ones are not known, save those without which there is no event. Texts made of the rest (summary,
//! advice) are not read: they are made again.

use std::{
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use serde_json::Value;

use super::{
    Recorded,
    field::{Field, InvalidEvent},
};
use crate::{
    catalogue,
    cause::{Cause, Confidence},
    model::{
        Direction, Errno, EventId, FourTuple, Reason, ResetEvent, TcpState,
        connection::{Connection, Figures, Gone, Role, Socket},
        diagnosis::{Diagnosis, Evidence},
        process::{Exit, OwnerFrom, Process, ProcessDetails},
        segment::{NetfilterHook, Segment},
        workload::{Workload, WorkloadKind},
    },
    output::json::SCHEMA,
};

type Read<T> = Result<T, InvalidEvent>;

/// The event in an object.
pub(crate) fn recorded(value: &Value) -> Read<Recorded> {
    let root = Field::root(value);
    let root = root.object()?;
    let schema = root.get("schema");
    if schema.number::<u32>()? != SCHEMA {
        return Err(schema.wrong(format_args!("{SCHEMA}, the schema that this resetmon reads")));
    }
    Ok(Recorded { host: root.get("host").text()?.into(), event: event(root)? })
}

fn event(root: &Field<'_>) -> Read<ResetEvent> {
    let tuple = FourTuple { local: end(&root.get("local"))?, peer: end(&root.get("peer"))? };
    let diagnosis = root.get("cause").map(|cause| diagnosis(cause, root))?.map(Arc::new);
    let gone = root.get("gone").map(gone)?;
    let (connection, gone) = match root.get("connection").known() {
        Some(field) => connection(field.object()?, gone)?,
        None => (None, gone),
    };
    let kernel_socket = root.get("kernel_socket").map(Field::boolean)?.unwrap_or_default();
    let trigger = root.get("trigger");
    let id = root.get("id");
    let event_id: EventId = id.parsed("an id of 20 hexadecimal digits")?;
    let event = ResetEvent {
        time: root.get("time").parsed("a time such as 2026-01-31T12:00:00.123456789Z")?,
        sequence: event_id.sequence(),
        direction: root.get("direction").one_of(&Direction::ALL, Direction::as_str)?,
        reason: root.get("kernel_reason").map(reason)?,
        state: root.get("state").map(state)?,
        tuple,
        netns: root.get("netns").map(Field::number)?,
        errno: root.get("errno").map(errno)?,
        process: root.get("process").map(process)?,
        owner_from: root.get("owner_from").map(owner_from)?.unwrap_or(OwnerFrom::None),
        connection,
        gone,
        trigger: root.get("trigger").map(segment)?,
        rst: root.get("rst").map(segment)?,
        netfilter_hook: match trigger.known() {
            Some(trigger) => trigger.get("netfilter_hook").map(hook)?,
            None => None,
        },
        socket: kernel_socket.then(|| Socket { kernel: true, ..Socket::default() }),
        acting: None,
        actor: root.get("actor").map(process)?,
        other_holders: root.get("other_holders").map(processes)?.unwrap_or_default(),
        exit: root.get("exit").map(exit)?,
        cgroup_id: None,
        cgroup: root.get("cgroup").map(text)?,
        workload: root.get("workload").map(workload)?.map(Arc::new),
        counterpart: root
            .get("counterpart")
            .map(|other| counterpart(other, tuple, diagnosis.as_deref()))?
            .map(Arc::new),
        incident: root.get("incident").map(|incident| incident.parsed("an id of 20 hexadecimal digits"))?,
        diagnosis,
    };
    check_family(root, tuple)?;
    if event.id() != event_id {
        return Err(id.wrong(format_args!("{}, which its time asks for", event.id())));
    }
    Ok(event)
}

/// The family is told twice.
fn check_family(root: &Field<'_>, tuple: FourTuple) -> Read<()> {
    let Some(family) = root.get("family").known() else { return Ok(()) };
    if family.text()? == tuple.family().as_str() {
        return Ok(());
    }
    Err(family.wrong(format_args!("{}, as the peer is", tuple.family().as_str())))
}

fn end(field: &Field<'_>) -> Read<SocketAddr> {
    let address: IpAddr = field.object()?.get("addr").parsed("an IP address")?;
    Ok(SocketAddr::new(address, field.get("port").number()?))
}

fn text(field: &Field<'_>) -> Read<Arc<str>> {
    field.text().map(Into::into)
}

fn state(field: &Field<'_>) -> Read<TcpState> {
    field.one_of(&TcpState::ALL, TcpState::as_str)
}

fn errno(field: &Field<'_>) -> Read<Errno> {
    field.one_of(&Errno::ALL, Errno::as_str)
}

fn owner_from(field: &Field<'_>) -> Read<OwnerFrom> {
    field.one_of(&OwnerFrom::ALL, OwnerFrom::as_str)
}

fn hook(field: &Field<'_>) -> Read<NetfilterHook> {
    field.one_of(&NetfilterHook::ALL, NetfilterHook::as_str)
}

/// A name, or the number of a reason that had none.
fn reason(field: &Field<'_>) -> Read<Reason> {
    match field.text() {
        Ok(name) => Ok(Reason::Named(name.into())),
        Err(_) => field.number().map(Reason::Unknown).map_err(|_| field.wrong("a name or a number")),
    }
}

fn process(field: &Field<'_>) -> Read<Process> {
    let comm = text(&field.object()?.get("comm"))?;
    let exe = field.get("exe").map(text)?;
    let cmdline = field.get("cmdline").map(arguments)?;
    let details = ProcessDetails { comm: comm.clone(), exe, cmdline };
    let is_known = details.exe.is_some() || details.cmdline.is_some();
    Ok(Process {
        pid: field.get("pid").number()?,
        // Written is only when that was on the wall clock.
        started: Duration::ZERO,
        start_time: field.get("start_time").parsed("a time such as 2026-01-31T12:00:00Z")?,
        comm,
        uid: field.get("uid").number()?,
        details: is_known.then(|| Arc::new(details)),
    })
}

fn processes(field: &Field<'_>) -> Read<Vec<Process>> {
    field.items()?.iter().map(process).collect()
}

fn arguments(field: &Field<'_>) -> Read<Arc<[String]>> {
    field.items()?.iter().map(|argument| argument.text().map(str::to_owned)).collect()
}

fn exit(field: &Field<'_>) -> Read<Exit> {
    let kind =
        field.object()?.get("kind").one_of(
            &[Exit::Code as fn(u8) -> Exit, Exit::Signal],
            |kind| match kind(0) {
                Exit::Code(_) => "status",
                Exit::Signal(_) => "signal",
            },
        )?;
    field.get("value").number().map(kind)
}

fn workload(field: &Field<'_>) -> Read<Workload> {
    Ok(Workload {
        kind: field.object()?.get("kind").one_of(&WorkloadKind::ALL, WorkloadKind::as_str)?,
        name: field.get("name").map(text)?,
        container_id: field.get("container_id").map(text)?,
        pod_uid: field.get("pod_uid").map(text)?,
    })
}

fn gone(field: &Field<'_>) -> Read<Gone> {
    let was_listener = field
        .object()?
        .get("was")
        .one_of(&[true, false], |listener| if listener { "listener" } else { "connection" })?;
    let since = microseconds(&field.get("closed_us"))?;
    Ok(Gone { was_listener, since, idle: None, bytes_sent: 0, bytes_acked: 0, bytes_received: 0 })
}

/// The bytes of a connection are its socket's, or where that is gone what is remembered of it.
fn connection(field: &Field<'_>, mut gone: Option<Gone>) -> Read<(Option<Connection>, Option<Gone>)> {
    let number = |key: &str| field.get(key).map(Field::number::<u64>);
    let small = |key: &str| field.get(key).map(Field::number::<u32>);
    let time = |key: &str| field.get(key).map(microseconds);
    let bytes = (number("bytes_sent")?, number("bytes_acked")?, number("bytes_received")?);
    let of_socket = (small("unacked_bytes")?, small("unread_bytes")?, small("retransmits")?);
    let srtt = time("srtt_us")?.unwrap_or_default();
    let mut figures = None;
    if let (Some(bytes_sent), Some(bytes_acked), Some(bytes_received)) = bytes {
        if let (Some(unacked_bytes), Some(unread_bytes), Some(retransmits)) = of_socket {
            let known = Figures {
                bytes_sent,
                bytes_acked,
                bytes_received,
                unacked_bytes,
                unread_bytes,
                srtt,
                retransmits,
                ..Figures::default()
            };
            figures = Some(known);
        } else if let Some(gone) = &mut gone {
            *gone = Gone { bytes_sent, bytes_acked, bytes_received, ..*gone };
        }
    }
    let role = field.get("role").map(|role| role.one_of(&Role::ALL, Role::as_str))?;
    let connection = Connection {
        role,
        age: time("age_us")?,
        idle: time("idle_us")?,
        since_sent: time("since_sent_us")?,
        since_received: time("since_received_us")?,
        figures,
        ..Connection::default()
    };
    Ok((Some(connection), gone))
}

fn microseconds(field: &Field<'_>) -> Read<Duration> {
    field.number().map(Duration::from_micros)
}

/// The header of a packet; of a received RST less of it is written.
fn segment(field: &Field<'_>) -> Read<Segment> {
    Ok(Segment {
        flags: field.object()?.get("flags").parsed("some of the letters FSRPAUEC")?,
        payload_bytes: field.get("payload_bytes").map(Field::number)?.unwrap_or_default(),
        seq: field.get("seq").number()?,
        ack: field.get("ack").number()?,
        window: field.get("window").number()?,
        ttl: field.get("ttl").number()?,
        ip_id: field.get("ip_id").map(Field::number)?,
    })
}

/// What is written of the other end's event.
fn counterpart(field: &Field<'_>, tuple: FourTuple, own: Option<&Diagnosis>) -> Read<ResetEvent> {
    let id: EventId = field.object()?.get("id").parsed("an id of 20 hexadecimal digits")?;
    let cause = field.get("cause").map(cause)?;
    let direction = field.get("direction").one_of(&Direction::ALL, Direction::as_str)?;
    let other = FourTuple { local: tuple.peer, peer: tuple.local };
    Ok(ResetEvent {
        reason: field.get("kernel_reason").map(reason)?,
        state: field.get("state").map(state)?,
        netns: field.get("netns").map(Field::number)?,
        errno: field.get("errno").map(errno)?,
        process: field.get("process").map(process)?,
        owner_from: field.get("owner_from").map(owner_from)?.unwrap_or(OwnerFrom::None),
        diagnosis: cause.map(|cause| Arc::new(Diagnosis::of_counterpart(cause, own))),
        ..ResetEvent::bare(id.time(), id.sequence(), direction, other)
    })
}

fn cause(field: &Field<'_>) -> Read<Cause> {
    field.one_of(&Cause::ALL, Cause::as_str)
}

fn diagnosis(cause_field: &Field<'_>, root: &Field<'_>) -> Read<Diagnosis> {
    let evidence = root.get("evidence").map(|evidence| evidence.items()?.iter().map(fact).collect())?;
    Ok(Diagnosis {
        cause: cause(cause_field)?,
        confidence: root.get("confidence").one_of(&Confidence::ALL, Confidence::as_str)?,
        evidence: evidence.unwrap_or_default(),
    })
}

fn fact(field: &Field<'_>) -> Read<Evidence> {
    let words = field.text()?;
    Ok(catalogue::fact_from_words(words).unwrap_or_else(|| Evidence::Told(words.into())))
}
