#!/usr/bin/python3
"""psycopg 3 through the proxy: server-side prepared statements, pipeline mode, binary COPY, server-side cursors."""
import datetime
import decimal
import uuid

import psycopg

from checks import CLIENTS, CONTENT, LARGE, PINNED, SHARDED, SLEEP, cancel_when_running, concurrently, content_rows, expect, expect_error

STATE = lambda error: error.sqlstate


def connect(**options):
    return psycopg.connect("", autocommit=True, prepare_threshold=1, **options)


def one(connection, sql, parameters=None, **options):
    return connection.execute(sql, parameters, **options).fetchone()


def values(connection):
    row = (7, None, datetime.date(2024, 2, 29), datetime.datetime(2024, 2, 29, 12, 30, tzinfo=datetime.timezone.utc), ["a", 'q"'],
           decimal.Decimal("1.50"), b"\x00\xff", uuid.UUID(PINNED), datetime.timedelta(days=2, seconds=5))
    sql = "SELECT %s::int, %s::text, %s::date, %s::timestamptz, %s::text[], %s::numeric, %s::bytea, %s::uuid, %s::interval"
    for binary in (False, True):
        expect(f"parameters and results, binary={binary}", row, connection.cursor(binary=binary).execute(sql, row).fetchone())
    large = "x" * LARGE
    expect("5 MB parameter and result", large, one(connection, "SELECT %s::text", (large,))[0])


def prepared(connection):
    for number in range(50):
        if one(connection, "SELECT %s::int + 1", (number,)) != (number + 1,):
            raise SystemExit("FAILED: prepared statement")
    for shape in range(120):  # more than the driver keeps: it deallocates old ones by itself
        for _ in range(2):
            if one(connection, f"SELECT {shape} + %s::int", (1,)) != (shape + 1,):
                raise SystemExit("FAILED: prepared statements, many shapes")
    print("ok: prepared statements")


def errors(connection):
    expect_error("division by zero, prepared", "22012", lambda: [one(connection, "SELECT 1 / %s::int", (n,)) for n in (1, 1, 0)], STATE)
    expect("autocommit goes on", (1,), one(connection, "SELECT 1 / %s::int", (1,)))
    with connection.transaction():
        expect_error("inside a nested transaction", "22012", lambda: nested_failure(connection), STATE)
        expect("the outer transaction goes on", (1,), one(connection, "SELECT 1"))


def nested_failure(connection):
    with connection.transaction():
        connection.execute("SELECT 1/0")


def cancel(connection):
    finish = cancel_when_running(connect, connection.cancel)
    expect_error("cancel", "57014", lambda: one(connection, SLEEP), STATE)
    finish()
    expect("after a cancel it serves again", (1,), one(connection, "SELECT 1"))


def pipeline(connection):
    with connection.pipeline() as pipe:
        cursors = [connection.cursor().execute("SELECT %s::int * 2", (n,)) for n in range(500)]
        pipe.sync()
        expect("pipeline of 500", [n * 2 for n in range(500)], [cursor.fetchone()[0] for cursor in cursors])

    def failing():
        with connection.pipeline() as pipe:
            connection.execute("SELECT 1")
            connection.execute("SELECT 1/0")
            connection.execute("SELECT 2")
            pipe.sync()

    expect_error("an error in a pipeline", "22012", failing, STATE)
    expect("after it", (3,), one(connection, "SELECT 3"))


def notifications():
    with connect() as listener, connect() as speaker:
        heard = []
        listener.add_notify_handler(lambda note: heard.append((note.pid, note.channel, note.payload)))
        listener.execute("LISTEN of_psycopg3")
        listener.execute("NOTIFY of_psycopg3, 'own'")
        expect("own notifications are there when NOTIFY returns", [(listener.info.backend_pid, "of_psycopg3", "own")], heard)
        speaker.execute("SELECT pg_notify('of_psycopg3', %s)", ("from another",))
        note = next(listener.notifies())
        expect("notifications of others come between requests", (speaker.info.backend_pid, "from another"), (note.pid, note.payload))
        listener.execute("UNLISTEN *")


