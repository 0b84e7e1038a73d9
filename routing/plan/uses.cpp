#include "routing/plan/uses.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <chrono>
#include <cstdio>

#include "routing/plan/clause_ranges.h"
#include "routing/plan/functions.h"
#include "routing/plan/refusal.h"
#include "routing/sql/walk.h"

namespace pgweir::routing {
namespace {

using sql::Expr;
using sql::ExprKind;

template <std::size_t N>
bool one_of(std::string_view name, const std::array<std::string_view, N>& list) {
  for (const auto item : list) {
    if (item == name) return true;
  }
  return false;
}

std::string lower(std::string_view s) {
  std::string out;
  for (const char c : s) out += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return out;
}

// 'now', 'today' and the like are read when the statement runs, on each node by its own clock.
bool clock_word(std::string_view text) {
  const std::size_t first = text.find_first_not_of(" \t\n");
  if (first == std::string_view::npos || text.size() > 40) return false;
  const std::string word = lower(text.substr(first));
  for (const std::string_view w : {"now", "today", "tomorrow", "yesterday"}) {
    if (word.substr(0, w.size()) == w &&
        (word.size() == w.size() || !std::isalnum(static_cast<unsigned char>(word[w.size()]))))
      return true;
  }
  return false;
}

class Walker : public sql::Visitor {
 public:
  Walker(const ClusterRouting& cluster, const SearchPath& path, Uses& uses)
      : cluster_(cluster), path_(path), uses_(uses) {}

  void on_expr(const Expr& e) override {
    switch (e.kind) {
      case ExprKind::Call:
        call(e);
        break;
      case ExprKind::Operator:
        operation(e.names);
        break;
      case ExprKind::SubLink:
        if (!e.names.empty()) operation(e.names);
        break;
      case ExprKind::SqlValue:
        if (e.value <= sql::SqlValueForm::LocalTimestamp) uses_.nows.push_back(&e);
        break;
      case ExprKind::Column:
        column(e);
        break;
      case ExprKind::Cast:
        cast(e);
        break;
      case ExprKind::String:
        if (clock_word(e.text)) depends("the literal '" + e.text + "' may be read by each node's clock");
        break;
      case ExprKind::Parameter: {
        const auto n = static_cast<std::size_t>(std::max(e.number, 0));
        if (n < 65536 && uses_.parameter_uses.size() <= n) uses_.parameter_uses.resize(n + 1);
        if (n < uses_.parameter_uses.size()) ++uses_.parameter_uses[n];
        break;
      }
      default:
        break;
    }
  }

 private:
  void refuse_with(SqlError error) {
    if (!uses_.refusal) uses_.refusal = std::move(error);
  }
  void depends(std::string why, const char* code = reason::kNodeDependent) {
    if (!uses_.node_dependent)
      uses_.node_dependent = refuse(code, why + ", and this statement runs on several shards", narrow_hint());
  }

  void call(const Expr& e) {
    const FunctionFacts f = function_facts(cluster_, path_, e);
    using Known = FunctionFacts::Known;
    if (f.known == Known::Missing) {
      refuse_with(refuse(reason::kFunctionMissing, "function " + e.name() + " does not exist with these arguments",
                         "No function of this name is in the catalog that pgweir has read.", "42883"));
    } else if (f.known == Known::Undeclared) {
      refuse_with(refuse(reason::kFunction, "function " + e.name() + " may read tables of other shards",
                         "Declare it: [[cluster." + cluster_.cluster->name + ".function]] name = \"" + e.name() +
                             "\", reads = \"none\" or \"shard\"."));
    } else if (f.reads_tables) {
      refuse_with(refuse(reason::kFunctionReads,
                         "function " + e.name() + " runs SQL given as text, which would see one shard's rows only",
                         "Send that SQL as a statement of its own."));
    }
    if (f.home && uses_.home_function.empty()) uses_.home_function = e.name();
    uses_.reads_shard |= f.reads_shard;
    uses_.aggregates |= f.aggregate && !e.call->over;
    if (f.now) uses_.nows.push_back(&e);
    if (f.per_row) uses_.per_row.push_back(&e);
    if (f.node_dependent) depends("function " + e.name() + " gives another value on each node");
    if (f.reads_shard) depends("function " + e.name() + " reads the tables of one shard", reason::kFunction);
  }

