<?php
// PHP through the proxy: the pgsql functions (parameters, prepared statements, asynchronous queries, COPY, LISTEN, large
// objects, cancel) and PDO (prepared statements of the server and emulated ones, cursors, transactions, COPY, LISTEN), and
// several clients as processes. The connection comes from libpq's environment variables.
declare(strict_types=1);
error_reporting(E_ALL);

const PINNED = '0b9c1c1e-0000-4000-8000-000000000001';
const CLIENTS = 24; // more than the pool's size in every configuration of the tests
const REGIONS = ['eu', 'us', 'museum'];
$sharded = getenv('PGWEIR_TEST_MODE') === 'sharded';
$large = str_repeat('x', 5 * 1024 * 1024);

function expect(string $what, mixed $expected, mixed $actual): void {
    if ($expected !== $actual) {
        fwrite(STDERR, "FAILED: $what: expected " . substr(var_export($expected, true), 0, 300) . ', got ' . substr(var_export($actual, true), 0, 300) . "\n");
        exit(1);
    }
    echo "ok: $what\n";
}

function state(PgSql\Connection $db): string {
    return (string) pg_result_error_field(pg_get_result($db), PGSQL_DIAG_SQLSTATE);
}

function one(PgSql\Connection $db, string $sql, array $parameters = []): ?string {
    return pg_fetch_result(pg_query_params($db, $sql, $parameters), 0, 0);
}

// The SQLSTATE that PDO throws.
function thrown(callable $work): string {
    try {
        $work();
    } catch (PDOException $error) {
        return (string) $error->errorInfo[0];
    }
    return 'none';
}

function pgsql_values(PgSql\Connection $db, string $large, bool $sharded): void {
    $row = pg_fetch_row(pg_query_params($db, 'SELECT $1::int, $2::text, $3::numeric, $4::text[], $5::bytea', [7, null, '1.50', '{a,NULL}', '\x00ff']));
    expect('pgsql: parameters', ['7', null, '1.50', '{a,NULL}', '\x00ff'], $row);
    expect('pgsql: 5 MB parameter and result', true, one($db, 'SELECT $1::text', [$large]) === $large);
    pg_prepare($db, 'next', 'SELECT $1::int + 1');
    $got = [];
    for ($n = 0; $n < 200; $n++) $got[] = (int) pg_fetch_result(pg_execute($db, 'next', [$n]), 0, 0);
    expect('pgsql: a prepared statement', range(1, 200), $got);
    pg_send_query_params($db, 'SELECT 1 / $1::int', [0]);
    expect('pgsql: division by zero', '22012', state($db));
    pg_send_execute($db, 'nobody', []);
    expect('pgsql: a statement that is not there', '26000', state($db));
    pg_send_query($db, 'SELECT 1; SELECT 2');
    $seen = [];
    while ($result = pg_get_result($db)) $seen[] = pg_fetch_result($result, 0, 0);
    expect('pgsql: several statements, asynchronously', ['1', '2'], $seen);
    $hint = $sharded ? ' /* pgweir: shard=eu1 */' : ''; // who looks and what is looked for are on the same shard
    $own = pg_connect('', PGSQL_CONNECT_FORCE_NEW);
    pg_send_query($db, 'SELECT pg_sleep(60)' . $hint);
    $running = "SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND left(query, 19) = 'SELECT pg_sleep(60)'$hint";
    while (one($own, $running) !== '1') usleep(20000);
    pg_close($own);
    // It reads the rest itself: what it ends with is seen by the next command.
    $began = microtime(true);
    pg_cancel_query($db);
    expect('pgsql: cancel', true, microtime(true) - $began < 30);
    expect('pgsql: it serves again after a cancel', '3', one($db, 'SELECT 3'));
}

