# A listener is closed with connections that nobody has accepted.
def serve(there, asked):
    while True:
        listener = listen(address, backlog=4096)
        os.write(there, struct.pack('H', listener.getsockname()[1]))
        os.read(asked, 1)
        listener.close()

def work(here, ask, owner):
    for first in range(0, COUNT, BURST):
        end = address, struct.unpack('H', os.read(here, 2))[0]
        connections = [connect_to(end) for _ in range(min(BURST, COUNT - first))]
        for connection in connections:
            local, peer = ends(connection)
            sends(peer, local, owner)
            receives(local, peer, os.getpid())
        os.write(ask, b'x')
        for connection in connections: await_reset(connection)

for address in LOOPBACK:
    (here, there), (asked, ask) = os.pipe(), os.pipe()
    owner = spawn(serve, there, asked)
    client(work, here, ask, owner)
done()
