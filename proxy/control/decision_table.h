// The table of decisions about distributed transactions, on every shard of a cluster with several: pgweir.decision, and
// the function pgweir.decide() through which application roles write to it without rights on it. Private to control/.
#pragma once

#include <optional>
#include <string>

#include "proxy/control/pg_connection.h"

namespace pgweir::control {

struct DecisionTableState {
  bool ready = false;                         // distributed writes may use this shard
  std::optional<protocol::SqlError> refusal;  // why not, for users; with the shard's name
};

// Installs what is missing: durable, idempotent, safe against other proxies that do the same (advisory lock). The
// connection is open.
Async<DecisionTableState> ensure_decision_table(PgConnection& connection, std::string shard, std::string user);

}  // namespace pgweir::control
