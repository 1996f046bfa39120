# The server closes without having read.
def serve(listener):
    while True:
        connection, _ = listener.accept()
        connection.recv(1, socket.MSG_PEEK)
        sends(*ends(connection), os.getpid())
        connection.close()

def work(end):
    for _ in range(COUNT):
        connection = connect_to(end)
        receives(*ends(connection), os.getpid())
        connection.send(b'0123456789')
        await_reset(connection)

for address in LOOPBACK: client(work, server(serve, address))
done()
