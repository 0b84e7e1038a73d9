"""Clients that leave at every phase: what is committed afterwards, and that the server is free for the next one.

"afterwards" (scenario.py) sees to it that no transaction, lock or setting is left and that the next client is served.
"""
from client import COPY_DONE, FLUSH, SYNC, TERMINATE, copy_data, execute, message, once, parse, query
from scenario import gate, scenario

INSERT = "insert into gone values (1)"


def leaving(name, reason, where=None):
    """Registers `leave`, which gets a side and a connected client that it lets go of; the outcome is what table gone
    holds when everything is quiet."""
    def register(leave):
        def run(side):
            side.table("gone", "a int")
            leave(side, side.connect())
            side.wait_settled()
            yield "committed: " + str(side.look("select a from gone"))
        run.__name__ = name
        scenario("disconnect", reason, where or ("one", "two", "routed", "session"))(run)
        return leave
    return register


def leaves_behind(name, reason, *messages, awaiting=None):
    """The common case: sends the messages, waits for a reply of kind `awaiting`, vanishes."""
    @leaving(name, reason)
    def leave(_, client):
        client.send(*messages)
        if awaiting:
            client.until(awaiting)
        if messages and messages[-1] == TERMINATE:
            client.leave()
        client.vanish()


leaves_behind("idle", "nothing was asked for")
leaves_behind("within_a_message", "half a Query runs nothing", query(INSERT)[:12])
leaves_behind("behind_a_write", "a write that was sent is done", query(INSERT), TERMINATE)
leaves_behind("in_a_block", "an open block is rolled back", query("begin"), query(INSERT), query("table gone"), awaiting="D")
leaves_behind("in_a_failed_block", "and a failed one", query("begin"), query(INSERT), query("select 1/0"), awaiting="E")
leaves_behind("before_the_sync", "a batch without its Sync is undone", once(INSERT), FLUSH, awaiting="C")
leaves_behind("behind_a_flush", "half a batch holds no server", parse("", INSERT), FLUSH, awaiting="1")
leaves_behind("behind_a_flushed_error", "nor does one that has failed", parse("", "selec"), FLUSH, awaiting="E")
leaves_behind("within_a_result", "a large result that nobody reads ends",
              query("select repeat('x', 1000) from generate_series(1, 100000)"), awaiting="D")
leaves_behind("within_one_large_row", "and a large row", query("select repeat('x', 50000000)"))
leaves_behind("within_copy_out", "and COPY TO STDOUT",
              query("copy (select repeat('x', 1000) from generate_series(1, 100000)) to stdout"), awaiting="d")
leaves_behind("behind_copy_in", "COPY FROM STDIN whose answer has not come copies nothing", query("copy gone from stdin"))
leaves_behind("within_copy_in", "nor one that has", query("copy gone from stdin"), copy_data(b"1\n"), awaiting="G")
leaves_behind("within_copy_data", "nor one with half a message", query("copy gone from stdin"),
              copy_data(b"1\n" * 50000)[:20000], awaiting="G")
leaves_behind("within_an_extended_copy", "by the extended protocol, too", once("copy gone from stdin"), FLUSH,
              copy_data(b"1\n"), awaiting="G")
leaves_behind("behind_an_extended_copy", "with the Sync sent ahead", once("copy gone from stdin"), SYNC)
leaves_behind("behind_a_whole_copy", "a COPY that was sent whole is done", query("copy gone from stdin"), copy_data(b"1\n"),
              COPY_DONE, TERMINATE)
leaves_behind("with_a_temp_table", "temporary objects go with their client", query("create temp table tt (a int)"),
              query("begin"), query("create temp table tt2 (a int)"), awaiting="Z")
leaves_behind("with_an_advisory_lock", "and advisory locks", query("select pg_advisory_lock(5)"), awaiting="C")
leaves_behind("with_a_setting", "and settings that were being looked for", query("set work_mem = 1000"))
leaves_behind("behind_a_malformed_message", "and what is no message", message("B", b"\0"), query(INSERT)[:3])


@leaving("in_the_startup_packet", "half a startup packet")
def in_the_startup_packet(side, client):
    client.vanish()
    half = side.connect_raw()
    half.send(b"\0\0\0")
    half.close()


@leaving("by_a_reset_while_a_write_waits", "a write in flight is done, whatever the way the client left")
def by_a_reset_while_a_write_waits(side, client):
    held = gate(side, "gone_gate")
    client.send(query("insert into gone select count(*) from gone_gate"))
    side.wait_blocked("%gone_gate%")
    client.reset()
    held.open()


@leaving("while_waiting_for_a_server", "a client that waits leaves the line", ("one", "routed"))
def while_waiting_for_a_server(side, client):
    owner = side.connect()
    owner.query("begin", INSERT)
    client.send(query("select 1"))
    client.vanish()
    owner.query("commit")
    owner.vanish()


@leaving("many_while_settings_are_looked_for", "thirty that leave while the server is asked what it holds")
def many_while_settings_are_looked_for(side, client):
    for number in range(30):
        client.send(query(f"set work_mem = {1000 + number}"))
        client.reset()
        client = side.connect()
    client.query(INSERT)
    client.vanish()


@leaving("in_the_middle_of_a_pipeline", "finished groups stay, the open one is undone")
def in_the_middle_of_a_pipeline(_, client):
    client.send(once(INSERT), SYNC, once("insert into gone values (2)"), SYNC, once("insert into gone values (3)"), FLUSH)
    client.until("C", 3)
    client.vanish()


@leaving("with_an_unread_portal", "a portal that was read in part")
def with_an_unread_portal(_, client):
    client.send(parse("", "select generate_series(1, 9)"), message("B", b"p\0\0\0\0\0\0\0\0"), execute("p", 2), FLUSH)
    client.until("s")
    client.vanish()
