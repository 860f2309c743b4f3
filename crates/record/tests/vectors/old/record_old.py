#!/usr/bin/env python3
"""Records what old clients send and what brokers answer, byte for byte; README.md says how it is run.

    record_old.py proxy LISTEN BROKER FOLDER        forwards connections, keeps the message sets of Produce v0 to v2
    record_old.py produce PORT TOPIC VERSION FILE   sends a kept set, prints what the broker answers
    record_old.py fetch PORT TOPIC VERSION OFFSET BYTES FILE   keeps the records of an answer to Fetch v0 to v3
"""
import pathlib, socket, struct, sys, threading


def string(text):
    return struct.pack(">h", len(text)) + text.encode()


def exactly(sock, count):
    out = b""
    while len(out) < count:
        piece = sock.recv(count - len(out))
        if not piece:
            raise EOFError
        out += piece
    return out


def frame(sock):
    size = exactly(sock, 4)
    return exactly(sock, struct.unpack(">i", size)[0])


def ask(port, key, version, body):
    with socket.create_connection(("localhost", port)) as sock:
        request = struct.pack(">hhi", key, version, 1) + string("vectors") + body
        sock.sendall(struct.pack(">i", len(request)) + request)
        return frame(sock)[4:]


def sets(request):
    """Topic and message set of each partition of a Produce request before v3."""
    at = 8
    client, = struct.unpack_from(">h", request, at)
    at += 2 + max(client, 0) + 2 + 4
    topics, = struct.unpack_from(">i", request, at)
    at += 4
    for _ in range(topics):
        length, = struct.unpack_from(">h", request, at)
        topic = request[at + 2:at + 2 + length].decode()
        at += 2 + length
        partitions, = struct.unpack_from(">i", request, at)
        at += 4
        for _ in range(partitions):
            _, size = struct.unpack_from(">ii", request, at)
            yield topic, request[at + 8:at + 8 + size]
            at += 8 + size


def proxy(listen, broker, folder):
    def forward(client):
        server = socket.create_connection(("localhost", broker))

        def back():
            while piece := server.recv(65536):
                client.sendall(piece)
            client.close()

        threading.Thread(target=back, daemon=True).start()
        try:
            while True:
                request = frame(client)
                key, version = struct.unpack_from(">hh", request)
                if key == 0 and version < 3:
                    for topic, records in sets(request):
                        with open(pathlib.Path(folder) / f"{topic}.set", "ab") as out:
                            out.write(records)
                server.sendall(struct.pack(">i", len(request)) + request)
        except (EOFError, OSError):
            server.close()

    listener = socket.create_server(("localhost", listen))
    while True:
        threading.Thread(target=forward, args=(listener.accept()[0],), daemon=True).start()


def produce(port, topic, version, file):
    records = pathlib.Path(file).read_bytes()
    partition = struct.pack(">iii", 1, 0, len(records)) + records
    print(ask(port, 0, version, struct.pack(">hii", 1, 10000, 1) + string(topic) + partition).hex())


def fetch(port, topic, version, offset, limit, file):
    head = struct.pack(">iii", -1, 100, 1) + (struct.pack(">i", limit) if version >= 3 else b"")
    body = head + struct.pack(">i", 1) + string(topic) + struct.pack(">iiqi", 1, 0, offset, limit)
    answer = ask(port, 1, version, body)
    at = (4 if version >= 1 else 0) + 4 + 2 + len(topic) + 4
    partition, error, high_watermark, size = struct.unpack_from(">ihqi", answer, at)
    records = answer[at + 18:]
    assert len(records) == size, (len(records), size)
    print(topic, version, offset, "error", error, "high watermark", high_watermark, "bytes", size)
    pathlib.Path(file).write_bytes(records)


if __name__ == "__main__":
    name, *args = sys.argv[1:]
    number = lambda text: int(text) if text.lstrip("-").isdigit() else text
    {"proxy": proxy, "produce": produce, "fetch": fetch}[name](*map(number, args))
