"""The processes of a run: a PostgreSQL server, pgweir before it, and clients that keep the pool busy."""

import ctypes
import os
import pwd
import shutil
import signal
import socket
import subprocess
import time
import urllib.request
from pathlib import Path

PG_USER = os.environ.get("PGWEIR_PG_USER", "postgres")
FIRST_PORT = int(os.environ.get("PGWEIR_CONFORMANCE_PORT", "5721"))
ADMIN = "pgweir_admin"


class Failed(Exception):
    """A process of the run did not start or ended early."""


def as_postgres():
    """Arguments for subprocess: as root, processes that touch a data directory run as the unprivileged user."""
    if os.geteuid() != 0:
        return {}
    who = pwd.getpwnam(PG_USER)
    return {"user": who.pw_uid, "group": who.pw_gid, "extra_groups": os.getgrouplist(PG_USER, who.pw_gid)}


def own_by_postgres(*paths):
    if os.geteuid() == 0:
        for path in paths:
            shutil.chown(path, PG_USER, PG_USER)


def free_port(first=FIRST_PORT):
    """A loopback port that nobody listens on, looked for upwards."""
    for port in range(first, first + 1000):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
                return port
            except OSError:
                continue
    raise Failed("no free port")


def end_with_parent():
    """In the child: nothing of a run outlives the command, however it ends (PR_SET_PDEATHSIG)."""
    ctypes.CDLL(None).prctl(1, signal.SIGINT)


def wait_for_port(port, process, log, seconds=60):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if process.poll() is not None:
            break
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise Failed(f"nothing listens on port {port}:\n" + Path(log).read_text(errors="replace")[-3000:])


class Process:
    """A child with its log; stop() ends it by its own pid and waits."""

    def __init__(self, command, log, **kwargs):
        self.log = Path(log)
        with open(log, "wb") as out:
            self.child = subprocess.Popen([str(c) for c in command], stdin=subprocess.DEVNULL, stdout=out,
                                          stderr=subprocess.STDOUT, preexec_fn=end_with_parent, **kwargs)

    def stop(self, number=signal.SIGINT, seconds=30):
        if self.child.poll() is None:
            self.child.send_signal(number)
            try:
                self.child.wait(seconds)
            except subprocess.TimeoutExpired:
                self.child.kill()
                self.child.wait()
        return self.child.returncode


class Postgres(Process):
    """A new server in `directory`, UTF8 and locale C as pg_regress makes its own, everybody trusted on loopback. With
    `log_statements` every statement goes to its log with application name and pid, so that a session's server connections can
    be counted without believing the proxy (they go to the log only: no test lowers client_min_messages to LOG)."""

    def __init__(self, suite, directory, log_statements=True):
        self.suite = suite
        self.port = free_port()
        data = Path(directory) / "data"
        env = suite.environment()
        made = subprocess.run([suite.bin / "initdb", "-D", data, "-U", "postgres", "-A", "trust", "-E", "UTF8",
                               "--locale=C", "--no-sync"], env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              text=True, cwd="/", **as_postgres())
        if made.returncode != 0:
            raise Failed(made.stdout)
        settings = {
            "listen_addresses": "127.0.0.1", "port": self.port, "unix_socket_directories": data, "fsync": "off",
            "max_prepared_transactions": 32, "log_statement": "all" if log_statements else "none", "log_line_prefix": "%m\t%a\t%p\t",
            "log_autovacuum_min_duration": 0, "log_lock_waits": "on",
        }
        with open(data / "postgresql.conf", "a") as conf:
            conf.writelines(f"{key} = '{value}'\n" for key, value in settings.items())
        super().__init__([suite.bin / "postgres", "-D", data], Path(directory) / "postgres.log", env=env, cwd="/",
                         **as_postgres())
        wait_for_port(self.port, self.child, self.log)

    def stop(self, number=signal.SIGINT, seconds=60):
        code = super().stop(number, seconds)
        shutil.rmtree(self.log.parent / "data", ignore_errors=True)
        return code

    def psql(self, *statements, port=None, user="postgres", database="postgres"):
        """Runs statements one by one; unaligned rows as text. Loopback needs no password."""
        commands = [word for statement in statements for word in ("-c", statement)]
        done = subprocess.run([self.suite.bin / "psql", "-XAtq", "-h", "127.0.0.1", "-p", str(port or self.port), "-U", user,
                               "-d", database, "-v", "ON_ERROR_STOP=1", *commands], env=self.suite.environment(),
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=60)
        if done.returncode != 0:
            raise Failed(done.stderr)
        return done.stdout

    def create_database(self, name):
        """With the settings that pg_regress gives its own."""
        settings = {"lc_messages": "'C'", "lc_monetary": "'C'", "lc_numeric": "'C'", "lc_time": "'C'", "bytea_output": "'hex'",
                    "timezone_abbreviations": "'Default'"}
        self.psql(f'CREATE DATABASE "{name}" TEMPLATE=template0 LC_COLLATE=\'C\' LC_CTYPE=\'C\'',
                  *[f'ALTER DATABASE "{name}" SET {key} TO {value}' for key, value in settings.items()])


