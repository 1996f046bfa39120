//! The scenarios as data: what the two actors do, and what must be seen of it. Addresses are placeholders: `{server}`
//! stands for what the server's first `listen` was given.

use crate::{
    cause::Cause,
    model::{
        Direction::{self, Received, Sent},
        TcpState,
    },
};

/// One of the two actors.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Who {
    Client,
    Server,
}

/// One command to one actor.
#[derive(Debug, Clone, Copy)]
pub(super) struct Step {
    pub(super) who: Who,
    pub(super) command: &'static str,
    pub(super) outcome: Outcome,
}

/// What a command must come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    Done,
    Fails(&'static str),
}

/// An event that must be seen.
#[derive(Debug, Clone, Copy)]
pub(super) struct Expected {
    pub(super) direction: Direction,
    pub(super) state: Option<TcpState>,
    /// For sent resets, where the kernel tells.
    pub(super) reason: Option<&'static str>,
    pub(super) whose: Option<Who>,
    /// What it must be diagnosed as by itself; a received one whose sender is known has the sender's.
    pub(super) cause: Cause,
}

/// A way to make a reset.
#[derive(Debug)]
pub(super) struct Scenario {
    pub(super) title: &'static str,
    pub(super) steps: &'static [Step],
    pub(super) events: &'static [Expected],
}

const fn client(command: &'static str) -> Step {
    Step { who: Who::Client, command, outcome: Outcome::Done }
}

const fn server(command: &'static str) -> Step {
    Step { who: Who::Server, command, outcome: Outcome::Done }
}

impl Step {
    const fn fails(self, errno: &'static str) -> Self {
        Self { outcome: Outcome::Fails(errno), ..self }
    }
}

const fn sent(reason: &'static str, state: Option<TcpState>, whose: Who, cause: Cause) -> Expected {
    Expected { direction: Sent, state, reason: Some(reason), whose: Some(whose), cause }
}

const fn received(state: TcpState, whose: Who, cause: Cause) -> Expected {
    Expected { direction: Received, state: Some(state), reason: None, whose: Some(whose), cause }
}

/// The port belongs to who listened there last.
const REFUSED: &[Expected] = &[
    sent("NO_SOCKET", None, Who::Server, Cause::ClosedPort),
    received(TcpState::SynSent, Who::Client, Cause::ConnectionRefused),
];

