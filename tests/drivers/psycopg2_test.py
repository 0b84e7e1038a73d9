#!/usr/bin/python3
"""psycopg2 through the proxy; the connection comes from libpq's environment variables."""
import datetime
import decimal
import io
import select
import time

import psycopg2
import psycopg2.errors
import psycopg2.extras

from checks import CLIENTS, CONTENT, LARGE, PINNED, SHARDED, SLEEP, cancel_when_running, concurrently, content_rows, expect, expect_error


def connect():
    return psycopg2.connect("")


def one(cursor, sql, parameters=None):
    cursor.execute(sql, parameters)
    return cursor.fetchone()


def values(cursor):
    day = datetime.date(2024, 2, 29)
    moment = datetime.datetime(2024, 2, 29, 12, 30, 15, 123456, tzinfo=datetime.timezone.utc)
    row = (1, None, day, moment, ["a", None, 'q"'], decimal.Decimal("1.50"), b"\x00\xff")
    got = one(cursor, "SELECT %s, %s::text, %s::date, %s::timestamptz, %s::text[], %s::numeric, %s::bytea", row)
    expect("parameters, NULL, dates, arrays, numeric, bytea", row, got[:6] + (bytes(got[6]),))
    large = "x" * LARGE
    expect("5 MB parameter and result", large, one(cursor, "SELECT %s::text", (large,))[0])


# The driver has no prepared statements of its own.
def prepared(connection, cursor):
    cursor.execute("PREPARE of_psycopg2 (int) AS SELECT $1 + 1")
    expect("SQL PREPARE", [(n + 1,) for n in range(50)], [one(cursor, "EXECUTE of_psycopg2 (%s)", (n,)) for n in range(50)])
    cursor.execute("DEALLOCATE of_psycopg2")
    connection.commit()


def errors(connection, cursor):
    state = lambda error: error.pgcode
    expect_error("division by zero", "22012", lambda: one(cursor, "SELECT 1/0"), state)
    expect_error("the transaction is aborted", "25P02", lambda: one(cursor, "SELECT 1"), state)
    connection.rollback()
    expect("after a rollback it serves again", (1,), one(cursor, "SELECT 1"))
    connection.rollback()


def cancel(connection, cursor):
    finish = cancel_when_running(connect, connection.cancel)
    expect_error("cancel", "57014", lambda: one(cursor, SLEEP), lambda error: error.pgcode)
    finish()
    connection.rollback()
    expect("after a cancel it serves again", (1,), one(cursor, "SELECT 1"))
    connection.rollback()


def plain(connection, cursor):
    cursor.execute("DROP TABLE IF EXISTS psycopg2_items")
    cursor.execute("CREATE TABLE psycopg2_items (id int PRIMARY KEY, name text)")
    connection.commit()
    cursor.executemany("INSERT INTO psycopg2_items VALUES (%s, %s)", [(i, f"name {i}") for i in range(100)])
    psycopg2.extras.execute_values(cursor, "INSERT INTO psycopg2_items VALUES %s", [(i, None) for i in range(100, 1000)])
    psycopg2.extras.execute_batch(cursor, "INSERT INTO psycopg2_items VALUES (%s, 'batch')", [(i,) for i in range(1000, 1500)])
    connection.commit()
    expect("executemany, execute_values, execute_batch", (1500,), one(cursor, "SELECT count(*) FROM psycopg2_items"))
    cursor.execute("SAVEPOINT s")
    cursor.execute("DELETE FROM psycopg2_items")
    cursor.execute("ROLLBACK TO s")
    cursor.execute("DELETE FROM psycopg2_items WHERE id >= 1000")
    connection.commit()
    expect("savepoint", (1000,), one(cursor, "SELECT count(*) FROM psycopg2_items"))
    cursor.execute("DELETE FROM psycopg2_items")
    connection.rollback()
    expect("rollback", (1000,), one(cursor, "SELECT count(*) FROM psycopg2_items"))
    cursor.copy_expert("COPY psycopg2_items FROM STDIN", io.StringIO("".join(f"{i}\tcopied\n" for i in range(2000, 52000))))
    out = io.StringIO()
    cursor.copy_expert("COPY (SELECT id FROM psycopg2_items WHERE name = 'copied') TO STDOUT", out)
    expect("COPY both ways", 50000, len(out.getvalue().splitlines()))
    connection.commit()
    with connection.cursor("server_side") as named:
        named.itersize = 500
        named.execute("SELECT id FROM psycopg2_items ORDER BY id")
        ids = [row[0] for row in named]
    expect("server-side cursor", (51000, sorted(ids)), (len(ids), ids))
    connection.commit()

    def work(number):
        own = connect()
        with own, own.cursor() as own_cursor:
            for _ in range(20):
                own_cursor.execute("UPDATE psycopg2_items SET name = %s WHERE id = %s RETURNING id", (f"by {number}", number))
                if own_cursor.fetchall() != [(number,)]:
                    raise RuntimeError("another client's row")
                own.commit()
        own.close()

    concurrently(f"{CLIENTS} clients", work)
    expect("each wrote its row", CLIENTS, one(cursor, "SELECT count(*) FROM psycopg2_items WHERE name = 'by ' || id")[0])
    cursor.execute("DROP TABLE psycopg2_items")
    connection.commit()


