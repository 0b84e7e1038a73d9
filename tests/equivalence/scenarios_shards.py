"""Transactions over several shards, compared with one PostgreSQL that holds the same tables.

Tables (set_up): t, u and c by id, below 100 on the first shard, below 200 on the second, the rest on the third; r is a
reference table. FIRST, SECOND and THIRD are ids of one shard each.
"""
import threading

from client import REFUSED, SYNC, again, once, parse, query, without_parameters
from scenario import MANY, scenario

FIRST, SECOND, THIRD = 1, 101, 201
IDS = (FIRST, SECOND, THIRD)
ALL = f"({FIRST}, {SECOND}, {THIRD})"
ROWS = [shard + row for shard in IDS for row in range(10)]
TABLES = ("create table t (id int primary key, a int, s text, tz timestamptz)",
          "create table u (id int, k int, v text, primary key (id, k))",
          "create table c (id int primary key, a int, s text, c text default 'dflt')",
          "create table r (k int primary key, name text)")
COMMITTED = f"select id, a from t where id in {ALL} order by 1"
WRITE = f"update t set a = 1 where id in {ALL}"


def set_up(side):
    """Once a run, before the first scenario of several shards."""
    client = side.connect()
    for name in ("t", "u", "c", "r", "made"):
        client.query(f"drop table if exists {name} cascade")
    for sql in TABLES + ("insert into r values (1, 'n'), (2, 'n'), (3, 'n'), (4, 'n')",
                         "insert into t values " + ", ".join(f"({i}, 0, 's{i % 3}', '2024-01-01 12:00+00')" for i in ROWS),
                         "grant select on u to reader", "insert into u values " + ", ".join(f"({i}, 1, 'v')" for i in ROWS)):
        client.rows(sql)
    side.end_clients()


def start(side):
    """A client, and rows as they are at the beginning of every scenario (set on the servers themselves)."""
    for server in range(len(side.servers)):
        for sql in ("update t set a = 0 where a is distinct from 0", "update u set v = 'v' where v <> 'v'", "delete from c",
                    "update r set name = 'n' where name <> 'n'", "delete from r where k > 4"):
            side.watcher(server).rows(sql)
    return side.connect()


def committed(side):
    """The rows of t and of all copies of r."""
    return f"rows: {side.look(COMMITTED)} copies: {side.look_at_copies('select k, name from r order by 1')}"


def shard_scenario(reason, refusable=False):
    """Outcomes are wrapped in the rows before and after."""
    def register(function):
        def run(side):
            client = start(side)
            yield committed(side)
            yield from function(side, client)
            for live in side.clients():
                live.vanish()
            side.wait_settled_servers()
            yield committed(side)
        run.__name__ = function.__name__
        scenario("shards", reason, MANY, refusable)(run)
        return function
    return register


# --- an error on one shard ---

@shard_scenario("COMMIT of a block in which one shard's statement failed rolls everything back, whichever shard it was")
def error_on_one_shard(side, client):
    for shard in IDS:
        yield client.query("begin", WRITE, f"update t set a = 1/0 where id = {shard}", "commit")


@shard_scenario("within the failed block the other shards' statements fail too")
def statements_of_a_failed_block(side, client):
    for shard in IDS:
        yield client.query("begin", WRITE, f"update t set a = 1/0 where id = {shard}")
        for other in IDS:
            yield client.query(f"update t set a = 7 where id = {other}")
        yield client.query("select count(*) from t", "commit")


@shard_scenario("the same by the extended protocol")
def error_on_one_shard_extended(side, client):
    for shard in IDS:
        for sql in ("begin", WRITE, f"update t set a = 1 / (id - {shard}) where id = {shard}", "commit"):
            yield client.ask(once(sql), SYNC)


@shard_scenario("ROLLBACK TO SAVEPOINT behind an error of one shard makes the block usable, and says so")
def savepoint_behind_an_error(side, client):
    yield client.query("begin", WRITE, "savepoint s", f"update t set a = a / (id - {SECOND}) where id in {ALL}",
                       "rollback to s", f"update t set a = 5 where id = {SECOND}", "commit")
    yield client.query("begin", "savepoint s0", WRITE, f"update t set a = 2 where id = {SECOND}", "select 1/0",
                       "rollback to s0", f"update t set a = 7 where id = {THIRD}", "commit and chain",
                       f"update t set a = 8 where id = {FIRST}", "rollback")


