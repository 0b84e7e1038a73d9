"""Cancel, servers that end, shutdown, reload and memory: what happens around statements."""
import re
import signal

from client import FLUSH, SYNC, bind, close_statement, execute, once, parse, query
from scenario import PLAIN, Gate, gate, scenario

OWN = ("own",)  # a proxy of its own, which the scenario may end
TWO = ("two", "session")


# --- cancel ---

@scenario("cancel", "ends what runs, within a block and without", PLAIN)
def running(side):
    gate(side, "cancel_gate")
    client = side.connect()
    for block in (("select 1",), ("begin",)):
        yield client.query(*block)
        client.send(query("select * from cancel_gate"))
        side.wait_blocked("%from cancel_gate%")
        client.cancel()
        yield client.until()
    yield client.query("select 1", "rollback")


@scenario("cancel", "ends a statement of the extended protocol, the rest of its batch is skipped", PLAIN)
def running_extended(side):
    gate(side, "cancel_extended_gate")
    client = side.connect()
    client.send(parse("", "select * from cancel_extended_gate"), bind(), execute(), once("select 2"), SYNC,
                query("select 3"))
    side.wait_blocked("%cancel_extended_gate%")
    client.cancel()
    yield client.until("Z", 2)


@scenario("cancel", "of an idle client does nothing, to nobody", PLAIN)
def idle(side):
    client = side.connect()
    yield client.query("select 1")
    client.cancel()
    yield client.query("select count(*) from generate_series(1, 1000)") + side.connect().query("select 2")


@scenario("cancel", "of one client never ends another's statement", TWO)
def of_another(side):
    held = gate(side, "cancel_other_gate")
    client, other = side.connect(), side.connect()
    yield client.query("select 1")
    other.send(query("select count(*) from cancel_other_gate"))
    side.wait_blocked("%cancel_other_gate%")
    client.cancel()
    held.open()
    yield other.until() + client.query("select 3")


@scenario("cancel", "that the server takes late meets no statement behind it; an idle client hears nothing of that server",
          ("one", "two"))
def taken_late(side):
    held = Gate(side, "late_gate")
    client = side.connect()
    client.send(query("select count(*), 'late' from late_gate"))
    side.wait_blocked("%late_gate%")
    postmaster = side.postmaster()
    side.signal(postmaster, signal.SIGSTOP)
    try:
        request = client.begin_cancel()
        held.open()
        yield client.until()
        if side.is_proxy:  # a server that is no longer this client's
            side.terminate("query like '%late_gate%'", wait=False)  # a stopped postmaster reaps nobody
            side.wait("it has gone", lambda: not side.look("select 1 from pg_stat_activity where query like '%late_gate%' and "
                                                           "pid <> pg_backend_pid()"))
    finally:
        side.signal(postmaster, signal.SIGCONT)
    client.finish_cancel(request)
    yield client.query("select 'not cancelled'") + side.connect().query("select 'nor this'")


# --- servers that end ---

def ended_when(name, reason, *messages, awaiting="Z", blocked=None):
    """The client's backend is terminated behind these messages; what the client is told."""
    def run(side):
        held = gate(side, "ended_gate")
        client = side.connect()
        pid = client.value("select pg_backend_pid()")
        client.send(*messages)
        if blocked:
            side.wait_blocked("%ended_gate%")
        else:
            client.until(awaiting, sum(part[:1] == b"Q" for part in messages) if awaiting == "Z" else 1)
        side.terminate(f"pid = {pid}")
        held.open()
        client.send(SYNC)
        yield client.until()
    run.__name__ = name
    scenario("ended", reason, ("one",))(run)


ended_when("in_a_block", "a client is told when its server ends in its block", query("begin"), query("select 1"))
ended_when("in_a_statement", "or in its statement", query("select * from ended_gate"), blocked=True)
ended_when("in_copy", "or in its COPY", query("create temp table ended_copy (a int)"),
           query("copy ended_copy from stdin"), awaiting="G")
ended_when("in_a_batch", "or in its batch", once("select 1"), FLUSH, awaiting="C")


