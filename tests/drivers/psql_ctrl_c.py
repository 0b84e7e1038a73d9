"""An interactive psql on a terminal of its own: Ctrl-C cancels what runs, and the session goes on. Used by psql.sh."""
import os
import pty
import re
import select
import sys
import time


class Terminal:
    def __init__(self, command):
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.environ["TERM"] = "dumb"
            os.execvp(command[0], command)
        self.seen = ""

    def type(self, text):
        os.write(self.fd, text.encode())

    def poll(self, seconds):
        ready, _, _ = select.select([self.fd], [], [], seconds)
        if ready:
            self.seen += os.read(self.fd, 65536).decode(errors="replace")

    def sees(self, pattern, seconds):
        end = time.monotonic() + seconds
        while not re.search(pattern, self.seen):
            if time.monotonic() > end:
                return False
            self.poll(0.1)
        return True

    def wait_for(self, pattern):
        if not self.sees(pattern, 20):
            sys.exit(f"no {pattern!r} in:\n{self.seen}")


def interrupt(terminal, statement):
    """Types the statement and Ctrl-C until it is cancelled: before the server runs it there is nothing to cancel."""
    terminal.seen = ""
    # One line, so that psql has read all of it when the echo appears: Ctrl-C discards input not yet read.
    terminal.type(f"\\echo 'started' 'it' \\\\ {statement}\n")
    terminal.wait_for("started it")
    for _ in range(5):
        # With time for the answer: a second Ctrl-C while psql prints the error would swallow it.
        terminal.type("\x03")
        if terminal.sees("canceling statement due to user request", 4):
            return
    sys.exit("Ctrl-C did not cancel:\n" + terminal.seen)


def main():
    terminal = Terminal(["psql", "-X", "-A", "-t", "-n", "-P", "pager=off"])
    terminal.type("SELECT 'be' || 'fore';\n")
    terminal.wait_for("before")
    for number, statement in enumerate(["SELECT pg_sleep(60);", "SELECT count(*) FROM generate_series(1, 100000000000);"]):
        interrupt(terminal, statement)
        terminal.type(f"SELECT 'after', {number + 6} * 7;\n")
        terminal.wait_for(rf"after\|{(number + 6) * 7}")
    terminal.type("BEGIN;\n")
    interrupt(terminal, "SELECT pg_sleep(60);")
    terminal.type("SELECT 1;\n")
    terminal.wait_for("current transaction is aborted")
    terminal.type("ROLLBACK;\nSELECT 'out' || 'side';\n")
    terminal.wait_for("outside")
    terminal.type("\\q\n")
    _, status = os.waitpid(terminal.pid, 0)
    if status != 0:
        sys.exit(f"psql ended with status {status}")
    print("ok: Ctrl-C cancels and the session goes on")


main()
