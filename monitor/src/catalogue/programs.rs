//! How resets look in programs: which error a cause leaves, and how programming languages show that error.

use super::Symptom;
use crate::{cause::Cause, model::Errno};

/// How programs show the error.
pub(super) fn symptoms(errno: Errno) -> &'static [Symptom; 6] {
    match errno {
        Errno::ConnectionReset => &CONNECTION_RESET,
        Errno::ConnectionRefused => &CONNECTION_REFUSED,
        Errno::BrokenPipe => &BROKEN_PIPE,
        Errno::TimedOut => &TIMED_OUT,
        Errno::ConnectionAborted => &CONNECTION_ABORTED,
    }
}

/// The errors that the local program may see first, the usual one first.
pub(super) fn errnos(cause: Cause) -> &'static [Errno] {
    match cause {
        // Without a socket, with one that its program has closed or never accepted, or with one that tries
        // again, nobody is told.
        Cause::ClosedPort
        | Cause::PortScan
        | Cause::StaleConnection
        | Cause::ConntrackBypass
        | Cause::CancelledConnect
        | Cause::CloseUnread
        | Cause::ProcessExit
        | Cause::LingerZero
        | Cause::ListenerClosed
        | Cause::AcceptOverflow
        | Cause::InvalidSyn
        | Cause::BadHandshakeAck
        | Cause::OrphanTimeout
        | Cause::MemoryPressure
        | Cause::ResetAfterClose => &[],
        // Of data after its close a program is told only where it has shut the socket down and keeps it open.
        Cause::LateData
        | Cause::KeepaliveRace
        | Cause::Disconnect
        | Cause::Mptcp
        | Cause::RefusedInHandshake
        | Cause::PeerIdleTimeout
        | Cause::PeerResetRequest
        | Cause::PeerResetResponse
        | Cause::PeerResetUpload
        | Cause::PeerResetEarly => &[Errno::ConnectionReset],
        // The peer's FIN may come between the request and the reset.
        Cause::PeerKeepaliveRace => &[Errno::ConnectionReset, Errno::BrokenPipe],
        Cause::SocketKilled => &[Errno::ConnectionAborted],
        Cause::KeepaliveTimeout => &[Errno::TimedOut],
        Cause::ConnectionRefused => &[Errno::ConnectionRefused],
        Cause::ResetAfterPeerClose => &[Errno::BrokenPipe],
        Cause::FirewallReject | Cause::Injected => BY_STATE,
        Cause::Unknown => &Errno::ALL,
    }
}

/// The errors that the receiver's program may see first, the usual one first.
pub(super) fn errnos_of_receiver(cause: Cause) -> &'static [Errno] {
    match cause {
        Cause::ClosedPort | Cause::PortScan => &[Errno::ConnectionRefused],
        // A client that is still connecting takes the reset for a refusal.
        Cause::InvalidSyn => &[Errno::ConnectionRefused, Errno::ConnectionReset],
        // The handshake was not complete at the receiver.
        Cause::CancelledConnect => &[],
        Cause::StaleConnection
        | Cause::ConntrackBypass
        | Cause::BadHandshakeAck
        | Cause::AcceptOverflow
        | Cause::ListenerClosed
        | Cause::Disconnect
        | Cause::SocketKilled
        | Cause::KeepaliveTimeout
        | Cause::Mptcp => &[Errno::ConnectionReset],
        // The sender's FIN came before the reset, and the receiver has not closed.
        Cause::OrphanTimeout => &[Errno::BrokenPipe],
        Cause::LateData | Cause::KeepaliveRace => &[Errno::BrokenPipe, Errno::ConnectionReset],
        Cause::CloseUnread | Cause::ProcessExit | Cause::LingerZero | Cause::MemoryPressure => {
            &[Errno::ConnectionReset, Errno::BrokenPipe]
        }
        Cause::FirewallReject
        | Cause::ConnectionRefused
        | Cause::RefusedInHandshake
        | Cause::PeerIdleTimeout
        | Cause::PeerKeepaliveRace
        | Cause::PeerResetRequest
        | Cause::PeerResetResponse
        | Cause::PeerResetUpload
        | Cause::PeerResetEarly
        | Cause::ResetAfterPeerClose
        | Cause::ResetAfterClose
        | Cause::Injected
        | Cause::Unknown => errnos(cause),
    }
}

/// What a received RST leaves: on an open socket, on one that is connecting, on one whose peer has closed.
const BY_STATE: &[Errno] = &[Errno::ConnectionReset, Errno::ConnectionRefused, Errno::BrokenPipe];

