#!/usr/bin/python3
"""asyncpg through the proxy: its statement cache, pool with reset, binary protocol throughout, COPY, cursors, timeouts."""
import asyncio
import datetime
import decimal
import os
import ssl
import uuid

import asyncpg

from checks import CLIENTS, CONTENT, LARGE, PINNED, SHARDED, content_rows, expect


def options():
    context = False
    if os.environ.get("PGSSLMODE", "require") != "disable":
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return {"ssl": context}


async def expect_state(what, sqlstate, awaitable):
    try:
        await awaitable
    except asyncpg.PostgresError as error:
        expect(what, sqlstate, error.sqlstate)
    else:
        raise SystemExit(f"FAILED: {what}: no error")


async def values(connection):
    row = (7, None, datetime.date(2024, 2, 29), datetime.datetime(2024, 2, 29, 12, 30, tzinfo=datetime.timezone.utc), ["a", None],
           decimal.Decimal("1.50"), b"\x00\xff", uuid.UUID(PINNED), 1.5, True)
    got = await connection.fetchrow("SELECT $1::int, $2::text, $3::date, $4::timestamptz, $5::text[], $6::numeric, $7::bytea, "
                                    "$8::uuid, $9::float8, $10::bool", *row)
    expect("binary parameters and results", row, tuple(got))
    large = "x" * LARGE
    expect("5 MB parameter and result", large, await connection.fetchval("SELECT $1::text", large))
    for number in range(300):
        if await connection.fetchval("SELECT $1::int + 1", number) != number + 1:
            raise SystemExit("FAILED: cached statement")
    for shape in range(150):  # beyond the cache's hundred: old ones are closed
        if await connection.fetchval(f"SELECT {shape} + $1::int", 1) != shape + 1:
            raise SystemExit("FAILED: many statements")
    statement = await connection.prepare("SELECT $1::int * 2")
    expect("an explicit prepared statement", [0, 2, 4], [await statement.fetchval(n) for n in range(3)])


async def errors(connection):
    await expect_state("division by zero", "22012", connection.fetchval("SELECT 1 / $1::int", 0))
    expect("it serves again", 1, await connection.fetchval("SELECT 1 / $1::int", 1))
    await expect_state("syntax error", "42601", connection.fetchval("SELEC 1"))
    async with connection.transaction():
        try:
            async with connection.transaction():
                await connection.execute("SELECT 1/0")
        except asyncpg.DivisionByZeroError:
            pass
        expect("the outer transaction goes on after a savepoint", 1, await connection.fetchval("SELECT 1"))
    try:
        await connection.execute("SELECT pg_sleep(60)", timeout=0.5)  # the driver sends a CancelRequest
    except asyncio.TimeoutError:
        print("ok: a timeout cancels")
    else:
        raise SystemExit("FAILED: no timeout")
    expect("it serves again after a cancel", 2, await connection.fetchval("SELECT 2"))


async def plain(connection):
    await connection.execute("DROP TABLE IF EXISTS asyncpg_items; CREATE TABLE asyncpg_items (id int PRIMARY KEY, name text, at date)")
    day = datetime.date(2025, 1, 1)
    await connection.executemany("INSERT INTO asyncpg_items VALUES ($1, $2, $3)", [(i, f"name {i}", day) for i in range(2000)])
    records = [(i, None, day) for i in range(2000, 30000)]
    expect("binary COPY in", "COPY 28000", await connection.copy_records_to_table("asyncpg_items", records=records))
    out = bytearray()

    async def collect(data):
        out.extend(data)

    await connection.copy_from_query("SELECT id FROM asyncpg_items ORDER BY id", output=collect)
    expect("COPY out", [str(i) for i in range(30000)], out.decode().split())
    transaction = connection.transaction()
    await transaction.start()
    await connection.execute("DELETE FROM asyncpg_items")
    await transaction.rollback()
    expect("rollback", 30000, await connection.fetchval("SELECT count(*) FROM asyncpg_items"))
    async with connection.transaction():
        ids = [record["id"] async for record in connection.cursor("SELECT id FROM asyncpg_items ORDER BY id LIMIT 3000", prefetch=100)]
    expect("server-side cursor", list(range(3000)), ids)

    async def work(number, own):
        async with own.transaction():
            await own.execute("UPDATE asyncpg_items SET name = $1 WHERE id = $2", f"by {number}", number)
            if await own.fetchval("SELECT name FROM asyncpg_items WHERE id = $1", number) != f"by {number}":
                raise RuntimeError("not my write")

    await clients(work)
    await connection.execute("DROP TABLE asyncpg_items")


