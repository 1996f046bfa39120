# The far end of a pair of namespaces: closes without having read, or keeps what it accepts.
def serve(listener):
    kept = []
    while True:
        connection, _ = listener.accept()
        if sys.argv[2] == 'keep':
            kept.append(connection)
            continue
        connection.recv(1, socket.MSG_PEEK)
        sends(*ends(connection), os.getpid())
        connection.close()

for address in sys.argv[3:]: say(text(server(serve, address)))
wait()
done()
