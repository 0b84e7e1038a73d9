"""Shared by the Python driver tests: modes, checks and the tenants of the demo's tables."""
import os
import threading

SHARDED = os.environ.get("PGWEIR_TEST_MODE", "plain") == "sharded"
PINNED = "0b9c1c1e-0000-4000-8000-000000000001"
LARGE = 5 * 1024 * 1024
CLIENTS = 24  # more than the pool's size in every configuration of the tests
CONTENT = "region, id, tenant_id, title, language, status, tags, views"


def expect(what, expected, actual):
    if expected != actual:
        raise SystemExit(f"FAILED: {what}: expected {expected!r}, got {actual!r}")
    print("ok:", what)


def expect_error(what, sqlstate, action, state_of):
    """`action` must raise an error whose SQLSTATE, as `state_of` reads it, is the expected one."""
    try:
        action()
    except Exception as error:  # each driver has classes of its own
        expect(what, sqlstate, state_of(error))
    else:
        raise SystemExit(f"FAILED: {what}: no error")


def concurrently(what, work):
    """Runs work(number) in CLIENTS threads; a failure of one is a failure of all."""
    failures = []

    def guarded(number):
        try:
            work(number)
        except BaseException as error:  # SystemExit of a check, too
            failures.append(f"client {number}: {error!r}")

    threads = [threading.Thread(target=guarded, args=(number,)) for number in range(CLIENTS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    expect(what, [], failures)


# What is to be cancelled, and whether a server is at it: both on the same shard.
HINT = " /* pgweir: shard=eu1 */" if SHARDED else ""
SLEEP = "SELECT pg_sleep(60)" + HINT
RUNNING = "SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND left(query, 19) = 'SELECT pg_sleep(60)'" + HINT


def cancel_when_running(connect, cancel):
    """Starts a thread that calls cancel() when the server is seen at SLEEP; connect() makes the connection that looks. The
    returned function waits for it, and tells it that there is nothing to cancel any more."""
    ended = threading.Event()

    def run():
        own = connect()
        own.autocommit = True
        cursor = own.cursor()
        while not ended.is_set():
            cursor.execute(RUNNING)
            if cursor.fetchone()[0] == 1:
                cancel()
                break
            ended.wait(0.02)
        own.close()

    thread = threading.Thread(target=run)
    thread.start()

    def finish():
        ended.set()
        thread.join()

    return finish


def content_rows(first, count):
    """Rows of `content` for all three shards, as tuples in the order of CONTENT."""
    return [(("eu", "us", "museum")[i % 3], first + i, PINNED, f"title {i}", "en", "draft", ["a", "b"], i)
            for i in range(count)]
