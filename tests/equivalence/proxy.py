"""The proxy as a child process of the runner: started, looked at, started again when a scenario has cost it a server."""
import ctypes
import os
import signal
import socket
import subprocess
import time

from client import Client, NoAnswer, PATIENCE


START = 30.0  # seconds
PR_SET_PDEATHSIG = 1  # linux/prctl.h


def end_with_the_runner():
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


class Proxy:
    """A binary and its configuration file; `address` is what that file listens on. Not started until start()."""

    def __init__(self, binary, config, address, log):
        self._command, self._log, self.address, self.config = [binary, "--config", config], log, address, config
        self._process = None
        with open(config, encoding="utf-8") as file:
            self._text = file.read()

    def start(self):
        """With the file as it was at first. Returns when clients are accepted."""
        self.stop()
        self._write(self._text)
        with open(self._log, "a", encoding="utf-8") as log:
            self._process = subprocess.Popen(self._command, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                             preexec_fn=end_with_the_runner)
        end = time.monotonic() + START
        while True:
            try:
                socket.create_connection(self.address, timeout=PATIENCE).close()
                return
            except OSError as error:
                if self._process.poll() is not None or time.monotonic() > end:
                    raise NoAnswer(f"the proxy did not start; see {self._log}") from error
                time.sleep(0.005)

    def stop(self):
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def running(self):
        return self._process is not None and self._process.poll() is None

    def begin_shutdown(self):
        self._process.send_signal(signal.SIGTERM)

    def reload(self, change):
        """Rewrites the configuration file; returns when it is in force."""
        self._write(change(self._text))
        console = self.console()
        console.query("reload")
        console.vanish()

    def _write(self, text):
        with open(self.config, "w", encoding="utf-8") as file:
            file.write(text)

    def console(self):
        return Client(self.address, "admin", "pgweir")

    def memory(self):
        """Resident bytes."""
        with open(f"/proc/{self._process.pid}/statm", encoding="ascii") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