function pgsql_plain(PgSql\Connection $db): void {
    pg_query($db, 'DROP TABLE IF EXISTS php_items');
    pg_query($db, 'CREATE TABLE php_items (id int PRIMARY KEY, name text)');
    $lines = array_map(fn ($n) => "$n\tname $n\n", range(0, 19999));
    expect('pgsql: COPY in', true, pg_copy_from($db, 'php_items', $lines));
    $ids = array_map('intval', pg_copy_to($db, 'php_items'));
    sort($ids);
    expect('pgsql: COPY out', range(0, 19999), $ids);
    pg_query($db, 'BEGIN');
    pg_query($db, 'DECLARE c CURSOR FOR SELECT id FROM php_items ORDER BY id LIMIT 1000');
    $ids = [];
    while (pg_num_rows($part = pg_query($db, 'FETCH 300 FROM c')) > 0) array_push($ids, ...array_map('intval', pg_fetch_all_columns($part)));
    pg_query($db, 'COMMIT');
    expect('pgsql: server-side cursor', range(0, 999), $ids);
    pg_query($db, 'BEGIN');
    $oid = pg_lo_create($db);
    $object = pg_lo_open($db, $oid, 'r+');
    pg_lo_write($object, str_repeat('lo', 100000));
    pg_lo_seek($object, 0, PGSQL_SEEK_SET);
    expect('pgsql: large object', str_repeat('lo', 100000), pg_lo_read($object, 200000));
    pg_lo_close($object);
    pg_lo_unlink($db, $oid);
    pg_query($db, 'COMMIT');
    $listener = pg_connect('', PGSQL_CONNECT_FORCE_NEW);
    pg_query($listener, 'LISTEN php_channel');
    one($db, 'SELECT pg_notify($1, $2)', ['php_channel', 'hello']);
    for ($i = 0; $i < 100 && !($note = pg_get_notify($listener)); $i++) usleep(50000);
    expect('pgsql: LISTEN and NOTIFY', ['php_channel', 'hello'], [$note['message'] ?? null, $note['payload'] ?? null]);
    pg_close($listener);
}

function pdo(bool $emulate = false): PDO {
    $dsn = 'pgsql:host=' . getenv('PGHOST') . ';port=' . getenv('PGPORT') . ';dbname=' . getenv('PGDATABASE') . ';sslmode=' . getenv('PGSSLMODE');
    return new PDO($dsn, getenv('PGUSER'), getenv('PGPASSWORD'), [PDO::ATTR_ERRMODE => PDO::ERRMODE_EXCEPTION, PDO::ATTR_EMULATE_PREPARES => $emulate]);
}

function pdo_values(PDO $db, string $large, string $how): void {
    $statement = $db->prepare('SELECT CAST(:n AS int) + 1, CAST(:t AS text), CAST(:b AS bool)');
    $got = [];
    for ($n = 0; $n < 150; $n++) {
        $statement->bindValue('n', $n, PDO::PARAM_INT);
        $statement->bindValue('t', null, PDO::PARAM_NULL);
        $statement->bindValue('b', true, PDO::PARAM_BOOL);
        $statement->execute();
        $got[] = $statement->fetch(PDO::FETCH_NUM);
    }
    expect("$how: a prepared statement", array_map(fn ($n) => [$n, null, true], range(1, 150)), $got);
    $statements = array_map(fn ($shape) => $db->prepare("SELECT $shape + CAST(? AS int)"), range(0, 119));
    $sums = array_map(fn ($one) => $one->execute([1]) ? $one->fetchColumn() : null, $statements);
    expect("$how: many of them", range(1, 120), $sums);
    unset($statements); // each is deallocated by SQL
    $echo = $db->prepare('SELECT CAST(? AS text)');
    $echo->execute([$large]);
    expect("$how: 5 MB parameter and result", true, $echo->fetchColumn() === $large);
    expect("$how: division by zero", '22012', thrown(function () use ($db) {
        $statement = $db->prepare('SELECT 1 / CAST(? AS int)');
        $statement->execute([0]);
    }));
    expect("$how: it serves again", 2, $db->query('SELECT 2')->fetchColumn());
    $db->beginTransaction();
    expect("$how: an error in a transaction", '22012', thrown(fn () => $db->query('SELECT 1/0')));
    expect("$how: the transaction is aborted", '25P02', thrown(fn () => $db->query('SELECT 1')));
    $db->rollBack();
}

function pdo_plain(PDO $db): void {
    $db->beginTransaction();
    $db->exec('DELETE FROM php_items');
    $db->rollBack();
    expect('PDO: rollback', 20000, $db->query('SELECT count(*) FROM php_items')->fetchColumn());
    expect('PDO: COPY in', true, $db->pgsqlCopyFromArray('php_items', array_map(fn ($n) => "$n\tpdo", range(20000, 20999))));
    expect('PDO: COPY out', 21000, count($db->pgsqlCopyToArray('php_items')));
    $db->beginTransaction();
    $scroll = $db->prepare('SELECT id FROM php_items ORDER BY id', [PDO::ATTR_CURSOR => PDO::CURSOR_SCROLL]);
    $scroll->execute();
    $seen = [$scroll->fetchColumn(), $scroll->fetch(PDO::FETCH_NUM, PDO::FETCH_ORI_LAST)[0], $scroll->fetch(PDO::FETCH_NUM, PDO::FETCH_ORI_PRIOR)[0], $scroll->fetch(PDO::FETCH_NUM, PDO::FETCH_ORI_ABS, 500)[0]];
    expect('PDO: scrollable cursor', [0, 20999, 20998, 499], $seen);
    $scroll = null;
    $db->commit();
    $listener = pdo();
    $listener->exec('LISTEN pdo_channel');
    $db->exec("NOTIFY pdo_channel, 'hello'");
    $note = $listener->pgsqlGetNotify(PDO::FETCH_ASSOC, 10000);
    expect('PDO: LISTEN and NOTIFY', ['pdo_channel', 'hello'], [$note['message'] ?? null, $note['payload'] ?? null]);
}

