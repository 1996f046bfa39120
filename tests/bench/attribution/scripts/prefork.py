# Four workers accept from one listener. They close what is reset, or do not even notice.
def serve(listener):
    for _ in range(4): spawn(event_loop, listener, sys.argv[2] == 'looks')

for address in LOOPBACK: client(reset_in_bursts, server(serve, address))
done()
