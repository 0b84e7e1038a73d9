"""What scenarios are written with: the registry and Side, the one party (PostgreSQL itself, or pgweir) a run talks to.

A scenario is a generator function over a Side; what it yields are its outcomes:

    @scenario("prepared", "two failing groups of one pipeline each get their own error")
    def two_failing_groups(side):
        client = side.connect()
        yield client.ask(bind("first"), SYNC, bind("second"), SYNC, ready=2)

run.py runs it on both sides and compares the lists. It must give the same list on every run: no process ids, no times,
rows ordered. It waits on conditions (Side.wait...), never for a time. Tables come from Side.table, and every scenario uses
table names and statement texts of its own, since all scenarios of a run share the pooled servers.
"""
import inspect
import os
import signal
import socket
import time

from client import Client, NoAnswer, PATIENCE, query

PLAIN = ("one", "two", "routed", "session")  # the configurations of one shard; see run.py
POOLED = ("one", "two", "routed")            # where a client does not keep its server
MANY = ("shards",)
OWN = {"own", "own_session"}                 # every scenario has a proxy of its own, which it may end
AFTERWARDS = "afterwards: "
SCENARIOS = {}


class Scenario:
    def __init__(self, function, group, reason, where, refusable):
        self.name = f"{group}.{function.__name__}"
        self.group, self.reason, self.where, self.function, self.refusable = group, reason, where, function, refusable


def scenario(group, reason, where=PLAIN, refusable=False):
    """Registers a scenario as GROUP.FUNCTION for the configurations `where`; `reason` says what would break. A refusable one
    may be refused by the proxy at any step (as docs/sql.md says) if everything before is the same and nothing is left of
    it: where its first outcome begins with "rows:", the last one must be the same."""
    def register(function):
        assert inspect.isgeneratorfunction(function), function.__name__
        entry = Scenario(function, group, reason, where, refusable)
        assert entry.name not in SCENARIOS, entry.name
        SCENARIOS[entry.name] = entry
        return function
    return register


