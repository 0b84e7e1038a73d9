// postgres.js (`postgres` of npm) through the proxy: it prepares every statement, pipelines, and sends BEGIN, queries and
// COMMIT without waiting; cursors, COPY as streams, LISTEN, cancel, large objects, several clients.
'use strict';
const assert = require('assert');
const { pipeline } = require('stream/promises');
const { Readable } = require('stream');
const postgres = require('postgres');

const sharded = process.env.PGWEIR_TEST_MODE === 'sharded';
const HINT = sharded ? ' /* pgweir: shard=eu1 */' : ''; // what is to be cancelled and who looks for it are on the same shard
const SLEEP = 'SELECT pg_sleep(60)' + HINT;
const RUNNING = "SELECT count(*)::int AS n FROM pg_stat_activity WHERE state = 'active' AND left(query, 19) = 'SELECT pg_sleep(60)'" + HINT;
const PINNED = '0b9c1c1e-0000-4000-8000-000000000001';
const CLIENTS = 24; // more than the pool's size in every configuration of the tests
const REGIONS = ['eu', 'us', 'museum'];
const connect = (max, more = {}) => postgres({
  max, ssl: process.env.PGSSLMODE === 'disable' ? false : { rejectUnauthorized: false }, onnotice: () => {}, ...more });
const ok = (what) => console.log('ok:', what);
const values = (rows) => rows.map((row) => Object.values(row));

async function expectState(what, sqlstate, promise) {
  await assert.rejects(promise, (error) => error.code === sqlstate, what);
  ok(what);
}

async function basics(sql) {
  await sql`SELECT 1`; // the driver asks for the array types with its first query
  const at = new Date('2024-02-29T12:30:15.123Z');
  const [row] = await sql`SELECT ${7}::int AS n, ${null}::text AS t, ${at}::timestamptz AS at, ${sql.array(['a', 'q"'])}::text[] AS list,
    ${Buffer.from([0, 255])}::bytea AS b, ${'1.50'}::numeric AS d, ${sql.json({ n: 1 })}::jsonb AS j, ${true}::bool AS yes`;
  assert.deepStrictEqual({ ...row }, { n: 7, t: null, at, list: ['a', 'q"'], b: Buffer.from([0, 255]), d: '1.50', j: { n: 1 }, yes: true });
  ok('parameters, NULL, dates, arrays, bytea, json');
  const large = 'x'.repeat(5 * 1024 * 1024);
  assert.ok((await sql`SELECT ${large}::text AS large`)[0].large === large);
  ok('5 MB parameter and result');
  const next = await Promise.all(Array.from({ length: 500 }, (_, n) => sql`SELECT ${n}::int + 1 AS next`));
  assert.deepStrictEqual(next.map(([one]) => one.next), Array.from({ length: 500 }, (_, n) => n + 1));
  ok('500 prepared queries in a pipeline');
  const shapes = await Promise.all(Array.from({ length: 250 }, (_, shape) => sql.unsafe(`SELECT ${shape} + $1::int AS sum`, [1], { prepare: true })));
  assert.deepStrictEqual(shapes.map(([one]) => one.sum), Array.from({ length: 250 }, (_, n) => n + 1));
  ok('250 statements');
  const several = await sql.unsafe('SELECT 1 AS a; SELECT 2 AS b').simple();
  assert.deepStrictEqual(several.map(values), [[[1]], [[2]]]);
  ok('several statements in one query');
  const statement = await sql`SELECT ${1}::int8 AS id`.describe();
  assert.deepStrictEqual([statement.types, statement.columns.map((column) => column.type)], [[20], [20]]);
  ok('describe');
}

async function errors(sql) {
  const mixed = await Promise.allSettled([sql`SELECT 1 AS one`, sql`SELECT 1 / ${0}::int`, sql`SELECT 2 AS two`]);
  assert.deepStrictEqual(mixed.map((one) => one.status), ['fulfilled', 'rejected', 'fulfilled']);
  assert.strictEqual(mixed[1].reason.code, '22012');
  ok('an error in a pipeline is of its own query');
  await expectState('an error in a transaction', '22012', sql.begin(async (t) => {
    await t`SELECT 1`;
    await t`SELECT 1/0`;
  }));
  await expectState('syntax error', '42601', sql`SELEC 1`);
  const saved = await sql.begin(async (t) => {
    await t.savepoint((s) => s`SELECT 1/0`).catch((error) => assert.strictEqual(error.code, '22012'));
    return t`SELECT 3 AS three`;
  });
  assert.deepStrictEqual(values(saved), [[3]]);
  ok('a savepoint saves the transaction');
}

async function cancel(sql) {
  const observer = connect(1);
  await observer`SELECT 1`;
  const query = sql.unsafe(SLEEP, [], { prepare: true }).execute();
  const failed = expectState('cancel', '57014', query);
  while ((await observer.unsafe(RUNNING))[0].n !== 1) await new Promise((resolve) => setTimeout(resolve, 20));
  query.cancel();
  await failed;
  await observer.end();
  assert.deepStrictEqual(values(await sql`SELECT 3`), [[3]]);
  ok('it serves again after a cancel');
}

async function listen(sql) {
  let heard;
  const note = new Promise((resolve) => { heard = resolve; });
  const { unlisten } = await sql.listen('js channel', heard);
  await sql.notify('js channel', 'hello');
  assert.strictEqual(await note, 'hello');
  await unlisten();
  ok('LISTEN and NOTIFY');
}

