//! Resets that a host receives, and those that nothing explains, in English.

use super::Texts;

pub(super) static CONNECTION_REFUSED: Texts = Texts {
    title: "The peer refused the connection",
    what_happened: "The program tried to open a connection, and the answer to its SYN was a RST. connect() \
        fails with ECONNREFUSED; no data was sent.",
    why_it_happens: "Usually no program listens on that port of that address: the service is down, is still \
        starting or has just crashed, the port is wrong, or the server listens only on 127.0.0.1, or only on \
        IPv4 while `localhost` was resolved to ::1. A container's port may not be published. Less often a \
        firewall refuses with a RST.",
    advice_here: "Check the host name, what it resolves to, and the port. If the service is only starting, \
        wait until it is ready: a health check in Docker Compose, a readiness probe, or retries with growing \
        pauses. If nobody is going to listen there, retrying does not help.",
    advice_there: "Start the service, and let it listen on an address that can be reached from outside: \
        0.0.0.0 or [::] rather than 127.0.0.1. See that the port is published, and that no firewall rule \
        rejects it.",
    confirm: "`ss -ltnp 'sport = :PORT'` on the peer: no line means that nobody listens. If there is one, \
        `nft list ruleset | grep -n 'tcp reset'` there looks for a firewall rule. `nc -vz ADDRESS PORT` \
        repeats the attempt from here.",
};

pub(super) static REFUSED_IN_HANDSHAKE: Texts = Texts {
    title: "The peer broke off the handshake",
    what_happened: "A RST arrived while the handshake was still under way: the peer's SYN had come, but the \
        connection was not yet established.",
    why_it_happens: "The peer gave up just then: it cancelled the attempt, its program exited, or it is a \
        scanner or health check that resets as soon as it sees the SYN-ACK (nmap -sS, HAProxy). The program \
        knows of the connection only where TCP Fast Open hands it over early, or where both ends connect to \
        each other at once.",
    advice_here: "Nothing, as long as it is rare or comes from a scanner or health check. A program that \
        holds the connection already takes ECONNRESET as a cancelled request.",
    advice_there: "If these are real clients, look at their connect timeout, and at how long the SYN-ACK \
        takes to reach them.",
    confirm: "`tcpdump -ni any 'tcp and host PEER'` shows SYN, SYN-ACK and then RST; `nstat -az \
        TcpAttemptFails` counts handshakes that failed.",
};

pub(super) static PEER_IDLE_TIMEOUT: Texts = Texts {
    title: "An idle connection was reset",
    what_happened: "The connection had been idle for a while, with nothing left to deliver, when a RST \
        arrived. The program learns of it when it next uses the connection: ECONNRESET.",
    why_it_happens: "Somebody limits how long a connection may stay idle: a server, a load balancer, a NAT \
        gateway or a firewall. Known limits are 60 s in many proxies, 4 minutes on Azure Load Balancer, 350 \
        s on AWS NLB and NAT Gateway, and 600 s in PgBouncer (server_idle_timeout). Some send the RST when \
        the time is over; others only forget the connection and answer its next packet with a RST, be it a \
        mere keepalive probe.",
    advice_here: "Send TCP keepalives more often than the limit (SO_KEEPALIVE with TCP_KEEPIDLE), or drop \
        pooled connections before it (`pool_recycle` in SQLAlchemy, `idleTimeout` in HikariCP). Repeating an \
        idempotent request on a fresh connection is safe and enough for most clients.",
    advice_there: "If long pauses are normal, raise the idle timeout of the server or load balancer above \
        them.",
    confirm: "`ss -tnoi dst ADDRESS` shows for living connections how many milliseconds they have been idle \
        (lastsnd, lastrcv) and whether a keepalive timer runs. `resetmon query --cause peer_idle_timeout \
        --since 1d` shows whether the idle time is the same each time.",
};

pub(super) static PEER_KEEPALIVE_RACE: Texts = Texts {
    title: "The peer had already ended the idle connection",
    what_happened: "After a pause the program sent data on an open connection, and a RST came back at once. \
        The peer had closed or forgotten the connection, so the request was not answered.",
    why_it_happens: "HTTP clients and connection pools reuse connections that the server closes after its \
        keep-alive timeout: gunicorn after 2 s, uvicorn, Node.js and Apache httpd after 5 s, nginx after 75 \
        s. When the request and the close cross on the way, the request meets a closed socket. Load \
        balancers and NAT gateways that have forgotten the idle connection answer in the same way, on AWS \
        NLB and NAT Gateway after 350 s.",
    advice_here: "Repeat idempotent requests once on a fresh connection, in Python for example with \
        `HTTPAdapter(max_retries=Retry(total=2))`. Drop idle connections sooner than the server does; for \
        long pauses, send TCP keepalives.",
    advice_there: "Make the server's keep-alive timeout longer than the idle timeout of its clients and \
        proxies, for example `gunicorn --keep-alive 75`, or `keepalive_timeout 75s` in nginx.",
    confirm: "`tcpdump -ni any 'host PEER and port PORT'` shows a pause, the request, and the RST within a \
        round trip of it, with or without a FIN of the peer before. Compare the pause with the timeouts \
        named above.",
};

