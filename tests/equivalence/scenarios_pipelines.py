"""Large pipelines and large messages."""
from client import SYNC, again, bind, execute, function_call, message, once, parse, query
from scenario import gate, scenario

MEGABYTE = 1 << 20


def sizes(messages):
    """Kinds and lengths of replies that are too large to print."""
    return " ".join(f"{kind}{len(body)}" for kind, body in messages)


@scenario("pipelines", "empty requests of every kind are answered one for one")
def empty_requests(side):
    client = side.connect()
    yield client.ask(SYNC, SYNC, SYNC, ready=3) + client.query("", ";")
    yield client.ask(query(""), SYNC, query(";"), SYNC, query("select 1"), ready=5)


@scenario("pipelines", "ten thousand Queries before anything is read")
def many_queries(side):
    client, count = side.connect(), 10000
    client.send(*[query(f"select {i}") for i in range(count)])
    replies = client.messages("Z", count, 60)
    yield f"{len(replies)} messages, in order: " + str(
        [body[6:] for kind, body in replies if kind == "D"] == [str(i).encode() for i in range(count)])


@scenario("pipelines", "eight thousand statements in one group")
def one_large_group(side):
    client, count = side.connect(), 8000
    client.send(*[once(f"select {i}") for i in range(count)], SYNC)
    replies = client.messages("Z", 1, 60)
    yield f"{len(replies)} messages, in order: " + str(
        [body[6:] for kind, body in replies if kind == "D"] == [str(i).encode() for i in range(count)])


@scenario("pipelines", "an error in front of eight thousand statements skips all of them and nothing behind")
def error_before_a_large_group(side):
    yield side.connect().ask(parse("", "selec"), *[once(f"select {i}") for i in range(8000)], SYNC, query("select 5"),
                             ready=2, seconds=60)


@scenario("pipelines", "a Query behind a Parse without a Sync is answered")
def query_behind_a_parse(side):
    yield side.connect().ask(parse("", "select 8"), query("select 9"))


@scenario("pipelines", "so is a Query behind an Execute without a Sync")
def query_behind_an_execute(side):
    yield side.connect().ask(once("select 10"), query("select 11"))


@scenario("pipelines", "a client that leaves with a Query behind a Parse without a Sync costs no server")
def vanished_behind_a_parse(side):
    client = side.connect()
    client.send(parse("", "select 8"), query("select 9"))
    client.vanish()
    yield side.connect().query("select 'served'")


@scenario("pipelines", "BEGIN, statements, COMMIT as Queries and as one batch")
def blocks_in_pipelines(side):
    side.table("blocks", "a int")
    client = side.connect()
    yield client.ask(*map(query, ("begin", "select 1", "select 1/0", "select 2", "commit", "select 3")), ready=6)
    yield client.ask(once("begin"), once("select 1"), SYNC) + client.ask(once("commit"), SYNC)
    yield client.ask(once("begin"), SYNC, once("select 1/0"), SYNC, once("rollback"), SYNC, ready=3)
    yield client.ask(once("begin"), once("insert into blocks values (9)"), once("commit"), SYNC)
    yield client.ask(once("select 1"), once("rollback"), SYNC) + client.query("table blocks")


@scenario("pipelines", "a message of more than the proxy's limit fails behind the answers before it", ("one", "two", "session"))
def parameter_of_fifteen_megabytes(side):
    client = side.connect()
    yield client.ask(once("select length($1::text)", "x" * (15 * MEGABYTE)), SYNC, seconds=30)
    yield client.query("select 1")


@scenario("pipelines", "a row of a hundred megabytes", ("one",))
def huge_row(side):
    client = side.connect()
    client.send(query("select repeat('x', 100000000)"))
    yield sizes(client.messages("Z", 1, 30)) + client.query("select 1")


@scenario("pipelines", "an error and a notice of seventy megabytes", ("one",))
def huge_reports(side):
    client = side.connect()
    for what in ("notice", "exception"):
        client.send(query(f"do $$begin raise {what} '%', repeat('x', 70000000); end$$"))
        yield sizes(client.messages("Z", 1, 30)) + client.query("select 1")


@scenario("pipelines", "FunctionCall in the middle of Queries")
def function_call_between_queries(side):
    yield side.connect().ask(query("select 1"), function_call(1299), query("select 2"), function_call(2147483647),
                             query("select 3"), ready=5)


@scenario("pipelines", "a FunctionCall whose body is not one")
def malformed_function_call(side):
    client = side.connect()
    yield client.ask(message("F", b"\0" * 10)) + client.query("select 1")


@scenario("pipelines", "groups behind one that waits keep their order", ("two", "session"))
def groups_behind_a_waiting_one(side):
    held = gate(side, "pipeline_gate")
    client, other = side.connect(), side.connect()
    client.send(once("select count(*) from pipeline_gate"), SYNC, parse("n", "select 2"), again("n"), SYNC,
                query("select 3"), bind("missing"), execute(), SYNC, query("select 4"))
    side.wait_blocked("%pipeline_gate%")
    yield other.query("select 'meanwhile'")
    held.open()
    yield client.until("Z", 5)


@scenario("pipelines", "a read behind a write that waits: the client may leave, the write is done", ("one", "two", "routed"))
def write_then_read_then_gone(side):
    side.table("left_behind", "a int")
    held = gate(side, "left_gate")
    client = side.connect()
    client.send(query("insert into left_behind select 1 from (select count(*) from left_gate) c"), query("select 1"))
    side.wait_blocked("%left_gate%")
    client.vanish()
    held.open()
    side.wait_settled_servers()
    yield str(side.look("select count(*) from left_behind"))
