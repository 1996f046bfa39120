# The client closes with a linger time of zero; the server waits for data.
def serve(listener):
    while True:
        connection, _ = listener.accept()
        receives(*ends(connection), os.getpid())
        os.write(tell, b'x')
        await_reset(connection)

for address in LOOPBACK: client(reset_in_bursts, server(serve, address), 1)
done()
