//! One row an event, one column for each value of the JSON object: keys joined by underscores, in the object's order.
//! Unknown is empty; the arguments of a process and the evidence are JSON arrays; text is escaped as for a terminal.

use std::io::{self, Write};

use serde::Serialize;

use super::{
    escape::escape,
    json::{self, Ended, Group, Header, Measures, OtherEnd, Owner, Packet, Remains, Reset},
};
use crate::model::ResetEvent;

/// A column's name, and its value in a row.
type Column = (&'static str, fn(&Reset<'_>) -> Option<String>);

#[rustfmt::skip] // A column a line.
const COLUMNS: [Column; 83] = [
    ("schema", |reset| text(Some(reset.schema))),
    ("id", |reset| text(Some(reset.id))),
    ("time", |reset| text(Some(reset.time))),
    ("host", |reset| text(Some(reset.host))),
    ("direction", |reset| text(Some(reset.direction))),
    ("kernel_reason", |reset| text(reset.kernel_reason)),
    ("state", |reset| text(reset.state)),
    ("family", |reset| text(Some(reset.family))),
    ("local_addr", |reset| text(Some(reset.local.addr))),
    ("local_port", |reset| text(Some(reset.local.port))),
    ("peer_addr", |reset| text(Some(reset.peer.addr))),
    ("peer_port", |reset| text(Some(reset.peer.port))),
    ("netns", |reset| text(reset.netns)),
    ("errno", |reset| text(reset.errno)),
    ("process_pid", |reset| process(reset, |process| text(Some(process.pid)))),
    ("process_comm", |reset| process(reset, |process| text(Some(process.comm)))),
    ("process_exe", |reset| process(reset, |process| text(process.exe))),
    ("process_cmdline", |reset| process(reset, |process| process.cmdline.and_then(array))),
    ("process_uid", |reset| process(reset, |process| text(Some(process.uid)))),
    ("process_start_time", |reset| process(reset, |process| text(Some(process.start_time)))),
    ("owner_from", |reset| text(Some(reset.owner_from))),
    ("other_holders", |reset| array(&reset.other_holders)),
    ("kernel_socket", |reset| text(Some(reset.kernel_socket))),
    ("exit_kind", |reset| exit(reset, |exit| text(Some(exit.kind)))),
    ("exit_value", |reset| exit(reset, |exit| text(Some(exit.value)))),
    ("actor_pid", |reset| actor(reset, |process| text(Some(process.pid)))),
    ("actor_comm", |reset| actor(reset, |process| text(Some(process.comm)))),
    ("actor_exe", |reset| actor(reset, |process| text(process.exe))),
    ("actor_cmdline", |reset| actor(reset, |process| process.cmdline.and_then(array))),
    ("actor_uid", |reset| actor(reset, |process| text(Some(process.uid)))),
    ("actor_start_time", |reset| actor(reset, |process| text(Some(process.start_time)))),
    ("workload_kind", |reset| workload(reset, |workload| text(Some(workload.kind)))),
    ("workload_name", |reset| workload(reset, |workload| text(workload.name))),
    ("workload_container_id", |reset| workload(reset, |workload| text(workload.container_id))),
    ("workload_pod_uid", |reset| workload(reset, |workload| text(workload.pod_uid))),
    ("cgroup", |reset| text(reset.cgroup)),
    ("connection_role", |reset| connection(reset, |connection| text(connection.role))),
    ("connection_age_us", |reset| connection(reset, |connection| text(connection.age_us))),
    ("connection_idle_us", |reset| connection(reset, |connection| text(connection.idle_us))),
    ("connection_since_sent_us", |reset| connection(reset, |connection| text(connection.since_sent_us))),
    ("connection_since_received_us", |reset| connection(reset, |connection| text(connection.since_received_us))),
    ("connection_bytes_sent", |reset| connection(reset, |connection| text(connection.bytes_sent))),
    ("connection_bytes_acked", |reset| connection(reset, |connection| text(connection.bytes_acked))),
    ("connection_bytes_received", |reset| connection(reset, |connection| text(connection.bytes_received))),
    ("connection_unacked_bytes", |reset| connection(reset, |connection| text(connection.unacked_bytes))),
    ("connection_unread_bytes", |reset| connection(reset, |connection| text(connection.unread_bytes))),
    ("connection_srtt_us", |reset| connection(reset, |connection| text(connection.srtt_us))),
    ("connection_retransmits", |reset| connection(reset, |connection| text(connection.retransmits))),
    ("gone_was", |reset| gone(reset, |gone| text(Some(gone.was)))),
    ("gone_closed_us", |reset| gone(reset, |gone| text(Some(gone.closed_us)))),
    ("trigger_flags", |reset| trigger(reset, |trigger| text(Some(trigger.flags)))),
    ("trigger_payload_bytes", |reset| trigger(reset, |trigger| text(Some(trigger.payload_bytes)))),
    ("trigger_seq", |reset| trigger(reset, |trigger| text(Some(trigger.seq)))),
    ("trigger_ack", |reset| trigger(reset, |trigger| text(Some(trigger.ack)))),
    ("trigger_window", |reset| trigger(reset, |trigger| text(Some(trigger.window)))),
    ("trigger_ttl", |reset| trigger(reset, |trigger| text(Some(trigger.ttl)))),
    ("trigger_ip_id", |reset| trigger(reset, |trigger| text(trigger.ip_id))),
    ("trigger_netfilter_hook", |reset| trigger(reset, |trigger| text(trigger.netfilter_hook))),
    ("rst_ttl", |reset| rst(reset, |rst| text(Some(rst.ttl)))),
    ("rst_flags", |reset| rst(reset, |rst| text(Some(rst.flags)))),
    ("rst_seq", |reset| rst(reset, |rst| text(Some(rst.seq)))),
    ("rst_ack", |reset| rst(reset, |rst| text(Some(rst.ack)))),
    ("rst_window", |reset| rst(reset, |rst| text(Some(rst.window)))),
    ("counterpart_id", |reset| counterpart(reset, |end| text(Some(end.id)))),
    ("counterpart_direction", |reset| counterpart(reset, |end| text(Some(end.direction)))),
    ("counterpart_kernel_reason", |reset| counterpart(reset, |end| text(end.kernel_reason))),
    ("counterpart_state", |reset| counterpart(reset, |end| text(end.state))),
    ("counterpart_netns", |reset| counterpart(reset, |end| text(end.netns))),
    ("counterpart_errno", |reset| counterpart(reset, |end| text(end.errno))),
    ("counterpart_process_pid", |reset| counterpart_process(reset, |process| text(Some(process.pid)))),
    ("counterpart_process_comm", |reset| counterpart_process(reset, |process| text(Some(process.comm)))),
    ("counterpart_process_exe", |reset| counterpart_process(reset, |process| text(process.exe))),
    ("counterpart_process_cmdline", |reset| counterpart_process(reset, |process| process.cmdline.and_then(array))),
    ("counterpart_process_uid", |reset| counterpart_process(reset, |process| text(Some(process.uid)))),
    ("counterpart_process_start_time", |reset| counterpart_process(reset, |process| text(Some(process.start_time)))),
    ("counterpart_owner_from", |reset| counterpart(reset, |end| text(Some(end.owner_from)))),
    ("counterpart_cause", |reset| counterpart(reset, |end| text(end.cause))),
    ("incident", |reset| text(reset.incident)),
    ("cause", |reset| text(reset.cause)),
    ("confidence", |reset| text(reset.confidence)),
    ("evidence", |reset| reset.evidence.as_deref().and_then(array)),
    ("summary", |reset| text(reset.summary.as_deref())),
    ("advice", |reset| text(reset.advice)),
];

