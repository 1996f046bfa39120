# Ports where nobody ever listened: nobody is to be named for them.
def knock():
    for number in range(COUNT):
        to, source = (address, 1 + number % 1000), source_at(address)
        sends(to, source, 0)
        receives(source, to, os.getpid())
        connection = socket.socket(family(address))
        connection.bind(source)
        assert connection.connect_ex(to) != 0
        connection.close()

for address in LOOPBACK: client(knock)
done()
