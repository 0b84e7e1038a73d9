// INSERT: the shard of every row, and one statement per shard where they differ.
#include <algorithm>
#include <map>

#include "routing/plan/decide.h"
#include "routing/plan/refusal.h"
#include "routing/sql/token.h"

namespace pgweir::routing {
namespace {

using Rows = std::map<ShardId, std::vector<std::uint32_t>>;

// The shard of one row; nullopt: not known before the parameters are.
Result<std::optional<ShardId>> row_shard(const Decision& d, const InsertPlan& plan, const InsertRow& row,
                                         const TermInput& input) {
  std::vector<KeyValue> key;
  for (const Term& term : row.key) {
    TermValue value = term.evaluate_stored(input);
    switch (value.kind) {
      case TermValue::Kind::Value:
        key.push_back(std::move(*value.value));
        break;
      case TermValue::Kind::Error:
        return *value.error;
      case TermValue::Kind::Null:
        if (row.end == 0) {  // INSERT ... SELECT: there may be no row at all
          return refuse(reason::kKeyNull, "a key column of sharded table " + plan.table + " is null in this SELECT",
                        "Every row needs its key.");
        }
        return refuse(reason::kKeyNull, "a key column of sharded table " + plan.table + " is null",
                      "Every row needs its key.", "23502");
      case TermValue::Kind::None:
      case TermValue::Kind::Unknown:
        if (!input.parameters_known && term.parameter() > 0) return std::optional<ShardId>{};
        if (term.is_now()) {
          return refuse(reason::kNow,
                        "now() as a key inside a transaction block: which shard it means is known only there",
                        "Pass the time as a parameter.");
        }
        return refuse(reason::kKeyUnknown, "a key value for " + plan.table + " cannot be read without the server",
                      "Write it in ISO form, or pass it as a parameter of the column's type.");
    }
  }
  auto shard = plan.placement->shard_for(key);
  if (!shard.ok()) return shard.error();
  (void)d;
  return std::optional<ShardId>(*shard);
}

// Renumbers $n to the parameters that are left, in order of appearance.
void renumber(ShardStatement& s) {
  const auto tokens = sql::tokenize(s.sql, 0, s.sql.size());
  if (!tokens) return;
  std::string out;
  std::size_t at = 0;
  for (const auto& t : *tokens) {
    if (t.kind != sql::TokenKind::Parameter) continue;
    const auto number = static_cast<std::uint16_t>(std::strtoul(s.sql.c_str() + t.begin + 1, nullptr, 10) - 1);
    auto known = std::find(s.parameters.begin(), s.parameters.end(), number);
    if (known == s.parameters.end()) {
      s.parameters.push_back(number);
      known = s.parameters.end() - 1;
    }
    out.append(s.sql, at, t.begin - at);
    out += '$' + std::to_string(known - s.parameters.begin() + 1);
    at = t.end;
  }
  out.append(s.sql, at);
  s.sql = std::move(out);
}

ShardStatement shard_statement(const Decision& d, const InsertPlan& plan, ShardId shard,
                               const std::vector<std::uint32_t>& rows, const std::vector<Splice>& splices,
                               const std::string& now_values) {
  ShardStatement s;
  s.shard = shard;
  s.row_numbers = rows;
  s.sql = apply_splices(d.text, d.facts.begin, plan.rows.front().begin, splices);
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const InsertRow& row = plan.rows[rows[i]];
    if (i > 0) s.sql += ", ";
    s.sql += apply_splices(d.text, row.begin, row.end - 1, splices) + now_values + ")";
  }
  s.sql += apply_splices(d.text, plan.rows.back().end, d.facts.end, splices);
  renumber(s);
  return s;
}

Result<Route> split(const Decision& d, const InsertPlan& plan, const Rows& rows) {
  if (!plan.may_split || plan.split_refusal) {
    return plan.split_refusal ? *plan.split_refusal
                              : refuse(reason::kInsertSelect, "the rows of this INSERT belong to several shards",
                                       "Insert rows of one shard at a time.");
  }
  const bool now = !d.plan.nows.empty() || !plan.now_columns.empty();
  if (now && d.context.in_transaction) {
    return refuse(reason::kNow, "now() inside a transaction block would be another time on each shard",
                  "Pass the time as a parameter.");
  }
  Route route;
  route.kind = Route::Kind::Split;
  route.write = true;
  route.returning = plan.returning;
  route.returning_in_values_order = plan.returning_in_order;
  std::vector<Splice> splices = d.plan.single_splices;
  for (const NowUse& use : d.plan.nows) splices.push_back(now_splice(use, d.context.now_microseconds));
  std::string now_names, now_values;
  for (const auto& column : plan.now_columns) {
    now_names += ", " + sql::quote_identifier(column);
    now_values += ", " + now_splice({}, d.context.now_microseconds).text;
  }
  if (!now_names.empty()) splices.push_back({plan.columns_end, plan.columns_end, now_names});
  for (const auto& [shard, numbers] : rows) {
    route.shards.add(shard);
    route.statements.push_back(shard_statement(d, plan, shard, numbers, splices, now_values));
  }
  if (plan.returning) route.merge = std::make_shared<MergePlan>();
  return route;
}

}  // namespace

Result<Route> decide_insert(const Decision& d, const TermInput& input, const ShardSet& read,
                            std::optional<ShardId> hint) {
  const InsertPlan& plan = *d.plan.insert;
  Rows rows;
  bool unknown = false, now = false;
  for (std::size_t i = 0; i < plan.rows.size(); ++i) {
    auto shard = row_shard(d, plan, plan.rows[i], input);
    if (!shard.ok()) return shard.error();
    if (*shard) {
      rows[**shard].push_back(static_cast<std::uint32_t>(i));
    } else {
      unknown = true;
    }
    for (const Term& t : plan.rows[i].key) now |= t.is_now();
  }
  ShardSet shards = read;
  for (const auto& [shard, numbers] : rows) shards.add(shard);
  if (hint && (!shards.contains(*hint) || shards.size() > 1) && !unknown) {
    return refuse(reason::kHintContradicts,
                  "the hint names shard " + d.cluster.cluster->shards[hint->value].name + ", but the rows belong to " +
                      shard_names(d.cluster, shards),
                  "Correct or drop the hint.");
  }
  Route route;
  route.write = true;
  route.returning = plan.returning;
  if (unknown) {
    route.shards = plan.placement->reach();
    route.any_shard = route.shards.size() > 1;
    return route;
  }
  if (d.plan.allowed && !d.plan.allowed->contains_all(shards)) {
    return refuse(reason::kTablesApart,
                  "the rows of this INSERT belong to shard " + shard_names(d.cluster, shards) +
                      ", its other tables or functions to shard " + shard_names(d.cluster, *d.plan.allowed),
                  "Read the rows or the value first.");
  }
  if (shards.size() > 1) return split(d, plan, rows);
  std::vector<Splice> splices = d.plan.single_splices;
  if (now) {
    for (const NowUse& use : d.plan.nows) splices.push_back(now_splice(use, d.context.now_microseconds));
  }
  if (!splices.empty()) route.pushed_sql = apply_splices(d.text, d.facts.begin, d.facts.end, std::move(splices));
  route.shards = std::move(shards);
  return route;
}

}  // namespace pgweir::routing