def plain(connection):
    connection.execute("DROP TABLE IF EXISTS psycopg3_items")
    connection.execute("CREATE TABLE psycopg3_items (id int PRIMARY KEY, name text, at timestamptz)")
    cursor = connection.cursor()
    cursor.executemany("INSERT INTO psycopg3_items VALUES (%s, %s) RETURNING id", [(i, f"name {i}") for i in range(1000)], returning=True)
    expect("executemany with RETURNING", (0,), cursor.fetchone())
    at = datetime.datetime(2025, 1, 1, tzinfo=datetime.timezone.utc)
    with cursor.copy("COPY psycopg3_items FROM STDIN (FORMAT BINARY)") as copy:
        copy.set_types(["int4", "text", "timestamptz"])
        for i in range(1000, 21000):
            copy.write_row((i, None if i % 2 else "copied", at))
    with cursor.copy("COPY (SELECT id, name, at FROM psycopg3_items ORDER BY id OFFSET 1000) TO STDOUT (FORMAT BINARY)") as copy:
        copy.set_types(["int4", "text", "timestamptz"])
        rows = list(copy.rows())
    expect("binary COPY both ways", [(i, None if i % 2 else "copied", at) for i in range(1000, 21000)], rows)
    with connection.transaction(force_rollback=True):
        connection.execute("DELETE FROM psycopg3_items")
    with connection.transaction(), connection.transaction(force_rollback=True):
        connection.execute("DELETE FROM psycopg3_items")
    expect("rollback and savepoint", (21000,), one(connection, "SELECT count(*) FROM psycopg3_items"))
    with connection.transaction(), connection.cursor(name="server_side") as named:
        named.itersize = 100
        named.execute("SELECT id FROM psycopg3_items ORDER BY id LIMIT 5000")
        expect("server-side cursor", [(i,) for i in range(5000)], list(named))

    def work(number):
        with connect() as own:
            for step in range(30):
                with own.transaction():
                    own.execute("UPDATE psycopg3_items SET name = %s WHERE id = %s", (f"step {step}", number))
                    if one(own, "SELECT name FROM psycopg3_items WHERE id = %s", (number,)) != (f"step {step}",):
                        raise RuntimeError("not my write")

    concurrently(f"{CLIENTS} clients", work)
    connection.execute("DROP TABLE psycopg3_items")


def sharded(connection):
    rows = content_rows(620_000_000, 600)
    mine = "id BETWEEN 620000000 AND 620000999"
    sql = f"INSERT INTO content ({CONTENT}) VALUES (%s, %s, %s, %s, %s, %s, %s, %s)"
    for row in rows[:300]:
        connection.execute(sql, row)  # prepared: the parameter chooses the shard
    holes = ", ".join(["(%s, %s, %s, %s, %s, %s, %s, %s)"] * 30)
    for first in range(300, 600, 30):
        connection.execute(f"INSERT INTO content ({CONTENT}) VALUES {holes}", [cell for row in rows[first:first + 30] for cell in row])
    expect("INSERT by parameters, one row and thirty", (600, sum(range(600))), one(connection, f"SELECT count(*), sum(views) FROM content WHERE {mine}"))
    for binary in (False, True):
        ids = connection.execute(f"SELECT id FROM content WHERE {mine} ORDER BY id LIMIT %s", (10,), binary=binary).fetchall()
        expect(f"merged order, binary={binary}", [(row[1],) for row in rows[:10]], ids)
        groups = connection.execute(f"SELECT region, count(*), avg(views) FROM content WHERE {mine} GROUP BY region ORDER BY region", binary=binary).fetchall()
        expect(f"merged groups, binary={binary}", [("eu", 200), ("museum", 200), ("us", 200)], [group[:2] for group in groups])
    regions = connection.execute(f"SELECT count(*) FROM content WHERE region = ANY(%s) AND {mine}", (["eu", "us"],)).fetchone()
    expect("= ANY(array)", (400,), regions)
    with connection.transaction(force_rollback=True):
        connection.execute("DELETE FROM content WHERE region = %s AND id = %s", rows[0][:2])
    expect("rollback on one shard", (1,), one(connection, "SELECT count(*) FROM content WHERE region = %s AND id = %s", rows[0][:2]))
    with connection.cursor().copy(f"COPY content ({CONTENT}) FROM STDIN") as copy:
        for row in content_rows(620_000_600, 300):
            copy.write_row(row)
    expect("COPY to three shards", (900,), one(connection, f"SELECT count(*) FROM content WHERE {mine}"))
    expect("delete on all shards", 900, connection.execute(f"DELETE FROM content WHERE {mine}").rowcount)

    def work(number):
        with connect() as own:
            for _ in range(20):
                rows_of_tenant = own.execute("SELECT DISTINCT tenant_id FROM users WHERE tenant_id = %s", (uuid.UUID(PINNED),)).fetchall()
                if rows_of_tenant not in ([], [(uuid.UUID(PINNED),)]):
                    raise RuntimeError("another tenant's rows")

    concurrently(f"{CLIENTS} clients", work)


def main():
    with connect() as connection:
        expect("TLS", True, connection.pgconn.ssl_in_use)
        values(connection)
        prepared(connection)
        errors(connection)
        cancel(connection)
        pipeline(connection)
        notifications()
        (sharded if SHARDED else plain)(connection)
    print("psycopg 3: all ok")


main()
