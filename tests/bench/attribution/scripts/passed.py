# One process accepts, and passes the connection to another one, which is no child of it.
def serve(listener):
    while True:
        connection, _ = listener.accept()
        socket.send_fds(giver, [b'x'], [connection.fileno()])
        connection.close()
        os.write(tell, b'x')

def hold():
    kept = []
    while True:
        for ready in select.select([taker] + kept, [], [])[0]:
            if ready is not taker:
                kept.remove(ready)
                await_reset(ready)
                continue
            _, descriptors, _, _ = socket.recv_fds(taker, 1, 1)
            connection = socket.socket(fileno=descriptors[0])
            kept.append(connection)
            receives(*ends(connection), os.getpid())
            os.write(tell, b'x')

def work(end):
    for first in range(0, COUNT, 5):
        connections = [connect_to(end) for _ in range(min(5, COUNT - first))]
        await_told(2 * len(connections))
        for connection in connections: sends(*ends(connection), os.getpid())
        for connection in connections: reset(connection)

taker, giver = socket.socketpair(socket.AF_UNIX)
spawn(hold)
for address in LOOPBACK: client(work, server(serve, address))
done()