@shard_scenario("savepoints within savepoints, over other shards than the first")
def nested_savepoints(side, client):
    yield client.query(f"insert into c (id, a) values ({FIRST}, 0), ({SECOND}, 0), ({THIRD}, 0)")
    yield client.query("begin", WRITE, "savepoint a", f"update c set a = 1 where id = {FIRST}", "savepoint b",
                       f"update c set a = 2 where id in ({FIRST}, {SECOND})", "rollback to a", "savepoint a",
                       f"update c set a = 3 where id = {SECOND}", "commit", "select id, a from c order by 1")


@shard_scenario("a constraint that is deferred to the COMMIT fails all shards, whichever it is violated on")
def deferred_constraint(side, client):
    yield client.query("alter table c add constraint c_a foreign key (a) references r deferrable initially deferred")
    for bad in IDS:
        values = ", ".join(f"({i}, {777 if i == bad else 1})" for i in IDS)
        replies = client.query("begin", f"insert into c (id, a) values {values}", "commit", "select count(*) from c")
        yield replies.replace(" s=public t=c", "")
    yield client.query("alter table c drop constraint c_a")


@shard_scenario("an error of the COMMIT names schema, table and constraint")
def fields_of_a_deferred_error(side, client):
    yield client.query("alter table c add constraint c_f foreign key (a) references r deferrable initially deferred")
    yield client.query("begin", f"insert into c (id, a) values ({FIRST}, 777), ({SECOND}, 1)", "commit")
    yield client.query("alter table c drop constraint c_f")


# --- COMMIT in other places: everything or nothing ---

def commit_elsewhere(name, reason, *queries):
    """In a block that has written all copies of the reference table: these Queries, then what is committed."""
    def run(side, client):
        yield client.query("begin", "update r set name = 'changed' where k = 1")
        yield client.query(*queries)
        if "begin" in queries[0]:
            yield client.query("rollback")
    run.__name__ = name
    shard_scenario(reason, refusable=True)(run)


commit_elsewhere("commit_behind_a_statement", "COMMIT at the end of one Query commits all copies", "select 1; commit")
commit_elsewhere("commit_before_a_statement", "or at its beginning", "commit; select 1")
commit_elsewhere("commit_before_a_begin", "or in front of the next BEGIN", "commit; begin")
commit_elsewhere("savepoint_in_a_query", "SAVEPOINT in one Query holds for all shards", "savepoint a; select 1",
                 "update r set name = 'later' where k = 2", "rollback to a", "commit")


@shard_scenario("COMMIT in a pipeline behind a one-shard statement commits all copies", refusable=True)
def commit_in_a_pipeline(side, client):
    yield client.query("begin", "update r set name = 'changed' where k = 1")
    yield client.ask(once("select a from t where id = 1"), once("commit"), SYNC)


@shard_scenario("PREPARE TRANSACTION by the client prepares all or nothing", refusable=True)
def prepare_transaction(side, client):
    yield client.query("begin", "update r set name = 'changed' where k = 1")
    yield client.query("prepare transaction 'by the client'")
    yield client.query("commit prepared 'by the client'")


@shard_scenario("also in a block on one shard", refusable=True)
def prepare_transaction_of_one_shard(side, client):
    yield client.query("begin", f"update t set a = 1 where id = {THIRD}")
    yield client.query("prepare transaction 'one shard'")
    yield client.query("commit prepared 'one shard'")


# --- pipelines ---

def batch(name, reason, *statements, refusable=True):
    """One batch of the extended protocol, one Sync."""
    def run(side, client):
        yield client.ask(*[once(sql) if isinstance(sql, str) else sql for sql in statements], SYNC)
    run.__name__ = name
    shard_scenario(reason, refusable)(run)


SECOND_TOO = f"update t set a = 1 where id in ({FIRST}, {SECOND})"
batch("batch_of_two_shards", "two writes of one batch on two shards are one transaction",
      f"update t set a = 1 where id = {FIRST}", f"update t set a = 1 where id = {SECOND}")
batch("batch_of_one_and_several", "one shard, then several", f"update t set a = 1 where id = {FIRST}", SECOND_TOO)
batch("batch_with_an_error_behind", "a write on several shards is undone by an error later in its batch", SECOND_TOO,
      "select 1/0")
batch("batch_with_a_bad_parse_behind", "or by a Parse that fails", SECOND_TOO, parse("", "selekt"))
batch("batch_with_a_bad_bind_behind", "or by a Bind of a name that is missing", SECOND_TOO, again("missing"))
batch("batch_of_a_whole_block", "a whole block in one batch", "begin", SECOND_TOO, f"update t set a = 2 where id = {FIRST}",
      "commit")
