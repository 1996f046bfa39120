# Keepalive gives up on a peer that is cut off: timers send the resets, many at once.
def work(ends_of_servers):
    connections = []
    for address, port, source in ends_of_servers:
        for _ in range(COUNT):
            connection = connect_to((address, int(port)), source)
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 2)
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 1)
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, 1)
            connections.append(connection)
    for connection in connections:
        sends(*ends(connection), os.getpid())
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    os.write(tell, b'x')
    for connection in connections:
        try: received = connection.recv(1)
        except TimeoutError: continue
        raise AssertionError(f'received {received}')

def cut():
    await_told(1)
    say('cut')

spawn(cut)
client(work, list(zip(*[iter(sys.argv[2:])] * 3)))
done()
