# What every script of this benchmark begins with, after the harness's own beginning. A script makes resets and prints for
# each what it knows of it: direction, local end, peer's end, and the process that owns the local socket (0: nobody).
# COUNT is the number of resets to make for each address. Processes that hold sockets live as long as the script.
import ctypes, resource, select, struct, traceback

resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
signal.signal(signal.SIGCHLD, signal.SIG_IGN)
COUNT = int(sys.argv[1])
LOOPBACK = ('127.0.0.1', '::1')
BURST = 25
# Ports of clients, below those that the kernel hands out: no two connections of a script have the same ones.
ports = {socket.AF_INET: iter(range(10000, 20000)), socket.AF_INET6: iter(range(20000, 30000))}
told, tell = os.pipe()
finished, finish = os.pipe()

# A line in one piece, whoever else prints.
def say(*words): os.write(1, (' '.join(map(str, words)) + '\n').encode())
def text(end): return f'[{end[0]}]:{end[1]}' if ':' in end[0] else f'{end[0]}:{end[1]}'
def sends(local, peer, pid): say('sent', text(local), text(peer), pid)
def receives(local, peer, pid): say('received', text(local), text(peer), pid)
def ends(connection): return connection.getsockname(), connection.getpeername()

# Says that all is done; until it is ended everything stays as it is.
def done():
    say('done')
    sys.stdin.read()

# A process that does some work, and lives on.
def spawn(work, *arguments):
    global alive
    pid = os.fork()
    if pid != 0: return pid
    # PR_SET_PDEATHSIG: nothing is left when the benchmark is interrupted.
    ctypes.CDLL(None).prctl(1, int(signal.SIGKILL))
    try:
        if alive is not None: os.close(alive)
        alive = None
        work(*arguments)
    except BaseException:
        traceback.print_exc()
        os._exit(1)
    outlive()

# One that listens and then serves; where it listens.
def server(serve, address):
    here, there = os.pipe()
    def work():
        listener = listen(address, backlog=4096)
        os.write(there, str(listener.getsockname()[1]).encode())
        serve(listener)
    spawn(work)
    return address, int(os.read(here, 8))

# One that works with that server; waits until it has finished.
def client(work, *arguments):
    def then_finish():
        work(*arguments)
        os.write(finish, b'x')
    spawn(then_finish)
    os.read(finished, 1)

def await_told(count):
    while count > 0: count -= len(os.read(told, count))

# A client's own end.
def source_at(address): return address, next(ports[family(address)])

def connect_to(end, source=None):
    connection = socket.socket(family(end[0]))
    connection.bind(source_at(source or end[0]))
    connection.connect(end)
    return connection

def reset(connection):
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0))
    connection.close()

def await_reset(connection):
    try: connection.recv(1)
    except (ConnectionResetError, BrokenPipeError): pass
    connection.close()

# Accepts from a listener, says whose each connection is, and closes those that are reset.
def event_loop(listener, looks=True):
    listener.setblocking(False)
    connections = []
    while True:
        for ready in select.select([listener] + (connections if looks else []), [], [])[0]:
            if ready is not listener:
                connections.remove(ready)
                await_reset(ready)
                continue
            try: connection, _ = listener.accept()
            except BlockingIOError: continue
            connections.append(connection)
            receives(*ends(connection), os.getpid())
            os.write(tell, b'x')

# Connects, and resets what has been accepted, so many at once.
def reset_in_bursts(end, burst=BURST):
    for first in range(0, COUNT, burst):
        connections = [connect_to(end) for _ in range(min(burst, COUNT - first))]
        await_told(len(connections))
        for connection in connections: sends(*ends(connection), os.getpid())
        for connection in connections: reset(connection)