@scenario("ended", "a server that ends while it is asked what it holds leaves no client behind", ("one", "two"))
def while_settings_are_looked_for(side):
    for number in range(12):
        client = side.connect()
        pid = client.value("select pg_backend_pid()")
        client.send(query(f"set work_mem = {3000 + number}"))
        side.terminate(f"pid = {pid}")
        client.vanish()
    yield side.connect().query("select 1")


# --- shutdown and reload ---

def told_to_end(side, client):
    """SQLSTATE of the last words. PostgreSQL's own are those of a backend that is terminated."""
    if not side.is_proxy:
        side.terminate("usename = 'app' and state <> 'active'")
    return str(re.findall(r"FATAL \w+|EOF", client.end()))


def shut_down(side):
    if side.is_proxy:
        side.proxy.begin_shutdown()


@scenario("shutdown", "an idle client is told to go", OWN)
def of_an_idle_client(side):
    client = side.connect()
    yield client.query("select 1")
    shut_down(side)
    yield told_to_end(side, client)


@scenario("shutdown", "also in session mode", ("own_session",))
def of_an_idle_session(side):
    client = side.connect()
    yield client.query("select 1")
    shut_down(side)
    yield told_to_end(side, client)


def draining(name, reason, where=OWN, before=(), behind=()):
    """SIGTERM while a statement waits: it is finished, then the client is told to go."""
    def run(side):
        held = gate(side, "drain_gate")
        client = side.connect()
        yield client.query("select 1", *before)
        client.send(query("select count(*) from drain_gate"), *behind)
        side.wait_blocked("%drain_gate%")
        shut_down(side)
        side.wait_shutting_down()
        held.open()
        yield client.until("Z", 1 + len(behind))
        if "begin" in before:
            yield client.query("select 2", "commit")
        yield told_to_end(side, client)
    run.__name__ = name
    scenario("shutdown", reason, where)(run)


draining("of_a_running_statement", "a running statement is finished")
draining("of_a_statement_in_session_mode", "a running statement is finished in session mode", ("own_session",))
draining("of_a_pinned_client", "a running statement of a pinned client is finished", OWN, ("create temp table pins (a int)",))
draining("of_a_block", "a block is finished", OWN, ("begin",))
draining("of_a_pipeline", "what was sent before is finished", OWN, (), (query("select 2"),))


@scenario("shutdown", "a batch that has begun is finished", OWN)
def of_a_batch(side):
    client = side.connect()
    client.send(parse("", "select 5"), FLUSH)
    yield client.until("1")
    shut_down(side)
    side.wait_shutting_down()
    yield client.ask(bind(), execute(), SYNC) + told_to_end(side, client)


@scenario("reload", "a cluster that is taken out of the file ends its idle clients (PostgreSQL: a dropped database)", OWN)
def removes_the_cluster(side):
    client = side.connect()
    yield client.query("select 1")
    if side.is_proxy:
        side.proxy.reload(lambda text: text.replace("cluster.fediflow", "cluster.another"))
    yield told_to_end(side, client)


@scenario("reload", "query_timeout bounds each statement, by both protocols (PostgreSQL: statement_timeout)", OWN)
def query_timeout(side):
    gate(side, "timeout_gate")
    if side.is_proxy:
        side.proxy.reload(lambda text: text.replace("[pool]", '[pool]\nquery_timeout = "500ms"'))
        client = side.connect()
    else:
        client = side.connect(options="-c statement_timeout=500ms")
    codes = re.compile(r"E\[ERROR \w+|C\[.*?\]|Z\[.\]")
    yield str(codes.findall(client.query("select * from timeout_gate")))
    yield str(codes.findall(client.ask(once("select * from timeout_gate"), SYNC)))
    yield str(codes.findall(client.ask(*[query("select pg_sleep(0.3)")] * 3, ready=3)))


# --- memory ---

def flooding(name, reason, flood):
    def run(side):
        client = side.connect()
        yield client.query("select 1")
        if side.is_proxy:
            before = side.proxy.memory()
            client.flood(flood, 64 << 20)
            yield f"memory is bounded: {side.proxy.memory() - before < (32 << 20)}"
        else:
            yield "memory is bounded: True"
    run.__name__ = name
    scenario("memory", reason, OWN)(run)


flooding("syncs_without_reading", "answers of the proxy's own are bounded", SYNC * 20000)
flooding("closes_without_a_sync", "so is what it remembers of a batch without end", close_statement("x") * 10000)
