//! The columns of the table of events, in their order, and the cells of one row. Names of enums, addresses and whoever
//! owned a socket stand in a row as numbers, which `dictionary` gives; lacks what they mean, which `row` knows.

use rusqlite::{
    ToSql,
    types::{ToSqlOutput, ValueRef},
};

macro_rules! columns {
    ($($variant:ident $name:literal,)*) => {
        /// A column.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(super) enum Column { $($variant,)* }

        impl Column {
            /// Every column, in the order of the table.
            pub(super) const ALL: [Self; [$($name),*].len()] = [$(Self::$variant,)*];

            /// Its name in the table.
            pub(super) const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }
        }
    };
}

columns! {
    Key "key",
    Shift "shift",
    Sequence "sequence",
    Direction "direction",
    Reason "reason",
    State "state",
    LocalAddress "local_addr",
    LocalPort "local_port",
    PeerAddress "peer_addr",
    PeerPort "peer_port",
    Netns "netns",
    Errno "errno",
    Process "process",
    OwnerFrom "owner_from",
    OtherHolders "other_holders",
    KernelSocket "kernel_socket",
    ExitKind "exit_kind",
    ExitValue "exit_value",
    Actor "actor",
    Workload "workload",
    Cgroup "cgroup",
    Connection "connection",
    Role "role",
    Age "age_us",
    Idle "idle_us",
    SinceSent "since_sent_us",
    SinceReceived "since_received_us",
    BytesSent "bytes_sent",
    BytesAcked "bytes_acked",
    BytesReceived "bytes_received",
    Unacked "unacked_bytes",
    Unread "unread_bytes",
    Srtt "srtt_us",
    Retransmits "retransmits",
    GoneWas "gone_was",
    GoneSince "gone_closed_us",
    TriggerFlags "trigger_flags",
    TriggerBytes "trigger_payload_bytes",
    TriggerSeq "trigger_seq",
    TriggerAck "trigger_ack",
    TriggerWindow "trigger_window",
    TriggerTtl "trigger_ttl",
    TriggerIpId "trigger_ip_id",
    TriggerHook "trigger_netfilter_hook",
    RstTtl "rst_ttl",
    RstFlags "rst_flags",
    RstSeq "rst_seq",
    RstAck "rst_ack",
    RstWindow "rst_window",
    OtherTime "counterpart_time",
    OtherSequence "counterpart_sequence",
    OtherDirection "counterpart_direction",
    OtherReason "counterpart_reason",
    OtherState "counterpart_state",
    OtherNetns "counterpart_netns",
    OtherErrno "counterpart_errno",
    OtherProcess "counterpart_process",
    OtherOwnerFrom "counterpart_owner_from",
    OtherCause "counterpart_cause",
    IncidentTime "incident_time",
    IncidentSequence "incident_sequence",
    Cause "cause",
    Confidence "confidence",
    Evidence "evidence",
}

/// One value of a row.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) enum Cell {
    /// Nothing is known.
    #[default]
    Null,
    /// A number; one beyond what `SQLite` has keeps its bits.
    Number(i64),
    /// An IPv6 address.
    Address([u8; 16]),
    /// Numbers, packed.
    Bytes(Vec<u8>),
}

/// The cells of one row, used again for the next one.
#[derive(Debug)]
pub(super) struct Cells([Cell; Column::ALL.len()]);

impl Cells {
    /// An empty row.
    pub(super) fn new() -> Self {
        Self(std::array::from_fn(|_| Cell::Null))
    }

    /// Empties the row.
    pub(super) fn clear(&mut self) {
        self.0.fill(Cell::Null);
    }

    /// Sets a cell.
    pub(super) fn set(&mut self, column: Column, cell: impl Into<Cell>) {
        self.0[column as usize] = cell.into();
    }

    /// Every cell with the number of its parameter, from 1.
    pub(super) fn parameters(&self) -> impl Iterator<Item = (usize, &Cell)> {
        self.0.iter().enumerate().map(|(index, cell)| (index + 1, cell))
    }
}

impl ToSql for Cell {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match self {
            Self::Null => ValueRef::Null,
            Self::Number(number) => ValueRef::Integer(*number),
            Self::Address(address) => ValueRef::Blob(address),
            Self::Bytes(bytes) => ValueRef::Blob(bytes),
        }))
    }
}

impl From<i64> for Cell {
    fn from(number: i64) -> Self {
        Self::Number(number)
    }
}

impl From<u64> for Cell {
    fn from(number: u64) -> Self {
        Self::Number(number.cast_signed())
    }
}

impl From<u32> for Cell {
    fn from(number: u32) -> Self {
        Self::Number(number.into())
    }
}

impl From<u16> for Cell {
    fn from(number: u16) -> Self {
        Self::Number(number.into())
    }
}

impl From<u8> for Cell {
    fn from(number: u8) -> Self {
        Self::Number(number.into())
    }
}

impl<T: Into<Self>> From<Option<T>> for Cell {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}
