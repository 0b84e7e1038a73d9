// What a session notes of commands that name prepared statements (PREPARE, EXECUTE, DEALLOCATE, ...), or are to meet other settings
// than a server would give them, and are under way.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "proxy/pool/settings.h"
#include "proxy/session/renamed_error.h"
#include "proxy/session/statement.h"

namespace pgweir::session {

// The statement and portal by which a PREPARE of ours runs on a server.
inline constexpr std::string_view kMaker = "pgweir_prepare";

// In force when the statement of this number (in the text that was sent) is complete. made null: DEALLOCATE.
struct NameChange {
  std::size_t statement;
  std::string name;
  StatementPtr made;
};

// A Query with such commands, sent with the servers' names and statements of ours.
struct Naming {
  std::vector<NameChange> changes;
  std::vector<routing::StatementFacts> effects;  // what the client's statements do, with what they EXECUTE,
  std::vector<StatementPtr> executed;            // ... which is this
  std::vector<Renaming> renamings;
  std::vector<std::size_t> renamed;              // number of the statement of each renaming
  std::vector<std::size_t> ours;                 // numbers of statements that the proxy has put in: no reply of theirs is told
  std::string text;
  std::size_t completed = 0;                     // statements

  bool runs_ours() const { return std::find(ours.begin(), ours.end(), completed) != ours.end(); }
};

// What a Query EXECUTEs is being prepared on its server.
struct Making {
  std::optional<protocol::SqlError> error;
};

// A portal of the extended protocol that will run such a command. kind: 'P' PREPARE, 'D' DEALLOCATE of a name that the client
// has, 'N' any other.
struct NamingPortal {
  std::string portal;
  char kind;
  std::string name;
  StatementPtr command, made;
};

// What a command does, with the statement that it EXECUTEs; null: not known.
routing::StatementFacts effects_of(const routing::StatementFacts& facts, const Statement* target);

// Of a command that was sent alone. utf8: see count_characters().
Renaming renaming_of(const Statement& command, bool utf8);

// Whether positions in texts of the client count UTF-8. told: its parameters.
bool counts_utf8(const pool::Settings& told);

// A parse environment that nobody else has. Thread-safe.
std::uint64_t private_environment();

}  // namespace pgweir::session
