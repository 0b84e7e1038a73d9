#include "proxy/control/decision_table.h"

#include "proxy/log/log.h"
#include "routing/types.h"

namespace pgweir::control {
namespace {

using namespace std::chrono_literals;

constexpr auto kBound = 10s;

constexpr char kLook[] =
    "SELECT to_regclass('pgweir.decision') IS NOT NULL AND to_regprocedure('pgweir.decide(text, text[], text)') IS NOT "
    "NULL, "
    "current_setting('max_prepared_transactions')::int > 0, current_setting('fsync')";

// The lock's number is arbitrary and ours; two proxies that install at once would otherwise fail on the catalog's
// unique indexes.
constexpr char kInstall[] =
    "BEGIN; "
    "SELECT pg_advisory_xact_lock(730945622101); "
    "CREATE SCHEMA IF NOT EXISTS pgweir; "
    "CREATE TABLE IF NOT EXISTS pgweir.decision (gid text PRIMARY KEY, state text NOT NULL CHECK (state IN ('commit', "
    "'abort')), "
    "participants text[], owner text, proxy text, ts timestamptz NOT NULL DEFAULT now()); "
    "CREATE OR REPLACE FUNCTION pgweir.decide(gid text, participants text[], proxy text) RETURNS void LANGUAGE sql "
    "SECURITY DEFINER "
    "SET search_path = pg_catalog AS $$ INSERT INTO pgweir.decision (gid, state, participants, owner, proxy) "
    "VALUES ($1, 'commit', $2, session_user, $3) $$; "
    "REVOKE ALL ON TABLE pgweir.decision FROM PUBLIC; "
    "GRANT USAGE ON SCHEMA pgweir TO PUBLIC; "
    "GRANT EXECUTE ON FUNCTION pgweir.decide(text, text[], text) TO PUBLIC; "
    "COMMIT";

protocol::SqlError unavailable(const std::string& shard, const std::string& why, std::string hint) {
  return routing::refuse("two_phase_unavailable",
                         "writes on several shards are not possible: shard \"" + shard + "\" " + why, std::move(hint));
}

}  // namespace

Async<DecisionTableState> ensure_decision_table(PgConnection& connection, std::string shard, std::string user) {
  DecisionTableState state;
  Reply look = co_await connection.query(kLook, kBound);
  if (!look.ok() || look.results.empty() || look.results[0].rows() != 1) {
    state.refusal = unavailable(shard, "does not answer: " + (look.error ? look.error->message : "no row"),
                                "Repeat it when the shard is back.");
    co_return state;
  }
  if (!look.results[0].flag(0, 1)) {
    state.refusal = unavailable(shard, "has max_prepared_transactions = 0",
                                "Set max_prepared_transactions to at least max_connections there and restart it.");
    co_return state;
  }
  if (!look.results[0].flag(0, 0)) {
    Reply install = co_await connection.query(kInstall, kBound);
    if (!install.ok()) {
      connection.close();  // the transaction block is open
      state.refusal =
          unavailable(shard, "has no decision table: " + install.error->message,
                      "Give the role \"" + user + "\" (recovery_user) CREATE on the database, or make it the owner.");
      co_return state;
    }
    log::info("the decision table pgweir.decision was made on shard {}", shard);
    if (look.results[0].text(0, 2) == "off")
      log::warning("shard {} runs with fsync = off: a crash of the machine may break distributed transactions", shard);
  }
  state.ready = true;
  co_return state;
}

}  // namespace pgweir::control
