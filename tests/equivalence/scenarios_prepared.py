"""Prepared statements: names, errors, evictions, DEALLOCATE and DISCARD, tables that change."""
from client import (SYNC, FLUSH, again, bind, close_portal, close_statement, describe_portal, describe_statement, execute,
                    function_call, once, parse, query)
from scenario import PLAIN, scenario

SMALL = PLAIN + ("small",)
POOLED_SMALL = ("one", "two", "routed", "small")


# --- names ---

@scenario("prepared", "names are taken, missing and freed as on one server", SMALL)
def names(side):
    client = side.connect()
    yield client.ask(parse("a", "select $1::int as names"), again("a", 1), SYNC)
    yield client.ask(parse("a", "select 2"), SYNC)
    yield client.ask(describe_statement("a"), SYNC)
    yield client.ask(again("missing"), SYNC)
    yield client.ask(parse("fails", "select 1/0"), again("fails"), SYNC)
    yield client.ask(again("fails"), SYNC)
    yield client.ask(close_statement("a"), SYNC)
    yield client.ask(again("a", 1), SYNC)


@scenario("prepared", "one name, parsed twice in groups of one pipeline, is an error in the second only", SMALL)
def name_taken_in_a_pipeline(side):
    yield side.connect().ask(parse("s", "select 1"), SYNC, parse("s", "select 1"), SYNC, again("s"), SYNC, ready=3)


@scenario("prepared", "what is missing is an error of PostgreSQL's own text, and closing it is none", SMALL)
def missing_objects(side):
    client = side.connect()
    yield client.ask(execute("missing"), SYNC)
    yield client.ask(describe_portal("missing"), SYNC)
    yield client.ask(describe_statement("missing"), SYNC)
    yield client.ask(close_statement("missing"), close_portal("missing"), SYNC)


@scenario("prepared", "the unnamed statement lives until the next one, a Query or its Close, and is nobody else's", SMALL)
def unnamed(side):
    client = side.connect()
    yield client.ask(parse("", "select 1 as unnamed"), SYNC)
    side.connect().ask(once("select 99 as unnamed"), SYNC)
    yield client.ask(again(""), SYNC)
    yield client.ask(parse("", "select 5"), SYNC) + client.ask(close_statement(""), SYNC)
    yield client.ask(again(""), SYNC)
    yield client.ask(parse("", "select 5"), describe_statement(""), SYNC, parse("", "select $1::int"),
                     describe_statement(""), SYNC, again("", 3), SYNC, ready=3)
    yield client.ask(parse("", "select 6"), SYNC) + client.query("select 'a Query drops it'")
    yield client.ask(again(""), SYNC)
    yield client.ask(parse("", "select 8"), query("select 9"), again(""), SYNC, ready=2)


@scenario("prepared", "a Parse of the unnamed statement that fails drops the old one", SMALL)
def unnamed_dropped_by_a_bad_parse(side):
    client = side.connect()
    yield client.ask(parse("", "select 1"), SYNC)
    yield client.ask(parse("", "selec"), SYNC)
    yield client.ask(again(""), SYNC)


@scenario("prepared", "an error that the proxy makes itself leaves the client's unnamed statement", SMALL)
def unnamed_survives_a_missing_name(side):
    client = side.connect()
    yield client.ask(parse("", "select 'survives'"), SYNC)
    yield client.ask(bind("missing"), SYNC)
    yield client.ask(again(""), SYNC)
    yield client.query("begin") + client.ask(parse("", "select 1"), SYNC) + client.ask(bind("missing"), SYNC)
    yield client.query("rollback")


@scenario("prepared", "three hundred statements of one client, more than a server keeps", SMALL)
def many_names(side):
    client = side.connect()
    yield client.ask(*[parse(f"many{i}", f"select {i} as many") for i in range(300)],
                     *[again(f"many{i}") for i in range(300)], SYNC)
    yield client.ask(*[close_statement(f"many{i}") for i in range(300)], SYNC)
    yield client.ask(again("many7"), SYNC)


@scenario("prepared", "a named statement under an open portal may be pushed out of the server", SMALL)
def portal_of_a_statement_pushed_out(side):
    client = side.connect()
    yield client.query("begin")
    yield client.ask(parse("a", "select generate_series(1,3)"), bind("a", portal="open"), execute("open", 1), SYNC)
    for i in range(4):
        yield client.ask(parse(f"other{i}", f"select 60{i}"), SYNC)
    yield client.ask(execute("open", 1), SYNC) + client.query("commit")


