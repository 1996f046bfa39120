//! `PostgreSQL`, with psql: backends that an administrator ends, or the kernel. A backend is a process of its own, so a
//! client of one that ends is reset by a process that is gone.

use std::{
    fs,
    io::{BufRead as _, BufReader, Write as _},
    path::PathBuf,
    process::{ChildStdin, ChildStdout, Command},
};

use nix::sys::signal::Signal;
use resetmon_tests::{Daemon, Folder, Running};
use serde_json::json;

use crate::stage::{Stage, Who, signal};

const PORT: u16 = 5432;

/// A table that takes no row in any time: what a client copies to it waits in the backend's socket.
const SLOW_TABLE: &str = "
create table slow (line text);
create function wait() returns trigger language plpgsql as $$ begin perform pg_sleep(1000); return new; end $$;
create trigger wait before insert on slow for each row execute function wait();
";

/// Where Debian has the programs of the newest version that is installed.
fn program(name: &str) -> PathBuf {
    let versions = fs::read_dir("/usr/lib/postgresql").expect("PostgreSQL is installed");
    let programs = versions.filter_map(Result::ok).map(|version| version.path().join("bin").join(name));
    programs.filter(|path| path.is_file()).max().unwrap_or_else(|| panic!("PostgreSQL has no {name}"))
}

struct Server {
    stage: Stage,
    _daemon: Daemon,
}

/// A running psql.
struct Client {
    psql: Running,
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
    backend: u32,
}

impl Server {
    fn start() -> Self {
        let stage = Stage::new();
        let folder = Folder::new();
        let cluster = folder.path().join("cluster");
        let mut initdb = Command::new(program("initdb"));
        initdb.args(["--auth", "trust", "--username", "postgres", "--no-locale", "--no-sync", "--pgdata"]);
        let status =
            Running::start(Daemon::unprivileged(initdb.arg(&cluster).current_dir(folder.path()))).wait();
        assert!(status.success(), "initdb: {status}");
        let mut command = Command::new(program("postgres"));
        command.arg("-D").arg(&cluster).args(["-h", "127.0.0.1", "-k", "", "-F"]);
        let command = Daemon::unprivileged(&mut command);
        let mut daemon = Daemon::start(&stage.netns, command, folder, PORT, Signal::SIGQUIT);
        daemon.process().wait_for("ready to accept connections");
        Self { stage, _daemon: daemon }
    }

    fn psql(&self, arguments: &[&str]) -> Running {
        let mut command = Command::new(program("psql"));
        command.args(["-X", "-A", "-t", "-h", "127.0.0.1", "-U", "postgres"]).args(arguments);
        // No encryption is offered, and none is asked for: what is sent is what a test says.
        self.stage
            .netns
            .enter(|| Running::start(command.env("PGSSLMODE", "disable").env("PGGSSENCMODE", "disable")))
    }

    /// A client with a connection.
    fn client(&self) -> Client {
        let mut psql = self.psql(&[]);
        let (input, output) = (psql.take_input(), BufReader::new(psql.take_output()));
        let mut client = Client { psql, input: Some(input), output, backend: 0 };
        client.tell("select pg_backend_pid();");
        client.backend = client.line().parse().expect("a process id");
        client
    }

    /// Runs a statement as administrator.
    fn administer(&self, statement: &str) {
        let mut psql = self.psql(&["-v", "ON_ERROR_STOP=1", "-c", statement]);
        let status = psql.wait();
        assert!(status.success(), "{statement}: {}", psql.said());
    }

    /// A client that copies more than is read to a table, and its backend, which has not read it.
    fn copying_client(&self) -> Client {
        self.administer(SLOW_TABLE);
        let mut client = self.client();
        client.tell("\\copy slow from program 'yes | head -c 50000000'");
        self.administer(
            "do $$ begin
                 for _ in 1..1000 loop
                     exit when exists (select from pg_stat_activity where wait_event = 'PgSleep' and query like 'COPY%');
                     perform pg_sleep(0.01), pg_stat_clear_snapshot();
                 end loop;
             end $$",
        );
        client
    }

    /// The backend has ended with what it had not read, so it reset its client.
    fn judge_exit(&self, mut client: Client, how: &str, exit: &serde_json::Value) {
        let said = client.end();
        assert!(said.contains("server closed the connection unexpectedly"), "{said}");
        let [sent, received] = self.stage.judge(how, client.ends(), "process_exit", "certain");
        assert_eq!(&sent["exit"], exit, "{sent}");
        assert!(sent["connection"]["unread_bytes"].as_u64() > Some(0), "{sent}");
        assert_eq!(received["errno"], "ECONNRESET", "{received}");
    }
}

impl Client {
    fn tell(&mut self, line: &str) {
        let input = self.input.as_mut().expect("it is not at its end");
        writeln!(input, "{line}").expect("psql reads");
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.output.read_line(&mut line).expect("psql writes text");
        line.trim_end().to_owned()
    }

    /// Waits for its end: what it said.
    fn end(&mut self) -> String {
        self.input = None;
        self.psql.wait();
        self.psql.said()
    }

    /// Who sends a reset to whom.
    fn ends(&self) -> [Who<'static>; 2] {
        [Who { pid: self.backend, comm: "postgres" }, Who { pid: self.psql.pid(), comm: "psql" }]
    }
}

/// An idle client is told, and does not look: its next query comes too late. Its message says why, for that came first.
#[test]
fn pg_terminate_backend() {
    let server = Server::start();
    let mut client = server.client();
    server.administer(&format!("select pg_terminate_backend({}, 10000)", client.backend));
    client.tell("select 1;");
    let said = client.end();
    assert!(said.contains("FATAL:  terminating connection due to administrator command"), "{said}");
    assert!(said.contains("server closed the connection unexpectedly"), "{said}");
    let [sent, _] = server.stage.judge("pg_terminate_backend", client.ends(), "late_data", "certain");
    assert_eq!(sent["exit"], json!({"kind": "status", "value": 1}), "{sent}");
}

#[test]
fn pg_terminate_backend_during_copy() {
    let server = Server::start();
    let client = server.copying_client();
    server.administer(&format!("select pg_terminate_backend({}, 10000)", client.backend));
    let exit = json!({"kind": "status", "value": 1});
    server.judge_exit(client, "pg_terminate_backend during COPY", &exit);
}

/// What the kernel does to the largest process when memory is short.
#[test]
fn a_backend_is_killed_during_copy() {
    let server = Server::start();
    let client = server.copying_client();
    signal(client.backend, Signal::SIGKILL);
    let exit = json!({"kind": "signal", "value": 9});
    server.judge_exit(client, "killed backend of PostgreSQL", &exit);
}
