#!/usr/bin/env bash
# pgbench through the proxy: -i, simple, extended and prepared, -C, with TLS, more clients than server connections; every
# acknowledged transaction is found again in the tables. In sharded mode a script of its own runs with tenant keys.
. "$(dirname "$0")/common.sh"
CLIENTS=16

# run NAME ARGUMENT...: no client may have been aborted and no transaction may have failed. A thread per client: pgbench
# prepares synchronously, so a client that waits for a server connection would stop those of its thread that hold one.
run() {
  local name="$1" out
  shift
  out=$(pgbench -n -c "$CLIENTS" -j "$CLIENTS" "$@" 2>&1) || fail "$name: $out"
  ! grep -Eq "aborted|ERROR|failed: [1-9]|failed transactions: [1-9]" <<<"$out" || fail "$name: $out"
  DONE=$(sed -n 's/^number of transactions actually processed: \([0-9]*\).*/\1/p' <<<"$out")
  [ -n "$DONE" ] || fail "$name: $out"
  echo "ok: $name ($DONE transactions)"
}

if [ "$MODE" = plain ]; then
  pgbench -i -q -s 2 >"$WORK/init" 2>&1 || fail "-i: $(cat "$WORK/init")"
  expect "-i loads by COPY" "200000" "$(q -c 'SELECT count(*) FROM pgbench_accounts')"
  pgbench -i -q -s 1 -I dtGvp >"$WORK/init" 2>&1 || fail "-i with server-side generation: $(cat "$WORK/init")"
  expect "-i generates" "100000" "$(q -c 'SELECT count(*) FROM pgbench_accounts')"
  total=0
  for protocol in simple extended prepared; do
    run "tpc-b, $protocol" -M "$protocol" -t 40
    total=$((total + DONE))
    run "select only, $protocol" -S -M "$protocol" -t 200
  done
  run "a connection per transaction" -C -t 5
  total=$((total + DONE))
  for protocol in simple extended prepared; do
    PGSSLMODE=require run "TLS, $protocol" -M "$protocol" -t 20
    total=$((total + DONE))
  done
  printf '%s\n' '\startpipeline' 'SELECT 1;' 'SELECT abalance FROM pgbench_accounts WHERE aid = 7;' '\endpipeline' >"$WORK/pipeline.sql"
  run "pipelines" -M prepared -t 50 -f "$WORK/pipeline.sql"
  expect "every acknowledged transaction is there" "$total" "$(q -c 'SELECT count(*) FROM pgbench_history')"
  expect "and sums agree" "t" "$(q -c 'SELECT (SELECT sum(abalance) FROM pgbench_accounts) = (SELECT sum(delta) FROM pgbench_history)')"
  q -c 'DROP TABLE pgbench_accounts, pgbench_branches, pgbench_history, pgbench_tellers'
else
  mapfile -t tenants < <(q -c 'SELECT id FROM tenants ORDER BY id LIMIT 4')
  before=$(q -c 'SELECT sum(capacity) FROM courses')
  total=0
  for protocol in simple extended prepared; do
    for tenant in "${tenants[@]}"; do
      cat >"$WORK/tenant.sql" <<SQL
BEGIN;
UPDATE courses SET capacity = capacity + 1 WHERE tenant_id = '$tenant' AND id = (SELECT id FROM courses WHERE tenant_id = '$tenant' ORDER BY id LIMIT 1);
SELECT count(*) FROM users WHERE tenant_id = '$tenant';
COMMIT;
SQL
      run "$protocol, tenant $tenant" -M "$protocol" -t 10 -f "$WORK/tenant.sql"
      updated=$(q -c "SELECT count(*) > 0 FROM courses WHERE tenant_id = '$tenant'")
      [ "$updated" = f ] || total=$((total + DONE))
    done
  done
  expect "every acknowledged update is there" "$((before + total))" "$(q -c 'SELECT sum(capacity) FROM courses')"
fi
echo "pgbench ($MODE): all ok"
