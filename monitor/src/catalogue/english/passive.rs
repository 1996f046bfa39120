//! Resets that a host sends in answer to a packet, in English.

use super::Texts;

pub(super) static CLOSED_PORT: Texts = Texts {
    title: "Nobody listens on this port",
    what_happened: "A SYN asked to open a connection to a port on which no program listens, so the kernel \
        refused it with a RST. The program that tried to connect sees ECONNREFUSED.",
    why_it_happens: "The service is not running, has not started yet or has just crashed, or it listens on \
        another port. It may also listen on another address only: a server bound to 127.0.0.1 cannot be \
        reached at the host's other addresses, and one bound to IPv4 refuses a `localhost` that resolves to \
        ::1. Health checks of load balancers, Prometheus and kubelet probes keep trying such a port until \
        something answers.",
    advice_here: "If the port should be open, start the service and see that it listens on the right \
        address: 0.0.0.0 or [::] rather than 127.0.0.1. If it should not, nothing is wrong: a RST is the \
        normal answer of a closed port.",
    advice_there: "Check the address and the port. If the service is only starting, wait for it with a \
        readiness check; retrying does not help while nobody listens.",
    confirm: "`ss -ltnp 'sport = :PORT'` on the host that refused lists the listeners of the port; no line \
        means that nobody listens. For a container, look in its network namespace: `nsenter -t PID -n ss \
        -ltnp`.",
};

pub(super) static PORT_SCAN: Texts = Texts {
    title: "One peer is trying many closed ports",
    what_happened: "One peer sent SYNs to many closed ports of the same host within seconds, and the kernel \
        refused each of them with a RST.",
    why_it_happens: "This is what a port scan looks like: nmap or masscan, a vulnerability scanner such as \
        Nessus or OpenVAS, or an attacker in search of services. Monitoring and service discovery that try a \
        list of ports look the same. The ports were closed, so no service was touched.",
    advice_here: "Find out whose address it is. If the scan is unwanted, drop its packets in the firewall or \
        limit their rate. Nothing in your programs needs a change.",
    advice_there: "If the scanner is yours, narrow its list of ports or hosts, and tell whoever runs the \
        scanned host.",
    confirm: "`tcpdump -ni any 'tcp and src host PEER'` shows SYNs of one peer to one port after another.",
};

pub(super) static STALE_CONNECTION: Texts = Texts {
    title: "A segment for a connection that is no longer known",
    what_happened: "A segment arrived that belongs to no connection the host knows, although its sender \
        believes the connection to be open. The kernel answered with a RST, and the sender's program sees \
        ECONNRESET.",
    why_it_happens: "One end lost the connection without being able to tell the other: the host crashed or \
        restarted, a container was removed together with its network, a virtual IP moved to another machine \
        at a failover, or a load balancer now sends the flow to another backend. The sender notices only \
        when it next sends, often hours later, from a pool of idle connections (HikariCP, SQLAlchemy, \
        PgBouncer, requests.Session).",
    advice_here: "Stop services so that they close their connections while the network still works (graceful \
        shutdown, connection draining), and let load balancers and virtual IPs move only new connections. \
        After a crash the RST is right: it tells the peer to reconnect.",
    advice_there: "Turn on TCP keepalive so that a dead connection is noticed before it is used, test pooled \
        connections before use (`pool_pre_ping` in SQLAlchemy, `keepaliveTime` in HikariCP), and repeat \
        idempotent requests on a fresh connection.",
    confirm: "`ss -tn dst ADDRESS` on both hosts: one lists the connection as ESTAB, the host that sent the \
        RST does not list it. `journalctl --list-boots` shows whether that host restarted.",
};

pub(super) static CONNTRACK_BYPASS: Texts = Texts {
    title: "A packet skipped address translation (NAT)",
    what_happened: "A packet for a connection of a container or another network namespace was not translated \
        by NAT and reached the host itself, which has no such connection. The host's kernel answered with a \
        RST, and that ends a healthy connection.",
    why_it_happens: "Connection tracking (conntrack) judged the packet INVALID, for example because after a \
        loss its sequence number lay outside the expected window, and NAT leaves INVALID packets as they \
        are. Kubernetes nodes and Docker hosts meet this with large transfers under load; kube-proxy drops \
        INVALID packets among the forwarded ones for this reason. A full conntrack table, or packets that \
        come back on another path, have the same effect.",
    advice_here: "Drop such packets before they reach the host's own TCP: `iptables -I INPUT -m conntrack \
        --ctstate INVALID -j DROP`; or make conntrack lenient: `sysctl -w \
        net.netfilter.nf_conntrack_tcp_be_liberal=1`. See that its table is not full: `sysctl \
        net.netfilter.nf_conntrack_count net.netfilter.nf_conntrack_max`.",
    advice_there: "The program that saw the error did nothing wrong. Until the host that sent the RST is \
        fixed, repeat idempotent requests on a new connection.",
    confirm: "`conntrack -S` counts packets as `invalid`; the number grows with these resets. `sysctl -w \
        net.netfilter.nf_conntrack_log_invalid=6` writes each of them to the kernel log, where `journalctl \
        -k -g nf_ct_proto` finds them.",
};

