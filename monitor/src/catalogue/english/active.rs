//! Resets that a host sends by itself, in English.

use super::Texts;

pub(super) static CLOSE_UNREAD: Texts = Texts {
    title: "Closed with received data unread",
    what_happened: "A program closed its socket while data that had arrived was still unread. The kernel \
        could not deliver that data any more, so it sent a RST instead of a normal end (FIN).",
    why_it_happens: "The program thought it was done before it had read everything. Typical are a server \
        that answers without reading the whole request body (413, 401; gunicorn and many small servers do \
        this), a client that stops in the middle of a response (curl piped into head, requests with \
        stream=True), and a TLS close_notify left unread, which is harmless. The RST can destroy a response \
        that is still on its way, so that the other end sees ECONNRESET instead of the answer.",
    advice_here: "Read to the end of the data before closing: the whole request body or response, up to a \
        limit. If the rest is not wanted, send the answer, call shutdown(SHUT_WR), read and discard for a \
        short time, then close.",
    advice_there: "Send nothing that will not be read: no body beyond Content-Length, no further request \
        after `Connection: close`. When an upload fails with ECONNRESET, still try to read: an early answer \
        may have arrived.",
    confirm: "`strace -f -e trace=read,recvfrom,shutdown,close -p PID` shows the close() without a read that \
        returned 0 before it. `nstat -az TcpExtTCPAbortOnClose` on the same host counts these closes.",
};

pub(super) static PROCESS_EXIT: Texts = Texts {
    title: "The program ended with the connection open",
    what_happened: "The process that owned the connection ended, and the kernel closed its sockets. It sends \
        a RST, not a normal end (FIN), where received data was unread or where the program had set SO_LINGER \
        to 0.",
    why_it_happens: "The process crashed, the kernel killed it for lack of memory (OOM), or it was stopped \
        with SIGKILL: systemd does this after TimeoutStopSec (90 s), Kubernetes after \
        terminationGracePeriodSeconds (30 s), gunicorn to a worker that exceeds --timeout (30 s). All its \
        connections end at the same moment, and their requests stay unanswered. A program that simply calls \
        exit() with work in hand looks the same.",
    advice_here: "Find out why it ended: exit status, signal, kernel log, core dump. For planned stops, \
        handle SIGTERM: stop accepting, finish what is open, close, then exit, all within the grace period.",
    advice_there: "Expect this at deployments and crashes: repeat idempotent requests on a fresh connection, \
        best to another instance. A request may have been processed in part.",
    confirm: "`journalctl -k -g 'Out of memory|oom-kill|segfault'`, `systemctl status UNIT` and `coredumpctl \
        list` show how it ended; in Kubernetes, `kubectl describe pod POD` shows OOMKilled and exit codes.",
};

pub(super) static LINGER_ZERO: Texts = Texts {
    title: "Closed with SO_LINGER 0, which asks for a RST",
    what_happened: "A program closed the connection with the socket option SO_LINGER set to 0 seconds. That \
        asks for a RST at once: unsent data is thrown away, and no TIME_WAIT remains.",
    why_it_happens: "Programs do it on purpose, to end a broken or unwanted connection quickly or to avoid \
        TIME_WAIT: HAProxy in health checks and with `option nolinger`, nginx with \
        `reset_timedout_connection on`, Go with SetLinger(0), Java with setSoLinger(true, 0), Node.js with \
        resetAndDestroy(), and load generators. For a health check or an aborted transfer it is harmless. As \
        the way to close ordinary connections it loses data.",
    advice_here: "If it hits ordinary connections, remove the option and close normally. TIME_WAIT is \
        harmless; if it uses up ports, reuse connections instead. If the abort is meant, nothing needs \
        fixing.",
    advice_there: "If it comes from a health check, ignore it. Otherwise take the connection as aborted: \
        data may be missing, and what was sent may not have been read.",
    confirm: "`strace -f -e trace=setsockopt,close -p PID` shows SO_LINGER with {l_onoff=1, l_linger=0} and \
        then close().",
};

