"""COPY in and out of order."""
from client import (COPY_DONE, FLUSH, SYNC, bind, copy_data, copy_fail, execute, once, parse, query)
from scenario import scenario

LINE = copy_data(b"1\n")


def begin(client, *messages):
    """Sends them and returns what comes up to CopyInResponse."""
    client.send(*messages)
    return client.until("G")


@scenario("copy", "by both protocols, with good and bad data, with a Query behind")
def rows_in(side):
    side.table("copied", "a int")
    client = side.connect()
    yield begin(client, query("copy copied from stdin")) + client.ask(LINE, copy_data(b"2\n"), COPY_DONE)
    yield begin(client, once("copy copied from stdin"), SYNC) + client.ask(LINE, COPY_DONE, SYNC)
    yield begin(client, once("copy copied from stdin"), FLUSH) + client.ask(copy_data(b"x\n"), COPY_DONE, SYNC)
    yield begin(client, query("copy copied from stdin"))
    yield client.ask(copy_data(b"bad\n"), copy_data(b"2\n"), COPY_DONE, query("table copied"), ready=2)


@scenario("copy", "CopyFail, and several COPYs in one Query")
def failed_and_several(side):
    side.table("copied_twice", "a int")
    client = side.connect()
    yield begin(client, query("copy copied_twice from stdin")) + client.ask(LINE, copy_fail("no more"))
    yield client.query("select 5")
    yield begin(client, query("copy copied_twice from stdin; select 5; copy copied_twice from stdin"))
    yield begin(client, LINE, COPY_DONE) + client.ask(copy_data(b"7\n"), COPY_DONE)
    yield client.query("copy (select 1) to stdout; copy (select 2) to stdout", "table copied_twice")


@scenario("copy", "data behind the end or without a COPY are ignored")
def stray_data(side):
    client = side.connect()
    yield client.ask(copy_data(b"stray"), query("select 1")) + client.ask(COPY_DONE, query("select 2"))
    yield client.ask(copy_fail("stray"), once("select 3"), SYNC)


@scenario("copy", "a Query within a COPY fails it as PostgreSQL does, and costs no server")
def query_within(side):
    side.table("copied_query", "a int")
    client = side.connect()
    yield begin(client, query("copy copied_query from stdin")) + client.ask(LINE, query("select 1"))
    yield client.query("select 2")


@scenario("copy", "so does a Parse")
def parse_within(side):
    side.table("copied_parse", "a int")
    client = side.connect()
    yield begin(client, query("copy copied_parse from stdin")) + client.ask(LINE, parse("", "select 1"), SYNC)
    yield client.query("select 2")


@scenario("copy", "sent whole before its answer is read, also where the COPY fails at once")
def in_pipelines(side):
    side.table("copied_piped", "a int")
    client = side.connect()
    yield client.ask(query("copy copied_piped from stdin"), LINE, COPY_DONE, query("select 7"), ready=2)
    yield client.ask(once("copy copied_piped from stdin"), LINE, COPY_DONE, SYNC, query("select 7"), ready=2)
    yield client.ask(once("copy nowhere from stdin"), LINE, COPY_DONE, SYNC, query("select 7"), ready=2)
    yield client.ask(query("begin"), query("copy copied_piped from stdin"), LINE, copy_fail("a"), query("select 7"),
                     query("rollback"), ready=4)
    yield client.query("table copied_piped")


@scenario("copy", "Syncs within a COPY of the extended protocol count as PostgreSQL counts them")
def syncs_within(side):
    side.table("copied_synced", "a int")
    client = side.connect()
    for _ in range(3):
        yield begin(client, parse("", "copy copied_synced from stdin"), bind(), execute(), SYNC)
        yield client.ask(LINE, COPY_DONE, SYNC)
    yield client.ask(parse("e", "selec"), SYNC) + client.ask(parse("e", "select 1"), SYNC)
    yield client.query("table copied_synced")


@scenario("copy", "an error within a block fails the block")
def in_a_block(side):
    side.table("copied_block", "a int")
    client = side.connect()
    yield client.query("begin") + begin(client, query("copy copied_block from stdin"))
    yield client.ask(copy_data(b"x\n"), copy_data(b"y\n"), COPY_DONE) + client.query("select 1", "rollback")


@scenario("copy", "one row of forty megabytes", ("one",))
def large_row(side):
    client = side.connect()
    yield client.query("create temp table large (a text)") + begin(client, query("copy large from stdin"))
    yield client.ask(copy_data(b"x" * (40 << 20) + b"\n"), COPY_DONE, seconds=30)
    yield client.query("select length(a) from large")