  // A user-defined operator may run any function. The six comparison operators are left out: with a pg_catalog type on
  // either side PostgreSQL takes its own, exact match first.
  void operation(const std::vector<std::string>& names) {
    static constexpr std::array<std::string_view, 6> kComparisons{"=", "<>", "<", "<=", ">", ">="};
    const std::string& name = names.back();
    const bool qualified = names.size() > 1;
    if (qualified && names.front() == "pg_catalog") return;
    bool user = qualified;
    if (!qualified && (!one_of(name, kComparisons) || !path_.catalog_first)) {
      for (const auto& op : cluster_.catalog->operators) user |= op.name == name;
    }
    if (user) {
      refuse_with(refuse(reason::kOperator,
                         "operator " + name + " may be a user-defined one, which may read tables of other shards",
                         "Write OPERATOR(pg_catalog." + name + ") if PostgreSQL's own is meant."));
    }
  }

  void column(const Expr& e) {
    static constexpr std::array<std::string_view, 6> kSystem{"ctid", "xmin", "xmax", "cmin", "cmax", "tableoid"};
    if (!e.names.empty() && !e.star && one_of(e.name(), kSystem)) {
      depends("system column " + e.name() + " differs between the shards", reason::kSystemColumn);
    }
  }

  void cast(const Expr& e) {
    if (e.name().substr(0, 3) == "reg" && e.names.size() <= 2)
      depends("type " + e.name() + " shows objects by OIDs that differ between the shards");
  }

