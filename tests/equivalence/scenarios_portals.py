"""Portals and cursors on one server."""
from client import (SYNC, FLUSH, again, bind, close_portal, describe_portal, execute, message, once, parse, query)
from scenario import scenario

SERIES = "select generate_series(1, 5)"


@scenario("portals", "read in parts within a block, closed, and missing afterwards")
def read_in_parts(side):
    client = side.connect()
    yield client.query("begin")
    yield client.ask(parse("", SERIES), bind(portal="x"), execute("x", 2), SYNC)
    yield client.ask(execute("x", 2), SYNC)
    yield client.ask(close_portal("x"), SYNC) + client.ask(execute("x", 2), SYNC)
    yield client.query("rollback")


@scenario("portals", "outside a block a portal ends with its Sync")
def ends_with_its_sync(side):
    client = side.connect()
    yield client.ask(parse("", SERIES), bind(portal="x"), execute("x", 2), SYNC)
    yield client.ask(execute("x", 2), SYNC)


@scenario("portals", "a name that is taken")
def name_taken(side):
    yield side.connect().ask(parse("", "select 1"), bind(portal="x"), bind(portal="x"), SYNC)


@scenario("portals", "a cursor of DECLARE is a portal of the protocol")
def cursor_as_portal(side):
    client = side.connect()
    yield client.query("begin", "declare cc cursor for select generate_series(1, 4)")
    yield client.ask(execute("cc", 2), SYNC) + client.ask(describe_portal("cc"), SYNC)
    yield client.query("fetch 1 from cc", "commit") + client.ask(execute("cc", 1), SYNC)


@scenario("portals", "a portal of the protocol in a block is read by FETCH")
def portal_as_cursor(side):
    client = side.connect()
    yield client.query("begin") + client.ask(parse("b", "select 77"), bind("b", portal="q"), SYNC)
    yield client.query("fetch all from q", "commit")


@scenario("portals", "a cursor WITH HOLD stays with its client")
def cursor_with_hold(side):
    client = side.connect()
    yield client.query("begin", "declare held cursor with hold for select generate_series(1, 3)", "commit")
    yield client.query("fetch 2 from held", "fetch 2 from held", "close held", "fetch held")


@scenario("portals", "a cursor WITH HOLD of another client is not there", ("two", "session"))
def cursor_with_hold_of_another(side):
    client, other = side.connect(), side.connect()
    yield client.query("begin", "declare held_alone cursor with hold for select 1", "commit")
    yield other.query("fetch held_alone") + client.query("close held_alone")


@scenario("portals", "Flush brings each answer, also from within a group that goes on")
def flush(side):
    client = side.connect()
    for sent, awaited in ((parse("", "select 1 as flushed"), "1"), (bind(), "2"), (execute(), "C")):
        client.send(sent, FLUSH)
        yield client.until(awaited)
    yield client.ask(SYNC) + client.ask(FLUSH, SYNC)
    client.send(once("begin"), FLUSH)
    yield client.until("C") + client.ask(query("select 1")) + client.query("rollback")


@scenario("portals", "behind an error everything, a Query too, is skipped up to the Sync")
def flush_of_an_error(side):
    client = side.connect()
    client.send(parse("", "selec"), FLUSH)
    yield client.until("E")
    yield client.ask(query("select 'skipped'"), once("select 'skipped too'"), SYNC) + client.query("select 2")


@scenario("portals", "Execute of an empty statement, Describe of a kind that is none")
def empty_and_unknown(side):
    client = side.connect()
    yield client.ask(once(""), SYNC) + client.ask(parse("", ""), bind(), describe_portal(), execute(), SYNC)
    yield client.ask(message("D", b"X\0"), SYNC) + client.query("select 1")


@scenario("portals", "parameters and formats that do not fit")
def bad_binds(side):
    client = side.connect()
    yield client.ask(parse("one", "select $1::int as one"), SYNC)
    yield client.ask(bind("one", (1,), result_formats=(1, 1, 1)), execute(), SYNC)
    yield client.ask(bind("one", (b"\0\0",), formats=(1,)), execute(), SYNC)
    yield client.ask(bind("one", (None,)), execute(), SYNC) + client.ask(again("one", "x"), SYNC)


@scenario("portals", "a Bind with more or fewer parameters is told by the client's own name of the statement")
def wrong_number_of_parameters(side):
    client = side.connect()
    yield client.ask(parse("two", "select $1::int + $2::int as two"), SYNC)
    yield client.ask(bind("two", (1,)), SYNC) + client.ask(bind("two", (1, 2, 3)), SYNC)
    yield client.ask(parse("", "select $1::int"), bind("", ()), SYNC)


def bad_message(kind, body):
    def send(side):
        client = side.connect()
        yield client.ask(message(kind, body), SYNC, ready=1 if kind != "Q" else 2)
        yield client.query("select 'still there'")
    return send


for NAME, KIND, BODY in (("malformed_parse", "P", b"abc"), ("malformed_query", "Q", b"select 1"),
                         ("malformed_bind", "B", b"\0\0\0\1\0\0\0\1\0\0")):
    FUNCTION = bad_message(KIND, BODY)
    FUNCTION.__name__ = NAME
    scenario("portals", "a message whose body is not what it must be is PostgreSQL's own error")(FUNCTION)
