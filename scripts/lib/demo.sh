# scripts/lib/demo.sh: the steps of scripts/demo. Source it after postgres.sh, with the repository as working directory.

DEMO="$PWD/.demo"
DEMO_SERVERS=(eu1 us1 archive eu1_replica us1_replica)  # primaries first

step() { printf '\n== %s\n' "$*"; }

# The directory, and where the servers' data lies: under .demo, unless the user postgres cannot get there (a clone in
# root's home); then beside /var/tmp, with a link.
demo_prepare_directory() {
  mkdir -p "$DEMO"
  if [ ! -e "$DEMO/data" ]; then
    if as_postgres test -x "$DEMO" 2>/dev/null; then
      mkdir -p "$DEMO/data"
    else
      local elsewhere
      elsewhere="/var/tmp/pgweir-demo-$(echo "$DEMO" | cksum | cut -d' ' -f1)"
      mkdir -p "$elsewhere"
      ln -s "$elsewhere" "$DEMO/data"
    fi
    own_by_postgres "$(readlink -f "$DEMO/data")"
  fi
  DEMO_DATA=$(readlink -f "$DEMO/data")
  scripts/lib/make-certificates "$DEMO/tls"
  demo_choose_ports
}

# Chosen once, so that the configuration stays the same from run to run.
demo_choose_ports() {
  if [ ! -e "$DEMO/ports" ]; then
    local next=5501 name
    {
      echo "PROXY_PORT=$(free_port 6432)"
      echo "METRICS_PORT=$(free_port 9127)"
      for name in "${DEMO_SERVERS[@]}"; do
        next=$(free_port "$next")
        echo "PORT_$name=$next"
        next=$((next + 1))
      done
    } >"$DEMO/ports.new"
    mv "$DEMO/ports.new" "$DEMO/ports"
  fi
  . "$DEMO/ports"
}

server_port() { local name="PORT_$1"; echo "${!name}"; }

demo_start_servers() {
  local template name data
  template=$(pg_template "$DEMO_DATA/cache")
  for name in eu1 us1 archive; do
    data="$DEMO_DATA/$name"
    if [ ! -d "$data" ]; then
      cp -a "$template" "$data.new"
      demo_configure "$data.new" "$name"
      mv "$data.new" "$data"
      demo_configure "$data" "$name"
    fi
    pg_start "$data"
    echo "$name: 127.0.0.1:$(server_port "$name")"
  done
  for name in eu1 us1; do
    data="$DEMO_DATA/${name}_replica"
    if [ ! -d "$data" ]; then
      rm -rf "$data.new"
      pg_make_replica "$DEMO_DATA/$name" "$(server_port "$name")" "$data.new"
      mv "$data.new" "$data"
      demo_configure "$data" "${name}_replica"
    fi
    pg_start "$data"
    echo "${name}_replica: 127.0.0.1:$(server_port "${name}_replica")"
  done
}

# demo_configure DATA NAME: with its own copy of the certificates, which must belong to the server's user.
demo_configure() {
  mkdir -p "$1/tls"
  cp "$DEMO/tls/ca.crt" "$DEMO/tls/server.crt" "$DEMO/tls/server.key" "$1/tls/"
  own_by_postgres "$1/tls"
  pg_configure "$1" "$(server_port "$2")" "$1/tls" "synchronous_commit = on"
}

demo_write_config() {
  {
    cat <<TOML
# Written by scripts/demo.
[listen]
address = ["127.0.0.1:$PROXY_PORT"]

[tls.client]
mode = "require"
cert = "tls/server.crt"
key = "tls/server.key"

[tls.server]
mode = "verify-full"
ca = "tls/ca.crt"

[admin]
users = ["admin"]
stats_users = ["reader"]

[metrics]
address = "127.0.0.1:$METRICS_PORT"

[auth]
method = "scram-sha-256"

[[user]]
name = "app"
password = "app-secret"

[[user]]
name = "reader"
password = "reader-secret"

[[user]]
name = "admin"
password = "admin-secret"

[pool]
mode = "transaction"
size = 20

TOML
    local name
    local script=()
    for name in "${DEMO_SERVERS[@]}"; do script+=(-e "s/@${name^^}@/127.0.0.1:$(server_port "$name")/"); done
    sed "${script[@]}" scripts/lib/demo-cluster.toml
  } >"$DEMO/pgweir.toml"
}

proxy_running() {
  local pid
  pid=$(cat "$DEMO/pgweir.pid" 2>/dev/null) || return 1
  [ "$(readlink "/proc/$pid/exe" 2>/dev/null | sed 's/ (deleted)$//')" = "$(cat "$DEMO/pgweir.exe" 2>/dev/null)" ]
}

