# ruby-pg through the proxy: parameters in both formats, prepared statements, pipeline mode, single-row mode, cursors, COPY,
# LISTEN, cancel, several clients. The connection comes from libpq's environment variables.
require 'pg'

SHARDED = ENV['PGWEIR_TEST_MODE'] == 'sharded'
PINNED = '0b9c1c1e-0000-4000-8000-000000000001'
CLIENTS = 24 # more than the pool's size in every configuration of the tests
LARGE = 'x' * (5 * 1024 * 1024)

def expect(what, expected, actual)
  abort "FAILED: #{what}: expected #{expected.inspect[0, 300]}, got #{actual.inspect[0, 300]}" unless expected == actual
  puts "ok: #{what}"
end

def expect_state(what, sqlstate)
  yield
rescue PG::Error => e
  expect what, sqlstate, e.result&.error_field(PG::PG_DIAG_SQLSTATE)
else
  abort "FAILED: #{what}: no error"
end

def clients(what)
  failures = Array.new(CLIENTS) do |number|
    Thread.new do
      own = PG.connect
      20.times { |step| yield own, number, step }
      own.close
      nil
    rescue StandardError => e
      "client #{number}: #{e.message}"
    end
  end.map(&:value).compact
  expect what, [], failures
end

def values(db)
  row = db.exec_params('SELECT $1::int, $2::text, $3::bytea, $4::numeric, $5::bool',
                       [7, nil, { value: "\x00\xFF".b, format: 1 }, '1.50', true], 1).values[0]
  expect 'binary parameters and results', [[0, 0, 0, 7].pack('C*'), nil, "\x00\xFF".b, "\x01".b],
         [row[0], row[1], row[2], row[4]]
  mapped = PG::BasicTypeMapForResults.new(db)
  result = db.exec_params('SELECT 1::int8, ARRAY[1, NULL, 3], 1.5::float8, false', [])
  expect 'mapped results', [1, [1, nil, 3], 1.5, false], result.map_types!(mapped).values[0]
  expect '5 MB parameter and result', LARGE, db.exec_params('SELECT $1::text', [LARGE]).getvalue(0, 0)
  expect 'several statements in one query', '2', db.exec('SELECT 1; SELECT 2').getvalue(0, 0)
end

def prepared(db)
  db.prepare('next', 'SELECT $1::int + 1')
  expect 'a prepared statement', (1..200).map(&:to_s),
         (0...200).map { |n| db.exec_prepared('next', [n]).getvalue(0, 0) }
  described = db.describe_prepared('next')
  expect 'its description', [1, 23, 23], [described.nparams, described.paramtype(0), described.ftype(0)]
  expect_state('a name that is taken', '42P05') { db.prepare('next', 'SELECT 2') }
  120.times { |shape| db.prepare("shape #{shape}", "SELECT #{shape} + $1::int") }
  expect 'many of them', (0...120).map { |n| (n + 1).to_s },
         (0...120).map { |n| db.exec_prepared("shape #{n}", [1]).getvalue(0, 0) }
  expect_state('one that fails', '22012') do
    db.prepare('failing', 'SELECT 1 / $1::int')
    db.exec_prepared('failing', [0])
  end
  expect_state('one that is not there', '26000') { db.exec_prepared('nobody', []) }
end

def pipeline(db)
  db.enter_pipeline_mode
  5.times { |n| db.send_query_params('SELECT $1::int', [n]) }
  db.pipeline_sync
  db.send_query_params('SELECT 1 / $1::int', [0])
  db.send_query_params('SELECT 8', [])
  db.pipeline_sync
  db.send_query_params('SELECT 9', [])
  db.pipeline_sync
  seen = []
  while seen.count('sync') < 3
    result = db.get_result
    next if result.nil?
    case result.result_status
    when PG::PGRES_PIPELINE_SYNC then seen << 'sync'
    when PG::PGRES_PIPELINE_ABORTED then seen << 'aborted'
    when PG::PGRES_TUPLES_OK then seen << result.getvalue(0, 0)
    else seen << result.error_field(PG::PG_DIAG_SQLSTATE)
    end
  end
  db.exit_pipeline_mode
  expect 'pipelines', %w[0 1 2 3 4 sync 22012 aborted sync 9 sync], seen
  db.send_query('SELECT generate_series(1, 20000)')
  db.set_single_row_mode
  sum = 0
  db.get_result.stream_each_row { |row| sum += row[0].to_i }
  db.get_last_result
  expect 'single-row mode', 200_010_000, sum
end

def errors(db)
  expect_state('division by zero', '22012') { db.exec_params('SELECT 1 / $1::int', [0]) }
  expect_state('an error in a transaction', '22012') { db.transaction { |t| t.exec('SELECT 1/0') } }
  expect 'it was rolled back', PG::PQTRANS_IDLE, db.transaction_status
  notices = []
  db.set_notice_processor { |text| notices << text }
  db.exec('SET client_min_messages = notice')
  db.exec("DO $$ BEGIN RAISE NOTICE 'seen'; END $$") unless SHARDED
  expect 'a notice', (SHARDED ? [] : ["NOTICE:  seen\n"]), notices
