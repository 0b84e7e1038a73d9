"""Portals, temporary objects, COPY and clients that leave, over several shards (tables: scenarios_shards.py)."""
from client import (COPY_DONE, FLUSH, REFUSED, SYNC, again, bind, close_portal, close_statement, copy_data, describe_portal,
                    describe_statement, execute, once, parse, query)
from scenario import MANY, scenario
from scenarios_shards import ALL, FIRST, SECOND, THIRD, shard_scenario, start

POOL_SIZE = 8  # of each shard, in this configuration
SOME = "select id from t where id < 205 order by id"


# --- portals ---

def batches(name, reason, *groups, block=False):
    """Groups of messages, each with its Sync."""
    def run(side):
        client = start(side)
        if block:
            yield client.query("begin")
        for group in groups:
            yield client.ask(*group, SYNC)
        if block:
            yield client.query("rollback")
    run.__name__ = name
    scenario("shard_portals", reason, MANY, refusable=True)(run)


batches("limits_in_one_batch", "row limits, several times in one batch",
        (parse("", SOME), bind(portal="p"), execute("p", 5), execute("p", 5), execute("p", 0), execute("p", 3)))
batches("over_syncs", "over several Syncs of a block", (parse("", SOME), bind(portal="p"), execute("p", 5)),
        (execute("p", 5),), (describe_portal("p"), execute("p", 100), close_portal("p")), (execute("p", 5),), block=True)
batches("end_with_the_sync", "outside a block it ends with its Sync", (parse("", SOME), bind(portal="p"), execute("p", 5)),
        (execute("p", 5),))
batches("named_statement", "a named statement, described, bound twice, closed",
        (parse("s1", "select id, $1::int as x from t where id < $2 order by id"), describe_statement("s1"),
         bind("s1", (1, 4)), describe_portal(), execute(), again("s1", 1, 103)), (close_statement("s1"), again("s1", 1, 4)))
batches("errors_skip", "an error skips to the Sync", (once("select 1 / (id - id) from t where id < 205"), once("select 1")),
        (once("select 2"),))
batches("error_at_bind", "an error at Bind comes without a BindComplete", (once("select 1/0 from t where id < 205"),))
batches("parse_error", "a Parse that fails", (parse("", "select id from nowhere"),), (parse("", "select nothing from t"),))
batches("too_many_result_formats", "result formats that do not fit",
        (parse("", "select id from t where id < 4 order by id"), bind(result_formats=(1, 1)), execute()),
        (parse("", SOME), bind(result_formats=(1, 1)), execute()))
batches("too_many_parameters", "parameters that do not fit",
        (parse("", "select id from t where id < $1 order by id"), bind(values=(3, 4)), execute()))
batches("too_few_parameters", "too few",
        (parse("", "select id from t where id < $1 order by id"), bind(), execute()))
batches("missing_statement", "a statement that is missing", (again("missing"),))
batches("empty_statement", "an empty statement", (parse("", ""), bind(), describe_portal(), execute()))
batches("limit_parameter", "LIMIT as a parameter together with row limits",
        (parse("", "select id from t where id < 205 order by id limit $1"), describe_statement(), bind(values=(4,)),
         execute(rows=2), execute(rows=2), execute(rows=2)))
batches("one_shard_then_all", "one shard, then all, in one batch",
        (parse("", f"select id from t where id = {FIRST}"), bind(portal="p"), execute("p", 1), execute("p", 1),
         once("select count(*) from t")))
batches("all_then_one_shard", "all, then one",
        (once("select count(*) from t"), parse("", f"select id from t where id = {FIRST}"), bind(portal="p"), execute("p", 1)))
batches("name_taken", "a name that is taken in a batch is an error, and the first statement keeps it",
        (parse("a", "select count(*) from t"), parse("a", "select 1"), again("a")), (again("a"),))
batches("insert_into_a_reference_table", "a described INSERT into a reference table",
        (parse("z", "insert into r values ($1, $2) on conflict do nothing"), describe_statement("z"),
         bind("z", (900, "x")), execute()))
batches("returning_over_shards", "UPDATE ... RETURNING with rows of several shards counts them",
        (once(f"update t set a = 1 where id in {ALL}"),))


@scenario("shard_portals", "Flush brings what was asked for, and a portal may be closed before its end", MANY)
def flush_and_close(side):
    client = start(side)
    client.send(parse("", "select count(*) from t"), bind(), describe_portal(), FLUSH)
    yield client.until("T") + client.ask(execute(), SYNC)
    client.send(parse("", SOME), bind(portal="p"), execute("p", 3), FLUSH)
    yield client.until("s") + client.ask(close_portal("p"), SYNC)