# --- errors in groups and pipelines ---

@scenario("prepared", "a Parse skipped behind an error is not known to the next group of the same pipeline", SMALL)
def parse_skipped_behind_an_error(side):
    yield side.connect().ask(parse("", "selec"), parse("x", "select 421"), SYNC, parse("y", "select 421"), again("y"), SYNC,
                             ready=2)


@scenario("prepared", "failing groups of one pipeline each tell their own error", SMALL)
def every_failing_group_has_its_error(side):
    client = side.connect()
    yield client.ask(bind("first"), SYNC, bind("second"), SYNC, bind("third"), SYNC, ready=3)
    yield client.ask(bind("first"), close_statement("a"), SYNC, query("begin"), bind("second"), SYNC, query("select 1"),
                     query("rollback"), ready=5)
    yield client.ask(parse("", "selec"), bind("first"), SYNC, bind("second"), SYNC, query("select 1"), ready=3)
    yield client.ask(once("select 1/0"), again("first"), SYNC, once("select 5"), SYNC, ready=2)


@scenario("prepared", "Parse and Close skipped by an error have not happened when the next group asks", SMALL)
def failed_group_changes_no_names(side):
    client = side.connect()
    yield client.ask(parse("a", "select 1"), again("a"), parse("bad", "selec"), parse("c", "select 3"), close_statement("a"),
                     SYNC, again("a"), SYNC, again("c"), SYNC, ready=3)
    yield client.ask(parse("c", "select 4"), again("c"), SYNC)
    yield client.ask(bind("missing"), close_statement("a"), SYNC, again("a"), SYNC, ready=2)
    yield client.ask(close_statement("a"), bind("missing"), SYNC, again("a"), SYNC, ready=2)


@scenario("prepared", "in an aborted block a Parse fails even when the server knows the text", SMALL)
def parse_in_an_aborted_block(side):
    client = side.connect()
    yield client.ask(parse("first", "select 4242"), SYNC)
    yield client.query("begin", "select 1/0") + client.ask(parse("second", "select 4242"), SYNC)
    yield client.query("rollback") + client.ask(again("second"), SYNC)


@scenario("prepared", "FunctionCall counts as a request: later failing groups still free their names", SMALL)
def function_calls_in_between(side):
    client = side.connect()
    for _ in range(3):
        yield client.ask(function_call(1299))
    yield client.ask(parse("w1", "select 1"), SYNC, parse("w2", "selec"), SYNC, ready=2)
    yield client.ask(parse("w2", "select 2"), again("w2"), SYNC)
    yield client.ask(query("select 1"), parse("w3", "select 3 from nowhere"), SYNC, ready=2)
    yield client.ask(parse("w3", "select 3 from nowhere"), SYNC)
    yield client.ask(parse("w4", "select 4 from nowhere"), SYNC)


# --- what a server keeps, seen by several clients ---

@scenario("prepared", "an error in the batch that pushes a statement out does not poison the server", SMALL)
def pushed_out_by_a_failing_batch(side):
    client = side.connect()
    yield client.ask(parse("e1", "select 901"), SYNC) + client.ask(parse("e2", "select 902"), SYNC)
    yield client.ask(parse("", "selec"), parse("e3", "select 903"), SYNC)
    yield client.ask(parse("e3", "select 903"), SYNC)
    yield client.ask(again("e1"), SYNC) + client.ask(again("e2"), SYNC)
    yield side.connect().ask(parse("f1", "select 901"), again("f1"), SYNC)


@scenario("prepared", "the same when the error comes after the statement was pushed out", SMALL)
def pushed_out_before_the_error(side):
    client = side.connect()
    for i in range(5):
        yield client.ask(parse(f"g{i}", f"select 80{i}"), SYNC)
    yield client.ask(once("select 1/0"), parse("h", "select 8100"), SYNC)
    for i in range(5):
        yield client.ask(again(f"g{i}"), SYNC)


@scenario("prepared", "a batch may use more statements than the server keeps", SMALL)
def batch_larger_than_the_cache(side):
    yield side.connect().ask(*[parse(f"k{i}", f"select 70{i}") for i in range(6)], *[again(f"k{i}") for i in range(6)], SYNC)