end

def cancel(db)
  hint = SHARDED ? ' /* pgweir: shard=eu1 */' : '' # who looks and what is looked for are on the same shard
  own = PG.connect
  db.send_query("SELECT pg_sleep(60)#{hint}")
  running = "SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND left(query, 19) = 'SELECT pg_sleep(60)'#{hint}"
  sleep 0.02 until own.exec(running).getvalue(0, 0) == '1'
  expect 'a cancel is sent', nil, db.cancel
  own.close
  expect_state('cancel', '57014') { db.get_last_result }
  expect 'it serves again after a cancel', '3', db.exec('SELECT 3').getvalue(0, 0)
end

def plain(db)
  db.exec('DROP TABLE IF EXISTS ruby_items')
  db.exec('CREATE TABLE ruby_items (id int PRIMARY KEY, name text)')
  sent = db.copy_data('COPY ruby_items FROM STDIN') { 20_000.times { |n| db.put_copy_data("#{n}\tname #{n}\n") } }
  expect 'COPY in', 'COPY 20000', sent.cmd_status
  rows = []
  db.copy_data('COPY (SELECT id FROM ruby_items ORDER BY id) TO STDOUT') do
    while (line = db.get_copy_data)
      rows << line.to_i
    end
  end
  expect 'COPY out', (0...20_000).to_a, rows
  expect_state('COPY that fails', '22P02') { db.copy_data('COPY ruby_items FROM STDIN') { db.put_copy_data("x\ty\n") } }
  ids = []
  db.transaction do |t|
    t.exec('DECLARE c CURSOR FOR SELECT id FROM ruby_items ORDER BY id LIMIT 3000')
    until (part = t.exec('FETCH 700 FROM c')).ntuples.zero?
      ids.concat(part.column_values(0).map(&:to_i))
    end
  end
  expect 'server-side cursor', (0...3000).to_a, ids
  listen(db)
  clients("#{CLIENTS} clients") do |own, number, step|
    own.prepare('update', 'UPDATE ruby_items SET name = $1 WHERE id = $2') if step.zero?
    own.transaction do |t|
      t.exec_prepared('update', ["step #{step}", number])
      got = t.exec_params('SELECT name FROM ruby_items WHERE id = $1', [number]).getvalue(0, 0)
      raise "not my write: #{got}" unless got == "step #{step}"
    end
  end
  db.exec('DROP TABLE ruby_items')
end

def listen(db)
  listener = PG.connect
  listener.exec('LISTEN ruby_channel')
  db.exec_params('SELECT pg_notify($1, $2)', ['ruby_channel', 'hello'])
  got = nil
  listener.wait_for_notify(10) { |channel, pid, payload| got = [channel, pid.positive?, payload] }
  expect 'LISTEN and NOTIFY', ['ruby_channel', true, 'hello'], got
  listener.exec('UNLISTEN *')
  listener.close
end

def sharded(db)
  mine = 'id BETWEEN 650000000 AND 650000999'
  regions = %w[eu us museum]
  db.prepare('insert', 'INSERT INTO content (region, id, tenant_id, title, language, status, tags, views) ' \
                       'VALUES ($1, $2, $3, $4, $5, $6, $7, $8)')
  90.times { |i| db.exec_prepared('insert', [regions[i % 3], 650_000_000 + i, PINNED, "title #{i}", 'en', 'draft', '{a}', i]) }
  db.copy_data('COPY content (region, id, tenant_id, title, language, status, tags, views) FROM STDIN') do
    (90...300).each { |i| db.put_copy_data("#{regions[i % 3]}\t#{650_000_000 + i}\t#{PINNED}\ttitle #{i}\ten\tdraft\t{}\t#{i}\n") }
  end
  expect 'INSERT by parameters and COPY', %w[300 44850],
         db.exec("SELECT count(*), sum(views) FROM content WHERE #{mine}").values[0]
  expect 'merged order', %w[299 298 297],
         db.exec_params("SELECT views FROM content WHERE #{mine} ORDER BY views DESC LIMIT $1", [3]).column_values(0)
  expect 'merged groups', [%w[eu 100], %w[museum 100], %w[us 100]],
         db.exec("SELECT region, count(*) FROM content WHERE #{mine} GROUP BY region ORDER BY region").values
  expect 'delete on all shards', 300, db.exec("DELETE FROM content WHERE #{mine}").cmd_tuples
  clients("#{CLIENTS} clients") do |own, _number, _step|
    got = own.exec_params('SELECT DISTINCT tenant_id FROM users WHERE tenant_id = $1', [PINNED]).column_values(0)
    raise "another tenant's rows: #{got}" unless [[], [PINNED]].include?(got)
  end
end

db = PG.connect
expect 'TLS', ENV['PGSSLMODE'] != 'disable', db.ssl_in_use?
values db
prepared db
pipeline db
errors db
cancel db
SHARDED ? sharded(db) : plain(db)
db.close
puts 'ruby pg: all ok'
