# A port whose listener is closed: its last owner refuses.
def close_listeners(there):
    listeners = [listen(address) for _ in range(8)]
    for listener in listeners: os.write(there, struct.pack('H', listener.getsockname()[1]))
    for listener in listeners: listener.close()
    os.write(tell, b'x')

def knock(refusing, owner):
    for number in range(COUNT):
        to, source = (address, refusing[number % len(refusing)]), source_at(address)
        sends(to, source, owner)
        receives(source, to, os.getpid())
        connection = socket.socket(family(address))
        connection.bind(source)
        assert connection.connect_ex(to) != 0
        connection.close()

for address in LOOPBACK:
    here, there = os.pipe()
    owner = spawn(close_listeners, there)
    await_told(1)
    client(knock, struct.unpack('8H', os.read(here, 16)), owner)
done()
