// The data of reference.h. When a key is added here, docs/configuration.md must follow (a unit test shows the lines).
#include "config/reference.h"

namespace pgweir::config {
namespace {

constexpr SectionInfo kSections[] = {
    {"listen", "[listen]"},
    {"peer", "[[peer]]", true},
    {"tls.client", "[tls.client]"},
    {"tls.server", "[tls.server]"},
    {"admin", "[admin]"},
    {"metrics", "[metrics]"},
    {"log", "[log]"},
    {"auth", "[auth]"},
    {"user", "[[user]]", true},
    {"pool", "[pool]"},
    {"cluster.NAME", "[cluster.NAME]"},
    {"cluster.NAME.pool", "[cluster.NAME.pool]", false, "pool"},
    {"cluster.NAME.shard", "[[cluster.NAME.shard]]", true},
    {"cluster.NAME.placement.NAME", "[cluster.NAME.placement.NAME]"},
    {"cluster.NAME.placement.NAME.ranges", "an element of ranges", true},
    {"cluster.NAME.table", "[[cluster.NAME.table]]", true},
    {"cluster.NAME.function", "[[cluster.NAME.function]]", true},
};

constexpr std::string_view kMs = "duration";

constexpr KeyInfo kKeys[] = {
    {"listen", "address", "address or list", "127.0.0.1:6432",
     "Where applications connect: `host:port`, `[v6]:port`, `unix:/directory`. The unix socket is "
     "`.s.PGSQL.<port of the first address>` unless it names a port itself. Port 0: the system chooses."},
    {"listen", "workers", "integer 0-1024", "0", "Threads that serve connections; 0: one per core."},
    {"listen", "max_clients", "integer 1-1000000", "10000",
     "Client connections at once, without the console's; one more is refused with 53300."},
    {"listen", "max_server_connections", "integer 0-1000000", "0",
     "Server connections of all pools together; 0: no cap. Where it is reached, idle connections of other pools are closed for requests that wait; nobody's open transaction is."},
    {"listen", "reuse_port", "boolean", "false",
     "A second process may listen on the same addresses (rolling restart)."},
    {"listen", "unix_socket_mode", "string", "0777", "Permissions of unix sockets, in octal digits."},
    {"listen", "node_id", "integer 0-1023", "0",
     "Names this process in cancel keys; different for processes behind one address."},
    {"listen", "client_login_timeout", kMs, "1m", "From accept to the end of authentication."},
    {"listen", "client_message_timeout", kMs, "0s",
     "A message that must be held until it is complete (a statement, not COPY data); then the client is disconnected (08P01), up to a quarter later."},
    {"listen", "max_unauthenticated", "integer 1-1000000", "1000",
     "Connections that have not finished authentication, at once."},
    {"listen", "max_statement_size", "size 1KiB-1GiB", "16MiB",
     "The longest statement that is held in memory to be routed."},
    {"listen", "max_client_statements", "integer 1-1000000", "10000",
     "Prepared statements that one client may have, from its login on; beyond it 54000."},
    {"listen", "max_client_statement_bytes", "size 1KiB-1GiB", "32MiB",
     "Their texts and names together. Where it is less than `max_statement_size`, that counts."},
    {"listen", "memory_budget", "size, at least 16MiB", "1GiB",
     "All buffers of the process; beyond it new work is refused with 53200. At least `max_statement_size`."},

    {"peer", "node_id", "integer 0-1023", "required", "The other process's `listen.node_id`."},
    {"peer", "address", "address", "required",
     "Where only it listens. Cancel requests of its clients are forwarded there, without TLS."},

    {"tls.client", "mode", "disable, allow, require, verify-ca or verify-full", "disable",
     "What applications meet. `allow`: TLS for those who ask; `require`: no others; `verify-ca`: with a "
     "certificate of `ca`; `verify-full`: and its common name is the user name."},
    {"tls.client", "cert", "file", "", "Our certificate chain (PEM). Required unless `mode` is `disable`."},
    {"tls.client", "key", "file", "", "Its private key (PEM). Required unless `mode` is `disable`."},
    {"tls.client", "ca", "file", "",
     "Authorities of client certificates. Required by `verify-ca` and `verify-full`."},

    {"tls.server", "mode", "disable, allow, prefer, require, verify-ca or verify-full", "prefer",
     "Towards PostgreSQL, with libpq's meaning of `sslmode`; `allow` is `disable` for pooled connections yet."},
    {"tls.server", "ca", "file", "",
     "Authorities of server certificates. Required by `verify-ca` and `verify-full`; with it `require` is `verify-ca`."},
    {"tls.server", "cert", "file", "", "Our client certificate, with `key`."},
    {"tls.server", "key", "file", "", "Its private key."},

    {"admin", "database", "string", "pgweir", "The console's database name; it also answers to `pgbouncer`."},
    {"admin", "users", "list of users", "[]", "May run every console command."},
    {"admin", "stats_users", "list of users", "[]", "May run SHOW commands."},

    {"metrics", "address", "address", "", "Where Prometheus scrapes `/metrics`; without it there is no endpoint."},

    {"log", "level", "debug, info, warning or error", "info", "The least severe message written."},
    {"log", "format", "text or json", "text", "One line a message, either way."},

    {"auth", "method", "trust, plain, md5, scram-sha-256, cert or hba", "scram-sha-256",
     "How applications prove who they are. `cert` takes the certificate's common name (with `tls.client.mode` "
     "`verify-ca` or `verify-full`); `hba` decides by `hba_file`."},
    {"auth", "hba_file", "file", "",
     "In the format of pg_hba.conf (see below); required by `method = \"hba\"`. A wrong line is an error of the "
     "configuration."},
    {"auth", "query", "string", "",
     "Looks up users that have no password in a `[[user]]`: gets the user name as `$1`, returns name and verifier."},
    {"auth", "query_user", "string", "",
     "Runs `query`; required with it. Its plain password comes from its `[[user]]`."},
    {"auth", "query_database", "string", "",
     "The servers' database in which `query` runs; default: that of the cluster the client asks for. Always on the "
     "primary of its home shard (of the first cluster for the console)."},

    {"user", "name", "string", "required", "The name that applications log in with."},
    {"user", "password", "secret", "",
     "Plain text, an md5 or SCRAM-SHA-256 verifier, `env:NAME` or `file:PATH` (which hold one of these)."},
    {"user", "server_user", "string", "", "The name used towards PostgreSQL; default: `name`."},
    {"user", "server_password", "secret", "", "The password used towards PostgreSQL; default: `password`."},
    {"user", "pool_mode", "session, transaction or statement", "", "Overrides `mode` of the pool."},
    {"user", "pool_size", "integer 1-100000", "", "Overrides `size`."},
    {"user", "pool_min_size", "integer 0-100000", "", "Overrides `min_size`."},
    {"user", "pool_reserve_size", "integer 0-100000", "", "Overrides `reserve_size`."},
    {"user", "max_connections", "integer 0-100000", "",
     "Overrides `max_connections`: this user's server connections to a database over all its shards."},
    {"user", "checkout_timeout", kMs, "", "Overrides `checkout_timeout`."},
    {"user", "query_timeout", kMs, "", "Overrides `query_timeout`."},
    {"user", "idle_in_transaction_timeout", kMs, "", "Overrides `idle_in_transaction_timeout`."},
    {"user", "max_client_connections", "integer 0-1000000", "0",
     "Client connections of this user at once, the console's included; one more is refused with 53300. 0: no cap of its "
     "own."},

    {"pool", "mode", "session, transaction or statement", "transaction",
     "When a server connection is given back: at disconnect, at the end of each transaction, or after each "
     "statement (no transactions)."},
    {"pool", "size", "integer 1-100000", "20", "Server connections per (cluster, shard endpoint, user)."},
    {"pool", "min_size", "integer 0-100000", "0", "Kept open even when idle; at most `size`."},
    {"pool", "reserve_size", "integer 0-100000", "0", "More connections, while somebody has waited for `reserve_delay`."},
    {"pool", "reserve_delay", kMs, "5s", "See `reserve_size`."},
    {"pool", "max_connections", "integer 0-100000", "0",
     "Server connections of one user to a database over all its shards; 0: no cap."},
    {"pool", "checkout_timeout", kMs, "30s", "How long a request waits for a server connection; then 53300."},
    {"pool", "server_connect_timeout", kMs, "15s", "Connecting and logging in to PostgreSQL."},
    {"pool", "server_idle_timeout", kMs, "10m", "An idle server connection is closed after this."},
    {"pool", "server_lifetime", kMs, "1h", "A server connection is replaced after this, when idle."},
    {"pool", "checkout_notice", kMs, "5s", "A client that waits for a server connection is told so by a NOTICE after this; 0s: never."},
    {"pool", "begin_defer_max", kMs, "1s",
     "A BEGIN waits for its first statement, which tells primary or replica; on a cluster of one shard it goes to the primary "
     "after this, so that `now()` is never later than this behind BEGIN; 0s: it waits for the statement."},
    {"pool", "query_timeout", kMs, "0s", "One statement; then it is cancelled."},
    {"pool", "transaction_timeout", kMs, "0s",
     "One transaction, from its first statement; then the client is disconnected (25P04), up to a quarter later."},
    {"pool", "idle_in_transaction_timeout", kMs, "0s",
     "An open transaction whose client sends nothing; then the client is disconnected."},
    {"pool", "client_idle_timeout", kMs, "0s", "A client that sends nothing outside a transaction is disconnected (57P05), up to a quarter later."},
    {"pool", "max_prepared_statements", "integer 0-100000", "200",
     "Prepared statements kept on each server connection."},
    {"pool", "max_pinned", "integer 0-100000", "0",
     "Server connections of a pool that clients may keep beyond their transactions (temporary tables, session advisory "
     "locks, ...); a statement that would keep one more is refused with 53300. 0: `size` - 1, at least 1."},
    {"pool", "cancel_on_disconnect", "boolean", "false", "Cancel also what may write when its client is gone."},
    {"pool", "server_round_robin", "boolean", "false",
     "Use the idle server connection that has been idle longest, to spread load over servers behind one address; a "
     "connection often moves between workers then, and idle ones do not become fewer. false: the newest one of the "
     "client's own worker."},

    {"cluster.NAME", "database", "string", "", "The database's name on the servers; default: the cluster's name."},
    {"cluster.NAME", "home", "shard", "",
     "Catalogs, temporary tables, advisory locks, sequences; default: `unlisted`, else the first shard."},
    {"cluster.NAME", "unlisted", "shard", "",
     "Where tables without a `table` entry live. Without it they are refused (on a cluster of several "
     "shards)."},
    {"cluster.NAME", "catalog_shard", "shard", "", "The shard whose OIDs clients see; default: `home`."},
    {"cluster.NAME", "reads", "primary or replica", "primary", "Where provably read-only statements go."},
    {"cluster.NAME", "max_client_connections", "integer 0-1000000", "0",
     "Client connections to this database at once, of all users; one more is refused with 53300. 0: no cap of its own."},
    {"cluster.NAME", "max_server_connections", "integer 0-1000000", "0",
     "Server connections of all users' pools of this database together; 0: no cap."},
    {"cluster.NAME", "recovery_user", "string", "",
     "Watches servers, reads the catalog and finishes prepared transactions of other owners. Default: the "
     "first `[[user]]` with a plain password; prepared transactions are then finished by their owner's own "
     "login."},
    {"cluster.NAME", "recovery_password", "secret", "",
     "Its password; default: that of the `[[user]]` of this name."},

    {"cluster.NAME.shard", "name", "string", "required", "How placements and hints name it."},
    {"cluster.NAME.shard", "region", "string", "", "A label, shown by SHOW SHARDS."},
    {"cluster.NAME.shard", "tier", "string", "", "A label, shown by SHOW SHARDS."},
    {"cluster.NAME.shard", "primary", "address", "required", "`host:port`, `[v6]:port` or `unix:/directory:port`."},
    {"cluster.NAME.shard", "replicas", "list of addresses", "[]", "Streaming replicas of `primary`."},

    {"cluster.NAME.placement.NAME", "type", "hash, list or range", "required",
     "How the level finds the branch of a key value."},
    {"cluster.NAME.placement.NAME", "key_type",
     "smallint, int, bigint, uuid, text, bytea, numeric, date, timestamp, timestamptz or bool", "required",
     "The key column's type. `bool`: only `list`. `range` takes integers, date, timestamp and timestamptz."},
    {"cluster.NAME.placement.NAME", "hash", "postgres or xxh64", "postgres",
     "`hash`: the function. `postgres` is the one of PARTITION BY HASH."},
    {"cluster.NAME.placement.NAME", "buckets", "integer 1-65536", "1024", "`hash`: bucket = hash(key) mod buckets."},
    {"cluster.NAME.placement.NAME", "branches", "list of branches", "",
     "`hash`: buckets in equal runs, in this order. Either this or `map`."},
    {"cluster.NAME.placement.NAME", "map", "table", "",
     "`hash`: bucket ranges to branches, each bucket once; `list`: values to branches."},
    {"cluster.NAME.placement.NAME", "pins", "table", "{}", "`hash`: single keys to branches, before the buckets."},
    {"cluster.NAME.placement.NAME", "default", "branch", "",
     "`list`: the branch of values that `map` does not name; without it they are refused."},
    {"cluster.NAME.placement.NAME", "ranges", "list of tables", "",
     "`range`: ascending, without overlap; values in a gap are refused."},

    {"cluster.NAME.placement.NAME.ranges", "from", "key value", "",
     "First value of the range (inclusive); absent in the first element: no lower bound."},
    {"cluster.NAME.placement.NAME.ranges", "to", "key value", "",
     "End of the range (exclusive); absent in the last element: no upper bound."},
    {"cluster.NAME.placement.NAME.ranges", "branch", "branch", "required",
     "A shard's name, or `{ placement = \"NAME\" }`."},

    {"cluster.NAME.table", "name", "SQL name", "required",
     "`schema.table`; schema `public` when not given. Upper case and odd characters need double quotes, as in "
     "SQL."},
    {"cluster.NAME.table", "kind", "sharded, reference or local", "sharded",
     "Rows by key, the same rows on every shard, or all rows on one shard."},
    {"cluster.NAME.table", "placement", "placement", "", "`sharded`: where rows live. Required."},
    {"cluster.NAME.table", "key", "list of columns", "",
     "`sharded`: one column for each level of the placement, outermost first. Required."},
    {"cluster.NAME.table", "shard", "shard", "", "`local`: where the table lives. Required."},
    {"cluster.NAME.table", "local_constraints", "boolean", "false",
     "`sharded`: accept unique constraints and foreign keys that hold on each shard only."},
    {"cluster.NAME.table", "triggers", "shard", "",
     "`\"shard\"`: triggers, rules and row policies of the table read only rows of their own shard."},
    {"cluster.NAME.table", "ids", "unique_id", "",
     "`sharded`, `\"unique_id\"`: generated ids come from `pgweir.unique_id()`, not from sequences."},

    {"cluster.NAME.function", "name", "SQL name", "required", "`schema.function`; schema `public` when not given."},
    {"cluster.NAME.function", "reads", "none or shard", "none",
     "`none`: reads no tables; `shard`: only rows of the shard it runs on, as intended."},
};

}  // namespace

std::span<const SectionInfo> reference_sections() { return kSections; }
std::span<const KeyInfo> reference_keys() { return kKeys; }

}  // namespace pgweir::config