/// Writes the names of the columns.
pub(super) fn write_header(to: &mut impl Write) -> io::Result<()> {
    write_row(COLUMNS.iter().map(|(name, _)| *name), to)
}

/// Writes an event as a row.
pub(super) fn write(event: &ResetEvent, host: &str, to: &mut impl Write) -> io::Result<()> {
    let reset = Reset::new(event, host);
    write_row(COLUMNS.iter().map(|(_, value)| value(&reset).unwrap_or_default()), to)
}

fn write_row<T: AsRef<[u8]>>(cells: impl Iterator<Item = T>, to: &mut impl Write) -> io::Result<()> {
    let mut writer = ::csv::Writer::from_writer(to);
    writer.write_record(cells)?;
    writer.flush()
}

fn process(reset: &Reset<'_>, value: fn(&Owner<'_>) -> Option<String>) -> Option<String> {
    reset.process.as_ref().and_then(value)
}

fn exit(reset: &Reset<'_>, value: fn(&Ended) -> Option<String>) -> Option<String> {
    reset.exit.as_ref().and_then(value)
}

fn gone(reset: &Reset<'_>, value: fn(&Remains) -> Option<String>) -> Option<String> {
    reset.gone.as_ref().and_then(value)
}

fn actor(reset: &Reset<'_>, value: fn(&Owner<'_>) -> Option<String>) -> Option<String> {
    reset.actor.as_ref().and_then(value)
}

fn workload(reset: &Reset<'_>, value: fn(&Group<'_>) -> Option<String>) -> Option<String> {
    reset.workload.as_ref().and_then(value)
}

fn counterpart(reset: &Reset<'_>, value: fn(&OtherEnd<'_>) -> Option<String>) -> Option<String> {
    reset.counterpart.as_ref().and_then(value)
}

fn counterpart_process(reset: &Reset<'_>, value: fn(&Owner<'_>) -> Option<String>) -> Option<String> {
    reset.counterpart.as_ref().and_then(|end| end.process.as_ref()).and_then(value)
}

fn connection(reset: &Reset<'_>, value: fn(&Measures) -> Option<String>) -> Option<String> {
    reset.connection.as_ref().and_then(value)
}

fn trigger(reset: &Reset<'_>, value: fn(&Packet) -> Option<String>) -> Option<String> {
    reset.trigger.as_ref().and_then(value)
}

fn rst(reset: &Reset<'_>, value: fn(&Header) -> Option<String>) -> Option<String> {
    reset.rst.as_ref().and_then(value)
}

fn text(value: Option<impl ToString>) -> Option<String> {
    value.map(|value| escape(&value.to_string()).into_owned())
}

fn array(values: &[impl Serialize]) -> Option<String> {
    let mut bytes = Vec::new();
    json::write_value(&values, &mut bytes).ok()?;
    String::from_utf8(bytes).ok()
}