  const ClusterRouting& cluster_;
  const SearchPath& path_;
  Uses& uses_;
};

}  // namespace

Uses collect_uses(const ClusterRouting& cluster, const SearchPath& path, const sql::Statement& statement) {
  Uses uses;
  Walker walker(cluster, path, uses);
  sql::walk(statement, walker);
  return uses;
}

std::optional<NowUse> now_use(std::string_view text, const Expr& e, std::size_t end) {
  if (e.location < 0) return std::nullopt;
  NowUse use;
  use.begin = static_cast<std::size_t>(e.location);
  if (e.kind == ExprKind::Call) {
    const auto call = find_call(text, use.begin, end);
    if (!call) return std::nullopt;
    use.end = call->end;
    return use;
  }
  std::size_t word_end = use.begin;
  while (word_end < end && (std::isalnum(static_cast<unsigned char>(text[word_end])) || text[word_end] == '_'))
    ++word_end;
  use.end = word_end;
  if (e.number >= 0) {
    const std::size_t close = text.find(')', word_end);
    if (close == std::string_view::npos || close >= end) return std::nullopt;
    use.end = close + 1;
  }
  use.precision = e.number;
  switch (e.value) {
    case sql::SqlValueForm::Date:
      use.form = NowUse::Form::Date;
      break;
    case sql::SqlValueForm::Time:
      use.form = NowUse::Form::Time;
      break;
    case sql::SqlValueForm::Timestamp:
      use.form = NowUse::Form::TimestampTz;
      break;
    case sql::SqlValueForm::LocalTime:
      use.form = NowUse::Form::LocalTime;
      break;
    case sql::SqlValueForm::LocalTimestamp:
      use.form = NowUse::Form::Timestamp;
      break;
    default:
      return std::nullopt;
  }
  return use;
}

std::string column_label(const Expr& e) {
  static constexpr std::array<std::string_view, 5> kTimes{"current_date", "current_time", "current_timestamp",
                                                          "localtime", "localtimestamp"};
  switch (e.kind) {
    case ExprKind::Column:
      return e.star ? "" : e.name();
    case ExprKind::Call:
      return e.name();
    case ExprKind::Indirection:
      if (!e.names.empty()) return e.names.back();
      return column_label(*e.args.front());
    case ExprKind::Cast: {
      const std::string inner = column_label(*e.args.front());
      const ExprKind kind = e.args.front()->kind;
      return inner.empty() || inner == "?column?" || kind == ExprKind::Case ? e.name() : inner;
    }
    case ExprKind::Collate:
      return column_label(*e.args.front());
    case ExprKind::Coalesce:
      return "coalesce";
    case ExprKind::Extreme:
      return e.number == 1 ? "greatest" : "least";
    case ExprKind::Array:
      return "array";
    case ExprKind::Row:
      return "row";
    case ExprKind::Grouping:
      return "grouping";
    case ExprKind::Case: {
      if (e.args.back()) {
        const std::string inner = column_label(*e.args.back());
        if (e.args.back()->kind == ExprKind::Column || e.args.back()->kind == ExprKind::Call) return inner;
      }
      return "case";
    }
    case ExprKind::SqlValue:
      if (e.value <= sql::SqlValueForm::LocalTimestamp) return std::string(kTimes[static_cast<std::size_t>(e.value)]);
      return "current_user";
    case ExprKind::Operator:
      if (e.op == sql::OperatorForm::NullIf) return "nullif";
      return "?column?";
    case ExprKind::SubLink:
      if (e.sublink == sql::SubLinkForm::Exists) return "exists";
      if (e.sublink == sql::SubLinkForm::Array) return "array";
      return "?column?";
    default:
      return "?column?";
  }
}

std::string apply_splices(std::string_view text, std::size_t begin, std::size_t end, std::vector<Splice> splices) {
  std::stable_sort(splices.begin(), splices.end(), [](const Splice& a, const Splice& b) { return a.begin < b.begin; });
  std::string out;
  out.reserve(end - begin + 64 * splices.size());
  std::size_t at = begin;
  for (const Splice& s : splices) {
    if (s.begin < at || s.end > end) continue;  // inside a range that is cut out
    out.append(text.substr(at, s.begin - at));
    out += s.text;
    at = s.end;
  }
  out.append(text.substr(at, end - at));
  return out;
}

// \x01 cannot stand in a statement outside of a literal; where it does, nows() refuses.
std::string now_mark(std::size_t index) { return "\x01" + std::to_string(index) + "\x02"; }

std::string expand_marks(std::string text, const std::vector<NowUse>& nows, std::int64_t microseconds) {
  for (std::size_t i = 0; i < nows.size(); ++i) {
    const std::string mark = now_mark(i);
    NowUse unnamed = nows[i];
    unnamed.label.clear();
    for (std::size_t at = text.find(mark); at != std::string::npos; at = text.find(mark, at)) {
      text.replace(at, mark.size(), now_splice(unnamed, microseconds).text);
    }
  }
  return text;
}

Splice now_splice(const NowUse& use, std::int64_t microseconds) {
  // ISO with an offset is read alike under every DateStyle and TimeZone.
  using namespace std::chrono;
  const sys_days epoch = sys_days{year{2000} / 1 / 1};
  const auto since = std::chrono::microseconds{microseconds};
  const auto day = floor<days>(since);
  const year_month_day date{epoch + day};
  const auto rest = since - day;
  const auto h = duration_cast<hours>(rest);
  const auto m = duration_cast<minutes>(rest - h);
  const auto us = (rest - h - m).count();
  char value[96];
  std::snprintf(value, sizeof value, "'%04d-%02u-%02u %02d:%02d:%02d.%06d+00'::pg_catalog.timestamptz",
                static_cast<int>(date.year()), static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()),
                static_cast<int>(h.count()), static_cast<int>(m.count()), static_cast<int>(us / 1'000'000),
                static_cast<int>(us % 1'000'000));
  std::string sql = "(" + std::string(value) + ")";
  const std::string precision = use.precision >= 0 ? "(" + std::to_string(use.precision) + ")" : "";
  switch (use.form) {
    case NowUse::Form::TimestampTz:
      if (!precision.empty()) sql = "(" + sql + "::pg_catalog.timestamptz" + precision + ")";
      break;
    case NowUse::Form::Timestamp:
      sql = "(" + sql + "::timestamp" + precision + " without time zone)";
      break;
    case NowUse::Form::Date:
      sql = "(" + sql + "::pg_catalog.date)";
      break;
    case NowUse::Form::Time:
      sql = "(" + sql + "::time" + precision + " with time zone)";
      break;
    case NowUse::Form::LocalTime:
      sql = "(" + sql + "::time" + precision + " without time zone)";
      break;
  }
  return {use.begin, use.end, sql + use.label};
}

}  // namespace pgweir::routing