class Pgweir(Process):
    """pgweir as a plain pooler of one server, with everybody trusted."""

    def __init__(self, binary, directory, postgres, database, mode, size, extra_pool=""):
        self.port = free_port(FIRST_PORT + 1000)
        self.metrics_port = free_port(self.port + 1)
        config = Path(directory) / "pgweir.toml"
        config.write_text(f"""[listen]
address = "127.0.0.1:{self.port}"
workers = 2

[tls.server]
mode = "disable"

[auth]
method = "trust"

[admin]
users = ["{ADMIN}"]

[log]
level = "debug"

[metrics]
address = "127.0.0.1:{self.metrics_port}"

[[user]]
name = "{ADMIN}"

[[user]]
name = "postgres"

[pool]
mode = "{mode}"
size = {size}
checkout_timeout = "10m"
{extra_pool}

[cluster.{database}]
recovery_user = "postgres"
recovery_password = "unused"

[[cluster.{database}.shard]]
name = "main"
primary = "127.0.0.1:{postgres.port}"
""")
        super().__init__([binary, "--config", config], Path(directory) / "pgweir.log")
        wait_for_port(self.port, self.child, self.log)

    def metrics(self):
        """The exporter's samples: {'name{labels}': value}."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.metrics_port}/metrics", timeout=10) as page:
            lines = page.read().decode().splitlines()
        return {line.rpartition(" ")[0]: float(line.rpartition(" ")[2]) for line in lines if line and line[0] != "#"}


# What the busy clients run: statements in and outside transactions, prepared ones, a setting that ends with its
# transaction. Nothing that locks, creates or holds a snapshot for long.
BUSY_SCRIPT = """\\set n random(1, 1000)
SELECT :n + 1;
BEGIN;
SET LOCAL work_mem = '5MB';
SELECT count(*) FROM pg_catalog.pg_class WHERE oid < :n;
COMMIT;
SELECT current_setting('datestyle'), now()::date;
"""
# Each group is one pgbench with settings of its own, all in the pool of the tests.
BUSY_GROUPS = [("simple", "-c datestyle=German -c timezone=Asia/Tokyo -c extra_float_digits=0"),
               ("prepared", "-c datestyle=SQL,DMY -c search_path=pg_catalog -c bytea_output=escape")]


class Busy:
    """Clients that use the pool during the run, about `rate` scripts a second in each of two groups."""

    def __init__(self, suite, directory, port, database, clients=2, rate=10, user="postgres"):
        script = Path(directory) / "busy.sql"
        script.write_text(BUSY_SCRIPT)
        self.processes = []
        for protocol, options in BUSY_GROUPS:
            env = suite.environment() | {"PGOPTIONS": options, "PGAPPNAME": f"busy_{protocol}"}
            self.processes.append(Process(
                [suite.bin / "pgbench", "-n", "-h", "127.0.0.1", "-p", port, "-U", user, "-c", clients, "-j", 1,
                 "-M", protocol, "-R", rate, "-T", 86400, "-f", script, database],
                Path(directory) / f"busy-{protocol}.log", env=env))

    def stop(self):
        """Ends them; what went wrong for them, as text (nothing: they ran to the end)."""
        wrong = []
        for process in self.processes:
            if process.child.poll() is not None:
                wrong.append(f"{process.log.name} ended early: {process.log.read_text(errors='replace')[-500:]}")
            process.stop()
        return wrong
