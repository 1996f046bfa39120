# TCP in the hands of a test: what a script sends goes out as it says, and the kernel of this side knows nothing of it.
# Nothing is sent again, and nothing is acknowledged unless the script takes it.
import struct
FIN, SYN, RST, PSH, ACK = 1, 2, 4, 8, 16
INTERFACE, MAC, OWN, OTHER = sys.argv[1:5]
SIX = ':' in OWN
PROTOCOL = 0x86dd if SIX else 0x0800
TCP = 6
HOP_LIMIT = 64
own, other = (socket.inet_pton(family(OWN), address) for address in (OWN, OTHER))
wire = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(PROTOCOL))
wire.bind((INTERFACE, PROTOCOL))
wire.settimeout(30)

def checksum(data):
    data += b'\0' * (len(data) % 2)
    total = sum(struct.unpack('>%dH' % (len(data) // 2), data))
    while total >> 16: total = (total & 0xffff) + (total >> 16)
    return ~total & 0xffff

def with_checksum(segment):
    pseudo = own + other + (struct.pack('>LHBB', len(segment), 0, 0, TCP) if SIX else struct.pack('>BBH', 0, TCP, len(segment)))
    return segment[:16] + struct.pack('>H', checksum(pseudo + segment)) + segment[18:]

def transmit(segment, ttl):
    if SIX:
        header = struct.pack('>LHBB', 6 << 28, len(segment), TCP, ttl) + own + other
    else:
        header = struct.pack('>BBHHHBBH', 0x45, 0, 20 + len(segment), 7, 0x4000, ttl, TCP, 0) + own + other
        header = header[:10] + struct.pack('>H', checksum(header)) + header[12:]
    wire.sendto(header + with_checksum(segment), (INTERFACE, PROTOCOL, 0, 0, bytes.fromhex(MAC.replace(':', ''))))

class Segment:
    def __init__(self, packet):
        start = 40 if SIX else (packet[0] & 15) * 4
        end = 40 + struct.unpack('>H', packet[4:6])[0] if SIX else struct.unpack('>H', packet[2:4])[0]
        self.peer_port, self.port, self.seq, self.ack, offset, self.flags = struct.unpack('>HHLLBB', packet[start:start + 14])
        self.data = packet[start + (offset >> 4) * 4:end]

def segments():
    'What comes from the other host, for ever.'
    while True:
        packet, (_, _, kind, *_) = wire.recvfrom(1 << 16)
        protocol, source = (packet[6], packet[8:24]) if SIX else (packet[9], packet[12:16])
        if kind != socket.PACKET_OUTGOING and protocol == TCP and source == other: yield Segment(packet)

class Connection:
    def __init__(self, port, peer_port, seq=1000, received=0):
        self.port, self.peer_port, self.seq, self.received, self.ttl = port, peer_port, seq, received, HOP_LIMIT

    def send(self, flags, data=b'', seq=None, ack=None, ttl=None):
        'Sends a segment; its place in the stream is what is next unless said otherwise.'
        next_in_stream = seq is None
        options = struct.pack('>BBHBBBB', 2, 4, 1460, 3, 3, 7, 1) if flags & SYN else b''
        words = self.port, self.peer_port, self.seq if next_in_stream else seq, self.received if ack is None else ack
        header = struct.pack('>HHLLBBHHH', *(word & 0xffffffff for word in words), (5 + len(options) // 4) << 4, flags, 65535, 0, 0)
        transmit(header + options + data, ttl or self.ttl)
        if next_in_stream: self.seq += len(data) + (1 if flags & (SYN | FIN) else 0)

    def data(self, count): self.send(PSH | ACK, b'x' * count)
    def fin(self): self.send(FIN | ACK)
    def reset(self, ttl=None): self.send(RST | ACK, ttl=ttl)

    def next(self, wanted=lambda segment: True):
        'The next segment of this connection that is wanted.'
        for segment in segments():
            if (segment.port, segment.peer_port) == (self.port, self.peer_port) and wanted(segment): return segment

    def take(self, count, acknowledge=True):
        'Receives so many bytes, in order.'
        end = self.received + count
        while self.received < end:
            segment = self.next(lambda segment: segment.data)
            if segment.seq == self.received & 0xffffffff: self.received += len(segment.data)
            if acknowledge: self.send(ACK)

    def take_fin(self):
        segment = self.next(lambda segment: segment.flags & FIN)
        self.received = segment.seq + len(segment.data) + 1
        self.send(ACK)

    def take_reset(self): return self.next(lambda segment: segment.flags & RST)

    def grant(self):
        'Answers the wish for a connection, and waits until the other host has it.'
        self.send(SYN | ACK)
        self.next(lambda segment: segment.flags & (SYN | ACK) == ACK)

def wished(port):
    'A connection that the other host asks for, not answered yet.'
    for segment in segments():
        if segment.port == port and segment.flags & (SYN | ACK) == SYN:
            return Connection(port, segment.peer_port, received=segment.seq + 1)

def accept(port):
    connection = wished(port)
    connection.grant()
    return connection

def ask(peer_port, port=40000):
    'Asks the other host for a connection, and takes its answer without a word.'
    connection = Connection(port, peer_port)
    connection.send(SYN)
    connection.received = connection.next(lambda segment: segment.flags & (SYN | ACK) == SYN | ACK).seq + 1
    return connection

def open_to(peer_port, port=40000):
    connection = ask(peer_port, port)
    connection.send(ACK)
    return connection
