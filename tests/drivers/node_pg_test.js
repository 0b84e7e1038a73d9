// node-postgres (`pg`) through the proxy; the connection comes from libpq's environment variables.
'use strict';
const assert = require('assert');
const { Client, Pool } = require('pg');

const sharded = process.env.PGWEIR_TEST_MODE === 'sharded';
const HINT = sharded ? ' /* pgweir: shard=eu1 */' : ''; // what is to be cancelled and who looks for it are on the same shard
const SLEEP = 'SELECT pg_sleep(60)' + HINT;
const RUNNING = "SELECT count(*)::int AS n FROM pg_stat_activity WHERE state = 'active' AND left(query, 19) = 'SELECT pg_sleep(60)'" + HINT;
const PINNED = '0b9c1c1e-0000-4000-8000-000000000001';
const CLIENTS = 24; // more than the pool's size in every configuration of the tests
const options = { ssl: process.env.PGSSLMODE === 'disable' ? false : { rejectUnauthorized: false } };

const ok = (what) => console.log('ok:', what);
const one = async (client, text, values) => (await client.query({ text, values, rowMode: 'array' })).rows[0];

async function expectState(what, sqlstate, promise) {
  await assert.rejects(promise, (error) => error.code === sqlstate, what);
  ok(what);
}

async function values(client) {
  const at = new Date('2024-02-29T12:30:15.123Z');
  const row = await one(client, 'SELECT $1::int, $2::text, $3::timestamptz, $4::text[], $5::bytea, $6::numeric, $7::jsonb, $8::bool',
    [7, null, at, ['a', null, 'q"'], Buffer.from([0, 255]), '1.50', { n: 1 }, true]);
  assert.deepStrictEqual(row, [7, null, at, ['a', null, 'q"'], Buffer.from([0, 255]), '1.50', { n: 1 }, true]);
  ok('parameters, NULL, dates, arrays, bytea');
  const large = 'x'.repeat(5 * 1024 * 1024);
  assert.ok((await one(client, 'SELECT $1::text', [large]))[0] === large);
  ok('5 MB parameter and result');
  for (let n = 0; n < 200; n++) {
    const result = await client.query({ name: 'increment', text: 'SELECT $1::int + 1 AS next', values: [n] });
    assert.strictEqual(result.rows[0].next, n + 1);
  }
  for (let shape = 0; shape < 120; shape++) {
    const result = await client.query({ name: `shape ${shape}`, text: `SELECT ${shape} + $1::int AS sum`, values: [1] });
    assert.strictEqual(result.rows[0].sum, shape + 1);
  }
  ok('named prepared statements');
  const several = await client.query('SELECT 1 AS a; SELECT 2 AS b');
  assert.deepStrictEqual(several.map((result) => result.rows), [[{ a: 1 }], [{ b: 2 }]]);
  ok('several statements in one query');
}

async function errors(client) {
  await expectState('division by zero', '22012', client.query('SELECT 1 / $1::int', [0]));
  await expectState('a prepared statement that fails', '22012', client.query({ name: 'failing', text: 'SELECT 1 / $1::int', values: [0] }));
  assert.deepStrictEqual((await client.query({ name: 'failing', text: 'SELECT 1 / $1::int AS one', values: [1] }).catch((e) => e)).message,
    "Prepared statements must be unique - 'failing' was used for a different statement");
  assert.deepStrictEqual(await one(client, 'SELECT 1'), [1]);
  await client.query('BEGIN');
  await expectState('an error in a transaction', '42P01', client.query('SELECT * FROM no_such_table_anywhere').catch((error) => {
    if (error.code === '0A000' || error.code === '42P01') throw Object.assign(error, { code: '42P01' });
    throw error; // a sharded cluster refuses tables it does not know
  }));
  await expectState('the transaction is aborted', '25P02', client.query('SELECT 1'));
  await client.query('ROLLBACK');
  assert.deepStrictEqual(await one(client, 'SELECT 2'), [2]);
  ok('it serves again');
}

// The driver has no call for it in this version: a second connection sends the CancelRequest.
async function cancel(client) {
  const running = client.query(SLEEP);
  const failed = expectState('cancel', '57014', running);
  const observer = new Client(options);
  await observer.connect();
  while ((await one(observer, RUNNING))[0] !== 1) await new Promise((resolve) => setTimeout(resolve, 20));
  const canceller = new Client({ ...options, ssl: false });
  canceller.cancel(client, client.activeQuery || client._activeQuery);
  await failed;
  await observer.end();
  assert.deepStrictEqual(await one(client, 'SELECT 3'), [3]);
  ok('it serves again after a cancel');
}

async function clients(work) {
  const pool = new Pool({ ...options, max: CLIENTS });
  await Promise.all(Array.from({ length: CLIENTS }, async (_, number) => {
    for (let step = 0; step < 20; step++) {
      const client = await pool.connect();
      try { await work(client, number, step); } finally { client.release(); }
    }
  }));
  await pool.end();
  ok(`${CLIENTS} clients`);
}

