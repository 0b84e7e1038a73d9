#include "plan_fixture.h"

#include <sstream>

namespace pgweir::routing {
namespace {

using config::Branch;
using config::TableKind;

Oid type_of(const std::string& name) {
  static const std::unordered_map<std::string, Oid> types{
      {"uuid", 2950},    {"text", 25},     {"int4", 23},     {"int8", 20},    {"timestamptz", 1184},
      {"numeric", 1700}, {"bool", 16},     {"date", 1082},   {"jsonb", 3802}, {"float8", 701},
      {"bytea", 17},     {"bpchar", 1042}, {"varchar", 1043}};
  return types.at(name);
}

// "name type [nn] [c] [default:...] [volatile] [nextval] [identity]"; c: C collation.
CatalogColumn column(const std::string& definition) {
  std::istringstream in(definition);
  CatalogColumn c;
  std::string type, word;
  in >> c.name >> type;
  c.type = type_of(type);
  if (c.type == 25 || c.type == 1042 || c.type == 1043) c.collation = 100;
  while (in >> word) {
    if (word == "nn") c.not_null = true;
    if (word == "c") c.collation = 950;
    if (word == "volatile") c.default_volatile = c.has_default = true;
    if (word == "nextval") c.default_nextval = c.default_volatile = c.has_default = true;
    if (word == "identity") c.identity = true;
    if (word.rfind("default:", 0) == 0) {
      c.has_default = true;
      c.default_text = word.substr(8);
    }
  }
  return c;
}

void add_table(Catalog& catalog, const std::string& name, std::initializer_list<const char*> columns,
               std::vector<std::string> unique = {}, char kind = 'r') {
  CatalogTable t;
  t.schema = "public";
  t.name = name;
  t.oid = static_cast<Oid>(20000 + catalog.tables.size());
  t.kind = kind;
  for (const char* c : columns) t.columns.push_back(column(c));
  if (!unique.empty()) catalog.index_tables["public." + name + "_key"] = "public." + name;
  if (!unique.empty()) t.unique_indexes.push_back({name + "_key", unique, false, false});
  t.present_on = {ShardId{0}, ShardId{1}, ShardId{2}};
  catalog.table_index["public." + name] = catalog.tables.size();
  catalog.tables.push_back(std::move(t));
}

void add_function(Catalog& catalog, const std::string& name, std::size_t arguments, char kind, char volatility,
                  const std::string& schema = "pg_catalog") {
  CatalogFunction f;
  f.schema = schema;
  f.name = name;
  f.oid = static_cast<Oid>(schema == "pg_catalog" ? 100 : 17000) + static_cast<Oid>(catalog.functions.size());
  f.argument_types.assign(arguments, 25);
  f.kind = kind;
  f.volatility = volatility;
  f.built_in = schema == "pg_catalog";
  f.returns_set = name == "generate_series" || name == "unnest";
  catalog.function_index.emplace(name, catalog.functions.size());
  catalog.functions.push_back(std::move(f));
}

void add_functions(Catalog& catalog) {
  add_function(catalog, "count", 0, 'a', 'i');
  for (const char* name : {"count", "sum", "min", "max", "avg", "array_agg", "bool_and", "stddev"})
    add_function(catalog, name, 1, 'a', 'i');
  add_function(catalog, "string_agg", 2, 'a', 'i');
  for (const char* name : {"row_number", "rank"}) add_function(catalog, name, 0, 'w', 'i');
  for (const char* name : {"lower", "upper", "length", "abs", "round", "md5", "unnest"})
    add_function(catalog, name, 1, 'f', 'i');
  for (const char* name : {"date_trunc", "date_part", "mod", "power", "generate_series"})
    add_function(catalog, name, 2, 'f', 'i');
  for (const char* name :
       {"now", "transaction_timestamp", "statement_timestamp", "version", "txid_current_if_assigned"})
    add_function(catalog, name, 0, 'f', 's');
  for (const char* name : {"random", "gen_random_uuid", "clock_timestamp", "pg_backend_pid", "txid_current", "lastval"})
    add_function(catalog, name, 0, 'f', 'v');
  for (const char* name : {"nextval", "currval", "pg_advisory_lock", "pg_advisory_xact_lock", "pg_sleep", "lo_create"})
    add_function(catalog, name, 1, 'f', 'v');
  for (const char* name : {"set_config", "pg_notify"}) add_function(catalog, name, name[0] == 's' ? 3 : 2, 'f', 'v');
  add_function(catalog, "query_to_xml", 4, 'f', 'v');
  add_function(catalog, "to_char", 2, 'f', 's');
  add_function(catalog, "pg_get_viewdef", 1, 'f', 's');
  add_function(catalog, "my_pure", 1, 'f', 'i', "public");
  add_function(catalog, "my_reader", 1, 'f', 's', "public");
  add_function(catalog, "my_unknown", 1, 'f', 'v', "public");
}

config::Placement hash(const char* name, config::KeyType type, std::vector<std::string> shards) {
  config::Placement p;
  p.name = name;
  p.key_type = type;
  const unsigned run = 1024 / static_cast<unsigned>(shards.size());
  for (unsigned i = 0; i < shards.size(); ++i)
    p.bucket_map.push_back({i * run, i + 1 == shards.size() ? 1023 : (i + 1) * run - 1, Branch{shards[i], {}}});
  return p;
}

config::Table table(const char* name, TableKind kind, const char* placement, std::vector<std::string> key,
                    const char* shard = "") {
  config::Table t;
  t.schema = "public";
  t.name = name;
  t.kind = kind;
  t.placement = placement;
  t.key = std::move(key);
  t.shard = shard;
  return t;
}

void configure(config::Cluster& c) {
  c.name = c.database = "fediflow";
  for (const char* name : {"eu1", "us1", "archive"}) {
    config::Shard s;
    s.name = name;
    c.shards.push_back(s);
  }
  c.home = c.catalog_shard = "eu1";
  c.placements.push_back(hash("by_tenant", config::KeyType::Uuid, {"eu1", "us1"}));
  c.placements.push_back(hash("by_number", config::KeyType::BigInt, {"eu1", "us1", "archive"}));
  config::Placement region;
  region.name = "by_region";
  region.type = config::PlacementType::List;
  region.key_type = config::KeyType::Text;
  region.entries = {{"eu", {"eu1", ""}}, {"us", {"us1", ""}}, {"old", {"archive", ""}}};
  c.placements.push_back(region);
  config::Placement time;
  time.name = "by_time";
  time.type = config::PlacementType::Range;
  time.key_type = config::KeyType::TimestampTz;
  time.ranges = {{std::nullopt, "2025-01-01", {"archive", ""}}, {"2025-01-01", std::nullopt, {"", "by_tenant"}}};
  c.placements.push_back(time);
  for (const char* name : {"users", "courses", "enrollments", "federation_identities", "counters"})
    c.tables.push_back(table(name, TableKind::Sharded, "by_tenant", {"tenant_id"}));
  c.tables.push_back(table("activities", TableKind::Sharded, "by_time", {"published_at", "tenant_id"}));
  c.tables.push_back(table("content", TableKind::Sharded, "by_region", {"region"}));
  for (const char* name : {"orders", "items", "ser", "drifted", "triggered"})
    c.tables.push_back(table(name, TableKind::Sharded, "by_number", {"k"}));
  c.tables.push_back(table("tenants", TableKind::Reference, "", {}));
  c.tables.push_back(table("jobs", TableKind::Local, "", {}, "eu1"));
  c.tables.push_back(table("audit", TableKind::Local, "", {}, "us1"));
  c.tables.push_back(table("not_created", TableKind::Sharded, "by_number", {"k"}));
  c.functions = {{"public", "my_pure", config::FunctionReads::None},
                 {"public", "my_reader", config::FunctionReads::Shard}};
}

void fill(Catalog& c) {
  c.loaded = true;
  c.schemas = {"public", "pg_catalog"};
  c.collation_is_c = {{950, true}};
  c.collation_deterministic = {{950, true}, {100, true}};
  add_table(c, "users",
            {"id int8 nn", "tenant_id uuid nn", "name text", "email text c", "age int4", "balance numeric",
             "created_at timestamptz default:now() volatile"},
            {"tenant_id", "id"});
  add_table(c, "courses", {"id int8 nn", "tenant_id uuid nn", "title text"}, {"tenant_id", "id"});
  add_table(c, "enrollments", {"tenant_id uuid nn", "user_id int8", "course_id int8", "at timestamptz"},
            {"tenant_id", "user_id", "course_id"});
  add_table(c, "federation_identities", {"tenant_id uuid nn", "user_id int8", "handle text c"}, {"handle"});
  add_table(c, "counters", {"id int8 nextval", "tenant_id uuid nn", "n int8"});
  add_table(c, "activities",
            {"id uuid", "tenant_id uuid nn", "published_at timestamptz nn default:now() volatile", "kind text c",
             "score float8"});
  add_table(c, "content", {"id int8", "region text nn", "title text", "size int8"});
  add_table(c, "orders", {"k int8 nn", "id int4 nn", "total numeric", "note text", "at timestamptz", "flag bool"},
            {"k", "id"});
  add_table(c, "ser", {"k int8 nn", "n int8 nextval", "note text"});
  add_table(c, "items", {"k int8 nn", "order_id int4", "sku text c", "qty int4"});
  add_table(c, "drifted", {"k int8", "a int4"});
  c.tables.back().drifted = true;
  add_table(c, "triggered", {"k int8", "a int4"});
  c.tables.back().has_user_triggers = true;
  add_table(c, "tenants", {"id uuid nn", "name text", "plan text c", "created_at timestamptz default:now() volatile"},
            {"id"});
  add_table(c, "jobs", {"id int8 nextval", "state text", "payload jsonb"});
  add_table(c, "audit", {"id int8", "what text"});
  add_table(c, "stray", {"id int8", "what text"});
  add_table(c, "a_view", {"id int8"}, {}, 'v');
  add_table(c, "a_sequence", {"last_value int8"}, {}, 'S');
  CatalogType color;
  color.schema = "public";
  color.name = "color";
  color.oid = 18000;
  color.type = 'e';
  c.types[color.oid] = color;
  add_functions(c);
  c.operators = {{"public", "~~~"}, {"public", "@@@@"}};
  c.session_code.read = {"public.a_view"};
  c.session_code.written = {"public.checked"};
  c.session_code.types = {"email"};
  c.session_code.operators = {"@@@@"};
  add_table(c, "checked", {"id int8", "mail text"});
}

std::string names(const ClusterRouting& cluster, const ShardSet& shards) {
  std::string out;
  for (const ShardId s : shards) out += (out.empty() ? "" : ",") + cluster.cluster->shards[s.value].name;
  return out;
}

std::string merge_text(const MergePlan& m) {
  static const char* kKinds[] = {"concat", "ordered", "group", "first"};
  static const char* kFunctions[] = {"count", "sum", "min", "max", "avg"};
  std::ostringstream out;
  out << ' ' << kKinds[static_cast<int>(m.kind)];
  if (m.hidden > 0) out << " hidden=" << m.hidden;
  if (!m.group_by.empty()) {
    out << " by=";
    for (std::size_t i = 0; i < m.group_by.size(); ++i) out << (i ? "," : "") << m.group_by[i];
  }
  for (const auto& a : m.aggregates) {
    out << ' ' << kFunctions[static_cast<int>(a.function)] << '(' << a.first;
    if (a.function == AggregateFunction::Avg) out << ',' << a.second;
    out << ")@" << a.visible << (a.bytewise_text ? "b" : "");
  }
  if (m.global_aggregate) out << " global";
  for (const auto& k : m.order) {
    out << ' ' << (k.source == MergeKey::Source::Hidden ? 'h' : 'a') << k.index << (k.descending ? " desc" : " asc")
        << (k.nulls_first ? " nf" : " nl") << (k.bytewise_text ? " b" : "");
  }
  if (m.limit >= 0) out << " limit=" << m.limit;
  if (m.offset > 0) out << " offset=" << m.offset;
  return out.str();
}

}  // namespace

std::shared_ptr<const ClusterRouting> fediflow() {
  auto config = std::make_shared<config::Config>();
  config->clusters.emplace_back();
  configure(config->clusters.back());
  auto catalog = std::make_shared<Catalog>();
  fill(*catalog);
  auto made = ClusterRouting::make(config, config->clusters.back(), catalog, 1);
  if (!made.ok()) throw std::runtime_error(made.error().message);
  return *made;
}

std::shared_ptr<const ClusterRouting> plain_cluster() {
  auto config = std::make_shared<config::Config>();
  config->clusters.emplace_back();
  config::Cluster& c = config->clusters.back();
  c.name = c.database = c.home = "app";
  config::Shard s;
  s.name = "only";
  s.replicas.emplace_back();
  c.shards.push_back(s);
  c.home = "only";
  auto catalog = std::make_shared<Catalog>();
  fill(*catalog);
  auto made = ClusterRouting::make(config, c, catalog, 2);
  if (!made.ok()) throw std::runtime_error(made.error().message);
  return *made;
}

std::string print(const ClusterRouting& cluster, const Result<Route>& result) {
  if (!result.ok())
    return "error " + result.error().sqlstate + (result.error().reason.empty() ? "" : " " + result.error().reason);
  const Route& r = *result;
  static const char* kKinds[] = {"one", "scatter", "broadcast", "split", "copyin", "copyout", "local"};
  std::string out = r.any_shard ? "any" : kKinds[static_cast<int>(r.kind)];
  if (r.kind == Route::Kind::Local) {
    static const char* kLocal[] = {"set", "reset", "show", "explain-route"};
    return out + " " + kLocal[static_cast<int>(r.local.kind)] + (r.local.name.empty() ? "" : " " + r.local.name) +
           (r.local.kind == LocalAction::Kind::SetHint ? "=" + r.local.value : "");
  }
  out += " " + names(cluster, r.shards);
  if (r.role == Role::Replica) out += " replica";
  if (r.write) out += " write";
  if (r.ddl) out += " ddl";
  for (const auto& s : r.statements) {
    out += " " + cluster.cluster->shards[s.shard.value].name + "[";
    for (std::size_t i = 0; i < s.row_numbers.size(); ++i) out += (i ? "," : "") + std::to_string(s.row_numbers[i]);
    out += "]";
  }
  if (r.merge) out += merge_text(*r.merge);
  if (r.returning) out += r.returning_in_values_order ? " returning-ordered" : " returning";
  for (const auto& l : r.reference_locks) out += " lock=" + l;
  if (r.no_transaction_block) out += " no-block";
  return out;
}

}  // namespace pgweir::routing
