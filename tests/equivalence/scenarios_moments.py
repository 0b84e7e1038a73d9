"""Cancel, terminate, notices and a server's own settings at moments where a proxy is between two messages."""
import struct

from client import (COPY_DONE, FLUSH, SYNC, again, bind, copy_data, describe_statement, execute, function_call, message, once, parse, query,
                    show_all)
from scenario import PLAIN, gate, scenario
from scenarios_life import ended_when

NOTICE = "do $$begin raise notice '%'; end$$"


def without_rows(messages):
    """The messages but for rows, whose number depends on when the cancel came."""
    return show_all([one for one in messages if one[0] not in "dD"])


# --- cancel ---

@scenario("moments", "a cancel ends a COPY TO that waits, and one whose rows the client takes slowly", PLAIN)
def cancel_in_copy_out(side):
    gate(side, "copy_out_gate")
    client = side.connect()
    client.send(query("copy (select * from copy_out_gate) to stdout"))
    side.wait_blocked("%copy_out_gate%")
    client.cancel()
    yield client.until() + client.query("select 1")
    client.send(query("copy (select repeat('x', 1000) from generate_series(1, 200000)) to stdout"))
    client.messages("d")
    client.cancel()
    yield without_rows(client.messages()) + client.query("select 2")


@scenario("moments", "a cancel amid the rows of a large result, by both protocols and in a block", PLAIN)
def cancel_amid_rows(side):
    client = side.connect()
    rows = "select repeat('y', 1000) from generate_series(1, 200000)"
    for left, messages in ((1, [query(rows)]), (1, [once(rows), SYNC]),
                           (2, [query("begin"), once(rows), once("select 1"), SYNC, query("rollback")])):
        client.send(*messages)
        client.messages("D")
        client.cancel()
        yield without_rows(client.messages("Z", left))
    yield client.query("select 3")


@scenario("moments", "a cancel while the server waits for the client's COPY data is taken with the next piece", PLAIN)
def cancel_in_copy_in(side):
    side.table("copy_in_cancelled", "a int")
    client = side.connect()
    client.send(query("copy copy_in_cancelled from stdin"))
    yield client.until("G")
    client.send(copy_data(b"1\n"))
    client.cancel()
    client.send(copy_data(b"2\n"), COPY_DONE)
    yield client.until() + client.query("select count(*) from copy_in_cancelled")


# --- FunctionCall ---

def call(oid, formats, arguments, result_format):
    body = struct.pack("!ih", oid, len(formats)) + b"".join(struct.pack("!h", one) for one in formats)
    body += struct.pack("!h", len(arguments)) + b"".join(struct.pack("!i", len(one)) + one for one in arguments)
    return message("F", body + struct.pack("!h", result_format))


@scenario("moments", "FunctionCall with values of both formats, wrong ones, and none", PLAIN)
def function_call_values(side):
    client, add = side.connect(), 177  # int4pl
    four, five = struct.pack("!i", 4), struct.pack("!i", 5)
    yield client.ask(call(add, [1], [four, five], 1))
    yield client.ask(call(add, [0], [b"4", b"5"], 0))
    yield client.ask(call(add, [1, 0], [four, b"5"], 0))
    yield client.ask(call(add, [1], [four], 1))
    yield client.ask(call(add, [1], [b"4", five], 1))
    yield client.ask(call(add, [7], [four, five], 1))
    yield client.ask(call(add, [], [], 3)) + client.query("select 'goes on'")


@scenario("moments", "FunctionCall in a failed block and between the messages of a batch", PLAIN)
def function_call_in_between(side):
    client = side.connect()
    yield client.ask(query("begin"), query("select 1 / 0"), function_call(1299), query("rollback"), ready=4)
    yield client.ask(query("begin"), function_call(2147483647), query("select 1"), query("rollback"), ready=4)
    yield client.ask(once("select 1"), function_call(2147483647), ready=1) + client.query("select 2")
    yield client.ask(parse("kept", "select 7"), SYNC, function_call(2147483647), again("kept"), SYNC, ready=3)


# --- servers that end ---

ended_when("before_the_first_parse", "its server ends before its first message", query("begin"))
ended_when("between_parse_and_bind", "or between Parse and Bind", parse("", "select 1"), FLUSH, awaiting="1")
ended_when("between_bind_and_execute", "or between Bind and Execute", parse("", "select 1") + bind(), FLUSH, awaiting="2")
ended_when("with_a_portal_open", "or between two parts of a portal", parse("", "select generate_series(1, 3)") + bind() + execute("", 1), FLUSH,
           awaiting="s")
ended_when("behind_a_describe", "or behind a Describe", parse("", "select 1") + describe_statement(), FLUSH, awaiting="T")
ended_when("in_a_failed_block", "or in a failed block", query("begin"), query("select 1 / 0"))


# --- what comes unasked ---

@scenario("moments", "notices stand between the answers of the groups that raised them", PLAIN)
def notices_in_a_pipeline(side):
    client = side.connect()
    yield client.ask(once(NOTICE.replace("%", "first")), SYNC, once("select 1"), once(NOTICE.replace("%", "second")), once("select 2"), SYNC,
                     query(NOTICE.replace("%", "third") + "; select 3"), parse("n", "select 4"), again("n"), SYNC, ready=4)


@scenario("moments", "a default that is changed on the server is told to who has not set it, also in a block", ("one", "two", "routed"))
def a_new_default(side):
    client, own = side.connect(), side.connect()
    yield client.query("select 1") + own.query("set timezone = 'Asia/Tokyo'")
    watcher = side.watcher()
    before = watcher.value("show timezone")
    try:
        watcher.rows("alter system set timezone = 'Pacific/Auckland'")
        watcher.rows("select pg_reload_conf()")
        for one in (watcher, client, own):
            side.wait("it has read the file", lambda one=one: one.value(
                "select reset_val from pg_settings where name = 'TimeZone'") == "Pacific/Auckland")
        yield client.query("show timezone", "begin", "select timestamptz '2024-06-01 12:00+00'", "commit")
        yield own.query("show timezone", "reset timezone", "show timezone")
        yield str([one.parameters["TimeZone"] for one in (client, own)])
        fresh = side.connect()
        fresh.value("select 1")  # what the proxy greets with is that of the last login to the server until then
        yield fresh.query("show timezone") + fresh.parameters["TimeZone"]
    finally:
        watcher.rows("alter system reset timezone")
        watcher.rows("select pg_reload_conf()")
        side.wait("it has read the file again", lambda: watcher.value("show timezone") == before)
        side.terminate("true")
        side.connect().query("select 1")