# --- temporary objects ---

def rows_of_t(side):
    return "rows: " + str(sum(int(count) for (count,) in side.look("select count(*) from public.t")))


def shadowing(name, reason, *queries):
    """Statements of a client with a temporary table that has the name of a sharded one; what t is for others afterwards."""
    def run(side):
        client = start(side)
        yield rows_of_t(side)
        for sql in queries:
            reply = client.query(sql)
            yield reply
            if REFUSED in reply:  # what follows would mean the sharded table
                break
        yield "other: " + side.connect().query("select count(*) from t")
        client.vanish()
        side.wait_settled_servers()
        yield rows_of_t(side)
    run.__name__ = name
    scenario("shard_temp", reason, MANY, refusable=True)(run)


CREATE, COUNT = "create temp table t (id int)", "select count(*) from t"
shadowing("dropped", "DROP TABLE of a temporary table that hides a sharded one drops only that", CREATE, "drop table t", COUNT)
shadowing("dropped_among_others", "also with others", CREATE, "drop table if exists nowhere, t cascade", COUNT)
shadowing("truncated", "TRUNCATE likewise", CREATE, "truncate t", "drop table t")
shadowing("altered", "ALTER TABLE likewise", CREATE, "alter table t add column zz int", "create index on t (id)")
shadowing("dropped_by_its_full_name", "behind DROP TABLE pg_temp.t the name means the sharded table again", CREATE,
          "drop table pg_temp.t", COUNT)
shadowing("dropped_on_commit", "and behind ON COMMIT DROP", "begin", CREATE + " on commit drop", COUNT, "commit", COUNT)
shadowing("rolled_back", "and behind a rollback", "begin", CREATE, "rollback", COUNT)
shadowing("rolled_back_to_a_savepoint", "and behind a rollback to a savepoint", "begin", "savepoint a", CREATE,
          "rollback to a", COUNT, "commit", COUNT)
shadowing("discarded", "and behind DISCARD TEMP and DISCARD ALL", CREATE, "discard temp", COUNT, CREATE, "discard all", COUNT)
shadowing("made_by_schema_name", "a table of schema pg_temp is temporary", "create table pg_temp.t (id int)", COUNT)
shadowing("made_by_rename", "so is one renamed to the name", "create temp table t2x (id int)",
          "alter table t2x rename to t", COUNT)
shadowing("renamed_away", "and one renamed away hides nothing", CREATE, "alter table t rename to tzz", COUNT)
shadowing("made_as_a_select", "CREATE TEMP TABLE AS in a block", "begin", "create temp table if not exists t as select 1 as id",
          COUNT, "rollback", COUNT)
shadowing("made_by_select_into", "SELECT INTO TEMP", "select 1 as id into temp t", COUNT)
shadowing("hidden_by_a_view", "a temporary view", "create temporary view t as select 1 as id", COUNT)
shadowing("pg_temp_last", "pg_temp at the end of search_path hides nothing", "set search_path = public, pg_temp", CREATE, COUNT)
shadowing("by_schema_name", "public.t is the sharded table whatever hides it", CREATE, "select count(*) from public.t",
          "insert into t select 5", "select * from t", "delete from t", "select count(*) from public.t where id < 5")
shadowing("joined", "a temporary table beside a sharded one", "create temp table zz as select 1 as id",
          "select count(*) from t where id in (select id from zz)")


@scenario("shard_temp", "a temporary view or table that hides nothing works", MANY)
def without_shadows(side):
    client = start(side)
    yield client.query("create temp table own (a int)", "insert into own values (1), (2)", "select * from own order by 1")
    yield client.query("create temp view own_view as select 1 as a", "table own_view", "drop view own_view", "drop table own",
                       "table own")


# --- COPY ---

@shard_scenario("COPY of rows of all shards; a NULL key, a bad row, half a row")
def copy_in(side, client):
    for data in (b"1\t1\ta\tb\n101\t1\ta\tb\n201\t1\ta\tb\n", b"\\N\t1\ta\tb\n", b"2\t1\ta\tb\n102\tx\ta\tb\n",
                 b"3\t1\ta\tb\n103\t1\n"):
        client.send(query("copy c from stdin"))
        yield client.until("G") + client.ask(copy_data(data), COPY_DONE).partition(" D=")[0]
    yield client.query("select id from c order by id")


@shard_scenario("INSERT ... SELECT without a list of columns, with fewer than the table has", refusable=True)
def insert_select_of_fewer_columns(side, client):
    yield client.query("insert into c select 40, 1, 'sel'", "select * from c")


