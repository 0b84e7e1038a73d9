"""Transaction blocks on one server."""
from client import SYNC, once, query
from scenario import PLAIN, scenario


@scenario("transactions", "control commands where they do not belong warn as PostgreSQL warns")
def control_out_of_place(side):
    client = side.connect()
    yield client.query("end", "abort", "commit", "rollback", "savepoint x", "release x", "rollback to x")
    yield client.query("begin", "begin", "commit", "commit", "commit and chain", "rollback and chain")


@scenario("transactions", "several statements in one Query: blocks left open, errors, COMMIT in the middle")
def several_in_one_query(side):
    side.table("several", "a int")
    client = side.connect()
    yield client.query("select 1; select 2; select 1/0; select 3")
    yield client.query("begin; select 1", "commit; begin; select 2", "rollback; select 1")
    yield client.query("insert into several values (1); commit; insert into several values (2); select 1/0", "table several")
    yield client.query("begin; insert into several values (3); rollback; select 4", "table several")


@scenario("transactions", "a block that fails at its first statement, or later")
def failed(side):
    client = side.connect()
    yield client.query("begin", "select 1/0", "select 1", "commit", "commit", "select 1")
    yield client.query("begin", "select 1", "select 1/0", "rollback", "select 2")


@scenario("transactions", "savepoints take a block back")
def savepoints(side):
    client = side.connect()
    yield client.query("begin", "savepoint a", "select 1/0", "rollback to a", "select 5", "release a", "commit")
    yield client.query("begin", "savepoint a", "select 1/0", "release a", "rollback to missing", "rollback to a", "commit")


@scenario("transactions", "levels, READ ONLY, chains")
def characteristics(side):
    client = side.connect()
    yield client.query("begin isolation level serializable", "show transaction_isolation", "commit")
    yield client.query("begin read only", "create table forbidden (a int)", "rollback")
    yield client.query("begin isolation level repeatable read", "select 1", "commit and chain",
                       "show transaction_isolation", "rollback and chain", "show transaction_isolation", "rollback")
    yield client.query("begin", "select now() = statement_timestamp()", "rollback")


@scenario("transactions", "LOCK, NOTIFY and LISTEN in blocks", PLAIN)
def locks_and_notifications(side):
    side.table("locked", "a int")
    client = side.connect()
    yield client.query("lock table locked", "begin", "lock table locked", "notify x", "commit", "listen x", "notify x")
    yield client.query("begin", "notify x, 'in a block'", "select 1", "commit", "unlisten x")


@scenario("transactions", "PREPARE TRANSACTION ends the block and is finished by name")
def two_phase_by_the_client(side):
    side.table("prepared_rows", "a int")
    client = side.connect()
    yield client.query("begin", "insert into prepared_rows values (1)", "prepare transaction 'equivalence'", "select 1",
                       "commit prepared 'equivalence'", "table prepared_rows", "rollback prepared 'equivalence'")


@scenario("transactions", "BEGIN, an error and COMMIT in one pipeline, twice")
def pipelined(side):
    client = side.connect()
    for _ in range(2):
        yield client.ask(query("begin"), once("select 1/0"), SYNC, query("commit"), once("select 2"), SYNC, ready=4)