pub(super) static CANCELLED_CONNECT: Texts = Texts {
    title: "The client gave up before the answer came",
    what_happened: "A SYN-ACK arrived for a connection attempt that no longer exists: the program had closed \
        its socket while it was still connecting. The kernel answered with a RST so that the server forgets \
        the attempt.",
    why_it_happens: "A connect timeout shorter than the round trip or than the first retransmission of a SYN \
        (1 s) does this. So do clients that try several addresses at once and keep the first to answer, as \
        browsers and curl do (Happy Eyeballs), programs that exit while connecting, and scanners that make \
        their own SYNs (nmap -sS). If no program on the host tried to connect, somebody else is sending SYNs \
        in its name.",
    advice_here: "Usually nothing: an abandoned attempt ends this way. If it happens to attempts that \
        matter, raise the connect timeout above 3 s, so that two lost SYNs do not end them, and find out why \
        the server answers slowly.",
    advice_there: "Nothing needs fixing, and no program was told. If the SYN-ACKs are late, look at the load \
        of the server and at the path to it.",
    confirm: "`tcpdump -ni any 'host PEER and port PORT'` shows SYN, SYN-ACK, then RST; the time between the \
        first two is how long the client would have had to wait.",
};

pub(super) static LATE_DATA: Texts = Texts {
    title: "Data came after the program had closed",
    what_happened: "A program closed its connection, and afterwards more data arrived for it. Nobody could \
        read that data any more, so the kernel answered with a RST.",
    why_it_happens: "One end was still sending when the other thought it was done. Typical are a server that \
        sends an early error response (413, 401) and closes during an upload, a download that the client \
        abandons, and a TLS close_notify that arrives after the close, which is harmless. The RST can \
        destroy a response that the sender of the data has not read yet.",
    advice_here: "Do not close while the peer is still sending: send the response, call shutdown(SHUT_WR), \
        read and discard until the end of the data or a time limit, and only then close. nginx does this \
        with `lingering_close`. If only the last bytes of TLS or of an abandoned download are affected, \
        nothing needs fixing.",
    advice_there: "Read while sending: an error response often comes before the upload is complete, and then \
        sending on is pointless. Before large uploads, ask with `Expect: 100-continue`.",
    confirm: "`tcpdump -ni any 'host PEER and port PORT'` shows the FIN of the end that closed, then data of \
        the other end, then the RST.",
};

pub(super) static KEEPALIVE_RACE: Texts = Texts {
    title: "A request crossed the close of an idle connection",
    what_happened: "A program closed a connection that had been idle, and at that very moment the peer sent \
        a new request on it. The two crossed on the way; no program read the request, and the kernel \
        answered it with a RST.",
    why_it_happens: "HTTP servers close idle connections after a keep-alive timeout: gunicorn after 2 s, \
        uvicorn, Node.js and Apache httpd after 5 s, nginx after 75 s. When the client or the proxy in front \
        keeps idle connections for longer (AWS ALB and nginx towards its upstreams: 60 s), sooner or later \
        it uses one just as the server closes it. The failures look random and are most frequent when \
        requests come about as far apart as the timeout is long.",
    advice_here: "Make the server's keep-alive timeout longer than the idle timeout of its clients and load \
        balancer, for example 75 s behind an AWS ALB: `gunicorn --keep-alive 75`, `uvicorn \
        --timeout-keep-alive 75`, `server.keepAliveTimeout = 75000` in Node.js, `keepalive_timeout 75s` in \
        nginx.",
    advice_there: "Let the client or proxy drop idle connections sooner than the server does, and repeat \
        idempotent requests once on a fresh connection; this request was not processed.",
    confirm: "`tcpdump -ni any 'host PEER and port PORT'` shows a pause, the FIN of the server, a request \
        within a round trip of it, then the RST. Compare the length of the pause with the server's \
        keep-alive timeout.",
};

