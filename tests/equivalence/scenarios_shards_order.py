"""Over several shards: SQL PREPARE and EXECUTE, groups that overtake nothing, COPY in every order (tables: scenarios_shards.py)."""
from client import (COPY_DONE, FLUSH, SYNC, again, bind, copy_data, copy_fail, describe_statement, execute, once, parse, query)
from scenario import MANY, scenario
from scenarios_shards import ALL, FIRST, SECOND, THIRD, shard_scenario, start


def queries(name, reason, *statements, refusable=False, group="shard_names"):
    """One Query after the other."""
    def run(side):
        client = start(side)
        for sql in statements:
            yield client.query(sql)
    run.__name__ = name
    scenario(group, reason, MANY, refusable)(run)


# --- SQL PREPARE, EXECUTE, DEALLOCATE ---

queries("routed_by_value", "EXECUTE runs where its values lead, and over all shards",
        "prepare one (int) as select id, a from t where id = $1", f"execute one ({FIRST})", f"execute one ({SECOND})",
        f"execute one({THIRD} + 0)", "execute one ('101')", "execute one (null)", "execute one (-1)",
        "prepare many as select count(*) from t where id < $1", "execute many (205)", "execute many (2 * 50)",
        "deallocate one", "execute one (1)", "deallocate many")
queries("values_are_coerced", "arguments become the parameters' types as PostgreSQL makes them, errors included",
        "prepare p (int, text) as select id, $2 as x from t where id = $1", "execute p (1.4, 5)", "execute p ('x', 'y')",
        "execute p (1)", "execute p", "execute p (1, 'a', 2)", "execute p (true, 'y')", "execute p (99999999999, 'y')",
        "execute p (length('a'), upper('b') || 'c')", "execute p (id, 'y')", "execute p ((select 1), 'y')", "execute p (1/0, 'y')",
        "deallocate p")
queries("writes", "writes by EXECUTE, with their tags and rows",
        "prepare ins (int, int) as insert into c (id, a) values ($1, $2)", "execute ins (1, 10)", "execute ins (101, 11)",
        "execute ins (1, 10)", "prepare upd as update c set a = a + $1 where id in (1, 101) returning id, a", "execute upd (1)",
        "prepare del as delete from c", "execute del", "deallocate all", "execute del")
queries("what_is_wrong", "what PostgreSQL says of a PREPARE that is wrong",
        "prepare p as select nothing from t", "prepare p (nowhere) as select $1", "prepare p (int) as select id from nowhere",
        "prepare p as select 1 where $2", "execute p", "deallocate p", "prepare p as select 1", "prepare p as select 2",
        "prepare p as select nothing from t", "execute p", 'prepare "Q x" (text) as select $1 || \'!\'', 'execute "Q x" (\'a\')',
        'deallocate "Q x"', "deallocate prepare p", "deallocate all")
queries("in_blocks", "PREPARE does not roll back, and a failed block refuses all of it",
        "begin", "prepare kept as select a from t where id = $1", "rollback", "execute kept (101)", "begin",
        f"update t set a = 3 where id in {ALL}", "execute kept (101)", "execute kept (1)", "savepoint s", "execute kept (1/0)",
        "execute kept (1)", "prepare other as select 1", "deallocate kept", "rollback to s", "execute kept (1)", "rollback",
        "execute kept (1)", "begin", f"select a from t where id = {SECOND}", f"execute kept ({SECOND})", "prepare more as select 1",
        "execute more", "commit", "execute more", "deallocate all")
queries("types_by_name", "types of PREPARE are resolved as PostgreSQL does",
        "prepare p (numeric(10, 2), pg_catalog.int4, date[], \"char\") as select id, $1 as n, $3 as d, $4 as c from t where id = $2",
        "execute p (1.239, 1, '{2024-01-02}', 'xy')", "deallocate p")


