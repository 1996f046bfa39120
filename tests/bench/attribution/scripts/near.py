# The near end of a pair of namespaces: connects, and is reset.
def work(address, port, source):
    for _ in range(COUNT):
        connection = connect_to((address, port), source)
        receives(*ends(connection), os.getpid())
        connection.send(b'0123456789')
        await_reset(connection)

for address, port, source in zip(*[iter(sys.argv[2:])] * 3): client(work, address, int(port), source)
done()