@shard_scenario("a COPY that a shard's end interrupts copies nothing")
def lost_in_copy(side, client):
    client.send(query("copy c from stdin"))
    client.until("G")
    client.send(copy_data(b"1\t1\tx\ty\n101\t1\tx\ty\n201\t1"))
    side.wait_for_backend("query ilike 'copy %c%' and state = 'active'")
    side.terminate("query ilike 'copy %c%' and state = 'active'", 1)
    client.send(copy_data(b"\tx\ty\n"), COPY_DONE)
    yield f"told COPY: {'C[COPY' in client.until()} " + str(side.look("select id from c"))


# --- clients that leave ---

def leaving_behind_a_lock(name, reason, *messages, shard=0):
    """The client vanishes while its statement waits for a table lock on one shard."""
    def run(side, client):
        holder = side.outsider(shard)
        holder.query("begin", "lock table u in access exclusive mode")
        client.send(*messages)
        side.wait_for("select count(*) > 0 from pg_locks where not granted and relation = 'u'::regclass")
        client.vanish()
        holder.query("rollback")
        side.wait_settled_servers()
        yield str(side.look_at_copies("select distinct v from u")) + str(side.look("select gid from pg_prepared_xacts"))
    run.__name__ = name
    shard_scenario(reason)(run)


leaving_behind_a_lock("gone_while_described", "a client that leaves while its statement is described", SYNC,
                      parse("", "update u set v = v where k = -1"), describe_statement(), bind(), execute(), SYNC)
leaving_behind_a_lock("gone_while_two_wait", "with another statement behind", parse("", "select count(*) from u"),
                      describe_statement(), bind(), execute(), bind(), execute(), SYNC)
leaving_behind_a_lock("gone_in_a_read", "within a read of all shards", query("select * from u"), shard=1)
leaving_behind_a_lock("gone_in_a_write", "a write of all shards is finished", query("update u set v = 'gone' where k = 1"),
                      shard=1)


@shard_scenario("a client that leaves within a COPY copies nothing")
def gone_in_copy(side, client):
    client.send(query("copy c from stdin"))
    client.until("G")
    client.send(copy_data(b"1\t1\tx\ty\n101\t1\tx\ty\n201\t1"))
    client.vanish()
    side.wait_settled_servers()
    yield str(side.look("select id from c"))


@scenario("shard_life", "results of all shards that nobody reads to the end free their servers", MANY)
def unread_results(side):
    start(side)
    for _ in range(5):
        client = side.connect()
        client.send(query("select a.id, repeat('x', 10000) from t a join r on true cross join r r2"))
        client.messages("D", 1)
        client.vanish()
    side.wait_settled_servers()
    yield side.connect().query("select count(*) from t")


@scenario("shard_life", "a server that ends while the next statement of the pipeline waits for a pool costs the session at most",
          MANY)
def lost_between_two_statements(side):
    start(side)
    busy = [side.connect() for _ in range(POOL_SIZE)]
    for client in busy:
        client.query("begin", f"select * from t where id = {THIRD}")
    client = side.connect()
    client.send(once(f"select count(*) from t where id in ({FIRST}, {SECOND})"), once("select count(*) from t"), SYNC)
    if side.is_proxy:
        side.wait_for_backend("query ilike '%count%from t where%'")
        for server in (0, 1):
            side.terminate("query ilike '%count%from t where%'", server)
    for other in busy:
        other.query("rollback")
    client.messages("Z")
    yield side.connect().query("select count(*) from t")


@scenario("shard_life", "servers that end at any moment of writes over all shards leave whole transactions", MANY)
def ends_at_any_moment(side):
    client = start(side)
    for number in range(1, 13):
        client.send(query(f"update t set a = {number} where id in {ALL}"))
        if side.is_proxy:
            side.terminate("usename = 'app'", number % 3)
        client.until()
        if "EOF" in client.query("select 1"):
            client = side.connect()
    side.wait("nothing is prepared", lambda: not side.look("select gid from pg_prepared_xacts"), 20)
    yield str(len({row[0] for row in side.look(f"select a from t where id in {ALL}")}))


# --- DDL ---

@scenario("shard_life", "ALTER and DROP of a key column, a table that is made and dropped", MANY, refusable=True)
def key_column_dropped(side):
    client = start(side)
    yield "rows: none"
    yield client.query("create table made (id int primary key, a int)", "insert into made values (1, 1), (101, 2)",
                       "alter table made drop column id")
    client.query("drop table if exists made")
    yield "rows: none"
