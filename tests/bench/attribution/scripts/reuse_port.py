# Four processes, each with a listener of its own on one port.
def serve(port):
    listener = listen(address, port, reuse_port=True, backlog=4096)
    os.write(tell, b'x')
    event_loop(listener)

for address in LOOPBACK:
    reserved = socket.socket(family(address))
    reserved.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    reserved.bind((address, 0))
    port = reserved.getsockname()[1]
    for _ in range(4): spawn(serve, port)
    await_told(4)
    client(reset_in_bursts, (address, port))
done()
