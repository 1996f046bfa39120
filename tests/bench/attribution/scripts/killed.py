# A process is killed that has many connections with unread data.
def serve(listener):
    kept = []
    while True:
        connection, _ = listener.accept()
        connection.recv(1, socket.MSG_PEEK)
        kept.append(connection)
        os.write(tell, b'x')

def work():
    here, there = os.pipe()
    def listen_and_serve():
        listener = listen(address, backlog=4096)
        os.write(there, struct.pack('H', listener.getsockname()[1]))
        serve(listener)
    for first in range(0, COUNT, BURST):
        victim = spawn(listen_and_serve)
        end = address, struct.unpack('H', os.read(here, 2))[0]
        connections = [connect_to(end) for _ in range(min(BURST, COUNT - first))]
        for connection in connections: connection.send(b'0123456789')
        await_told(len(connections))
        for connection in connections:
            local, peer = ends(connection)
            sends(peer, local, victim)
            receives(local, peer, os.getpid())
        os.kill(victim, signal.SIGKILL)
        for connection in connections: await_reset(connection)

for address in LOOPBACK: client(work)
done()
