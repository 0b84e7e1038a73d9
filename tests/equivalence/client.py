"""A small client that speaks the PostgreSQL protocol (3.0) itself, message by message.

It exists to send what no driver sends (messages out of order, half batches, pipelines with errors in the middle) and to
show every message that comes back. Functions of this module make single messages; Client sends them and formats the
replies as one line of text, for example

    1 2 D['42'] C[SELECT 1] Z[I]

Nothing waits longer than a deadline: when it passes, NoAnswer is raised with what had arrived. Sending never blocks on a
peer that does not read because its own answers are not read: while a send is stuck, answers are taken in.
"""
import re
import select
import socket
import struct
import time

SHOWN = 80       # characters of a value that are shown
REFUSED = "(refused by the proxy)"  # marks its errors that say: no answer rather than a wrong one


PATIENCE = 10.0  # seconds for one answer


class NoAnswer(Exception):
    """The deadline has passed; the text is what had arrived until then."""


# --- messages of a client ------------------------------------------------------------------------------------------

def message(kind, body=b""):
    return kind.encode() + struct.pack("!i", len(body) + 4) + body


def text(value):
    return value.encode() + b"\0"


def query(sql):
    return message("Q", text(sql))


def parse(name, sql, types=()):
    return message("P", text(name) + text(sql) + struct.pack(f"!h{len(types)}I", len(types), *types))


def bind(statement="", values=(), portal="", formats=(), result_formats=()):
    body = text(portal) + text(statement) + struct.pack(f"!h{len(formats)}h", len(formats), *formats)
    body += struct.pack("!h", len(values))
    for value in values:
        if value is None:
            body += struct.pack("!i", -1)
        else:
            raw = value if isinstance(value, bytes) else str(value).encode()
            body += struct.pack("!i", len(raw)) + raw
    return message("B", body + struct.pack(f"!h{len(result_formats)}h", len(result_formats), *result_formats))


def execute(portal="", rows=0):
    return message("E", text(portal) + struct.pack("!i", rows))


def describe_statement(name=""):
    return message("D", b"S" + text(name))


def describe_portal(name=""):
    return message("D", b"P" + text(name))


def close_statement(name=""):
    return message("C", b"S" + text(name))


def close_portal(name=""):
    return message("C", b"P" + text(name))


def once(sql, *values):
    """Parse, Bind and Execute of the unnamed statement: what most drivers send for one statement."""
    return parse("", sql) + bind("", values) + execute()


def again(name, *values):
    """Bind and Execute of a statement that was parsed before."""
    return bind(name, values) + execute()


def function_call(oid):
    return message("F", struct.pack("!ihhh", oid, 0, 0, 0))


def copy_data(data):
    return message("d", data)


def copy_fail(reason):
    return message("f", text(reason))


SYNC = message("S")
FLUSH = message("H")
TERMINATE = message("X")
COPY_DONE = message("c")


# --- how replies are shown -----------------------------------------------------------------------------------------

def error_fields(body):
    return {chr(part[0]): part[1:].decode(errors="replace") for part in body.split(b"\0") if part}


def row_values(body):
    (count,), at, values = struct.unpack("!h", body[:2]), 2, []
    for _ in range(count):
        (length,) = struct.unpack("!i", body[at:at + 4])
        at += 4
        values.append(None if length < 0 else body[at:at + length].decode(errors="replace"))
        at += max(length, 0)
    return values


def columns(body):
    (count,), at, names = struct.unpack("!h", body[:2]), 2, []
    for _ in range(count):
        end = body.index(b"\0", at)
        _, _, kind, _, _, form = struct.unpack("!IhIhih", body[end + 1:end + 19])
        names.append(body[at:end].decode() + ("" if kind >= 16384 else f":{kind}") + ("b" if form else ""))
        at = end + 19
    return names


def show_report(kind, body):
    fields = error_fields(body)
    parts = [fields.get(key, "") for key in "SCM"]
    parts += [f"{key}={fields[key][:SHOWN]}" for key in "DHPst" if key in fields]
    if fields.get("R") == "pgweir_refuse":
        parts.append(REFUSED)
    return f"{kind}[{' '.join(parts)}]"


def show(kind, body):
    if kind == "D":
        return "D" + str([value if value is None else value[:SHOWN] for value in row_values(body)])
    if kind in ("E", "N"):
        return show_report(kind, body)
    if kind == "C":
        return f"C[{body[:-1].decode()}]"
    if kind == "Z":
        return f"Z[{body.decode()}]"
    if kind == "S":
        return "S[" + body[:-1].replace(b"\0", b"=", 1).decode() + "]"
    if kind == "T":
        return f"T[{' '.join(columns(body))}]"
    if kind == "t":
        return f"t{list(struct.unpack(f'!{(len(body) - 2) // 4}I', body[2:]))}"
    if kind == "A":
        channel, payload, _ = body[4:].split(b"\0")
        return f"A[{channel.decode()} {payload.decode()}]"
    if kind == "d":
        return f"d[{body[:SHOWN].decode(errors='replace')!r}]"
    return kind


def show_all(messages):
    """One line. ParameterStatus messages stand where PostgreSQL sends them, before ReadyForQuery, sorted by name."""
    shown, reports = [], []
    for kind, body in messages:
        if kind == "S":
            reports.append(show(kind, body))
            continue
        if kind == "Z":
            shown += sorted(reports, key=lambda report: report.partition("=")[0])
            reports = []
        shown.append(show(kind, body))
    return " ".join(shown + reports)