batch("batch_of_a_read_a_write_and_an_error", "a read, a write, an error", "select count(*) from t",
      f"update t set a = 2 where id = {FIRST}", "select 1/0")
batch("batch_with_a_bare_commit", "COMMIT without BEGIN in a batch", SECOND_TOO, "commit")


@shard_scenario("a Query behind an Execute without a Sync is answered", refusable=True)
def query_behind_an_execute(side, client):
    yield client.ask(once(f"update t set a = 2 where id = {FIRST}"), query(f"update t set a = 2 where id = {SECOND}"))


@shard_scenario("Queries in a pipeline: blocks, errors, several shards")
def queries_in_a_pipeline(side, client):
    yield client.ask(*map(query, ("begin", WRITE, f"select a from t where id = {SECOND}", "commit", "begin", WRITE,
                                  f"update t set a = 1/0 where id = {THIRD}", "commit", "select sum(a) from t")), ready=9)


# --- a participant is lost ---

@shard_scenario("a block that lost a shard does not commit the others, not even behind ROLLBACK TO")
def lost_within_a_statement(side, client):
    client.query("begin", WRITE, "savepoint s")
    holder = side.outsider(1)
    holder.query("begin", "lock table u in access exclusive mode")
    client.send(query("select count(*) from u"))
    side.wait_blocked("%from u%")
    side.terminate("wait_event_type = 'Lock' and query ilike '%from u%'", 1)
    client.until()
    holder.query("rollback")
    replies = client.query("rollback to s", f"update t set a = 2 where id = {FIRST}", "commit")
    yield f"told COMMIT: {'C[COMMIT]' in replies}"


@shard_scenario("nor when the server ended while the block was idle")
def lost_while_idle(side, client):
    client.query("begin", WRITE, "savepoint s")
    side.terminate("state = 'idle in transaction'", 1)
    replies = client.query("rollback to s", "commit")
    yield f"told COMMIT: {'C[COMMIT]' in replies}"


@shard_scenario("after a COMMIT that one shard finishes later the session sees its own rows there")
def own_rows_behind_a_late_shard(side, client):
    client.query("alter table c add constraint c_late foreign key (a) references r deferrable initially deferred")
    client.query("begin", f"insert into c (id, a) values ({FIRST}, 1), ({SECOND}, 1), ({THIRD}, 1)")
    holder = side.outsider(0)
    holder.query("begin", "select 1 from r where k = 1 for update")
    client.send(query("commit"))
    side.wait_for_backend("wait_event_type = 'Lock'")
    if side.is_proxy:
        side.wait("the other shards are prepared", lambda: len(side.look("select gid from pg_prepared_xacts")) == 2)
        side.terminate("usename = 'app'", 1)
    holder.query("rollback")
    yield f"told COMMIT: {'C[COMMIT]' in client.until()}" + client.query("select id from c order by 1")
    client.query("alter table c drop constraint c_late")


# --- settings and levels of a block ---

ZONES = f"select id, tz from t where id in {ALL} order by id"


def setting(name, reason, *queries, told=False):
    """SET within a block of several shards; with `told` ParameterStatus counts too."""
    def run(side, client):
        for sql in queries:
            yield client.query(sql) if told else without_parameters(client.query(sql))
        yield str(client.parameters["TimeZone"] if told else "")
    run.__name__ = name
    shard_scenario(reason, refusable=True)(run)


setting("set_local_everywhere", "SET LOCAL in a block of several shards holds on all of them", "begin", "select count(*) from t",
        "set local timezone = 'Asia/Tokyo'", ZONES, "commit", ZONES)
setting("set_everywhere", "SET likewise, and its rollback", "begin", "select count(*) from t", "set timezone = 'Asia/Tokyo'",
        "show timezone", ZONES, "rollback", "show timezone", ZONES)
setting("set_local_is_told", "and the client is told before the rows come", "begin", "select count(*) from t",
        "set local timezone = 'Asia/Tokyo'", ZONES, "commit", told=True)
setting("set_is_told", "also of SET and its rollback", "begin", "select count(*) from t", "set timezone = 'Asia/Tokyo'", ZONES,
        "rollback", told=True)
setting("role_everywhere", "SET ROLE in a block reaches every shard", "begin", "select count(*) from t",
        "set local role reader", "select id, current_user from u order by id", "rollback", "select current_user")
setting("permission_denied", "what fails for want of a permission tells no columns", "begin", "set local role reader",
        "select id from t order by id", "rollback")


