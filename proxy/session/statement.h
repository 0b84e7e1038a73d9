// A client's prepared statement as the session keeps it. Shared between the client's name map and requests in flight;
// one worker.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
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
  bool operator==(const Described&) const = default;
};

struct Statement : std::enable_shared_from_this<Statement> {
  std::string sql;
  bool unnamed = false;                                 // is the server's unnamed statement, too
  bool shaped = false;                                  // PostgreSQL looks whether its columns stay the same (has_shape())
  std::vector<protocol::Oid> types;                     // as the client declared them (0: not)
  std::shared_ptr<const routing::Analysis> analysis;    // never null
  std::optional<Described> described;
  // From a ParameterDescription seen on the way, canonical; may be empty. Copies are made with them: PostgreSQL does not infer
  // a statement's parameters a second time either.
  std::vector<protocol::Oid> known_types;
  const std::vector<protocol::Oid>& parameter_types() const { return known_types.empty() ? types : known_types; }
  std::uint32_t serial = 0;                             // of its definition; the tag of its Binds
  // Made by SQL PREPARE: `sql` is that command, `analysis` of the statement behind AS.
  bool from_sql = false;
  // A command about a prepared statement: where `sql` names it. name_end 0: it does not.
  std::size_t name_begin = 0, name_end = 0;
  // Prepared by protocol and runs EXECUTE, also within EXPLAIN or CREATE TABLE AS: the client's name of what it runs, and
  // the text with the server's name in its place, as of the last look. Empty: sent as it is.
  std::string runs, server_sql;

  // Name on servers, under the parse environment of the last use.
  static constexpr std::uint64_t kNoEnvironment = ~0ULL;
  std::uint64_t environment = kNoEnvironment;           // as of its last Parse
  protocol::StatementHash hash;

  // The client's own Parse (next_stamp()), and the shape that it gave.
  protocol::StatementVersion version;

  // On the worker's shelf (proxy/session/at_rest.h), shared between clients: not to be changed.
  bool at_rest = false;
  // Whether a client may be given this one in place of the other.
  bool stands_for(const Statement& other) const {
    return sql == other.sql && unnamed == other.unnamed && types == other.types && analysis == other.analysis && described == other.described &&
           known_types == other.known_types && from_sql == other.from_sql && name_begin == other.name_begin && name_end == other.name_end &&
           runs == other.runs && server_sql == other.server_sql && environment == other.environment && hash == other.hash &&
           version.shape == other.version.shape;
  }
};
using StatementPtr = std::shared_ptr<Statement>;

// Whether a statement with this text has a plan whose columns may not change. PostgreSQL does not look at those of utility
// statements, which may change from one use to the next (a FETCH is prepared before its cursor is there).
bool has_shape(const routing::Analysis& analysis);

// Grows with every Parse of this process, whichever worker asks. Thread-safe.
std::uint64_t next_stamp();

// A portal of a statement that the proxy answers itself. Lives until the end of its transaction.
struct VirtualPortal {
  std::string name;
  StatementPtr statement;
  std::string bind;               // body of the Bind message
  // After an Execute with a row limit: the rows not given yet (whole DataRow messages) and the command's tag.
  bool executed = false;
  std::string rows;
  std::size_t given = 0;          // bytes of `rows` that the client has
  std::string tag;
};

class StatementShelf;

// The statements of one client by its names. Between uses they may be shared with other clients.
class StatementMap : public protocol::ClientStatements<StatementPtr> {
 public:
  // The client's own from here on, until rest(). Valid until the map changes.
  StatementPtr* find(std::string_view name);
  // Nothing is under way: what nobody but this map holds goes on the shelf.
  void rest(StatementShelf& shelf);

 private:
  static constexpr std::uint32_t kTaken = 0x80000000;  // serials of those taken from the shelf, apart from all tags
  std::uint32_t serials_ = 0;
};

}  // namespace pgweir::session