def without_parameters(replies):
    """The line without what ParameterStatus tells."""
    return re.sub(r"S\[.*?\] ", "", replies)


# --- a connection --------------------------------------------------------------------------------------------------

class Client:
    """One connection, logged in by `trust`. `parameters` is what ParameterStatus has told last."""

    def __init__(self, address, user, database, patience=PATIENCE, **startup):
        self.address = address
        self.patience = patience  # seconds, where a call does not say otherwise
        self.parameters = {}
        self.key = b""
        self._buffer, self._at = bytearray(), 0  # received, and how much of it was handed out
        self._socket = socket.create_connection(address, timeout=PATIENCE)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._socket.setblocking(False)
        body = struct.pack("!i", 196608)
        for name, value in dict(user=user, database=database, **startup).items():
            body += text(name) + text(value)
        self.send(struct.pack("!i", len(body) + 5) + body + b"\0")
        self.greeting = self.until("Z")
        if not self.greeting.endswith("Z[I]"):
            raise ConnectionError(self.greeting)

    def send(self, *messages):
        """Returns when the kernel has taken everything. A connection that the peer has closed is not an error here: the
        end is seen when replies are read."""
        data, end = memoryview(b"".join(messages)), time.monotonic() + 3 * self.patience
        while data:
            readable, writable, _ = select.select([self._socket], [self._socket], [], end - time.monotonic())
            if not readable and not writable:
                raise NoAnswer("the peer takes nothing")
            try:
                if writable:
                    data = data[self._socket.send(data):]
                elif readable and not self._read():
                    return
            except (BrokenPipeError, ConnectionResetError):
                return

    def _read(self):
        try:
            piece = self._socket.recv(1 << 20)
        except ConnectionError:
            return False
        self._buffer += piece
        return bool(piece)

    def _next(self, end):
        """The next message, ("EOF", b"") at the connection's end, or nothing when `end` has come."""
        while True:
            have = len(self._buffer) - self._at
            size = struct.unpack_from("!i", self._buffer, self._at + 1)[0] + 1 if have >= 5 else 5
            if have >= size and have >= 5:
                start, self._at = self._at, self._at + size
                return chr(self._buffer[start]), bytes(self._buffer[start + 5:self._at])
            del self._buffer[:self._at]
            self._at = 0
            if not select.select([self._socket], [], [], max(0.0, end - time.monotonic()))[0]:
                return None
            if not self._read():
                return "EOF", b""

    def messages(self, kind="Z", count=1, seconds=None):
        """What comes up to the `count`-th message of this kind, or up to the connection's end."""
        found, end = [], time.monotonic() + (seconds or self.patience)
        while count > 0:
            reply = self._next(end)
            if reply is None:
                raise NoAnswer(show_all(found))
            found.append(reply)
            if reply[0] == "EOF":
                break
            if reply[0] == "S":
                name, value = reply[1][:-1].split(b"\0")
                self.parameters[name.decode()] = value.decode()
            if reply[0] == "K":
                self.key = reply[1]
            count -= reply[0] == kind
        return found

    def until(self, kind="Z", count=1, seconds=None):
        return show_all(self.messages(kind, count, seconds))

    def ask(self, *messages, ready=1, seconds=None):
        """Sends all of it at once and returns what comes up to the `ready`-th ReadyForQuery."""
        self.send(*messages)
        return self.until("Z", ready, seconds)

    def query(self, *statements):
        """One Query after the other; the answers in one line."""
        return " ".join(self.ask(query(sql)) for sql in statements)

    def value(self, sql):
        """First column of the first row; raises ValueError with the whole answer when there is none."""
        self.send(query(sql))
        replies = self.messages()
        for kind, body in replies:
            if kind == "D":
                return row_values(body)[0]
        raise ValueError(show_all(replies))

    def rows(self, sql):
        """All rows as lists of text; raises ValueError with the whole answer when the statement failed."""
        self.send(query(sql))
        replies = self.messages()
        if any(kind in ("E", "EOF") for kind, _ in replies):
            raise ValueError(show_all(replies))
        return [row_values(body) for kind, body in replies if kind == "D"]

    def end(self, seconds=None):
        """What comes up to the connection's end."""
        return self.until("EOF", seconds=seconds)

    def cancel(self):
        """Sends a CancelRequest on a connection of its own; returns when the peer has closed that one."""
        self.finish_cancel(self.begin_cancel())

    def begin_cancel(self):
        other = socket.create_connection(self.address, timeout=PATIENCE)
        other.sendall(struct.pack("!ii", 8 + len(self.key), 80877102) + self.key)
        return other

    def finish_cancel(self, request):
        with request:
            request.recv(1)

    def flood(self, data, limit):
        """Sends `data` again and again and reads nothing, up to `limit` bytes or until the peer has taken nothing for half a
        second."""
        sent = 0
        while sent < limit and select.select([], [self._socket], [], 0.5)[1]:
            try:
                sent += self._socket.send(memoryview(data)[sent % len(data):])
            except ConnectionError:
                return

    def leave(self):
        """Sends no more and waits for the peer to close: unlike vanish(), it surely gets everything that was sent."""
        self._socket.shutdown(socket.SHUT_WR)
        self.messages("EOF")
        self._socket.close()

    def vanish(self):
        """Closes the socket without a Terminate."""
        self._socket.close()

    def reset(self):
        """Ends the connection by a TCP reset."""
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._socket.close()
