#!/usr/bin/python3
"""The proxy's console as exporters and dashboards ask it: PgBouncer's tables, by the simple and the extended protocol, in text
and in binary. The user may only look."""
import asyncio
import os

import asyncpg
import psycopg
import psycopg2

from checks import expect

TABLES = {
    "SHOW STATS": ["database", "total_server_assignment_count", "total_xact_count", "total_query_count", "total_received"],
    "SHOW POOLS": ["database", "user", "cl_active", "cl_waiting", "cl_active_cancel_req"],
    "SHOW DATABASES": ["name", "host", "port", "database", "force_user"],
    "SHOW LISTS": ["list", "items"],
    "SHOW CONFIG": ["key", "value", "default", "changeable"],
    "SHOW CLIENTS": ["type", "user", "database", "replication", "state"],
    "SHOW SERVERS": ["type", "user", "database", "replication", "state"],
    "SHOW VERSION": ["version"],
}


def simple():
    connection = psycopg2.connect("")
    connection.autocommit = True
    cursor = connection.cursor()
    answers = {}
    for table, columns in TABLES.items():
        cursor.execute(table)
        expect("psycopg2 " + table, columns, [column.name for column in cursor.description][:len(columns)])
        answers[table] = cursor.fetchall()
    connection.close()
    return answers


def extended(wanted):
    with psycopg.connect("", autocommit=True) as connection:
        for binary in (False, True):
            for table, columns in TABLES.items():
                cursor = connection.execute(table, prepare=True, binary=binary)
                rows = cursor.fetchall()
                expect(f"psycopg {table} binary={binary}", columns, [column.name for column in cursor.description][:len(columns)])
                if table in ("SHOW DATABASES", "SHOW CONFIG"):
                    expect("... the same rows", wanted[table], rows)
        try:
            connection.execute("PAUSE", prepare=True)
        except psycopg.Error as error:
            expect("psycopg PAUSE", "42501", error.sqlstate)
        else:
            raise SystemExit("FAILED: PAUSE was not refused")


async def binary_only(wanted):
    connection = await asyncpg.connect(ssl=False)
    for table, columns in TABLES.items():
        for _ in range(2):  # the second time from its statement cache
            rows = await connection.fetch(table)
        if rows:
            expect("asyncpg " + table, columns, list(rows[0].keys())[:len(columns)])
        if table in ("SHOW DATABASES", "SHOW CONFIG"):
            expect("... the same rows", wanted[table], [tuple(row.values()) for row in rows])
    await connection.close()


os.environ.setdefault("PGSSLMODE", "disable")
seen = simple()
extended(seen)
asyncio.run(binary_only(seen))