pub(super) static DISCONNECT: Texts = Texts {
    title: "The program disconnected the socket itself",
    what_happened: "A program called connect() with the address family AF_UNSPEC on an open connection. That \
        dissolves the connection while the socket stays usable, and the kernel sends a RST.",
    why_it_happens: "The call is rare: code in C that uses one socket for several connections, test suites, \
        and fuzzers such as syzkaller. Unsent data is lost, as with SO_LINGER 0.",
    advice_here: "To end a connection normally, call shutdown() and close(), and open a new socket for the \
        next one. After the call the same socket may report ECONNRESET once.",
    advice_there: "The connection was given up on purpose; open a new one. Data under way may be lost in \
        both directions.",
    confirm: "`strace -f -e trace=connect -p PID` shows connect() with sa_family=AF_UNSPEC on the open \
        socket.",
};

pub(super) static SOCKET_KILLED: Texts = Texts {
    title: "Somebody destroyed the socket from outside",
    what_happened: "No program closed the connection: another process on the host told the kernel to destroy \
        the socket. The kernel sent a RST, and the socket's owner gets ECONNABORTED.",
    why_it_happens: "The means are `ss -K`, other users of the kernel's SOCK_DESTROY, and BPF programs with \
        bpf_sock_destroy(). Administrators and failover scripts end connections in this way; Cilium ends \
        those to removed backends, and Android those of a network that is gone.",
    advice_here: "Ask whoever ran the tool; resetmon names that process as the actor. The owner did nothing \
        wrong, but it should take ECONNABORTED for a lost connection and reconnect.",
    advice_there: "The connection was ended on purpose by an administrator or by system software; reconnect \
        if it is still needed.",
    confirm: "`resetmon watch --cause socket_killed -o json` shows the process under actor. `journalctl -t \
        sudo -g 'ss .*-K'` shows who ran the tool through sudo.",
};

pub(super) static LISTENER_CLOSED: Texts = Texts {
    title: "The server stopped before accepting the connection",
    what_happened: "A connection was complete and waiting to be accepted when the program closed its \
        listening socket. The kernel reset it; the program had never seen it.",
    why_it_happens: "The server stopped, restarted or crashed while clients were queued. With SO_REUSEPORT \
        every worker has a queue of its own: the exit of one worker, or a reload of nginx with `reuseport`, \
        drops what waits in that queue. Busy servers lose the most.",
    advice_here: "Keep the listening socket open across restarts: systemd socket activation, or a reload \
        instead of a restart. With SO_REUSEPORT, `sysctl -w net.ipv4.tcp_migrate_req=1` (Linux 5.14 and \
        later) lets another listener take over the queue. Before a stop, take the server out of the load \
        balancer and accept what is queued.",
    advice_there: "Retry on a new connection: the server's program never saw the request.",
    confirm: "`journalctl -u UNIT` shows a stop or restart at the time of the reset; `ss -ltnp 'sport = \
        :PORT'` shows a new process, or none.",
};

pub(super) static KEEPALIVE_TIMEOUT: Texts = Texts {
    title: "The peer did not answer keepalive probes",
    what_happened: "The connection was idle, and the peer did not answer the TCP keepalive probes. The \
        kernel gave the connection up, sent a last RST, and reports ETIMEDOUT to the program.",
    why_it_happens: "The peer lost its power or its network, or a firewall or NAT gateway has forgotten the \
        idle connection and silently drops its packets. By default Linux probes after 2 hours, 9 times 75 s \
        apart; programs choose shorter times (Go 15 s, PostgreSQL with `tcp_keepalives_idle`), and \
        TCP_USER_TIMEOUT can end it sooner.",
    advice_here: "The detection worked as meant: reconnect. If it always hits connections that were idle for \
        some minutes, probe more often than the firewall forgets, for example with \
        `net.ipv4.tcp_keepalive_time=60` or the socket option TCP_KEEPIDLE.",
    advice_there: "See whether the host that did not answer was up and reachable at that time. If it was, \
        something on the way dropped the packets: look at the idle timeout of firewalls and NAT. The program \
        on that host does not know yet that the connection is lost; it needs keepalive too.",
    confirm: "`ss -tno dst ADDRESS` shows timer:(keepalive,…) and its probes on connections that still live; \
        `nstat -az TcpExtTCPKeepAlive TcpExtTCPAbortOnTimeout` counts probes and timeouts; `ping ADDRESS` \
        shows whether the peer can be reached.",
};

