//! What is made to happen: a row for each situation, with the script that makes its resets and tells whose they are.

/// One way in which connections come to be reset.
pub(crate) struct Situation {
    /// Short enough for a column.
    pub(crate) name: &'static str,
    pub(crate) stage: Stage,
}

/// Where a situation's script runs, and what it has to wait for.
pub(crate) enum Stage {
    /// In one namespace, on loopback.
    Loopback { script: &'static str, arguments: &'static [&'static str] },
    /// The same, with connections that are older than who watches.
    Older { script: &'static str },
    /// In two joined namespaces; when the near one has said so the link is cut.
    Joined { near: &'static str, far: &'static str, far_does: &'static str },
}

const FAR: &str = include_str!("scripts/far.py");

/// A situation on loopback whose script takes no arguments.
const fn loopback(name: &'static str, script: &'static str) -> Situation {
    Situation { name, stage: Stage::Loopback { script, arguments: &[] } }
}

/// All of them, the plain ones first.
pub(crate) const ALL: [Situation; 17] = [
    loopback("closed with unread data", include_str!("scripts/unread.py")),
    loopback("closed with linger 0", include_str!("scripts/linger.py")),
    loopback("refused, the listener is gone", include_str!("scripts/refused.py")),
    loopback("refused, nobody ever listened", include_str!("scripts/no_socket.py")),
    Situation {
        name: "across namespaces",
        stage: Stage::Joined { near: include_str!("scripts/near.py"), far: FAR, far_does: "reset" },
    },
    Situation {
        name: "prefork, 4 workers",
        stage: Stage::Loopback { script: include_str!("scripts/prefork.py"), arguments: &["looks"] },
    },
    Situation {
        name: "prefork, resets not noticed",
        stage: Stage::Loopback { script: include_str!("scripts/prefork.py"), arguments: &["keeps"] },
    },
    loopback("fork per connection", include_str!("scripts/fork_per_connection.py")),
    loopback("shared port (SO_REUSEPORT)", include_str!("scripts/reuse_port.py")),
    loopback("descriptor passed on (SCM_RIGHTS)", include_str!("scripts/passed.py")),
    Situation {
        name: "older than the agent",
        stage: Stage::Older { script: include_str!("scripts/older.py") },
    },
    loopback("threads", include_str!("scripts/threads.py")),
    loopback("data to TIME_WAIT", include_str!("scripts/time_wait.py")),
    loopback("never accepted, listener closed", include_str!("scripts/never_accepted.py")),
    loopback("killed with unread data", include_str!("scripts/killed.py")),
    loopback("reset, then killed", include_str!("scripts/reset_then_killed.py")),
    Situation {
        name: "keepalive timers",
        stage: Stage::Joined { near: include_str!("scripts/keepalive.py"), far: FAR, far_does: "keep" },
    },
];