pub(super) static ACCEPT_OVERFLOW: Texts = Texts {
    title: "The server's accept queue was full",
    what_happened: "A client completed the handshake, but the queue of connections that wait for accept() \
        was full, so the kernel reset the connection. It resets rather than waits because \
        `net.ipv4.tcp_abort_on_overflow` is 1.",
    why_it_happens: "The program accepts connections more slowly than they come: all workers are busy or \
        blocked, a burst followed a restart, or the backlog is small. The queue is as long as the smaller of \
        listen()'s backlog and `net.core.somaxconn` (4096; 128 before Linux 5.4); nginx asks for 511, \
        gunicorn for 2048. By default the kernel ignores the client's last ACK instead and the client tries \
        again, so the reset is a choice in the server's configuration.",
    advice_here: "Set `net.ipv4.tcp_abort_on_overflow` to 0, unless clients are meant to fail at once. Raise \
        the backlog and `net.core.somaxconn`, add workers, and keep slow work out of the loop that accepts.",
    advice_there: "Retry after a short pause: no program saw the request. Reuse connections, and spread \
        bursts of new ones.",
    confirm: "`ss -ltn 'sport = :PORT'` on the server: a Recv-Q as large as Send-Q or larger is a full \
        queue. `nstat -az TcpExtListenOverflows` counts the overflows, and `sysctl \
        net.ipv4.tcp_abort_on_overflow` shows the choice.",
};

pub(super) static INVALID_SYN: Texts = Texts {
    title: "A second SYN came in the middle of a handshake",
    what_happened: "While a handshake was under way, another SYN with a different sequence number arrived \
        for the same addresses and ports. The kernel reset the half-open connection; no program ever saw it.",
    why_it_happens: "Two attempts to connect look like one: a NAT gateway or load balancer gave the same \
        source port to a second client, a client reused its port right after it gave up or crashed, or a \
        scanner or a faulty TCP stack made the SYN. With TCP Fast Open a SYN that does not fit the first has \
        the same effect.",
    advice_here: "No program needs a change. If it happens often behind a NAT gateway or load balancer, give \
        that device more source addresses or ports.",
    advice_there: "Let the system choose the client's source port instead of binding a fixed one, and try \
        again: a new attempt normally succeeds.",
    confirm: "`tcpdump -ni any 'tcp and host PEER'` shows two SYNs with the same ports and different \
        sequence numbers, then the RST.",
};

pub(super) static BAD_HANDSHAKE_ACK: Texts = Texts {
    title: "A stray acknowledgement came during a handshake",
    what_happened: "During a handshake an acknowledgement arrived that does not fit it: it belongs to an \
        older connection with the same addresses and ports. The kernel answered that packet with a RST, as \
        TCP prescribes.",
    why_it_happens: "The sender of the acknowledgement still remembers an earlier connection with the same \
        ports, for example after a crash or a quick restart of the client or because a NAT gateway reused a \
        port, or an old packet was delayed in the network. The RST clears the old connection away, and the \
        handshake normally succeeds with the next SYN about 1 s later. Clients with a fixed source port and \
        busy NAT gateways meet it most.",
    advice_here: "Normally nothing: a program sees at most a slow connect, about 1 s. If it happens often, \
        do not bind clients to a fixed source port, and widen `net.ipv4.ip_local_port_range`.",
    advice_there: "Close connections properly before a restart, and let TCP keepalive remove those whose \
        other end is gone.",
    confirm: "`tcpdump -ni any 'host PEER and port PORT'` shows a SYN, an ACK with a foreign number, the \
        RST, and another SYN about 1 s later. `ss -tn dst ADDRESS` on the end that received the RST may \
        still list the old connection.",
};

pub(super) static FIREWALL_REJECT: Texts = Texts {
    title: "A firewall rule refused the packet with a RST",
    what_happened: "A firewall rule refused a packet and sent a RST in the name of its destination. Neither \
        TCP nor a program at either end decided this.",
    why_it_happens: "Such rules are `reject with tcp reset` in nftables and `-j REJECT --reject-with \
        tcp-reset` in iptables; ufw reject and the default rules of OpenWrt make them. They refuse new \
        connections that no rule allows. They cut open connections when the rules change or when conntrack \
        has forgotten them, after a restart of the firewall for example, so that their packets count as new.",
    advice_here: "Find the rule, and allow the connection before it if it is wanted: address, port, \
        interface and direction must match. If open connections are cut, accept `ct state \
        established,related` first.",
    advice_there: "Look for such a rule there too: the firewall of either end, or one on the way, can send \
        the RST. Retrying does not help as long as the rule stands.",
    confirm: "`nft list ruleset | grep -n 'tcp reset'` and `iptables-save -c | grep tcp-reset` list the \
        rules; a counter that grows with each attempt is the one. `nft monitor trace` follows a single \
        packet once `meta nftrace set 1` is on it.",
};