pub(super) static PEER_RESET_REQUEST: Texts = Texts {
    title: "The peer reset instead of answering",
    what_happened: "The program sent a request, and the peer sent a RST before a single byte of an answer.",
    why_it_happens: "The program at the other end refused this request or failed at it: it crashed or was \
        killed (OOM, a gunicorn worker that exceeds --timeout), it closed without reading the whole request, \
        or it speaks another protocol (HTTP sent to a TLS port, or TLS to a plain one). Proxies and web \
        application firewalls reset requests that they do not allow, and load balancers reset those whose \
        backend goes away.",
    advice_here: "Check scheme and port (http or https), and whether it is always the same request that \
        fails. Repeat only idempotent requests: this one may have been processed.",
    advice_there: "Look at the log of the server and of the kernel at that moment, and run resetmon there: \
        it names the process and the cause.",
    confirm: "`resetmon watch --sent` on the peer shows the same reset from its side. `curl -v URL` repeats \
        the request, and `openssl s_client -connect ADDRESS:PORT` shows whether the port speaks TLS.",
};

pub(super) static PEER_RESET_RESPONSE: Texts = Texts {
    title: "The peer reset in the middle of its answer",
    what_happened: "Bytes of an answer had been arriving when the peer sent a RST. What the program has \
        received is incomplete.",
    why_it_happens: "The program at the other end died or gave up while it was answering: a crash, an OOM \
        kill, a restart, or a limit on the time of a request (gunicorn --timeout, 30 s). Proxies pass the \
        failure of their upstream on in this way. A server that closes without having read the whole request \
        resets its own answer, and some servers cut off clients that read too slowly.",
    advice_here: "Do not take the part for the whole: check Content-Length or the last chunk. Repeat \
        idempotent requests, or fetch the rest with a Range request. If the program reads slowly, read \
        faster or ask for less at a time.",
    advice_there: "Look at the log of the server and of the kernel at that moment, and run resetmon there: \
        it names the process and the cause.",
    confirm: "`curl -v -o /dev/null URL` shows how much arrives before it breaks, and whether it is always \
        at the same place. `resetmon watch --sent` on the peer shows the same reset from its side.",
};

pub(super) static PEER_RESET_UPLOAD: Texts = Texts {
    title: "The peer stopped reading an upload",
    what_happened: "The program was sending much data when the peer sent a RST. Part of the data had not \
        been acknowledged.",
    why_it_happens: "The server does not want the rest: the body exceeds its limit (nginx \
        `client_max_body_size` 1 MB, Tomcat `maxSwallowSize` 2 MB), the login is missing, or the upload is \
        not allowed. It sends an error response (413, 401, 403) and closes, and the RST often arrives before \
        the program has read that response. A server that dies during the upload looks the same.",
    advice_here: "Read while sending: the response says why. Send `Expect: 100-continue` before large \
        bodies, log in first, and split large uploads. Sending the same data again does not help while the \
        limit stands.",
    advice_there: "Raise the limit, or let the server read and discard the rest before it closes \
        (`lingering_close` in nginx).",
    confirm: "`curl -v -T FILE URL` shows the status of the response beside the error; the server's log \
        shows the same status, for example 413.",
};

pub(super) static PEER_RESET_EARLY: Texts = Texts {
    title: "The peer reset a new connection before any data",
    what_happened: "The connection was established, and the peer sent a RST before either end had sent any \
        data.",
    why_it_happens: "At a server this is usually a health check that only tests whether the port is open \
        (HAProxy, load balancers, monitoring) or a port scan. At a client it means that the peer accepted \
        and gave up at once: it is overloaded or at its limit of connections, an address filter turned you \
        away, the server stopped before it accepted, or a proxy has no healthy backend.",
    advice_here: "At a server, ignore it if the peer is a health check. At a client, retry with growing \
        pauses, and ask for the server's connection limit and address filter.",
    advice_there: "Look at the limit of connections, the accept queue, deny lists and the health of \
        backends. If the peer is a health check that should not leave traces, let it make a complete \
        request.",
    confirm: "`tcpdump -ni any 'host PEER and port PORT'` shows a handshake and then a RST, without data; at \
        regular intervals it is a health check. `ss -ltn 'sport = :PORT'` on the server shows its accept \
        queue.",
};

