// Commands about the session rather than about tables, and EXPLAIN.
#include "routing/plan/planner.h"
#include "routing/plan/refusal.h"

namespace pgweir::routing {
namespace {

using sql::Command;

constexpr std::string_view kPrefix = "pgweir.";

// What stands behind EXPLAIN (...).
std::string explained_text(std::string_view text, const sql::Statement& s) {
  const auto tokens = sql::tokenize(text, s.begin, s.end);
  if (!tokens) return {};
  for (const auto& t : *tokens) {
    if (t.depth == 0 && text[t.begin] == ')') return std::string(text.substr(t.end, s.end - t.end));
  }
  return {};
}

bool is_hint(const std::string& name) { return name.substr(0, kPrefix.size()) == kPrefix; }

}  // namespace

void Planner::to_session() {
  plan_->follows_session = true;
  Route route;
  route.shards = ShardSet::all(cluster_.cluster->shards.size());
  route.any_shard = true;
  route.explanation = "follows the session\n";
  plan_->fixed = std::move(route);
}

void Planner::to_home() {
  plan_->follows_session = true;
  Route route;
  route.shards = ShardSet::single(binder_.home());
  route.explanation = "home shard\n";
  plan_->fixed = std::move(route);
}

// SET, RESET and SHOW of pgweir.shard, pgweir.sharding_key and pgweir.role.
void Planner::set_hint(const sql::Statement& s) {
  const std::string name = s.name.substr(kPrefix.size());
  if (name != "shard" && name != "sharding_key" && name != "role") {
    plan_->refusal = refuse(reason::kHintUnknown, "unrecognized configuration parameter \"" + s.name + "\"",
                            "There are pgweir.shard, pgweir.sharding_key and pgweir.role.", "42704");
    return;
  }
  Route route;
  route.kind = Route::Kind::Local;
  route.local.name = name;
  const bool reset = s.set_form != sql::SetForm::Value;
  route.local.kind = s.command == Command::Show ? LocalAction::Kind::ShowHint
                     : reset                    ? LocalAction::Kind::ResetHint
                                                : LocalAction::Kind::SetHint;
  if (!s.values.empty()) route.local.value = s.values.front();
  route.local.transaction_local = s.local;
  if (route.local.kind == LocalAction::Kind::SetHint) {
    const std::string& value = route.local.value;
    if (name == "shard" && !value.empty() && !binder_.shard_named(value)) {
      plan_->refusal =
          refuse(reason::kHintUnknown, "cluster \"" + cluster_.cluster->name + "\" has no shard \"" + value + "\"",
                 "SHOW SHARDS on the console lists them.", "22023");
      return;
    }
    if (name == "role" && !value.empty() && value != "primary" && value != "replica") {
      plan_->refusal = refuse(reason::kHintUnknown, "invalid value for parameter \"pgweir.role\": \"" + value + "\"",
                              "It is primary or replica.", "22023");
      return;
    }
  }
  plan_->fixed = std::move(route);
}

void Planner::transaction_command(const sql::Statement& s) {
  using Verb = sql::TransactionVerb;
  const bool two_phase = s.verb == Verb::Prepare || s.verb == Verb::CommitPrepared || s.verb == Verb::RollbackPrepared;
  if (!two_phase || cluster_.cluster->shards.size() == 1) return to_session();
  plan_->refusal = refuse(reason::kTwoPhase, "two-phase commit of the client's own does not span the shards",
                          "End the transaction with COMMIT: it is atomic over all shards.");
}

// True if the statement has been dealt with. These need no catalog.
bool Planner::session_command(const sql::Statement& s) {
  switch (s.command) {
    case Command::Set:
    case Command::Show:
      if (is_hint(s.name)) {
        set_hint(s);
      } else {
        to_session();
      }
      return true;
    case Command::Transaction:
      transaction_command(s);
      return true;
    case Command::Discard:
    case Command::Deallocate:
    case Command::Fetch:
    case Command::CloseCursor:
    case Command::SetConstraints:
      to_session();
      return true;
    case Command::Listen:
    case Command::Unlisten:
    case Command::Notify:
      to_home();
      return true;
    case Command::Prepare:
    case Command::Execute:
      plan_->refusal = refuse(reason::kPrepare, "SQL PREPARE and EXECUTE are not routed on a sharded cluster",
                              "Use the driver's prepared statements (the extended query protocol), which are.");
      return true;
    case Command::Do:
    case Command::Call:
      plan_->refusal = refuse(reason::kProcedure, "what a procedure or DO block does cannot be routed",
                              "Send its statements one by one.");
      return true;
    case Command::Load:
    case Command::Checkpoint:
      plan_->refusal = refuse(reason::kUtility, "this command is for one server, not for a sharded cluster",
                              "Run it on the shard's own address.");
      return true;
    case Command::Explain:
      for (const auto& option : s.options) {
        if (option.name != "route") continue;
        Route route;
        route.kind = Route::Kind::Local;
        route.local.kind = LocalAction::Kind::ExplainRoute;
        route.local.value = explained_text(text_, s);
        plan_->fixed = std::move(route);
        return true;
      }
      return false;
    default:
      return false;
  }
}

// The query's plan on one shard, with the outer statement's text. `multi` is the refusal for several.
void Planner::explain(const sql::Statement& s) {
  const bool cursor = s.command == Command::Declare;
  const SqlError multi = cursor ? refuse(reason::kCursor, "a cursor over several shards",
                                         "Use the query itself with a row limit, or " + narrow_hint())
                                : refuse(reason::kExplain, "EXPLAIN of a statement that runs on several shards",
                                         "EXPLAIN (ROUTE) shows its route and the SQL of each shard.");
  if (!s.inner || !(s.inner->select || s.inner->modify)) {
    plan_->refusal = multi;
    return;
  }
  statement_ = s.inner.get();
  query(*s.inner);
  plan_->single_splices.clear();
  plan_->nows.clear();
  plan_->returning = false;
  if (plan_->insert) {
    plan_->insert->may_split = false;
    plan_->insert->split_refusal = multi;
  }
  if (!plan_->reference_table.empty()) plan_->refusal = multi;
  plan_->multi.reset();
  plan_->multi_refusal = multi;
}

void Planner::utility(const sql::Statement& s) {
  switch (s.command) {
    case Command::Explain:
    case Command::Declare:
      explain(s);
      break;
    case Command::Copy:
      copy(s);
      break;
    case Command::Truncate:
      truncate(s);
      break;
    case Command::Vacuum:
    case Command::Reindex:
    case Command::Cluster:
    case Command::RefreshView:
      maintenance(s);
      break;
    case Command::Lock: {
      for (const auto& name : s.relations) {
        if (name.schema.empty()) plan_->unqualified.push_back(name.name);
        auto r = binder_.lookup(name);
        if (!r.ok()) {
          plan_->refusal = r.error();
          return;
        }
        if (r->kind == RelationKind::Sharded || r->kind == RelationKind::Reference) {
          plan_->refusal = refuse(reason::kLock, "LOCK TABLE of " + r->name + ", which is on several shards",
                                  "Use SELECT ... FOR UPDATE on the rows of one key.");
          return;
        }
        const ShardSet at = ShardSet::single(r->shard);
        if (plan_->allowed && *plan_->allowed != at) {
          plan_->refusal =
              refuse(reason::kTablesApart, "the tables to lock are on different shards", "Lock them one by one.");
          return;
        }
        plan_->allowed = at;
      }
      plan_->write = true;
      break;
    }
    case Command::CreateTableAs:
    case Command::Ddl:
      ddl(s);
      break;
    default:
      plan_->refusal = refuse(reason::kUtility, "this command is not routed on a sharded cluster",
                              "Run it on the shard's own address.");
  }
}

}  // namespace pgweir::routing
