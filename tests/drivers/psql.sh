#!/usr/bin/env bash
# psql through the proxy: \d, \copy both ways, \watch, Ctrl-C, prepared statements, errors, LISTEN, large values.
. "$(dirname "$0")/common.sh"

expect "connects with TLS" "t" "$(q -c 'SELECT 1 = 1')"
expect_match "conninfo says TLS" "SSL connection" "$(psql -X -c '\conninfo')"

catalog() {
  expect_match "\\d lists tables" "$1" "$(psql -X -c '\d')"
  expect_match "\\d table shows columns and keys" "$2" "$(psql -X -c "\\d $1")"
  expect_match "\\d+ and \\dt+" "$1" "$(psql -X -c "\\d+ $1" -c '\dt+')"
  expect_match "\\du, \\df, \\dn" "app" "$(psql -X -c '\du' -c '\df' -c '\dn')"
  # psql 15 asks for a column that pg_database has no longer in 17.
  [ "$(q -c 'SHOW server_version_num')" -ge 170000 ] || expect_match "\\l" "fediflow" "$(psql -X -c '\l')"
}

copy_both_ways() { # TABLE FILE COLUMNS [PATTERN]: the rows of FILE, which alone match PATTERN
  q -c "\\copy $1 ($3) FROM '$2'"
  q -c "\\copy $1 ($3) TO '$WORK/out'"
  grep -E -- "${4:-}" "$WORK/out" | sort >"$WORK/out.sorted"
  sort "$2" | cmp - "$WORK/out.sorted" || fail "\\copy changed the rows"
  echo "ok: \\copy both ways"
  expect "stdin copy" "COPY 0" "$(psql -X -c "COPY $1 ($3) FROM STDIN" </dev/null)"
}

watch() {
  # psql 15 has no count for \watch: Ctrl-C ends it.
  local out="$WORK/watch"
  timeout -s INT 3 psql -X -A -t <<<"SELECT 'tick' \\watch 0.2" >"$out" 2>&1 || true
  [ "$(grep -c tick "$out")" -ge 3 ] || fail "\\watch: $(cat "$out")"
  echo "ok: \\watch"
}

interrupt() { /usr/bin/python3 "$(dirname "$0")/psql_ctrl_c.py" || fail "Ctrl-C"; }

prepared() {
  # Refused by name on a sharded cluster: there it is the protocol's statements that are routed.
  [ "$MODE" = sharded ] || expect "PREPARE and EXECUTE" $'7\n8' "$(q -c 'PREPARE p (int) AS SELECT $1 + 1; EXECUTE p(6); EXECUTE p(7)')"
  expect "\\gset and variables" "15" "$(q <<<"SELECT 5 AS five \\gset
SELECT :five * 3;")"
}

errors() {
  local text
  text=$(psql -X -v VERBOSITY=verbose -c 'SELECT nonsense' 2>&1 || true)
  expect_match "error text and position" "42703.*nonsense" "$text"
  expect_match "caret" '\^' "$text"
  expect "session survives an error" $'0\n1' "$(psql -X -q -A -t <<<"SELECT 0; SELECT 1/0; SELECT 1;" 2>/dev/null)"
}

notifications() {
  expect_match "LISTEN and NOTIFY" 'notification "of_psql" with payload "hello" received from server process with PID [1-9]' \
    "$(psql -X -c 'LISTEN of_psql' -c "NOTIFY of_psql, 'hello'" 2>&1)"
}

large() {
  expect "5 MB value" "5242880" "$(q -c "SELECT length(repeat('x', 5242880))")"
  expect "5 MB result" "5242881" "$(q -c "SELECT repeat('x', 5242880)" | wc -c | tr -d ' ')"
  expect "100,000 rows" "100000" "$(q -c "SELECT generate_series(1, 100000)" | wc -l | tr -d ' ')"
}

if [ "$MODE" = plain ]; then
  q -c "DROP TABLE IF EXISTS psql_items" -c "CREATE TABLE psql_items (id int PRIMARY KEY, name text, at timestamptz)" 2>/dev/null
  catalog psql_items "psql_items_pkey"
  awk 'BEGIN { for (i = 1; i <= 20000; i++) printf "%d\tname %d\t%s\n", i, i, (i % 3 ? "2025-01-02 03:04:05+00" : "\\N") }' >"$WORK/in"
  copy_both_ways psql_items "$WORK/in" "id, name, at"
  expect "transaction rolls back" "20000" "$(q -c "BEGIN" -c "DELETE FROM psql_items" -c "ROLLBACK" -c "SELECT count(*) FROM psql_items")"
  expect "cursor" "3" "$(q -c "BEGIN; DECLARE c CURSOR FOR SELECT id FROM psql_items ORDER BY id" -c "MOVE 2 FROM c" -c "FETCH 1 FROM c" -c COMMIT)"
  q -c "DROP TABLE psql_items"
else
  catalog content "content_pkey"
  # Rows for all three shards, in ids of their own.
  awk -v t="$PINNED" 'BEGIN { split("eu us museum", r, " "); for (i = 1; i <= 3000; i++)
    printf "%s\t%d\t%s\tpsql\ten\tdraft\t{}\t%d\n", r[i % 3 + 1], 500000000 + i, t, i }' >"$WORK/in"
  columns="region, id, tenant_id, title, language, status, tags, views"
  copy_both_ways content "$WORK/in" "$columns" "^[a-z]+.50000[0-9]{4}."
  expect "scatter" "3000|4501500" "$(q -c "SELECT count(*), sum(views) FROM content WHERE id BETWEEN 500000000 AND 500009999")"
  expect "merged order" $'3000\n2999' "$(q -c "SELECT views FROM content WHERE id BETWEEN 500000000 AND 500009999 ORDER BY views DESC LIMIT 2")"
  expect "one shard's transaction rolls back" "1000" "$(q -c BEGIN -c "DELETE FROM content WHERE region = 'eu' AND title = 'psql'" -c ROLLBACK \
    -c "SELECT count(*) FROM content WHERE region = 'eu' AND title = 'psql'")"
  expect "delete on all shards" "DELETE 3000" "$(psql -X -c "DELETE FROM content WHERE id BETWEEN 500000000 AND 500009999")"
fi
watch
interrupt
prepared
errors
notifications
large
echo "psql ($MODE): all ok"