async function plain(client) {
  await client.query('DROP TABLE IF EXISTS node_items');
  await client.query('CREATE TABLE node_items (id int PRIMARY KEY, name text)');
  // Queries are queued by the driver: a batch without waiting.
  await Promise.all(Array.from({ length: 500 }, (_, i) => client.query('INSERT INTO node_items VALUES ($1, $2)', [i, `name ${i}`])));
  assert.deepStrictEqual(await one(client, 'SELECT count(*)::int FROM node_items'), [500]);
  await client.query('BEGIN');
  await client.query('SAVEPOINT s');
  await client.query('DELETE FROM node_items');
  await client.query('ROLLBACK TO s');
  await client.query('DELETE FROM node_items WHERE id >= 400');
  await client.query('COMMIT');
  await client.query('BEGIN');
  await client.query('DELETE FROM node_items');
  await client.query('ROLLBACK');
  assert.deepStrictEqual(await one(client, 'SELECT count(*)::int FROM node_items'), [400]);
  ok('commit, savepoint, rollback');
  await client.query('BEGIN');
  await client.query('DECLARE c CURSOR FOR SELECT id FROM node_items ORDER BY id');
  const ids = [];
  for (;;) {
    const { rows } = await client.query('FETCH 150 FROM c');
    if (rows.length === 0) break;
    ids.push(...rows.map((row) => row.id));
  }
  await client.query('COMMIT');
  assert.deepStrictEqual(ids, Array.from({ length: 400 }, (_, i) => i));
  ok('server-side cursor');
  await clients(async (own, number, step) => {
    await own.query('BEGIN');
    await own.query({ name: 'update', text: 'UPDATE node_items SET name = $1 WHERE id = $2', values: [`step ${step}`, number] });
    const { rows } = await own.query({ name: 'read', text: 'SELECT name FROM node_items WHERE id = $1', values: [number] });
    assert.strictEqual(rows[0].name, `step ${step}`);
    await own.query('COMMIT');
  });
  await client.query('DROP TABLE node_items');
}

async function sharded_tables(client) {
  const insert = 'INSERT INTO content (region, id, tenant_id, title, language, status, tags, views) VALUES ';
  const mine = 'id BETWEEN 640000000 AND 640000999';
  const regions = ['eu', 'us', 'museum'];
  for (let i = 0; i < 90; i++) {
    await client.query({ name: 'insert', text: insert + '($1, $2, $3, $4, $5, $6, $7, $8)',
      values: [regions[i % 3], 640000000 + i, PINNED, `title ${i}`, 'en', 'draft', ['a'], i] });
  }
  const tuples = [];
  for (let i = 90; i < 300; i++) tuples.push(`('${regions[i % 3]}', ${640000000 + i}, '${PINNED}', 'title ${i}', 'en', 'draft', '{}', ${i})`);
  await client.query(insert + tuples.join(', '));
  assert.deepStrictEqual(await one(client, `SELECT count(*), sum(views) FROM content WHERE ${mine}`), ['300', '44850']);
  ok('INSERT by parameters and of many rows');
  const top = await client.query(`SELECT id, views FROM content WHERE ${mine} ORDER BY views DESC LIMIT $1`, [3]);
  assert.deepStrictEqual(top.rows.map((row) => row.views), ['299', '298', '297']);
  const groups = await client.query(`SELECT region, count(*) AS n FROM content WHERE ${mine} GROUP BY region ORDER BY region`);
  assert.deepStrictEqual(groups.rows, [{ region: 'eu', n: '100' }, { region: 'museum', n: '100' }, { region: 'us', n: '100' }]);
  ok('merged order and groups');
  await client.query('BEGIN');
  await client.query('DELETE FROM content WHERE region = $1 AND id = $2', ['eu', 640000000]);
  await client.query('ROLLBACK');
  const kept = await client.query('SELECT title FROM content WHERE region = $1 AND id = $2', ['eu', 640000000]);
  assert.strictEqual(kept.rowCount, 1);
  ok('rollback on one shard');
  assert.strictEqual((await client.query(`DELETE FROM content WHERE ${mine}`)).rowCount, 300);
  ok('delete on all shards');
  await clients(async (own) => {
    const { rows } = await own.query({ name: 'tenant', text: 'SELECT DISTINCT tenant_id FROM users WHERE tenant_id = $1', values: [PINNED] });
    assert.ok(rows.every((row) => row.tenant_id === PINNED));
  });
}

async function notifications() {
  const [listener, speaker] = [new Client(options), new Client(options)];
  await listener.connect();
  await speaker.connect();
  const heard = [];
  const wait = async (count) => {
    for (let tries = 0; heard.length < count && tries < 1000; tries++) await new Promise((done) => setTimeout(done, 10));
  };
  listener.on('notification', (message) => heard.push([message.processId, message.channel, message.payload]));
  await listener.query('LISTEN of_node');
  await speaker.query("NOTIFY of_node, 'from another'");
  await wait(1);
  await listener.query("SELECT pg_notify('of_node', $1)", ['own']);
  await wait(2);
  assert.deepStrictEqual(heard, [[speaker.processID, 'of_node', 'from another'], [listener.processID, 'of_node', 'own']]);
  ok('LISTEN');
  await listener.end();
  await speaker.end();
}

async function main() {
  const client = new Client(options);
  await client.connect();
  assert.ok(!options.ssl || client.connection.stream.encrypted, 'TLS');
  await values(client);
  await errors(client);
  await cancel(client);
  await notifications();
  await (sharded ? sharded_tables : plain)(client);
  await client.end();
  console.log('node pg: all ok');
}

main().catch((error) => {
  console.error('FAILED:', error);
  process.exit(1);
});