@scenario("shard_names", "the names are those of the extended protocol, both ways", MANY)
def names_of_both_protocols(side):
    client = start(side)
    yield client.ask(parse("n", "select id, a from t where id = $1"), SYNC)
    yield client.query("execute n (1)", "execute n (201)", "prepare n as select 1", "prepare m (int) as select count(*) from t where id < $1")
    yield client.ask(describe_statement("m"), again("m", 150), SYNC)
    yield client.ask(once("execute m (150)"), SYNC) + client.ask(once("deallocate n"), SYNC)
    yield client.ask(again("n", 1), SYNC) + client.ask(once("prepare o as select id from t where id < 3 order by id"), SYNC)
    yield client.ask(parse("x", "execute o"), bind("x"), execute(rows=2), execute(), SYNC)
    yield client.query("execute o", "deallocate all")


# --- groups in flight ---

SCATTER = f"select id, a from t where id in {ALL} order by 1"


@shard_scenario("a group that reads all shards, sent together with one that writes one of them, sees what it wrote")
def scatter_behind_a_write(side, client):
    for shard in IDS_AND_BACK:
        yield client.ask(once(f"update t set a = a + 1 where id = {shard}"), SYNC, once(SCATTER), SYNC, ready=2)


IDS_AND_BACK = (FIRST, SECOND, THIRD, FIRST)


@shard_scenario("many groups and Queries in one write are answered in their order, errors in the middle")
def groups_and_queries(side, client):
    yield client.ask(once(f"update t set a = 5 where id = {FIRST}"), SYNC, query(SCATTER), once("select 1/0 from t where id < 205"), once("select 2"),
                     SYNC, SYNC, query(f"update t set a = 6 where id = {SECOND}"), once(SCATTER), SYNC, query("select nothing"),
                     once(f"select a from t where id = {THIRD}"), SYNC, query(""), once(SCATTER), SYNC, ready=10)


@shard_scenario("blocks over several groups in one write, with portals that outlive their Sync")
def blocks_in_flight(side, client):
    yield client.ask(query("begin"), parse("", SCATTER), bind(portal="p"), execute("p", 1), SYNC, execute("p", 1), SYNC,
                     once(f"update t set a = 9 where id = {SECOND}"), SYNC, execute("p", 0), SYNC, query("commit"), ready=6)


@shard_scenario("a block that fails in the first of several groups in flight refuses the others")
def failed_block_in_flight(side, client):
    yield client.ask(query("begin"), once("select 1 / (id - id) from t where id < 205"), SYNC, once(SCATTER), SYNC, parse("s", SCATTER), SYNC,
                     query(SCATTER), once("commit"), SYNC, again("s"), SYNC, ready=7)


@shard_scenario("Flush gives what has run, and does not end the group")
def flushed_groups(side, client):
    client.send(once(SCATTER), FLUSH)
    yield client.until("C") + client.ask(once("select count(*) from t"), SYNC)
    client.send(parse("f", SCATTER), FLUSH)
    yield client.until("1") + client.ask(bind("f"), execute(), SYNC)
    client.send(parse("", "select nothing from t"), describe_statement(), FLUSH)
    yield client.until("E") + client.ask(once("select 1"), SYNC, query("select count(*) from t"), ready=2)


@shard_scenario("a Parse that fails behind one that reads all shards is told in its place, and nothing is left of it")
def parse_fails_in_its_place(side, client):
    yield client.ask(once(SCATTER), parse("bad", "select nothing from t"), bind("bad"), execute(), SYNC)
    yield client.ask(again("bad"), SYNC) + client.ask(parse("bad", SCATTER), SYNC) + client.ask(again("bad"), SYNC)


@shard_scenario("a Parse of several commands, or a wrong one, fails before it is bound")
def parses_that_fail(side, client):
    for sql in ("select 1; select 2 from t", "selekt", "select id from t where nothing = 1", "select $1 + true from t"):
        yield client.ask(parse("w", sql), bind("w"), execute(), SYNC) + client.ask(parse("w", "select 1"), SYNC)
        yield client.query("deallocate w")


@shard_scenario("what is wrong in a statement that is sent to the shards in other words is told with its place")
def position_in_a_rewritten_statement(side, client):
    yield client.query("select count(*) from t where nothing = 1")


# --- COPY ---

ROWS = (copy_data(b"1\t1\ta\tb\n"), copy_data(b"101\t1\ta\tb\n201\t1\ta\tb\n"))
COPIED = "select id from c order by id"


