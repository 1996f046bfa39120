# Data to a connection of which the server has only TIME_WAIT left.
def serve(listener):
    while True:
        connection, _ = listener.accept()
        sends(*ends(connection), os.getpid())
        connection.shutdown(socket.SHUT_WR)
        connection.recv(1)
        connection.close()
        os.write(tell, b'x')

def work(end):
    for _ in range(COUNT):
        connection = connect_to(end)
        receives(*ends(connection), os.getpid())
        assert connection.recv(1) == b''
        connection.send(b'x')
        await_told(1)
        connection.send(b'more')
        connection.close()

for address in LOOPBACK: client(work, server(serve, address))
done()
