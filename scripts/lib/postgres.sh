# scripts/lib/postgres.sh: shell functions that run PostgreSQL servers for the demo, the tests and the benchmarks. Source it.
#
# PostgreSQL refuses to run as root, so as root everything that touches a data directory runs as the user `postgres`
# (PGWEIR_PG_USER names another one). Every server listens on 127.0.0.1 only and on a unix socket in its own directory,
# and is stopped by the pid in its postmaster.pid.

PG_BIN="${PGWEIR_PG_BIN:-/usr/lib/postgresql/15/bin}"
PG_USER="${PGWEIR_PG_USER:-postgres}"
PGWEIR_LIB="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"

# as_postgres COMMAND...: runs it as the unprivileged user when we are root, else as we are.
as_postgres() {
  if [ "$(id -u)" -eq 0 ]; then
    (cd / && exec setpriv --reuid="$PG_USER" --regid="$(id -g "$PG_USER")" --init-groups -- "$@")
  else
    "$@"
  fi
}

# own_by_postgres PATH...: hands files to that user (as root; otherwise they are ours already).
own_by_postgres() {
  [ "$(id -u)" -ne 0 ] || chown -R "$PG_USER" "$@"
}

# free_port [FIRST]: a loopback port that nobody listens on, looked for upwards from FIRST (default: a random one below
# the ephemeral range, so that no outgoing connection takes it in between).
free_port() {
  local port="${1:-$((15000 + RANDOM % 15000))}"
  while (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; do port=$((port + 1)); done
  echo "$port"
}

# pg_template CACHE_DIR: prints the path of a stopped data directory (made on the first call) that new servers copy.
# Its roles: postgres (superuser, password postgres-secret), app (app-secret), reader (reader-secret). Its databases:
# postgres, and fediflow owned by app.
pg_template() {
  "$PGWEIR_LIB/make-template" "$1" "$PG_BIN"
}

# pg_configure DATA_DIR PORT TLS_DIR [SETTING...]: writes the whole configuration of a server.
pg_configure() {
  local data="$1" port="$2" tls="$3"
  shift 3
  {
    echo "listen_addresses = '127.0.0.1'"
    echo "port = $port"
    echo "unix_socket_directories = '$data'"
    echo "ssl = on"
    echo "ssl_cert_file = '$tls/server.crt'"
    echo "ssl_key_file = '$tls/server.key'"
    echo "ssl_ca_file = '$tls/ca.crt'"
    echo "password_encryption = 'scram-sha-256'"
    echo "wal_level = replica"
    echo "wal_keep_size = '256MB'"
    echo "max_prepared_transactions = 64"
    echo "max_connections = 200"
    echo "shared_buffers = '32MB'"
    echo "hot_standby = on"
    echo "wal_retrieve_retry_interval = '200ms'"
    echo "timezone = 'UTC'"
    echo "log_timezone = 'UTC'"
    echo "lc_messages = 'C'"
    printf '%s\n' "$@"
  } >"$data/postgresql.conf"
  printf '%s\n' "local all all trust" "local replication all trust" "hostssl all all 127.0.0.1/32 scram-sha-256" \
    "hostnossl all all 127.0.0.1/32 scram-sha-256" >"$data/pg_hba.conf"
  own_by_postgres "$data/postgresql.conf" "$data/pg_hba.conf"
}

# pg_running DATA_DIR: is the server of that directory alive?
pg_running() {
  local pid
  pid=$(head -1 "$1/postmaster.pid" 2>/dev/null) || return 1
  [ -n "$pid" ] && [ -d "/proc/$pid" ] && [ "$(readlink "/proc/$pid/cwd" 2>/dev/null || true)" = "$(readlink -f "$1")" ]
}

# pg_start DATA_DIR: starts it (waits until it accepts); nothing happens when it runs already.
pg_start() {
  pg_running "$1" && return 0
  as_postgres "$PG_BIN/pg_ctl" -D "$1" -l "$1/server.log" -w -t 60 -s start </dev/null >/dev/null ||
    { tail -20 "$1/server.log" >&2; return 1; }
}

# pg_stop DATA_DIR: stops it fast, by its pid file.
pg_stop() {
  pg_running "$1" || return 0
  as_postgres "$PG_BIN/pg_ctl" -D "$1" -m fast -w -t 60 -s stop
}

# pg_make_replica PRIMARY_DATA PRIMARY_PORT REPLICA_DATA: a streaming standby of a running primary (configure it next).
pg_make_replica() {
  as_postgres "$PG_BIN/pg_basebackup" -h "$1" -p "$2" -U postgres -D "$3" -c fast -X stream -R 2> >(grep -v "skipping special file" >&2)
}

# pg_admin DATA_DIR PORT DATABASE [PSQL-ARGUMENT...]: psql as the superuser over the unix socket.
pg_admin() {
  local data="$1" port="$2" database="$3"
  shift 3
  "$PG_BIN/psql" -X -q -v ON_ERROR_STOP=1 -h "$data" -p "$port" -U postgres -d "$database" "$@"
}