# demo_start_proxy BINARY
demo_start_proxy() {
  demo_write_config
  "$1" check "$DEMO/pgweir.toml"
  # A proxy of an older build is replaced.
  if proxy_running && [ "$(stat -Lc %i "/proc/$(cat "$DEMO/pgweir.pid")/exe")" = "$(stat -c %i "$1")" ]; then
    echo "runs already, pid $(cat "$DEMO/pgweir.pid")"
    return
  fi
  demo_stop_proxy
  readlink -f "$1" >"$DEMO/pgweir.exe"
  # A session of its own, so that closing the terminal leaves it running.
  setsid "$(readlink -f "$1")" --config "$DEMO/pgweir.toml" </dev/null >>"$DEMO/pgweir.log" 2>&1 &
  echo $! >"$DEMO/pgweir.pid"
  local tries
  for tries in $(seq 300); do
    proxy_sql -c "SELECT 1" >/dev/null 2>&1 && { echo "listens on 127.0.0.1:$PROXY_PORT, pid $(cat "$DEMO/pgweir.pid")"; return; }
    sleep 0.1
  done
  echo "scripts/demo: the proxy does not answer:" >&2
  proxy_sql -c "SELECT 1" >&2 || tail -20 "$DEMO/pgweir.log" >&2
  return 1
}

demo_stop_proxy() {
  if proxy_running; then
    local pid tries
    pid=$(cat "$DEMO/pgweir.pid")
    kill -TERM "$pid"
    for tries in $(seq 300); do [ -d "/proc/$pid" ] || break; sleep 0.1; done
    [ ! -d "/proc/$pid" ] || kill -KILL "$pid"
  fi
  rm -f "$DEMO/pgweir.pid" "$DEMO/pgweir.exe"
}

# psql through the proxy: as an application, and on the console.
proxy_sql() {
  PGPASSWORD=app-secret PGCONNECT_TIMEOUT=10 psql -X -q -v ON_ERROR_STOP=1 \
    "host=localhost port=$PROXY_PORT dbname=fediflow user=app sslmode=verify-full sslrootcert=$DEMO/tls/ca.crt" "$@"
}
console_sql() {
  PGPASSWORD=admin-secret PGCONNECT_TIMEOUT=10 psql -X -q \
    "host=localhost port=$PROXY_PORT dbname=pgweir user=admin sslmode=verify-full sslrootcert=$DEMO/tls/ca.crt" "$@"
}

