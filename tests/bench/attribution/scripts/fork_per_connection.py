# A child serves each connection, and ends when that is reset.
def serve_one(connection):
    receives(*ends(connection), os.getpid())
    os.write(tell, b'x')
    await_reset(connection)
    os._exit(0)

def serve(listener):
    while True:
        connection, _ = listener.accept()
        spawn(serve_one, connection)
        connection.close()
        os.write(tell, b'x')

def work(end):
    for _ in range(COUNT):
        connection = connect_to(end)
        await_told(2)
        sends(*ends(connection), os.getpid())
        reset(connection)

for address in LOOPBACK: client(work, server(serve, address))
done()
