#include "proxy/control/recovery.h"

#include <algorithm>

#include "proxy/log/log.h"
#include "routing/plan/array_value.h"

namespace pgweir::control {
namespace {

using namespace std::chrono_literals;

constexpr auto kConnectBound = 2s;
constexpr auto kLookBound = 3s;
constexpr auto kFinishBound = 10s;
// A live coordinator finishes in far less; one that does not loses the race on the decision's row, harmlessly.
constexpr char kMinimumAge[] = "2 seconds";
constexpr char kStalledAge[] = "60 seconds";  // a coordinator that waits so long between decision and COMMIT is ended
constexpr char kCommitRowAge[] = "60 seconds";
constexpr char kAbortRowAge[] = "10 minutes";
constexpr char kBatch[] = "1000";
constexpr std::size_t kMaxComplaints = 1000;
constexpr unsigned kMaxBlocked = 3;  // waits for live coordinators on one shard, per pass

}  // namespace

Recovery::Recovery(asio::io_context& context, net::Resolver& resolver, std::shared_ptr<const config::Config> config,
                   const config::Cluster& cluster)
    : context_(context), config_(std::move(config)), cluster_(cluster) {
  for (std::size_t i = 0; i < cluster.shards.size(); ++i)
    sources_.push_back(std::make_unique<Source>(context, resolver));
}

std::optional<std::size_t> Recovery::shard_named(const std::string& name) const {
  for (std::size_t i = 0; i < cluster_.shards.size(); ++i)
    if (cluster_.shards[i].name == name) return i;
  return std::nullopt;
}

bool Recovery::complain(const std::string& about) {
  if (complained_.size() >= kMaxComplaints) complained_.clear();
  return complained_.insert(about).second;
}

Async<void> Recovery::list(std::size_t shard) {
  Source& source = *sources_[shard];
  source.listed = false;
  source.prepared.clear();
  const std::string sql = std::string("SELECT gid, owner, prepared < clock_timestamp() - interval '") + kMinimumAge +
                          "' FROM pg_prepared_xacts WHERE database = current_database() AND starts_with(gid, " +
                          sql_literal(gid_prefix(cluster_.name)) + ") ORDER BY prepared";
  const Reply reply = co_await source.connection.query(sql, kLookBound);
  if (!reply.ok() || reply.results.size() != 1) co_return;
  const RowSet& rows = reply.results[0];
  for (std::size_t i = 0; i < rows.rows(); ++i)
    if (auto parsed = parse_gid(rows.text(i, 0), cluster_.name))
      source.prepared.push_back({rows.text(i, 0), rows.text(i, 1), std::move(*parsed), rows.flag(i, 2)});
  source.listed = true;
}

Async<void> Recovery::look(std::size_t shard) {
  Source& source = *sources_[shard];
  source.listed = false;
  source.blocked = 0;
  const Login login = recovery_login(*config_, cluster_, cluster_.shards[shard].primary);
  if (auto error = co_await source.connection.ensure(login, kConnectBound)) {
    // Which statements may run does not change while a shard is away: its own COMMIT says no.
    if (!source.table.ready)
      source.table.refusal = routing::refuse("two_phase_unavailable",
                                             "writes on several shards are not possible: shard \"" +
                                                 cluster_.shards[shard].name + "\" does not answer: " + error->message,
                                             "Repeat it when the shard is back.");
    co_return;
  }
  auto table = co_await ensure_decision_table(source.connection, cluster_.shards[shard].name, login.user);
  if (table.ready || !source.table.ready || source.connection.is_open())
    source.table = std::move(table);  // else: it went away
  if (source.connection.is_open()) co_await list(shard);
}

// What becomes of the transaction: the decision's row says so, and where there is none, "abort" is written first. Both
// are durable before anybody acts on them (synchronous_commit = on in our sessions; autocommit, READ COMMITTED).
Async<Recovery::Decision> Recovery::decide(std::size_t shard, std::string key) {
  Source& source = *sources_[shard];
  if (!source.connection.is_open() || source.blocked >= kMaxBlocked) co_return Decision::Unknown;
  const std::string literal = sql_literal(key);
  Reply inserted = co_await source.connection.query(
      "INSERT INTO pgweir.decision (gid, state) VALUES (" + literal + ", 'abort') ON CONFLICT DO NOTHING",
      kFinishBound);
  if (!inserted.ok()) {
    if (inserted.error->sqlstate == "55P03") {  // its row is there, not committed
      ++source.blocked;
      co_await end_stalled_coordinators(shard);
    } else if (complain(key)) {
      log::warning("cluster {}: no decision about {} yet: {}", cluster_.name, key, inserted.error->message);
    }
    co_return Decision::Unknown;
  }
  Reply state =
      co_await source.connection.query("SELECT state FROM pgweir.decision WHERE gid = " + literal, kFinishBound);
  if (!state.ok() || state.results.size() != 1 || state.results[0].rows() != 1) co_return Decision::Unknown;
  const std::string& text = state.results[0].text(0, 0);
  co_return text == "commit" ? Decision::Commit : text == "abort" ? Decision::Abort : Decision::Unknown;
}

Async<void> Recovery::end_stalled_coordinators(std::size_t shard) {
  Source& source = *sources_[shard];
  if (!source.connection.is_open()) co_return;
  const std::string sql =
      std::string(
          "SELECT pid, pg_terminate_backend(pid) FROM pg_stat_activity a WHERE a.state = 'idle in transaction' AND "
          "a.datname = current_database() AND a.state_change < clock_timestamp() - interval '") +
      kStalledAge +
      "' AND EXISTS (SELECT 1 FROM pg_locks l WHERE l.pid = a.pid AND l.granted AND l.mode = 'RowExclusiveLock' AND "
      "l.relation = 'pgweir.decision'::regclass)";
  const Reply reply = co_await source.connection.query(sql, kLookBound);
  if (reply.ok() && reply.results.size() == 1 && reply.results[0].rows() > 0)
    log::warning("cluster {}: ended {} stalled coordinator(s) on shard {}", cluster_.name, reply.results[0].rows(),
                 cluster_.shards[shard].name);
}

Async<void> Recovery::finish(std::size_t shard, Prepared transaction, Decision decision) {
  Source& source = *sources_[shard];
  const Login own = recovery_login(*config_, cluster_, cluster_.shards[shard].primary);
  const Login owner = owner_login(*config_, cluster_, cluster_.shards[shard].primary, transaction.owner);
  PgConnection* connection = &source.connection;
  if (!(owner == own)) {
    if (!co_await source.owner_connection.ensure(owner, kConnectBound)) connection = &source.owner_connection;
  }
  const std::string sql =
      std::string(decision == Decision::Commit ? "COMMIT" : "ROLLBACK") + " PREPARED " + sql_literal(transaction.gid);
  Reply reply = co_await connection->query(sql, kFinishBound);
  if (!reply.ok() && reply.error->sqlstate == "42501") {
    // Only a superuser or the owner may; a member of the owner's role becomes the owner for one statement.
    std::string quoted;
    for (const char c : transaction.owner) quoted += c == '"' ? "\"\"" : std::string(1, c);
    const Reply role = co_await connection->query("SET ROLE \"" + quoted + "\"", kLookBound);
    if (role.ok()) reply = co_await connection->query(sql, kFinishBound);
    (void)co_await connection->query("RESET ROLE", kLookBound);
  }
  const std::string& name = cluster_.shards[shard].name;
  if (reply.ok())
    log::info("shard {}: {} a prepared transaction left behind: {}", name,
              decision == Decision::Commit ? "committed" : "rolled back", transaction.gid);
  else if (reply.error->sqlstate != "42704" &&
           complain(transaction.gid))  // 42704: done already, by its coordinator or another proxy
    log::warning("shard {}: the prepared transaction {} of {} cannot be finished yet: {}", name, transaction.gid,
                 transaction.owner, reply.error->message);
}

Async<Recovery::Outcome> Recovery::pass(bool clean) {
  std::vector<Async<void>> tasks;
  for (std::size_t i = 0; i < sources_.size(); ++i) tasks.push_back(look(i));
  co_await when_all(context_, std::move(tasks));
  Outcome outcome;
  for (const auto& source : sources_) {
    if (!outcome.refusal && !source->table.ready) outcome.refusal = source->table.refusal;
    outcome.old += static_cast<std::uint64_t>(
        std::count_if(source->prepared.begin(), source->prepared.end(), [](const Prepared& p) { return p.old; }));
  }
  std::map<std::string, Decision> decisions;
  for (std::size_t i = 0; i < sources_.size(); ++i) {
    const std::vector<Prepared> prepared = sources_[i]->prepared;
    for (const Prepared& transaction : prepared) {
      if (!transaction.old) continue;
      const auto at = shard_named(transaction.parsed.shard);
      if (!at) {
        if (complain(transaction.gid))
          log::warning("cluster {}: {} names the decision shard {}, which is not configured; it stays", cluster_.name,
                       transaction.gid, transaction.parsed.shard);
        continue;
      }
      auto known = decisions.find(transaction.parsed.key);
      if (known == decisions.end()) {
        const Decision decision = co_await decide(*at, transaction.parsed.key);
        known = decisions.emplace(transaction.parsed.key, decision).first;
      }
      if (known->second != Decision::Unknown) co_await finish(i, transaction, known->second);
    }
  }
  if (clean) co_await clean_up();
  co_return outcome;
}

Async<std::vector<Recovery::Row>> Recovery::old_decisions(std::size_t shard) {
  std::vector<Row> out;
  Source& source = *sources_[shard];
  if (!source.connection.is_open()) co_return out;
  const std::string sql = std::string("SELECT gid, state, participants FROM pgweir.decision WHERE starts_with(gid, ") +
                          sql_literal(gid_prefix(cluster_.name)) +
                          ") AND ((state = 'commit' AND ts < clock_timestamp() - interval '" + kCommitRowAge +
                          "') OR (state = 'abort' AND ts < clock_timestamp() - interval '" + kAbortRowAge +
                          "')) LIMIT " + kBatch;
  const Reply reply = co_await source.connection.query(sql, kLookBound);
  if (!reply.ok() || reply.results.size() != 1) co_return out;
  const RowSet& rows = reply.results[0];
  for (std::size_t i = 0; i < rows.rows(); ++i) {
    Row row{rows.text(i, 0), rows.text(i, 1), !rows.null(i, 2), {}};
    std::vector<std::optional<std::string>> names;
    row.has_participants &= routing::read_array_text(rows.text(i, 2), names);
    for (auto& name : names) row.participants.push_back(name.value_or(""));
    out.push_back(std::move(row));
  }
  co_return out;
}

// A participant that may still hold the transaction, or cannot be asked, keeps the row.
bool Recovery::needed(const Row& row) const {
  const auto holds = [&](const Source& source) {
    return !source.listed || std::any_of(source.prepared.begin(), source.prepared.end(),
                                         [&](const Prepared& p) { return p.parsed.key == row.gid; });
  };
  if (!row.has_participants)
    return std::any_of(sources_.begin(), sources_.end(), [&](const auto& source) { return holds(*source); });
  return std::any_of(row.participants.begin(), row.participants.end(), [&](const std::string& name) {
    const auto shard = shard_named(name);
    return !shard || holds(*sources_[*shard]);
  });
}

// The rows are read before the participants are listed again: whoever is prepared because of a row seen here was so
// then.
Async<void> Recovery::clean_up() {
  std::vector<std::vector<Row>> rows;
  bool any = false;
  for (std::size_t i = 0; i < sources_.size(); ++i) {
    rows.push_back(co_await old_decisions(i));
    any |= !rows.back().empty();
  }
  if (!any) co_return;
  for (std::size_t i = 0; i < sources_.size(); ++i)
    if (sources_[i]->connection.is_open())
      co_await list(i);
    else
      sources_[i]->listed = false;
  for (std::size_t i = 0; i < sources_.size(); ++i) {
    std::string gids;
    for (const Row& row : rows[i])
      if (!needed(row)) gids += (gids.empty() ? "" : ", ") + sql_literal(row.gid);
    if (gids.empty() || !sources_[i]->connection.is_open()) continue;
    const Reply reply =
        co_await sources_[i]->connection.query("DELETE FROM pgweir.decision WHERE gid IN (" + gids + ")", kFinishBound);
    if (!reply.ok())
      log::warning("cluster {}: old decisions stay on shard {}: {}", cluster_.name, cluster_.shards[i].name,
                   reply.error->message);
  }
}

}  // namespace pgweir::control