@shard_scenario("COPY by the extended protocol: Syncs and Flushes within it yield nothing")
def extended_copy(side, client):
    client.send(once("copy c from stdin"), SYNC)
    yield client.until("G") + client.ask(*ROWS, SYNC, FLUSH, COPY_DONE, SYNC) + client.query(COPIED, "delete from c")
    client.send(once("copy c from stdin"), FLUSH)
    yield client.until("G") + client.ask(*ROWS, COPY_DONE, SYNC) + client.query(COPIED, "delete from c")
    client.send(once("copy c from stdin"), SYNC)
    yield client.until("G") + client.ask(copy_data(b"1\tx\n"), COPY_DONE, SYNC) + client.query(COPIED)


@shard_scenario("COPY that the client gives up, and data behind an error")
def copy_given_up(side, client):
    client.send(query("copy c from stdin"))
    yield client.until("G") + client.ask(*ROWS, copy_fail("enough")) + client.query(COPIED)
    client.send(query("copy c from stdin"))
    yield client.until("G") + client.ask(copy_data(b"x\n"), *ROWS, COPY_DONE, query(COPIED), ready=2)
    yield client.ask(copy_data(b"stray"), query("select 1")) + client.ask(COPY_DONE, query(COPIED))


@shard_scenario("COPY sent whole before its answer is read, also where it fails at once")
def copy_in_pipelines(side, client):
    yield client.ask(query("copy c from stdin"), *ROWS, COPY_DONE, query(COPIED), ready=2)
    yield client.ask(query("delete from c"), once("copy c from stdin"), *ROWS, COPY_DONE, SYNC, query(COPIED), ready=3)
    yield client.ask(once("copy c (nothing) from stdin"), *ROWS, COPY_DONE, SYNC, query(COPIED), ready=2)


@shard_scenario("COPY in a block, its error fails the block")
def copy_in_a_block(side, client):
    client.send(query("begin"), query("copy c from stdin"))
    yield client.until("G") + client.ask(*ROWS, COPY_DONE) + client.query(COPIED, "rollback", COPIED)
    client.send(query("begin"), query("copy c from stdin"))
    yield client.until("G") + client.ask(copy_data(b"1\tx\n"), *ROWS, COPY_DONE) + client.query(COPIED, "commit", COPIED)


@shard_scenario("a Query or a Parse within COPY data ends the session as PostgreSQL does")
def query_within_copy(side, client):
    for bad in (query("select 1"), parse("", "select 1")):
        other = side.connect()
        other.send(query("copy c from stdin"))
        yield other.until("G")
        other.send(*ROWS, bad)
        yield other.end()
    yield client.query(COPIED)


@shard_scenario("a client that leaves behind a whole COPY has copied, one that leaves before its end has not")
def copy_and_leave(side, client):
    for end in ((COPY_DONE,), ()):
        other = side.connect()
        other.send(query("copy c from stdin"), *ROWS, *end)
        other.leave()
        side.wait_settled_servers()
        yield client.query(COPIED, "delete from c")


@shard_scenario("a client that leaves before the shards have answered a COPY")
def gone_before_copy_begins(side, client):
    holder = side.outsider(1)
    holder.query("begin", "lock table c in access exclusive mode")
    client.send(query("copy c from stdin"))
    side.wait_for("select count(*) > 0 from pg_locks where not granted and relation = 'c'::regclass")
    client.vanish()
    holder.query("rollback")
    side.wait_settled_servers()
    yield str(side.look("select id from c"))


@scenario("shard_names", "by the extended protocol in a block that is bound to one shard", MANY, refusable=True)
def names_in_a_bound_block(side):
    client = start(side)
    yield client.query("prepare n (int) as select a from t where id = $1", "begin", f"select a from t where id = {FIRST}")
    yield client.ask(once(f"execute n ({FIRST})"), SYNC)
    yield client.query("rollback") + client.ask(query("begin"), once(f"select a from t where id = {FIRST}"), SYNC, once("deallocate n"), SYNC, ready=3)
    yield client.query("commit", "deallocate all")