demo_load() {
  if [ -e "$DEMO/loaded" ]; then
    echo "loaded already"
    return
  fi
  # What an interrupted run left is dropped, the referencing tables first.
  proxy_sql -c "SET client_min_messages = warning" \
    -c "DROP TABLE IF EXISTS enrollments" -c "DROP TABLE IF EXISTS courses" -c "DROP TABLE IF EXISTS federation_identities" \
    -c "DROP TABLE IF EXISTS users" -c "DROP TABLE IF EXISTS tenants" -c "DROP TABLE IF EXISTS activities" \
    -c "DROP TABLE IF EXISTS content" -c "DROP TABLE IF EXISTS jobs"
  proxy_sql -f scripts/lib/demo-schema.sql
  python3 scripts/lib/demo-data.py "$DEMO/rows"
  local table
  while read -r table; do
    proxy_sql -c "\\copy $table FROM '$DEMO/rows/$table.copy'"
    echo "$table: $(wc -l <"$DEMO/rows/$table.copy") rows"
  done <"$DEMO/rows/tables"
  cat "$DEMO"/rows/*.copy | wc -l | sed 's/$/ rows in all/'
  touch "$DEMO/loaded"
}

# Replica reads below show what was loaded only when the replicas have it.
demo_wait_for_replicas() {
  local name target tries
  for name in eu1 us1; do
    target=$(pg_admin "$DEMO_DATA/$name" "$(server_port "$name")" postgres -Atc "SELECT pg_current_wal_lsn()")
    for tries in $(seq 300); do
      [ "$(pg_admin "$DEMO_DATA/${name}_replica" "$(server_port "${name}_replica")" postgres -Atc \
        "SELECT coalesce(pg_last_wal_replay_lsn() >= '$target', false)")" = t ] && break
      sleep 0.1
    done
  done
}

# show TITLE SQL [refused]: the route, then the result; what should be refused and is not is an error, and the reverse.
show() {
  local title="$1" sql="$2" expected="${3:-answered}" outcome=answered
  DEMO_NUMBER=$((${DEMO_NUMBER:-0} + 1))
  printf '\n-- %d. %s\n%s;\n' "$DEMO_NUMBER" "$title" "$sql"
  console_sql -A -t -F ': ' -c "ROUTE $sql" 2>&1 | grep -v '^cluster: ' | cut -c 1-170 | sed 's/^/    /'
  proxy_sql -v QUIET=off -c "$sql" 2>&1 || outcome=refused
  if [ "$outcome" != "$expected" ]; then
    echo "scripts/demo: statement $DEMO_NUMBER was to be $expected" >&2
    return 1
  fi
}

demo_statements() {
  local tenant=0b9c1c1e-0000-4000-8000-000000000001
  demo_wait_for_replicas
  show "One tenant (pinned to us1)" \
    "SELECT username, reputation FROM users WHERE tenant_id = '$tenant' ORDER BY reputation DESC, username LIMIT 3"
  show "Two tables of one tenant, joined" \
    "SELECT c.title, count(*) AS enrolled FROM courses c JOIN enrollments e ON e.tenant_id = c.tenant_id AND e.course_id = c.id WHERE c.tenant_id = '$tenant' GROUP BY c.id, c.title ORDER BY enrolled DESC, c.title LIMIT 3"
  show "One region" "SELECT count(*), max(views) FROM content WHERE region = 'de'"
  show "Two regions on two shards" "SELECT count(*), sum(views) FROM content WHERE region IN ('fr', 'ca')"
  show "A time range: the archive alone" \
    "SELECT count(*), min(published_at), max(published_at) FROM activities WHERE published_at BETWEEN '2023-06-01' AND '2023-06-30'"
  show "A time range and a tenant: one live shard" \
    "SELECT kind, likes FROM activities WHERE published_at >= '2025-06-01' AND tenant_id = '$tenant' ORDER BY likes DESC, id LIMIT 3"
  show "A read from replicas" "/* pgweir: role=replica */ SELECT count(*) FROM users"
  show "A top-ten merged from all shards" \
    "SELECT published_at, kind, score FROM activities ORDER BY score DESC, published_at LIMIT 10"
  show "A grouped count over all shards" \
    "SELECT kind, count(*), avg(likes) AS average_likes FROM activities GROUP BY kind ORDER BY kind"
  show "A reference table: any shard has it" "SELECT plan, count(*) FROM tenants GROUP BY plan ORDER BY plan"
  show "Rows for several shards: one atomic statement" \
    "INSERT INTO content (region, id, tenant_id, title, language, status, tags, views) VALUES ('eu', $((9000000 + RANDOM)), '$tenant', 'written in Europe', 'en', 'draft', '{}', 0), ('us', $((9000000 + RANDOM)), '$tenant', 'written in America', 'en', 'draft', '{}', 0)"
  show "The same rows removed, without a key: every shard, one atomic statement" "DELETE FROM content WHERE id >= 9000000"
  show "A statement that shards cannot answer exactly: refused, with a reason" \
    "SELECT tenant_id, likes, rank() OVER (ORDER BY likes DESC) FROM activities" refused
}

demo_goodbye() {
  cat <<TEXT
psql:     PGPASSWORD=app-secret psql "host=localhost port=$PROXY_PORT dbname=fediflow user=app sslmode=verify-full sslrootcert=$DEMO/tls/ca.crt"
console:  PGPASSWORD=admin-secret psql "host=localhost port=$PROXY_PORT dbname=pgweir user=admin sslmode=require"   (SHOW POOLS; ROUTE SELECT ...;)
metrics:  http://127.0.0.1:$METRICS_PORT/metrics
stop:     ./scripts/demo down
TEXT
}

demo_down() {
  local index
  demo_stop_proxy
  [ -e "$DEMO/data" ] || { echo "nothing to stop"; return 0; }
  DEMO_DATA=$(readlink -f "$DEMO/data")
  # Replicas first: a primary's fast shutdown waits for them to have everything.
  for ((index = ${#DEMO_SERVERS[@]} - 1; index >= 0; index--)); do
    [ ! -d "$DEMO_DATA/${DEMO_SERVERS[index]}" ] || pg_stop "$DEMO_DATA/${DEMO_SERVERS[index]}"
  done
  echo "stopped"
}

demo_purge() {
  [ ! -e "$DEMO/data" ] || rm -rf "$(readlink -f "$DEMO/data")"
  rm -rf "$DEMO"
}

# Exit code 0 when everything runs.
demo_status() {
  local name all=0
  [ -e "$DEMO/ports" ] || { echo "not set up"; return 1; }
  . "$DEMO/ports"
  DEMO_DATA=$(readlink -f "$DEMO/data")
  for name in "${DEMO_SERVERS[@]}"; do
    if pg_running "$DEMO_DATA/$name"; then echo "$name: running, 127.0.0.1:$(server_port "$name")"; else echo "$name: down"; all=1; fi
  done
  if proxy_running; then echo "pgweir: running, 127.0.0.1:$PROXY_PORT"; else echo "pgweir: down"; all=1; fi
  return $all
}