pub(super) static ORPHAN_TIMEOUT: Texts = Texts {
    title: "The peer did not close its side in time",
    what_happened: "A program had closed its connection, and the peer confirmed that but had not closed its \
        own side. The kernel waited no longer and ended the connection with a RST.",
    why_it_happens: "Normally the kernel waits for the peer as long as `net.ipv4.tcp_fin_timeout` says (60 \
        s) and then forgets the connection quietly. A RST means that the program set TCP_LINGER2 to a \
        negative value, which asks not to wait, or in rare cases that the time ran out. The peer's program \
        may just be slower, or it leaks connections: it does not close a socket after the end of the data, \
        so that the socket stays in CLOSE_WAIT.",
    advice_here: "Normally nothing is lost, for the program was done. If it sets TCP_LINGER2 to a negative \
        value, remove that, so that peers have time to close.",
    advice_there: "Close a socket as soon as read() returns 0 bytes. Many sockets in CLOSE_WAIT are a leak.",
    confirm: "`strace -f -e trace=setsockopt,close -p PID` shows whether the program sets TCP_LINGER2. `ss \
        -tnp state close-wait` on the end that received the RST lists sockets that were not closed, with \
        their process.",
};

pub(super) static MEMORY_PRESSURE: Texts = Texts {
    title: "The kernel had no memory left for TCP",
    what_happened: "The kernel gave up a connection that its program had already closed, to save memory. It \
        sent a RST instead of finishing the connection, so data that had not been delivered is lost.",
    why_it_happens: "After close() the kernel still delivers what is left. Many slow or dead peers, an \
        attack, or a proxy with very many short connections let such orphans pile up, until their number \
        passes `net.ipv4.tcp_max_orphans` or TCP's memory passes `net.ipv4.tcp_mem`. Both limits depend on \
        the memory of the machine.",
    advice_here: "Find out who holds so many connections or so much unsent data, and limit clients and send \
        buffers. Raise `net.ipv4.tcp_max_orphans` or `net.ipv4.tcp_mem` only if the machine has the memory.",
    advice_there: "The receiver of the RST did nothing wrong, unless it reads very slowly. A retry helps \
        only when the shortage is over.",
    confirm: "`journalctl -k -g 'too many orphaned|consider tuning tcp_mem'` shows the kernel's warning, \
        `nstat -az TcpExtTCPAbortOnMemory` counts, and `cat /proc/net/sockstat` shows orphans and memory in \
        use.",
};

pub(super) static MPTCP: Texts = Texts {
    title: "Multipath TCP ended one of its subflows",
    what_happened: "Multipath TCP (MPTCP) reset one of the TCP subflows that make up a connection. The \
        program's connection goes on over its other subflows, if it has any.",
    why_it_happens: "A subflow is reset when a firewall or proxy on its path changes or removes the options \
        of MPTCP, when the path performs too badly, when a network interface goes away, or when the whole \
        connection is aborted. Laptops and phones that move between Wi-Fi and mobile networks meet it daily.",
    advice_here: "Nothing, if the program saw no error. If every subflow fails, look for a device on the \
        path that removes MPTCP options, and check `ip mptcp endpoint show` and `ip mptcp limits show`.",
    advice_there: "See that the firewall lets further subflows in: they come from other addresses and may \
        use another port.",
    confirm: "`nstat -az MPTcpExtMPRstTx MPTcpExtMPRstRx` counts these resets, `ss -M` lists MPTCP \
        connections, and `ip mptcp monitor` shows subflows as they come and go.",
};