/// Every scenario, in the order in which they are played.
pub(super) const SCENARIOS: &[Scenario] = &[
    Scenario {
        title: "A client connects to a port where nobody listens any more: connect() fails with ECONNREFUSED.",
        steps: &[
            server("listen 127.0.0.1:0"),
            server("close-listener"),
            client("connect {server}").fails("ECONNREFUSED"),
        ],
        events: REFUSED,
    },
    Scenario {
        title: "The same over IPv6.",
        steps: &[
            server("listen [::1]:0"),
            server("close-listener"),
            client("connect {server}").fails("ECONNREFUSED"),
        ],
        events: REFUSED,
    },
    Scenario {
        title: "The server closes with SO_LINGER set to 0: the client's recv() fails with ECONNRESET.",
        steps: &[
            server("listen 127.0.0.1:0"),
            client("connect {server}"),
            server("accept"),
            server("linger 0"),
            server("close"),
            client("recv 1").fails("ECONNRESET"),
        ],
        events: &[
            sent("TCP_STATE", Some(TcpState::Established), Who::Server, Cause::LingerZero),
            received(TcpState::Established, Who::Client, Cause::PeerResetEarly),
        ],
    },
    Scenario {
        title: "The server closes without reading 1000 bytes that have come: the client's recv() fails with \
                ECONNRESET.",
        steps: &[
            server("listen 127.0.0.1:0"),
            client("connect {server}"),
            server("accept"),
            client("send 1000"),
            server("await 1000"),
            server("close"),
            client("recv 1").fails("ECONNRESET"),
        ],
        events: &[
            sent("TCP_ABORT_ON_CLOSE", Some(TcpState::Established), Who::Server, Cause::CloseUnread),
            received(TcpState::Established, Who::Client, Cause::PeerResetRequest),
        ],
    },
    Scenario {
        title: "The server has closed and its socket is gone (TIME_WAIT), but the client goes on sending.",
        steps: &[
            server("listen 127.0.0.1:0"),
            client("connect {server}"),
            server("accept"),
            server("shutdown write"),
            client("await-fin"),
            // Its acknowledgement brings the server to FIN_WAIT2, from where close() goes to TIME_WAIT at once.
            client("send 10"),
            server("recv 10"),
            server("close"),
            client("send 10"),
            client("await-error"),
        ],
        events: &[
            sent("TCP_TIMEWAIT_SOCKET", Some(TcpState::TimeWait), Who::Server, Cause::LateData),
            received(TcpState::CloseWait, Who::Client, Cause::ResetAfterPeerClose),
        ],
    },
    Scenario {
        title: "The server shuts down both directions and keeps the socket, but the client goes on sending.",
        steps: &[
            server("listen 127.0.0.1:0"),
            client("connect {server}"),
            server("accept"),
            server("shutdown both"),
            client("await-fin"),
            client("send 10"),
            client("await-error"),
        ],
        // The kernel claims a received reset at the server as well; it must not be shown.
        events: &[
            sent("TCP_ABORT_ON_DATA", Some(TcpState::FinWait2), Who::Server, Cause::LateData),
            received(TcpState::CloseWait, Who::Client, Cause::ResetAfterPeerClose),
        ],
    },
    Scenario {
        title: "The client resets a connection that the server has accepted, over IPv6: the server's recv() fails with \
                ECONNRESET.",
        steps: &[
            server("listen [::1]:0"),
            client("connect {server}"),
            server("accept"),
            client("linger 0"),
            client("close"),
            server("recv 1").fails("ECONNRESET"),
        ],
        events: &[
            sent("TCP_STATE", Some(TcpState::Established), Who::Client, Cause::LingerZero),
            received(TcpState::Established, Who::Server, Cause::PeerResetEarly),
        ],
    },
    Scenario {
        title: "The server's side is lost without a word, as in a crash of its host, and it listens again; the client \
                goes on sending.",
        steps: &[
            server("listen 127.0.0.1:0"),
            client("connect {server}"),
            server("accept"),
            server("silent-close"),
            server("close-listener"),
            server("listen {server}"),
            client("send 10"),
            client("recv 1").fails("ECONNRESET"),
        ],
        events: &[
            sent("TCP_FLAGS", Some(TcpState::Listen), Who::Server, Cause::StaleConnection),
            received(TcpState::Established, Who::Client, Cause::PeerResetRequest),
        ],
    },
    Scenario {
        title: "IPv6 sockets that talk IPv4 (v4-mapped addresses); the server closes without reading.",
        steps: &[
            server("listen [::ffff:127.0.0.1]:0 dual"),
            client("connect {server}"),
            server("accept"),
            client("send 10"),
            server("await 10"),
            server("close"),
            client("recv 1").fails("ECONNRESET"),
        ],
        events: &[
            sent("TCP_ABORT_ON_CLOSE", Some(TcpState::Established), Who::Server, Cause::CloseUnread),
            received(TcpState::Established, Who::Client, Cause::PeerResetRequest),
        ],
    },
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scenarios_are_whole() {
        assert!(SCENARIOS.len() >= 8);
        for scenario in SCENARIOS {
            let first = scenario.steps.first().expect("a step");
            assert!(first.who == Who::Server && first.command.starts_with("listen "), "{}", scenario.title);
            assert!(scenario.events.iter().any(|event| event.direction == Sent), "{}", scenario.title);
            assert!(scenario.events.iter().any(|event| event.direction == Received), "{}", scenario.title);
        }
    }

    #[test]
    fn titles_are_sentences() {
        for scenario in SCENARIOS {
            assert!(scenario.title.ends_with('.') && !scenario.title.contains("  "), "{}", scenario.title);
        }
    }

    #[test]
    fn causes_fit_their_direction() {
        for expected in SCENARIOS.iter().flat_map(|scenario| scenario.events) {
            assert!(expected.cause.directions().contains(&expected.direction), "{expected:?}");
        }
    }

    #[test]
    fn only_received_events_lack_a_reason() {
        for expected in SCENARIOS.iter().flat_map(|scenario| scenario.events) {
            assert_eq!(expected.reason.is_some(), expected.direction == Sent, "{expected:?}");
        }
    }
}