static CONNECTION_RESET: [Symptom; 6] = [
    Symptom { language: "Python", text: "ConnectionResetError: [Errno 104] Connection reset by peer" },
    Symptom {
        language: "requests / http.client",
        text: "requests.exceptions.ConnectionError: ('Connection aborted.', ConnectionResetError(104, \
            'Connection reset by peer')); requests.exceptions.ChunkedEncodingError: (\"Connection broken: \
            ConnectionResetError(104, 'Connection reset by peer')\", …); http.client: ConnectionResetError",
    },
    Symptom { language: "Go", text: "read: connection reset by peer; errors.Is(err, syscall.ECONNRESET)" },
    Symptom {
        language: "Java",
        text: "java.net.SocketException: Connection reset; java.io.IOException: Connection reset by peer",
    },
    Symptom { language: "Node.js", text: "Error: read ECONNRESET; err.code === 'ECONNRESET'" },
    Symptom {
        language: "Rust",
        text: "Connection reset by peer (os error 104); std::io::ErrorKind::ConnectionReset",
    },
];

static CONNECTION_REFUSED: [Symptom; 6] = [
    Symptom { language: "Python", text: "ConnectionRefusedError: [Errno 111] Connection refused" },
    Symptom {
        language: "requests / http.client",
        text: "requests.exceptions.ConnectionError: … Max retries exceeded with url: … Failed to establish a \
            new connection: [Errno 111] Connection refused; http.client: ConnectionRefusedError",
    },
    Symptom {
        language: "Go",
        text: "dial tcp …: connect: connection refused; errors.Is(err, syscall.ECONNREFUSED)",
    },
    Symptom { language: "Java", text: "java.net.ConnectException: Connection refused" },
    Symptom { language: "Node.js", text: "Error: connect ECONNREFUSED …; err.code === 'ECONNREFUSED'" },
    Symptom {
        language: "Rust",
        text: "Connection refused (os error 111); std::io::ErrorKind::ConnectionRefused",
    },
];

static BROKEN_PIPE: [Symptom; 6] = [
    Symptom { language: "Python", text: "BrokenPipeError: [Errno 32] Broken pipe" },
    Symptom {
        language: "requests / http.client",
        text: "requests.exceptions.ConnectionError: ('Connection aborted.', BrokenPipeError(32, 'Broken \
            pipe')); requests.exceptions.ConnectionError: ('Connection aborted.', RemoteDisconnected('Remote \
            end closed connection without response')); http.client: BrokenPipeError, RemoteDisconnected",
    },
    Symptom { language: "Go", text: "write: broken pipe; errors.Is(err, syscall.EPIPE)" },
    Symptom {
        language: "Java",
        text: "java.net.SocketException: Broken pipe; java.io.IOException: Broken pipe",
    },
    Symptom { language: "Node.js", text: "Error: write EPIPE; err.code === 'EPIPE'" },
    Symptom { language: "Rust", text: "Broken pipe (os error 32); std::io::ErrorKind::BrokenPipe" },
];

static TIMED_OUT: [Symptom; 6] = [
    Symptom { language: "Python", text: "TimeoutError: [Errno 110] Connection timed out" },
    Symptom {
        language: "requests / http.client",
        text: "requests.exceptions.ConnectionError: ('Connection aborted.', TimeoutError(110, 'Connection \
            timed out')); http.client: TimeoutError",
    },
    Symptom { language: "Go", text: "read: connection timed out; errors.Is(err, syscall.ETIMEDOUT)" },
    Symptom {
        language: "Java",
        text: "java.net.SocketException: Connection timed out; java.io.IOException: Connection timed out",
    },
    Symptom { language: "Node.js", text: "Error: read ETIMEDOUT; err.code === 'ETIMEDOUT'" },
    Symptom { language: "Rust", text: "Connection timed out (os error 110); std::io::ErrorKind::TimedOut" },
];

static CONNECTION_ABORTED: [Symptom; 6] = [
    Symptom {
        language: "Python",
        text: "ConnectionAbortedError: [Errno 103] Software caused connection abort",
    },
    Symptom {
        language: "requests / http.client",
        text: "requests.exceptions.ConnectionError: ('Connection aborted.', ConnectionAbortedError(103, \
            'Software caused connection abort')); http.client: ConnectionAbortedError",
    },
    Symptom {
        language: "Go",
        text: "read: software caused connection abort; errors.Is(err, syscall.ECONNABORTED)",
    },
    Symptom {
        language: "Java",
        text: "java.net.SocketException: Software caused connection abort; java.io.IOException: Software \
            caused connection abort",
    },
    Symptom { language: "Node.js", text: "Error: read ECONNABORTED; err.code === 'ECONNABORTED'" },
    Symptom {
        language: "Rust",
        text: "Software caused connection abort (os error 103); std::io::ErrorKind::ConnectionAborted",
    },
];