async function plain(sql) {
  await sql`DROP TABLE IF EXISTS js_items`;
  await sql`CREATE TABLE js_items (id int PRIMARY KEY, name text)`;
  const rows = Array.from({ length: 1000 }, (_, id) => ({ id, name: `name ${id}` }));
  await sql`INSERT INTO js_items ${sql(rows)}`;
  await pipeline(Readable.from(Array.from({ length: 20000 }, (_, i) => `${1000 + i}\tcopied\n`)), await sql`COPY js_items FROM STDIN`.writable());
  assert.deepStrictEqual(values(await sql`SELECT count(*)::int FROM js_items`), [[21000]]);
  ok('INSERT of many rows, COPY in');
  let text = '';
  for await (const chunk of await sql`COPY (SELECT id FROM js_items ORDER BY id) TO STDOUT`.readable()) text += chunk;
  assert.deepStrictEqual(text.trim().split('\n').map(Number), Array.from({ length: 21000 }, (_, i) => i));
  ok('COPY out');
  const ids = [];
  for await (const part of sql`SELECT id FROM js_items ORDER BY id LIMIT 3000`.cursor(100)) ids.push(...part.map((row) => row.id));
  assert.deepStrictEqual(ids, Array.from({ length: 3000 }, (_, i) => i));
  const first = [];
  await sql`SELECT id FROM js_items ORDER BY id`.cursor(10, (part) => { first.push(...part.map((row) => row.id)); return first.length < 30 ? undefined : sql.CLOSE; });
  assert.deepStrictEqual(first, Array.from({ length: 30 }, (_, i) => i));
  let streamed = 0;
  await sql`SELECT id FROM js_items`.forEach(() => { streamed++; });
  assert.strictEqual(streamed, 21000);
  ok('cursors, also left early, and row by row');
  await assert.rejects(sql.begin(async (t) => { await t`DELETE FROM js_items`; throw new Error('changed my mind'); }), /changed my mind/);
  assert.deepStrictEqual(values(await sql`SELECT count(*)::int FROM js_items`), [[21000]]);
  ok('rollback');
  await listen(sql);
  const many = connect(CLIENTS);
  await Promise.all(Array.from({ length: CLIENTS }, async (_, number) => {
    for (let step = 0; step < 20; step++) {
      // All of it is sent at once.
      const [, [row]] = await many.begin((t) => [
        t`UPDATE js_items SET name = ${`step ${step}`} WHERE id = ${number}`, t`SELECT name FROM js_items WHERE id = ${number}`]);
      assert.strictEqual(row.name, `step ${step}`);
    }
  }));
  await many.end();
  ok(`${CLIENTS} clients`);
  await sql`DROP TABLE js_items`;
}

async function sharded_tables(sql) {
  const row = (i) => ({ region: REGIONS[i % 3], id: 680000000 + i, tenant_id: PINNED, title: `title ${i}`, language: 'en', status: 'draft', views: i });
  const tags = (i) => [`tag ${i}`];
  await Promise.all(Array.from({ length: 90 }, (_, i) => { // a pipeline of statements for three shards
    const one = row(i);
    return sql`INSERT INTO content (region, id, tenant_id, title, language, status, tags, views) VALUES
      (${one.region}, ${one.id}, ${one.tenant_id}, ${one.title}, ${one.language}, ${one.status}, ${tags(i)}, ${one.views})`;
  }));
  const lines = Array.from({ length: 210 }, (_, i) => [...Object.values(row(90 + i)), '{}'].join('\t') + '\n');
  await pipeline(Readable.from(lines), await sql`COPY content (region, id, tenant_id, title, language, status, views, tags) FROM STDIN`.writable());
  const first = 680000000, last = 680000999;
  assert.deepStrictEqual(values(await sql`SELECT count(*), sum(views) FROM content WHERE id BETWEEN ${first} AND ${last}`), [['300', '44850']]);
  ok('INSERT in a pipeline and COPY');
  const top = await sql`SELECT views FROM content WHERE id BETWEEN ${first} AND ${last} ORDER BY views DESC LIMIT 3`;
  assert.deepStrictEqual(values(top), [['299'], ['298'], ['297']]);
  const groups = await sql`SELECT region, count(*) FROM content WHERE id BETWEEN ${first} AND ${last} GROUP BY region ORDER BY region`;
  assert.deepStrictEqual(values(groups), [['eu', '100'], ['museum', '100'], ['us', '100']]);
  ok('merged order and groups');
  await assert.rejects(sql.begin(async (t) => { await t`DELETE FROM content WHERE region = 'eu' AND id = ${first}`; throw new Error('no'); }), /no/);
  assert.strictEqual((await sql`SELECT 1 FROM content WHERE region = 'eu' AND id = ${first}`).length, 1);
  ok('rollback on one shard');
  assert.strictEqual((await sql`DELETE FROM content WHERE id BETWEEN ${first} AND ${last}`).count, 300);
  ok('delete on all shards');
  const many = connect(CLIENTS);
  await Promise.all(Array.from({ length: CLIENTS * 20 }, async () => {
    const got = await many`SELECT DISTINCT tenant_id FROM users WHERE tenant_id = ${PINNED}`;
    assert.ok(got.every((one) => one.tenant_id === PINNED));
  }));
  await many.end();
  ok(`${CLIENTS} clients`);
}

async function main() {
  const sql = connect(1);
  await basics(sql);
  await errors(sql);
  await cancel(sql);
  await (sharded ? sharded_tables : plain)(sql);
  await sql.end();
  console.log('postgres.js: all ok');
}

main().catch((error) => {
  console.error('FAILED:', error);
  process.exit(1);
});
