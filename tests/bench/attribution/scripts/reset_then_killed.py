# A worker is killed as soon as its connections are reset: neither it nor its descriptors are there any more when they are
# looked for.
def serve(listener):
    kept = []
    while True:
        kept.append(listener.accept())
        os.write(tell, b'x')

def work():
    listener = listen(address, backlog=4096)
    end = listener.getsockname()[:2]
    for first in range(0, COUNT, BURST):
        worker = spawn(serve, listener)
        connections = [connect_to(end) for _ in range(min(BURST, COUNT - first))]
        await_told(len(connections))
        for connection in connections:
            local, peer = ends(connection)
            sends(local, peer, os.getpid())
            receives(peer, local, worker)
        for connection in connections: reset(connection)
        os.kill(worker, signal.SIGKILL)
        # It must not accept what is meant for the next one. There is no status to fetch, as SIGCHLD is ignored.
        try: os.waitpid(worker, 0)
        except ChildProcessError: pass

for address in LOOPBACK: client(work)
done()