# What PostgreSQL gives is the count; a proxy that cannot give a snapshot over shards must refuse, and does not answer.
LEVELS = {
    "level_of_begin": ("begin isolation level repeatable read",),
    "level_set_in_the_block": ("begin", "set transaction isolation level repeatable read"),
    "level_set_local": ("begin", "set local transaction_isolation = 'repeatable read'"),
    "level_set_by_name": ("begin", "set transaction_isolation to serializable"),
    "level_by_set_config": ("begin", "select set_config('transaction_isolation', 'serializable', true)"),
    "level_of_the_session": ("set session characteristics as transaction isolation level serializable", "begin"),
    "level_by_default": ("set default_transaction_isolation = 'serializable'",),
    "level_kept_by_a_chain": ("start transaction", "set transaction isolation level serializable", "commit and chain"),
    "level_of_begin_kept_by_a_chain": ("begin isolation level serializable", "select 1", "commit and chain"),
}


def stronger(name, statements):
    """REPEATABLE READ over several shards is refused, never answered with less."""
    def run(side):
        client = start(side)
        for sql in statements:
            yield client.query(sql)
        reply = client.query("select count(*) from t")
        yield "a snapshot of all shards, or none: " + str(REFUSED in reply or not side.is_proxy)
        yield client.query("rollback").rpartition(" ")[2]
    run.__name__ = name
    scenario("isolation", "REPEATABLE READ over several shards is refused, never answered with less", MANY)(run)


for NAME, STATEMENTS in LEVELS.items():
    stronger(NAME, STATEMENTS)


@scenario("isolation", "READ COMMITTED asked for by BEGIN runs whatever the default is", MANY)
def read_committed_despite_the_default(side):
    client = start(side)
    yield client.query("set default_transaction_isolation = 'serializable'", "begin isolation level read committed",
                       "select count(*) from t", "rollback")


@scenario("isolation", "SET transaction_isolation outside a block has no effect", MANY)
def level_set_outside_a_block(side):
    client = start(side)
    yield client.query("set transaction_isolation = 'serializable'", "select count(*) from t")


@shard_scenario("READ ONLY, by BEGIN and by default, forbids writes on several shards")
def read_only(side, client):
    yield client.query("begin read only", SECOND_TOO, "commit")
    yield client.query("set default_transaction_read_only = on", SECOND_TOO, f"update t set a = 3 where id = {FIRST}")


@shard_scenario("statement_timeout ends a write on several shards that waits on one, and undoes it on the others")
def statement_timeout(side, client):
    holder = side.outsider(1)
    holder.query("begin", f"update t set s = s where id = {SECOND}")
    yield client.query("set statement_timeout = '300ms'", SECOND_TOO)
    holder.query("rollback")


# --- locks ---

@shard_scenario("a block that failed by a refusal or an error releases its row locks at once")
def locks_of_a_failed_block(side, client):
    yield client.query("begin", WRITE, "select 1/0")
    yield side.connect().query("update t set a = 4 where id in " + ALL) + client.query("rollback")


@shard_scenario("the same where the proxy refuses", refusable=True)
def locks_of_a_refused_statement(side, client):
    yield client.query("begin", f"update t set a = 1 where id = {FIRST}")
    yield client.query(f"update t set a = 1 where id = {SECOND}")
    yield client.query("rollback")


@scenario("isolation", "writes of all shards that cross do not wait for each other for ever", MANY)
def crossing_writes(side):
    start(side).query("insert into c (id, a) values " + ", ".join(f"({i}, 0)" for i in ROWS))
    clients, tags = [side.connect() for _ in range(4)], []

    def update(client):
        tags.extend(client.ask(*[query("update c set a = a + 1")] * 10, ready=10, seconds=30).split(" Z[I]"))

    threads = [threading.Thread(target=update, args=(client,)) for client in clients]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    # Rows that moved are met in another order: PostgreSQL itself may see a deadlock, which undoes that one statement.
    done = [tag for tag in tags if "40P01" not in tag]
    updates = sum("C[UPDATE" in tag for tag in done)
    yield str(sorted(set(done))) + str({int(row[0]) - updates for row in side.look("select distinct a from c")})


# --- cancel ---

@shard_scenario("a cancel ends a statement of several shards, in a block and without")
def cancelled(side, client):
    holder = side.outsider(1)
    holder.query("begin", f"update t set s = s where id = {SECOND}")
    for block in ("select 1", "begin"):
        yield client.query(block)
        client.send(query(WRITE))
        side.wait_blocked("%update t set a = 1%")
        client.cancel()
        yield client.until()
    yield client.query("commit")
    holder.query("rollback")
