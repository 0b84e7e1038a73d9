// The typed configuration tree. A Config is immutable once loaded and shared as a snapshot
// (std::shared_ptr<const Config>); every member has its documented default, so a default-constructed struct is a
// valid minimum. Durations are milliseconds (0 = none), sizes are bytes. Thread-safe to read from any thread.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "config/hba.h"

namespace pgweir::config {

using Duration = std::chrono::milliseconds;
using Bytes = std::uint64_t;

// "host:port", "[v6]:port" or "unix:/directory" (for servers: "unix:/directory:port").
struct Endpoint {
  std::string host;        // host name or address; the directory of a unix socket
  std::uint16_t port = 0;  // of a unix socket: the number in .s.PGSQL.<port>
  bool unix_socket = false;
  bool operator==(const Endpoint&) const = default;
  std::string to_string() const;
};

enum class TlsMode { Disable, Allow, Prefer, Require, VerifyCa, VerifyFull };
struct ClientTls {
  TlsMode mode = TlsMode::Disable;
  std::string cert, key, ca;
  bool operator==(const ClientTls&) const = default;
};
struct ServerTls {
  TlsMode mode = TlsMode::Prefer;
  std::string ca, cert, key;
  bool operator==(const ServerTls&) const = default;
};

struct Peer { unsigned node_id = 0; Endpoint address; bool operator==(const Peer&) const = default; };

struct Listen {
  std::vector<Endpoint> addresses;  // default: 127.0.0.1:6432
  unsigned workers = 0;             // 0: one per core
  unsigned max_clients = 10000;
  unsigned max_server_connections = 0;  // of all pools together; 0: no cap
  bool reuse_port = false;
  unsigned unix_socket_mode = 0777;     // permissions
  unsigned node_id = 0;             // 0-1023
  Duration client_login_timeout{60'000};
  Duration client_message_timeout{0};   // from the beginning of a message that must be held to its end
  unsigned max_unauthenticated = 1000;
  Bytes max_statement_size = 16u << 20;
  unsigned max_client_statements = 10'000;        // prepared, of one client
  Bytes max_client_statement_bytes = 32u << 20;   // ... with their names; where less than max_statement_size, that counts
  Bytes memory_budget = 1u << 30;   // all buffers of the process; beyond it new work is refused with 53200
  bool operator==(const Listen&) const = default;
};

struct Admin {
  std::string database = "pgweir";
  std::vector<std::string> users, stats_users;
  bool operator==(const Admin&) const = default;
};
struct Metrics { std::optional<Endpoint> address; bool operator==(const Metrics&) const = default; };

enum class LogLevel { Debug, Info, Warning, Error };
enum class LogFormat { Text, Json };
struct Log {
  LogLevel level = LogLevel::Info;
  LogFormat format = LogFormat::Text;
  bool operator==(const Log&) const = default;
};

enum class AuthMethod { Trust, Plain, Md5, ScramSha256, Cert, Hba };
struct Auth {
  AuthMethod method = AuthMethod::ScramSha256;
  std::string hba_file, query, query_user, query_database;
  Hba hba;  // what hba_file says, where method is Hba
  bool operator==(const Auth&) const = default;
};

// A password as configured, after env: and file: are resolved.
struct Secret {
  enum class Kind { None, Plain, Md5, Scram };
  Kind kind = Kind::None;
  std::string value;  // plain text, "md5..." or "SCRAM-SHA-256$..."; never printed
  bool operator==(const Secret&) const = default;
};

enum class PoolMode { Session, Transaction, Statement };
struct Pool {
  PoolMode mode = PoolMode::Transaction;
  unsigned size = 20, min_size = 0, reserve_size = 0;
  unsigned max_connections = 0;  // server connections of one user of a cluster over all its shards; 0: no cap
  Duration reserve_delay{5'000};  // how long somebody must wait before the reserve is opened
  Duration checkout_timeout{30'000};
  Duration server_connect_timeout{15'000};
  Duration server_idle_timeout{600'000};
  Duration server_lifetime{3'600'000};
  Duration checkout_notice{5'000};  // after so long a client that waits for a server connection is told so; 0: never
  Duration begin_defer_max{1'000};   // one shard: a BEGIN that waits for its first statement goes to the primary after this; 0: never
  Duration query_timeout{0};
  Duration transaction_timeout{0};
  Duration idle_in_transaction_timeout{0};
  Duration client_idle_timeout{0};
  unsigned max_prepared_statements = 200;  // per server connection
  unsigned max_pinned = 0;  // server connections that clients may keep beyond a transaction; 0: all but one, at least one
  bool cancel_on_disconnect = false;
  bool server_round_robin = false;  // the server connection that has been idle longest is used first
  bool operator==(const Pool&) const = default;
};

// Set members override [pool] and [cluster.NAME.pool].
struct PoolOverride {
  std::optional<PoolMode> mode;
  std::optional<unsigned> size, min_size, reserve_size, max_connections;
  std::optional<Duration> checkout_timeout, query_timeout, idle_in_transaction_timeout;
  bool operator==(const PoolOverride&) const = default;
};

struct User {
  std::string name;
  Secret password;
  std::string server_user;  // default: name
  Secret server_password;   // default: password
  PoolOverride pool;
  unsigned max_client_connections = 0;  // 0: no cap
  bool operator==(const User&) const = default;
};

enum class Reads { Primary, Replica };

struct Shard {
  std::string name, region, tier;
  Endpoint primary;
  std::vector<Endpoint> replicas;
  bool operator==(const Shard&) const = default;
};

// The most levels a placement may have (table keys have as many columns).
inline constexpr std::size_t kMaxPlacementLevels = 8;

// Where a placement level leads: a shard or a further level. Exactly one member is non-empty.
struct Branch { std::string shard, placement; bool operator==(const Branch&) const = default; };

enum class PlacementType { Hash, List, Range };
enum class KeyType { SmallInt, Int, BigInt, Uuid, Text, Bytea, Numeric, Date, Timestamp, TimestampTz, Bool };
enum class HashKind { Postgres, Xxh64 };

struct BucketRange {
  unsigned first = 0, last = 0;  // both inclusive
  Branch branch;
  bool operator==(const BucketRange&) const = default;
};
struct ListEntry { std::string value; Branch branch; bool operator==(const ListEntry&) const = default; };
struct RangeEntry {  // [from, to); an absent bound is open
  std::optional<std::string> from, to;
  Branch branch;
  bool operator==(const RangeEntry&) const = default;
};

struct Placement {
  std::string name;
  PlacementType type = PlacementType::Hash;
  KeyType key_type = KeyType::BigInt;
  // hash
  HashKind hash = HashKind::Postgres;
  unsigned buckets = 1024;
  std::vector<BucketRange> bucket_map;  // ascending, covers 0..buckets-1 without gap or overlap; `branches` expanded
  std::vector<ListEntry> pins;
  // list
  std::vector<ListEntry> entries;
  std::optional<Branch> default_branch;
  // range, ascending, no overlap
  std::vector<RangeEntry> ranges;
  bool operator==(const Placement&) const = default;
};

enum class TableKind { Sharded, Reference, Local };
struct Table {
  std::string schema, name;       // from "schema.name"; schema "public" when not given
  TableKind kind = TableKind::Sharded;
  std::string placement;          // Sharded
  std::vector<std::string> key;   // Sharded: one column per level, outermost first
  std::string shard;              // Local
  bool local_constraints = false; // accepts unique/foreign keys that hold per shard only
  bool local_triggers = false;    // triggers = "shard"
  std::string ids;                // "" or "unique_id"
  bool operator==(const Table&) const = default;
};

enum class FunctionReads { None, Shard };
struct Function {
  std::string schema, name;
  FunctionReads reads = FunctionReads::None;
  bool operator==(const Function&) const = default;
};

struct Cluster {
  std::string name, database;
  std::string home;                       // always set after loading
  std::optional<std::string> unlisted;
  std::string catalog_shard;              // whose OIDs clients see; default: home
  Reads reads = Reads::Primary;
  unsigned max_client_connections = 0, max_server_connections = 0;  // of all users together; 0: no cap
  // Also used for health and catalog; default: the server login of the first user with a plain server password, else of
  // the first without any. Empty when there is neither.
  std::string recovery_user;
  Secret recovery_password;
  // False: recovery_user is the default above, and prepared transactions are finished by their owner's own login.
  bool recovery_user_configured = false;
  std::vector<Shard> shards;              // never empty
  std::vector<Placement> placements;
  std::vector<Table> tables;
  std::vector<Function> functions;
  Pool pool;                              // [pool] with [cluster.NAME.pool] applied
  bool operator==(const Cluster&) const = default;
};

struct Config {
  std::string path;  // of the file it came from
  Listen listen;
  std::vector<Peer> peers;
  ClientTls tls_client;
  ServerTls tls_server;
  Admin admin;
  Metrics metrics;
  Log log;
  Auth auth;
  std::vector<User> users;
  Pool pool;
  std::vector<Cluster> clusters;  // never empty

  const Cluster* find_cluster(const std::string& name) const;
  const User* find_user(const std::string& name) const;
  bool operator==(const Config&) const = default;
};

// [pool] of the cluster with the user's overrides applied.
Pool effective_pool(const Cluster&, const User*);

}  // namespace pgweir::config