@scenario("prepared", "DEALLOCATE that is bound but not executed leaves the statement, and the server, as it was", SMALL)
def deallocate_bound_only(side):
    first = side.connect()
    yield first.ask(parse("n", "select 77 as bound_only"), SYNC)
    yield first.ask(parse("", "deallocate n"), bind(""), SYNC) + first.ask(again("n"), SYNC)
    first.vanish()
    for _ in range(2):
        other = side.connect()
        yield other.ask(parse("z", "select 77 as bound_only"), again("z"), SYNC)
        yield other.ask(parse("z", "select 77 as bound_only"), SYNC)


@scenario("prepared", "DISCARD ALL in front of a Parse in one pipeline does not make the server forget that Parse", SMALL)
def discard_before_a_parse(side):
    client = side.connect()
    yield client.ask(parse("k", "select 993"), SYNC)
    yield client.ask(query("discard all"), parse("q", "select 993"), again("q"), SYNC, ready=2)
    client.vanish()
    for _ in range(2):
        yield side.connect().ask(parse("z", "select 993"), again("z"), SYNC)


@scenario("prepared", "the same for DEALLOCATE ALL by the extended protocol", SMALL)
def deallocate_all_before_a_parse(side):
    yield side.connect().ask(once("deallocate all"), parse("q", "select 992"), again("q"), SYNC)
    yield side.connect().ask(parse("z", "select 992"), again("z"), SYNC)


@scenario("prepared", "deallocating behind the proxy's back costs no other client its statement", SMALL)
def deallocate_all_in_a_do_block(side):
    client, other = side.connect(), side.connect()
    yield client.ask(parse("k", "select 994"), again("k"), SYNC)
    yield other.query("do $$begin execute 'deallocate all'; end$$")
    yield client.ask(again("k"), SYNC) + client.ask(again("k"), SYNC)
    yield side.connect().ask(parse("m", "select 994"), again("m"), SYNC)


@scenario("prepared", "a name seen in pg_prepared_statements may be deallocated: others keep theirs", SMALL)
def deallocate_what_is_seen(side):
    client, other = side.connect(), side.connect()
    yield client.ask(parse("k", "select 995"), again("k"), SYNC)
    for (name,) in other.rows("select name from pg_prepared_statements where statement = 'select 995'"):
        other.query(f'deallocate "{name}"')
    yield client.ask(again("k"), SYNC)


# --- DEALLOCATE and DISCARD ---

@scenario("prepared", "after DISCARD ALL, by either protocol, the names are free", SMALL)
def names_after_discard_all(side):
    client = side.connect()
    yield client.ask(parse("n", "select 5"), SYNC) + client.query("discard all")
    yield client.ask(parse("n", "select 6"), again("n"), SYNC)
    yield client.ask(once("discard all"), SYNC)
    yield client.ask(parse("n", "select 7"), again("n"), SYNC)


@scenario("prepared", "DEALLOCATE behind an unanswered request happens once", SMALL)
def deallocate_in_a_pipeline(side):
    client = side.connect()
    yield client.ask(parse("a", "select 1"), SYNC)
    yield client.ask(query("select count(*) from generate_series(1,100000)"), query("deallocate a"), ready=2)
    yield client.ask(again("a"), SYNC)


@scenario("prepared", "DEALLOCATE by the extended protocol: executed, bound only, failing, ALL", SMALL)
def deallocate_extended(side):
    client = side.connect()
    yield client.ask(parse("a", "select 1"), SYNC)
    yield client.ask(once("deallocate a"), SYNC) + client.ask(again("a"), SYNC)
    yield client.ask(parse("a", "select 1"), SYNC)
    yield client.ask(parse("", "deallocate a"), bind(""), bind("missing"), SYNC) + client.ask(again("a"), SYNC)
    yield client.ask(once("deallocate all"), SYNC) + client.ask(again("a"), SYNC)
    yield client.ask(parse("a", "select 1"), SYNC)
    yield client.ask(parse("", "deallocate all"), bind(""), SYNC) + client.ask(again("a"), SYNC)


@scenario("prepared", "DEALLOCATE as a named statement leaves the unnamed one alone", SMALL)
def deallocate_by_name(side):
    client = side.connect()
    yield client.ask(parse("a", "select 100"), SYNC) + client.ask(parse("d", "deallocate a"), SYNC)
    yield client.ask(parse("", "select 'unnamed'"), SYNC, again("d"), SYNC, again(""), SYNC, ready=3)
    yield client.ask(again("a"), SYNC)


@scenario("prepared", "in an aborted block DEALLOCATE and DISCARD fail and drop nothing", SMALL)
def deallocate_in_an_aborted_block(side):
    client = side.connect()
    yield client.ask(parse("a", "select 1"), SYNC)
    yield client.query("begin", "select 1/0", "deallocate a", "deallocate all", "discard all", "rollback")
    yield client.ask(again("a"), SYNC)
    yield client.query("begin", "discard all", "rollback") + client.ask(again("a"), SYNC)


