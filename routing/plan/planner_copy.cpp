// COPY: which rows or files go where, and how the input must be read.
#include <algorithm>

#include "routing/copy/copy_plan.h"
#include "routing/plan/planner.h"
#include "routing/plan/refusal.h"

namespace pgweir::routing {
namespace {

using sql::Option;

bool truthy(const Option& o) { return !o.has_argument || o.text == "true" || o.text == "on" || o.text == "1"; }

std::vector<bool> positions(const Option& o, const std::vector<std::string>& columns) {
  std::vector<bool> set(columns.size(), o.star);
  for (const auto& name : o.list) {
    const auto at = std::find(columns.begin(), columns.end(), name);
    if (at != columns.end()) set[static_cast<std::size_t>(at - columns.begin())] = true;
  }
  return set;
}

std::optional<char> one_byte(const std::string& text) {
  return text.size() == 1 ? std::optional<char>(text[0]) : std::nullopt;
}

// nullopt: an option that is not known, or has a value PostgreSQL would refuse.
std::optional<CopyOptions> read_options(const std::vector<Option>& options, const std::vector<std::string>& columns) {
  CopyOptions out;
  for (const Option& o : options) {
    if (o.name != "format") continue;
    if (o.text == "csv")
      out = CopyOptions::csv();
    else if (o.text == "binary")
      out = CopyOptions::binary();
    else if (o.text != "text")
      return std::nullopt;
  }
  bool escape_given = false;
  for (const Option& o : options) {
    if (o.name == "format" || o.name == "freeze" || o.name == "force_quote") continue;
    if (o.opaque) return std::nullopt;
    if (o.name == "delimiter" || o.name == "quote" || o.name == "escape") {
      const auto c = one_byte(o.text);
      if (!c) return std::nullopt;
      (o.name == "delimiter" ? out.delimiter : o.name == "quote" ? out.quote : out.escape) = *c;
      escape_given |= o.name == "escape";
    } else if (o.name == "null") {
      out.null_string = o.text;
    } else if (o.name == "header") {
      out.header = o.text == "match" ? CopyHeader::Match : truthy(o) ? CopyHeader::Skip : CopyHeader::None;
    } else if (o.name == "force_null") {
      out.force_null = positions(o, columns);
    } else if (o.name == "force_not_null") {
      out.force_not_null = positions(o, columns);
    } else {
      return std::nullopt;  // encoding, default, and whatever comes later
    }
  }
  if (!escape_given) out.escape = out.quote;
  return out;
}

std::string name_list(const std::vector<std::string>& names) {
  std::string out;
  for (const auto& n : names) out += (out.empty() ? "" : ", ") + sql::quote_identifier(n);
  return out;
}

std::string forced(const char* option, const std::vector<bool>& set, const std::vector<std::string>& columns) {
  std::vector<std::string> names;
  for (std::size_t i = 0; i < set.size(); ++i) {
    if (set[i]) names.push_back(columns[i]);
  }
  return names.empty() ? "" : std::string(", ") + option + " (" + name_list(names) + ")";
}

std::string option_text(const CopyOptions& o, const std::vector<std::string>& columns, bool header) {
  if (o.format == CopyFormat::Binary) return "FORMAT binary";
  const auto character = [](char c) { return sql::quote_literal(std::string_view(&c, 1)); };
  std::string text = o.format == CopyFormat::Csv ? "FORMAT csv" : "FORMAT text";
  text += ", DELIMITER " + character(o.delimiter) + ", NULL " + sql::quote_literal(o.null_string);
  if (o.format == CopyFormat::Csv) {
    text += ", QUOTE " + character(o.quote) + ", ESCAPE " + character(o.escape) +
            forced("FORCE_NULL", o.force_null, columns) + forced("FORCE_NOT_NULL", o.force_not_null, columns);
  }
  if (header && o.header != CopyHeader::None)
    text += o.header == CopyHeader::Match ? ", HEADER match" : ", HEADER true";
  return text;
}

}  // namespace

void Planner::copy(const sql::Statement& s) {
  plan_->write = s.from;
  if (s.file || s.program) {
    plan_->refusal = refuse(reason::kCopy, "COPY with a file or program of the server",
                            "Use COPY ... FROM STDIN or TO STDOUT (\\copy in psql).");
    return;
  }
  if (s.inner) {
    statement_ = s.inner.get();
    query(*s.inner);
    plan_->single_splices.clear();
    plan_->nows.clear();
    const SqlError refusal = refuse(reason::kCopy, "COPY of a query that runs on several shards",
                                    "Copy the table itself, or " + narrow_hint());
    if (!plan_->reference_table.empty()) plan_->refusal = refusal;
    plan_->multi.reset();
    plan_->multi_refusal = refusal;
    if (plan_->insert) {
      plan_->insert->may_split = false;
      plan_->insert->split_refusal = refusal;
    }
    return;
  }
  if (s.relations.front().schema.empty()) plan_->unqualified.push_back(s.relations.front().name);
  auto r = binder_.lookup(s.relations.front());
  if (!r.ok()) {
    plan_->refusal = r.error();
    return;
  }
  if (r->kind == RelationKind::Local || r->kind == RelationKind::Home) {
    plan_->allowed = ShardSet::single(r->shard);
    return;
  }
  copy_table(s, *r);
}

// Every column is named: their order may differ between the shards.
void Planner::copy_out(const sql::Statement& s, const BoundRelation& r, std::shared_ptr<CopyPlan> plan,
                       const std::string& table) {
  Route route;
  const bool reference = r.kind == RelationKind::Reference;
  route.kind = reference ? Route::Kind::OneShard : Route::Kind::CopyOut;
  route.shards = reference ? ShardSet::all(cluster_.cluster->shards.size()) : r.entry->placement->reach();
  route.any_shard = reference;
  const bool force_quote =
      std::any_of(s.options.begin(), s.options.end(), [](const auto& o) { return o.name == "force_quote"; });
  if (!force_quote && !reference)
    route.pushed_sql = "COPY " + table + " TO STDOUT WITH (" + option_text(plan->options, plan->columns, true) + ")";
  if (route.shards.size() == 1) route.kind = Route::Kind::OneShard;
  route.copy = std::move(plan);
  plan_->fixed = std::move(route);
}

// Defaults of columns that the rows do not give.
Planner::Failure Planner::copy_defaults(const BoundRelation& r, const std::vector<std::string>& columns) const {
  for (const auto& c : r.table->columns) {
    const bool given = std::find(columns.begin(), columns.end(), c.name) != columns.end();
    const bool ids =
        r.kind == RelationKind::Sharded && (r.entry->table->local_constraints || r.entry->table->ids == "unique_id");
    if (given || c.generated) continue;
    if ((c.default_nextval || c.identity) && !ids)
      return Failure(refuse(reason::kIdentity, "the default of column " + c.name + " counts on each shard by itself",
                            "Copy values for the column."));
    if (c.default_volatile && !(r.kind == RelationKind::Sharded && c.default_text == "gen_random_uuid()") &&
        !(c.default_nextval && ids)) {
      return Failure(refuse(reason::kNodeDependent, "the default of column " + c.name + " is computed on each shard",
                            "Copy values for the column."));
    }
  }
  return std::nullopt;
}

void Planner::copy_table(const sql::Statement& s, const BoundRelation& r) {
  const auto fail = [&](SqlError e) { plan_->refusal = std::move(e); };
  auto plan = std::make_shared<CopyPlan>();
  plan->table = r.name;
  plan->columns = s.columns;
  if (plan->columns.empty()) {
    for (const auto& c : r.table->columns) {
      if (!c.generated) plan->columns.push_back(c.name);
    }
  }
  for (const auto& name : plan->columns) {
    if (r.table->find_column(name) == nullptr)
      return fail({"42703", "column \"" + name + "\" of relation \"" + r.name + "\" does not exist", {}, {}, {}, {}});
  }
  const auto options = read_options(s.options, plan->columns);
  if (!options || s.where)
    return fail(refuse(reason::kCopy, "an option of this COPY is not known to the router",
                       "Use FORMAT, DELIMITER, NULL, HEADER, QUOTE, ESCAPE, FORCE_NULL and FORCE_NOT_NULL."));
  plan->options = *options;
  const std::string table =
      sql::quote_identifier(r.schema) + "." + sql::quote_identifier(r.name) + " (" + name_list(plan->columns) + ")";
  Route route;
  route.write = s.from;
  if (!s.from) return copy_out(s, r, std::move(plan), table);
  if (auto f = triggers(r)) return fail(*f);
  if (auto f = table_constraints(r, {})) return fail(*f);
  if (auto f = copy_defaults(r, plan->columns)) return fail(*f);
  route.kind = Route::Kind::CopyIn;
  plan->shard_statement = "COPY " + table + " FROM STDIN WITH (" + option_text(*options, plan->columns, false) + ")";
  if (r.kind == RelationKind::Reference) {
    route.shards = ShardSet::all(cluster_.cluster->shards.size());
    route.pushed_sql = "COPY " + table + " FROM STDIN WITH (" + option_text(*options, plan->columns, true) + ")";
    route.count = Route::Count::First;
    route.reference_locks.push_back(r.schema + "." + r.name);
    plan_->fixed = std::move(route);
    return;
  }
  for (std::size_t i = 0; i < r.entry->placement->levels(); ++i) {
    const auto index = key_column_index(r, i);
    const KeyColumn key = index ? key_column(r, i, *index) : KeyColumn{};
    const auto at = index ? std::find(plan->columns.begin(), plan->columns.end(), r.table->columns[*index].name)
                          : plan->columns.end();
    if (at == plan->columns.end())
      return fail(refuse(reason::kKeyMissing, "the rows of this COPY have no value for every key column of " + r.name,
                         "Name all key columns."));
    if (!key_type_fits(key.type, key.oid))
      return fail(refuse(reason::kKeyType, "a key column of " + r.name + " is not of the placement's key type",
                         "Correct key_type in the configuration."));
    plan->key.push_back({static_cast<std::size_t>(at - plan->columns.begin()), key.oid, key.typmod});
  }
  plan->placement = r.entry->placement;
  route.shards = r.entry->placement->reach();
  route.copy = std::move(plan);
  plan_->fixed = std::move(route);
}

}  // namespace pgweir::routing
