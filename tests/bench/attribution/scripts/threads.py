# Threads serve, one a connection, and threads connect: the process is named.
def serve_one(connection):
    connection.recv(1)
    sends(*ends(connection), os.getpid())
    connection.close()

def serve(listener):
    while True:
        connection, _ = listener.accept()
        threading.Thread(target=serve_one, args=(connection,)).start()

def connect_some(end, count, first_port):
    for number in range(count):
        connection = socket.socket(family(end[0]))
        connection.bind((end[0], first_port + number))
        connection.connect(end)
        receives(*ends(connection), os.getpid())
        connection.send(b'0123456789')
        await_reset(connection)

def work(end):
    shares = [COUNT // 4 + (1 if number < COUNT % 4 else 0) for number in range(4)]
    first = 10000 if ':' in end[0] else 20000
    threads = [threading.Thread(target=connect_some, args=(end, shares[number], first + 2000 * number))
               for number in range(4)]
    for thread in threads: thread.start()
    for thread in threads: thread.join()

for address in LOOPBACK: client(work, server(serve, address))
done()