def sharded(connection, cursor):
    rows = content_rows(610_000_000, 900)
    connection.autocommit = True
    psycopg2.extras.execute_values(cursor, f"INSERT INTO content ({CONTENT}) VALUES %s", rows, page_size=900)
    mine = "id BETWEEN 610000000 AND 610000999"
    expect("INSERT of rows for three shards", (900, sum(range(900))), one(cursor, f"SELECT count(*), sum(views) FROM content WHERE {mine}"))
    cursor.execute(f"SELECT id, region FROM content WHERE {mine} ORDER BY id DESC LIMIT 5")
    expect("merged order", [(row[1], row[0]) for row in rows[:-6:-1]], cursor.fetchall())
    cursor.execute(f"SELECT region, count(*) FROM content WHERE {mine} GROUP BY region ORDER BY region")
    expect("merged groups", [("eu", 300), ("museum", 300), ("us", 300)], cursor.fetchall())
    cursor.execute(f"UPDATE content SET views = views + 1 WHERE {mine}")
    expect("update on all shards", 900, cursor.rowcount)
    connection.autocommit = False
    cursor.execute("UPDATE content SET title = 'changed' WHERE region = %s AND id = %s", rows[0][:2])
    connection.rollback()
    expect("rollback on one shard", ("title 0",), one(cursor, "SELECT title FROM content WHERE region = %s AND id = %s", rows[0][:2]))
    connection.rollback()
    expect("one tenant", True, one(cursor, "SELECT count(*) > 0 FROM users WHERE tenant_id = %s", (PINNED,))[0])
    connection.rollback()
    with connection.cursor("server_side") as named:
        named.execute("SELECT id FROM content WHERE region = 'eu' ORDER BY id")
        ids = [row[0] for row in named]
    expect("server-side cursor on one shard", sorted(ids), ids)
    connection.rollback()
    connection.autocommit = True
    expect_error("a NULL key is refused", True,
                 lambda: cursor.execute(f"INSERT INTO content ({CONTENT}) VALUES (NULL, 1, %s, '', '', '', '{{}}', 0)", (PINNED,)),
                 lambda error: error.pgcode in ("23502", "0A000"))
    cursor.execute(f"DELETE FROM content WHERE {mine}")
    expect("delete on all shards", 900, cursor.rowcount)

    def work(number):
        own = connect()
        own.autocommit = True
        with own.cursor() as own_cursor:
            for _ in range(20):
                expected = one(own_cursor, "SELECT count(*), min(tenant_id::text) FROM courses WHERE tenant_id = %s", (PINNED,))
                if expected[0] and expected[1] != PINNED:
                    raise RuntimeError("another tenant's rows")
        own.close()

    concurrently(f"{CLIENTS} clients", work)
    connection.autocommit = False


def notifications():
    listener, speaker = connect(), connect()
    listener.autocommit = speaker.autocommit = True
    with listener.cursor() as hearing, speaker.cursor() as speaking:
        hearing.execute("LISTEN of_psycopg2")
        hearing.execute("NOTIFY of_psycopg2, 'own'")
        heard = [(n.pid, n.payload) for n in listener.notifies]
        expect("own notifications are there when NOTIFY returns", [(listener.info.backend_pid, "own")], heard)
        listener.notifies.clear()
        speaking.execute("SELECT pg_notify('of_psycopg2', 'from another')")
        until = time.monotonic() + 10
        while not listener.notifies and time.monotonic() < until:
            select.select([listener], [], [], 1)
            listener.poll()
        heard = [(n.pid, n.payload) for n in listener.notifies]
        expect("notifications of others come between requests", [(speaker.info.backend_pid, "from another")], heard)
    listener.close()
    speaker.close()


def main():
    connection = connect()
    expect("TLS", True, connection.info.ssl_in_use)
    with connection.cursor() as cursor:
        values(cursor)
        connection.commit()
        if not SHARDED:
            prepared(connection, cursor)
        errors(connection, cursor)
        cancel(connection, cursor)
        notifications()
        (sharded if SHARDED else plain)(connection, cursor)
    connection.close()
    print("psycopg2: all ok")


main()
