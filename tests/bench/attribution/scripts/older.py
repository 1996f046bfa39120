# Connections that are older than who watches: of four workers on one listener, and of a client. Both ends reset some.
go, let_go = os.pipe()
# Of each process, until it ends.
kept = []

def work_off(listener):
    listener.setblocking(False)
    # The wish to go on is never read, so that every worker sees it.
    while True:
        ready = select.select([listener, go], [], [])[0]
        if go in ready: break
        try: connection, _ = listener.accept()
        except BlockingIOError: continue
        connection.setblocking(True)
        kept.append((connection, ends(connection), connection.recv(1) == b's'))
        os.write(tell, b'x')
    for _, both, resets in kept: (sends if resets else receives)(*both, os.getpid())
    for connection, _, resets in kept:
        if resets: connection.close()
    os.write(finish, b'x')

def serve(listener):
    for _ in range(4): spawn(work_off, listener)

def connect_all():
    for end in servers:
        for number in range(COUNT):
            connection = connect_to(end)
            connection.send(b's unread' if number % 2 == 0 else b'c')
            kept.append((connection, ends(connection), number % 2 != 0))
            await_told(1)
    os.write(finish, b'x')
    select.select([go], [], [])
    for _, both, resets in kept: (sends if resets else receives)(*both, os.getpid())
    for connection, _, resets in kept:
        if resets: reset(connection)
    os.write(finish, b'x')

servers = [server(serve, address) for address in LOOPBACK]
spawn(connect_all)
os.read(finished, 1)
say('ready')
wait()
os.write(let_go, b'x')
left = 9
while left > 0: left -= len(os.read(finished, left))
done()