pub(super) static RESET_AFTER_PEER_CLOSE: Texts = Texts {
    title: "The peer had closed, the program kept writing",
    what_happened: "The peer had closed its side of the connection, and the program went on writing. The \
        answer was a RST; the next write fails with EPIPE (Broken pipe), and SIGPIPE ends a program that \
        does not ignore it.",
    why_it_happens: "The peer no longer wants the rest: a browser went to another page, a client reached its \
        timeout (nginx logs 499), a proxy gave up on a slow backend. The program does not notice because it \
        only writes. A BrokenPipeError in the log of gunicorn, uWSGI, Flask or Django means just this.",
    advice_here: "In a server it is usually harmless: catch EPIPE, stop working for this client, and log it \
        quietly. In a client, read as well: a read that returns 0 bytes says that the peer has closed. If \
        clients leave because answers are slow, answer faster.",
    advice_there: "If the client gives up too early, raise its timeout and those of the proxies on the way \
        (nginx `proxy_read_timeout`, 60 s).",
    confirm: "`ss -tnp state close-wait` lists connections whose peer has closed, with the process that has \
        not. `strace -f -e trace=read,write,recvfrom,sendto -p PID` shows the writes and the EPIPE.",
};

pub(super) static RESET_AFTER_CLOSE: Texts = Texts {
    title: "The program had already closed the connection",
    what_happened: "The program had closed the connection before the RST arrived. Nobody is told, and \
        normally nothing is lost.",
    why_it_happens: "Many ordinary ends look like this: the peer closes with a few bytes unread, such as a \
        TLS close_notify, or its program exits. Browsers, curl, proxies and load balancers do so all the \
        time. Only data that had been written and not yet delivered at that moment is lost.",
    advice_here: "Normally nothing: no program sees an error. If the peer misses the last data, do not close \
        right after writing: call shutdown(SHUT_WR) and wait until read() returns 0.",
    advice_there: "Nothing, unless data is missing there; then read to the end of the data before closing.",
    confirm: "`tcpdump -ni any 'host PEER and port PORT'` shows the FIN of this host first and the RST of \
        the peer after it.",
};

pub(super) static INJECTED: Texts = Texts {
    title: "The reset seems to come from the path, not the peer",
    what_happened: "The RST does not look as if the peer had sent it: its TTL, its timing, or what the peer \
        sent afterwards does not fit. A device between the two ends probably sent it in the peer's name.",
    why_it_happens: "Firewalls and intrusion prevention systems (Suricata, Snort and commercial ones) end \
        connections that they do not allow with a RST to both ends; so do filters of providers and states, \
        and tools such as tcpkill. The rule may be about the address, the server name in TLS, or the \
        content. Proxies and load balancers change the TTL too, so the TTL alone proves nothing.",
    advice_here: "Give the network team the addresses, the time and both TTLs, and ask which device resets \
        the connection. Try the same from another network or through a VPN; on the same path a retry usually \
        meets the same rule.",
    advice_there: "Capture at the peer as well: if it did not send the RST, or received one itself, a device \
        on the way made it.",
    confirm: "`tcpdump -vni any 'tcp and host PEER'` shows ttl and id of each packet: compare those of the \
        RST with those of the packets before it. Do the same at the peer: a RST that arrives here and was \
        not sent there is forged.",
};

pub(super) static UNKNOWN: Texts = Texts {
    title: "No known cause fits this reset",
    what_happened: "What the kernel told about this reset fits none of the causes that resetmon knows. The \
        evidence lists what was seen.",
    why_it_happens: "Older kernels tell less: before Linux 6.10 they give no reason for a reset, and some \
        details come only from optional probes. A new kernel may have reasons that resetmon does not know \
        yet. Often the deciding facts are at the other end.",
    advice_here: "Run `resetmon doctor`: it says what this host does not tell, and why. Look at the \
        evidence, and at the program's log of the same moment.",
    advice_there: "Run resetmon there too: the end that sent the RST knows why.",
    confirm: "`tcpdump -ni any 'host PEER and port PORT'` shows what came before the RST. `nstat -az | grep \
        -i abort` on the host that sent it shows which of the kernel's counters grew.",
};