@scenario("prepared", "DEALLOCATE is not undone by a rollback, and runs within a Query of several statements", SMALL)
def deallocate_rolled_back(side):
    client = side.connect()
    yield client.ask(parse("a", "select 1"), SYNC)
    yield client.query("begin", "deallocate a", "rollback") + client.ask(again("a"), SYNC)
    yield client.ask(parse("a", "select 1"), SYNC)
    yield client.query("select 1/0; deallocate a") + client.ask(again("a"), SYNC)
    yield client.query("deallocate a; select 1") + client.ask(again("a"), SYNC)


@scenario("prepared", "names made by SQL PREPARE and by Parse are one map", SMALL)
def sql_prepare(side):
    client = side.connect()
    yield client.query("prepare q as select 1", "execute q")
    yield client.ask(again("q"), SYNC)
    yield client.query("deallocate q", "execute q")
    yield client.ask(parse("pq", "select 11"), SYNC) + client.query("execute pq", "deallocate pq", "execute pq")
    yield client.ask(parse("pq", "select 11"), SYNC)
    yield client.query("select name, statement from pg_prepared_statements")
    yield client.query("deallocate all") + client.ask(again("pq"), SYNC)


@scenario("prepared", "statements of SQL PREPARE stay with their client and are EXECUTEd in any order", SMALL[:3] + ("session",))
def sql_prepare_alone(side):
    client = side.connect()
    yield client.query("prepare q(int) as select $1 + 1", "execute q(1)", "begin", "execute q(2)", "commit")
    yield client.query("execute missing", "deallocate q", "execute q(1)")
    yield client.query("prepare q2 as select 5", "discard all", "execute q2")


# --- tables that change ---

@scenario("prepared", "a statement of a table that was altered in the same block is parsed anew", SMALL)
def altered_in_the_same_block(side):
    side.table("altered", "a int", "insert into altered values (1)")
    client = side.connect()
    yield client.ask(parse("s", "select * from altered"), again("s"), SYNC)
    yield client.query("begin", "alter table altered add x int")
    yield client.ask(parse("t", "select * from altered"), again("t"), SYNC) + client.query("commit")


@scenario("prepared", "a Parse of a text whose table is gone fails, and the name stays free", SMALL)
def parse_of_a_dropped_table(side):
    side.table("dropped", "a int")
    client = side.connect()
    yield client.ask(parse("k1", "select * from dropped"), SYNC) + client.query("drop table dropped")
    yield client.ask(parse("k2", "select * from dropped"), SYNC)
    yield client.ask(parse("k2", "select 1"), SYNC)


@scenario("prepared", "an own old statement does not change its shape: 0A000 until it is parsed anew", SMALL)
def shape_after_an_alter(side):
    side.table("shape", "a int, b text", "insert into shape values (1, 1)")
    client = side.connect()
    yield client.ask(parse("s", "select * from shape"), describe_statement("s"), SYNC)
    yield client.query("alter table shape add c int")
    yield client.ask(again("s"), SYNC) + client.ask(again("s"), SYNC)
    yield client.ask(describe_statement("s"), SYNC)


@scenario("prepared", "what is parsed after an ALTER has the new shape, in the block of the ALTER and behind its rollback", SMALL)
def new_statement_after_an_alter(side):
    side.table("reshaped", "a int, b text", "insert into reshaped values (1, 1)")
    client, text = side.connect(), "select * from reshaped"
    yield client.ask(parse("s", text), describe_statement("s"), SYNC) + client.query("alter table reshaped add c int")
    yield client.ask(parse("s2", text), describe_statement("s2"), again("s2"), SYNC)
    yield client.query("begin", "alter table reshaped drop c")
    yield client.ask(parse("s3", text), describe_statement("s3"), again("s3"), SYNC)
    yield client.query("rollback") + client.ask(parse("s4", text), describe_statement("s4"), again("s4"), SYNC)


@scenario("prepared", "replies to Parse and Close come with a Flush, without a Sync", SMALL)
def flushed_names(side):
    client = side.connect()
    client.send(parse("h", "select 1"), FLUSH)
    yield client.until("1")
    client.send(close_statement("h"), FLUSH)
    yield client.until("3")
    yield client.ask(SYNC) + client.ask(again("h"), SYNC)