class Side:
    """`address` is where clients connect; `servers` are the PostgreSQL servers behind it (the same one, when direct); `proxy`
    is the proxy's process (nothing, when direct)."""

    def __init__(self, address, servers, user, database, proxy=None):
        self.address, self.servers, self.user, self.database = address, servers, user, database
        self.proxy, self.is_proxy = proxy, proxy is not None
        self.patience = PATIENCE  # seconds that its clients and conditions wait
        self._clients, self._watchers = [], {}

    # --- clients ---

    def connect(self, user=None, **startup):
        client = Client(self.address, user or self.user, self.database, self.patience, **startup)
        self._clients.append(client)
        return client

    def connect_raw(self):
        """A socket on which nothing was sent."""
        return socket.create_connection(self.address, timeout=PATIENCE)

    def outsider(self, server=0):
        """A connection that leaves the proxy out: holds locks, terminates, looks."""
        client = Client(self.servers[min(server, len(self.servers) - 1)], self.user, self.database)
        self._clients.append(client)
        return client

    def watcher(self, server=0):
        """The superuser on that server; stays open from scenario to scenario."""
        if server not in self._watchers:
            self._watchers[server] = Client(self.servers[server], "postgres", self.database,
                                            application_name="watcher")
        return self._watchers[server]

    def clients(self):
        return list(self._clients)

    def end_clients(self):
        for client in self._clients:
            client.vanish()
        self._clients.clear()

    # --- tables ---

    def table(self, name, definition, *more):
        """A new table, made on the server itself (one server), and further statements that belong to it."""
        self.watcher().rows(f"drop table if exists {name} cascade")
        for sql in (f"create table {name} ({definition})", f"alter table {name} owner to {self.user}", *more):
            self.watcher().rows(sql)

    def prepare(self, *statements):
        """Functions, views, sequences: statements on the server itself."""
        for sql in statements:
            self.watcher().rows(sql)

    # --- what there is, seen on the servers ---

    def look(self, sql):
        """Rows of all servers together, sorted."""
        return sorted(row for server in range(len(self.servers)) for row in self.watcher(server).rows(sql))

    def look_at_copies(self, sql):
        """Rows that every server must have alike; every server's rows when they do not."""
        answers = [self.watcher(server).rows(sql) for server in range(len(self.servers))]
        return answers[0] if all(answer == answers[0] for answer in answers) else answers

    def postmaster(self, server=0):
        """Process id of the server."""
        return int(self.watcher(server).value("select split_part(pg_read_file('postmaster.pid'), E'\\n', 1)"))

    def terminate(self, condition, server=0, wait=True):
        """Ends the clients' backends on that server that the condition on pg_stat_activity holds for; with `wait`, returns
        when they are gone."""
        watcher = self.watcher(min(server, len(self.servers) - 1))
        watcher.rows(f"select pg_terminate_backend(pid, {10000 if wait else 0}) from pg_stat_activity where backend_type = "
                     "'client backend' and pid <> pg_backend_pid() and application_name <> 'watcher' and "
                     f"application_name not like 'pgweir%' and ({condition})")

    # --- waiting ---

    def wait(self, what, condition, seconds=None):
        """Until `condition` (a function) is true; raises NoAnswer saying `what`."""
        end = time.monotonic() + (seconds or self.patience)
        while not condition():
            if time.monotonic() > end:
                raise NoAnswer(f"it never came to this: {what}")
            time.sleep(0.003)

    def wait_for(self, sql, seconds=None):
        """Until a query gives true on at least one server."""
        self.wait(sql, lambda: any(self.watcher(server).value(sql) == "t" for server in range(len(self.servers))),
                  seconds)

    def wait_for_backend(self, condition):
        """Until a client's backend fulfils the condition on pg_stat_activity."""
        self.wait_for("select count(*) > 0 from pg_stat_activity where backend_type = 'client backend' and "
                      f"pid <> pg_backend_pid() and ({condition})")

    def wait_blocked(self, like):
        """Until a statement like this waits for a lock."""
        self.wait_for_backend(f"wait_event_type = 'Lock' and query ilike '{like}'")

    def wait_settled_servers(self):
        """Until no backend of a client is busy, in a transaction, or holds an advisory lock."""
        for server in range(len(self.servers)):
            self.wait("every server is idle: " + self._busy(server), lambda at=server: not self._busy(at))

    def wait_settled(self):
        """As wait_settled_servers, and until the proxy has no client left."""
        self.wait_settled_servers()
        if self.is_proxy:
            self.wait("the proxy has no clients: " + self._shown_clients(), lambda: not self._shown_clients())

    def _busy(self, server):
        """Backends that are busy, in a transaction, or hold advisory locks."""
        return str(self.watcher(server).rows(
            "select state, left(query, 60) from pg_stat_activity a where backend_type = 'client backend' and pid <> "
            "pg_backend_pid() and application_name not like 'pgweir%' and (state <> 'idle' or exists (select 1 from "
            "pg_locks l where l.pid = a.pid and locktype = 'advisory'))") or "")

    def _shown_clients(self):
        console = self.proxy.console()
        rows = [row for row in console.rows("show clients") if "pgweir" not in row]
        console.vanish()
        return str(rows or "")

    # --- the processes ---

    def signal(self, pid, number):
        os.kill(pid, number)

    def wait_shutting_down(self):
        """Until the proxy takes no new clients."""
        def refuses():
            try:
                Client(self.address, self.user, self.database).vanish()
                return False
            except OSError:
                return True
        if self.is_proxy:
            self.wait("the proxy takes no new clients", refuses)


class Gate:
    """Holds statements that read or write `gate` until it opens: a table that an outsider has locked. Made by side.gate."""

    def __init__(self, side, name):
        self._holder = side.outsider()
        self._holder.query("begin", f"lock table {name} in access exclusive mode")

    def open(self):
        self._holder.query("commit")


def gate(side, name):
    side.table(name, "a int")
    return Gate(side, name)


def run(entry, side):
    """The scenario's outcomes on this side; the last line tells how it ended when it did not end well, and what a fresh
    client finds afterwards."""
    outcomes = []
    try:
        for outcome in entry.function(side):
            outcomes.append(outcome if isinstance(outcome, str) else str(outcome))
    except (NoAnswer, ConnectionError, ValueError, OSError) as error:
        outcomes.append(f"{type(error).__name__}: {error}")
    side.end_clients()
    if not OWN.intersection(entry.where):  # else the scenario may have ended the proxy
        outcomes.append(AFTERWARDS + _afterwards(side))
    return outcomes


# What a fresh session must not have.
CLEAN = ("select (select string_agg(name || '=' || setting, ' ' order by name) from pg_settings where source = 'session'"
         " and setting is distinct from reset_val), (select count(*) from pg_prepared_statements where from_sql),"
         " (select count(*) from pg_cursors where name <> ''), (select count(*) from pg_listening_channels()),"
         " (select count(*) from pg_class where relnamespace = pg_my_temp_schema())")


def _afterwards(side):
    try:
        side.wait_settled()
        fresh = side.connect()
        fresh.send(query(CLEAN))
        return fresh.until().partition("] ")[2]
    except (NoAnswer, ConnectionError, ValueError, OSError) as error:
        return f"{type(error).__name__}: {error}"
    finally:
        side.end_clients()
