// A client's prepared statement as the session keeps it. Shared between the client's name map and requests in flight;
// one worker.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "protocol/backend_codec.h"
#include "protocol/client_statements.h"
#include "protocol/statement_names.h"
#include "routing/plan/router.h"

namespace pgweir::session {

// What a server said of a statement: with canonical OIDs.
struct Described {
  std::vector<protocol::Oid> parameter_types;
  std::vector<protocol::ColumnDescription> columns;  // empty: returns no rows
};

struct Statement {
  std::string sql;
  std::vector<protocol::Oid> types;                     // as the client declared them (0: not)
  std::shared_ptr<const routing::Analysis> analysis;    // never null
  std::optional<Described> described;
  std::vector<protocol::Oid> known_types;               // from a ParameterDescription seen on the way; may be empty

  // Name on servers, under the parse environment of the last use.
  std::uint64_t environment = ~0ULL;
  protocol::StatementHash hash;
};
using StatementPtr = std::shared_ptr<Statement>;
using StatementMap = protocol::ClientStatements<StatementPtr>;

}  // namespace pgweir::session
