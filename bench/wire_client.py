"""A client of few words, for bench/compare: libpq would count its own memory and time."""
import socket
import struct


class Client:
    """The few messages of the protocol (version 3.0) that the memory measurement needs."""

    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=30)
        body = struct.pack("!i", 196608) + b"user\0app\0database\0fediflow\0\0"
        self.socket.sendall(struct.pack("!i", len(body) + 4) + body)
        self.buffer = b""
        self.until_ready()

    def until_ready(self):
        """Returns the types of the messages up to ReadyForQuery."""
        types = []
        while True:
            while len(self.buffer) < 5 or len(self.buffer) < 1 + struct.unpack_from("!i", self.buffer, 1)[0]:
                data = self.socket.recv(1 << 18)
                if not data:
                    raise OSError("the connection was closed")
                self.buffer += data
            length = 1 + struct.unpack_from("!i", self.buffer, 1)[0]
            types.append(self.buffer[:1])
            if types[-1] == b"E":
                raise OSError("error: " + repr(self.buffer[:length]))
            self.buffer = self.buffer[length:]
            if types[-1] == b"Z":
                return types

    def message(self, kind, body):
        return kind + struct.pack("!i", len(body) + 4) + body

    def query(self, sql):
        self.socket.sendall(self.message(b"Q", sql.encode() + b"\0"))
        self.until_ready()

    def prepare(self, name, sql):
        parse = self.message(b"P", name.encode() + b"\0" + sql.encode() + b"\0\0\0")
        self.socket.sendall(parse + self.message(b"S", b""))
        self.until_ready()

    def use(self):
        for _ in range(20):
            self.query("SELECT 1")
        for number in range(5):
            self.prepare(f"s{number}", f"SELECT $1::int + {number}")
        self.query("SELECT repeat('x', 1048576)")

    def close(self):
        self.socket.close()
