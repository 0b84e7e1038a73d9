"""Temporary objects and session-level locks on one server."""
from client import SYNC, once
from scenario import PLAIN, scenario

TWO = ("two", "session")


@scenario("temp", "functions and types of pg_temp are their client's: others do not see them", PLAIN)
def functions_and_types(side):
    client = side.connect()
    yield client.query("create function pg_temp.f() returns int language sql as 'select 5'", "select pg_temp.f()")
    yield client.query("create type pg_temp.mood as enum ('a')", "select 'a'::pg_temp.mood")
    yield client.query("create type pg_temp.pair as (a int)", "select '(1)'::pg_temp.pair")
    client.vanish()
    other = side.connect()
    yield other.query("select pg_temp.f()", "select 'a'::pg_temp.mood", "select '(1)'::pg_temp.pair")


@scenario("temp", "the same while their client is still there", TWO)
def functions_of_another(side):
    client, other = side.connect(), side.connect()
    yield client.query("create function pg_temp.g() returns int language sql as 'select 5'")
    yield "other: " + other.query("select pg_temp.g()") + client.query("select pg_temp.g()")


@scenario("temp", "tables, views, sequences; made in a block, rolled back, dropped on commit", PLAIN)
def relations(side):
    client = side.connect()
    yield client.query("create temp table t1 as select 1 as a", "create temp view v1 as select * from t1", "table v1",
                       "create temp sequence s1", "select nextval('s1')", "select currval('s1')")
    yield client.query("begin", "create temp table t2 (a int)", "rollback", "table t2")
    yield client.query("begin", "create temp table t3 (a int) on commit drop", "table t3", "commit", "table t3")
    yield client.query("create table pg_temp.t4 (a int)", "select count(*) from t4", "discard temp", "table t4", "table v1")
    client.vanish()
    yield side.connect().query("table t1")


@scenario("temp", "a temporary table that hides a table of the schema hides it for its client only", TWO)
def shadows(side):
    side.table("shadowed", "a int", "insert into shadowed values (1)")
    client, other = side.connect(), side.connect()
    yield client.query("create temp table shadowed (a int)", "table shadowed")
    yield "other: " + other.query("table shadowed")
    yield client.query("drop table shadowed", "table shadowed", "create table pg_temp.shadowed (a int)",
                       "select count(*) from shadowed")
    yield "other: " + other.query("table shadowed")


@scenario("temp", "statements of the extended protocol see what pg_temp held when they were parsed", PLAIN)
def shadows_of_statements(side):
    side.table("parsed_shadow", "a int", "insert into parsed_shadow values (1)")
    client, other = side.connect(), side.connect()
    yield client.ask(once("select a from parsed_shadow"), SYNC)
    client.vanish()
    third = side.connect()
    yield third.query("begin", "create temp table parsed_shadow (b text) on commit drop")
    yield third.ask(once("select * from parsed_shadow"), SYNC) + third.query("commit")
    yield other.ask(once("select a from parsed_shadow"), SYNC)


@scenario("temp", "advisory locks of a statement, and of a function, stay with their client", PLAIN)
def advisory_locks(side):
    side.prepare("create or replace function takes_a_lock() returns void language plpgsql as $$begin perform "
                 "pg_advisory_lock(99); end$$")
    mine = "select count(*) from pg_locks where locktype = 'advisory' and pid = pg_backend_pid()"
    client = side.connect()
    yield client.query("select pg_advisory_lock(1)", mine, "select pg_advisory_unlock_all()", mine)
    yield client.query("select takes_a_lock()", mine)
    client.vanish()
    side.wait_for("select count(*) = 0 from pg_locks where locktype = 'advisory'")
    yield side.connect().query(mine)


@scenario("temp", "and those taken while rows are filtered, or by a trigger", PLAIN)
def advisory_locks_of_rows(side):
    side.table("lock_rows", "a int", "insert into lock_rows values (1)")
    side.prepare("create or replace function lock_trigger_f() returns trigger language plpgsql as $$begin perform "
                 "pg_advisory_lock(77); return new; end$$",
                 "create trigger t before insert on lock_rows for each row execute function lock_trigger_f()")
    mine = "select count(*) from pg_locks where locktype = 'advisory' and pid = pg_backend_pid()"
    client = side.connect()
    yield client.query("select * from lock_rows where pg_try_advisory_lock(a)", mine)
    yield client.query("insert into lock_rows values (2)", mine)
    client.vanish()
    side.wait_for("select count(*) = 0 from pg_locks where locktype = 'advisory'")
    yield side.connect().query(mine)


@scenario("temp", "notifications come to who listens, and to nobody else", TWO)
def listening(side):
    client, other = side.connect(), side.connect()
    yield client.query("listen equivalence") + other.query("notify equivalence, 'a'")
    yield client.until("A") + client.query("unlisten *") + other.query("notify equivalence, 'b'")
    yield client.query("select 1") + other.query("select 2")