function sharded_tables(PDO $db, PgSql\Connection $other): void {
    $mine = 'id BETWEEN 660000000 AND 660000999';
    $columns = 'region, id, tenant_id, title, language, status, tags, views';
    $insert = $db->prepare("INSERT INTO content ($columns) VALUES (?, ?, ?, ?, ?, ?, ?, ?)");
    for ($i = 0; $i < 90; $i++) $insert->execute([REGIONS[$i % 3], 660000000 + $i, PINNED, "title $i", 'en', 'draft', '{a}', $i]);
    $lines = array_map(fn ($i) => implode("\t", [REGIONS[$i % 3], 660000000 + $i, PINNED, "title $i", 'en', 'draft', '{}', $i]), range(90, 299));
    expect('COPY to three shards', true, $db->pgsqlCopyFromArray('content', $lines, "\t", '\\\\N', $columns));
    expect('INSERT by parameters and COPY', ['300', '44850'], pg_fetch_row(pg_query($other, "SELECT count(*), sum(views) FROM content WHERE $mine")));
    expect('merged order', [299, 298, 297], $db->query("SELECT views FROM content WHERE $mine ORDER BY views DESC LIMIT 3")->fetchAll(PDO::FETCH_COLUMN));
    expect('merged groups', [['eu', 100], ['museum', 100], ['us', 100]],
        $db->query("SELECT region, count(*) FROM content WHERE $mine GROUP BY region ORDER BY region")->fetchAll(PDO::FETCH_NUM));
    $db->beginTransaction();
    $db->prepare('DELETE FROM content WHERE region = ? AND id = ?')->execute(['eu', 660000000]);
    $db->rollBack();
    expect('rollback on one shard', '1', one($other, 'SELECT count(*) FROM content WHERE region = $1 AND id = $2', ['eu', 660000000]));
    expect('delete on all shards', 300, $db->exec("DELETE FROM content WHERE $mine"));
}

// Each in a process of its own; a child's exit code says whether it saw only its own rows.
function clients(callable $work): void {
    $children = [];
    for ($number = 0; $number < CLIENTS; $number++) {
        $child = pcntl_fork();
        if ($child === 0) {
            $code = 0;
            try {
                $own = pdo();
                for ($step = 0; $step < 20 && $code === 0; $step++) $code = $work($own, $number, $step) ? 0 : 1;
            } catch (Throwable $error) {
                fwrite(STDERR, "client $number: {$error->getMessage()}\n");
                $code = 1;
            }
            $own = null;
            posix_kill(posix_getpid(), $code === 0 ? SIGTERM : SIGABRT); // not exit(): that would end the parent's connections
        }
        $children[] = $child;
    }
    $failed = 0;
    foreach ($children as $child) {
        pcntl_waitpid($child, $status);
        if (pcntl_wtermsig($status) !== SIGTERM) $failed++;
    }
    expect(CLIENTS . ' clients', 0, $failed);
}

$db = pg_connect('');
pgsql_values($db, $large, $sharded);
if (!$sharded) pgsql_plain($db);
pdo_values(pdo(), $large, 'PDO');
pdo_values(pdo(true), $large, 'PDO, emulated');
if ($sharded) {
    sharded_tables(pdo(), $db);
    clients(function (PDO $own): bool {
        $read = $own->prepare('SELECT DISTINCT tenant_id FROM users WHERE tenant_id = ?');
        $read->execute([PINNED]);
        return in_array($read->fetchAll(PDO::FETCH_COLUMN), [[], [PINNED]], true);
    });
} else {
    pdo_plain(pdo());
    clients(function (PDO $own, int $number, int $step): bool {
        $own->beginTransaction();
        $own->prepare('UPDATE php_items SET name = ? WHERE id = ?')->execute(["step $step", $number]);
        $read = $own->prepare('SELECT name FROM php_items WHERE id = ?');
        $read->execute([$number]);
        $name = $read->fetchColumn();
        $own->commit();
        return $name === "step $step";
    });
    pg_query($db, 'DROP TABLE php_items');
}
pg_close($db);
echo "php pgsql: all ok\n";