async def clients(work):
    """A pool of more connections than the proxy has servers; each connection is reset when it is given back."""
    async with asyncpg.create_pool(min_size=CLIENTS, max_size=CLIENTS, **options()) as pool:
        async def one(number):
            for _ in range(20):
                async with pool.acquire() as own:
                    await work(number, own)

        await asyncio.gather(*(one(number) for number in range(CLIENTS)))
    print(f"ok: {CLIENTS} clients")


async def sharded(connection):
    rows = [(region, number, uuid.UUID(tenant), *rest) for region, number, tenant, *rest in content_rows(630_000_000, 300)]
    mine = "id BETWEEN 630000000 AND 630000999"
    insert = f"INSERT INTO content ({CONTENT}) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)"
    for row in rows:
        await connection.execute(insert, *row)  # a cached statement whose binary parameters choose the shard
    got = await connection.fetchrow(f"SELECT count(*), sum(views) FROM content WHERE {mine}")
    expect("INSERT by binary parameters", (300, decimal.Decimal(sum(range(300)))), tuple(got))
    ids = await connection.fetch(f"SELECT id, views FROM content WHERE {mine} ORDER BY views DESC LIMIT $1", 4)
    expect("merged order", [(row[1], row[7]) for row in rows[:-5:-1]], [tuple(record) for record in ids])
    groups = await connection.fetch(f"SELECT region, count(*) AS n FROM content WHERE {mine} GROUP BY region ORDER BY region")
    expect("merged groups", [("eu", 100), ("museum", 100), ("us", 100)], [tuple(record) for record in groups])
    expect("= ANY(binary array)", 200, await connection.fetchval(f"SELECT count(*) FROM content WHERE region = ANY($1::text[]) AND {mine}", ["eu", "museum"]))
    transaction = connection.transaction()
    await transaction.start()
    await connection.execute("DELETE FROM content WHERE region = $1 AND id = $2", *rows[0][:2])
    await transaction.rollback()
    expect("rollback on one shard", 1, await connection.fetchval("SELECT count(*) FROM content WHERE region = $1 AND id = $2", *rows[0][:2]))
    more = [(region, number, uuid.UUID(tenant), *rest) for region, number, tenant, *rest in content_rows(630_000_300, 600)]
    expect("binary COPY to three shards", "COPY 600",
           await connection.copy_records_to_table("content", records=more, columns=CONTENT.split(", ")))
    expect("delete on all shards", "DELETE 900", await connection.execute(f"DELETE FROM content WHERE {mine}"))

    async def work(number, own):
        tenants = await own.fetch("SELECT DISTINCT tenant_id FROM users WHERE tenant_id = $1", uuid.UUID(PINNED))
        if [record[0] for record in tenants] not in ([], [uuid.UUID(PINNED)]):
            raise RuntimeError("another tenant's rows")

    await clients(work)


async def notifications():
    listener, speaker = await asyncpg.connect(**options()), await asyncpg.connect(**options())
    heard, arrived = [], asyncio.Event()

    def hear(_, pid, channel, payload):
        heard.append((pid, channel, payload))
        arrived.set()

    async def wait(count):
        while len(heard) < count:
            arrived.clear()
            await asyncio.wait_for(arrived.wait(), 10)

    await listener.add_listener("of_asyncpg", hear)
    await speaker.execute("NOTIFY of_asyncpg, 'from another'")
    await wait(1)
    await listener.execute("NOTIFY of_asyncpg, 'own'")
    await wait(2)
    expect("LISTEN", [(speaker.get_server_pid(), "of_asyncpg", "from another"), (listener.get_server_pid(), "of_asyncpg", "own")], heard)
    await listener.remove_listener("of_asyncpg", hear)
    await listener.reset()
    expect("it is still served", 3, await listener.fetchval("SELECT 3"))
    await listener.close()
    await speaker.close()


async def main():
    connection = await asyncpg.connect(**options())
    await values(connection)
    await errors(connection)
    await notifications()
    await (sharded if SHARDED else plain)(connection)
    await connection.close()
    print("asyncpg: all ok")


asyncio.run(main())
