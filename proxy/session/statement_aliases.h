// Names of statements on servers that are no client's. All are as long as protocol::kServerStatementNameSize, so that positions
// move alike, and unlike any protocol::server_name().
#pragma once

#include <string>
#include <string_view>

#include "proxy/session/statement.h"

namespace pgweir::session {

inline constexpr std::string_view kInternalPrefix = "pgweir_";
inline constexpr std::string_view kMissing = "pgweir_missing_000000000000000000000000";  // never prepared
static_assert(kMissing.size() == protocol::kServerStatementNameSize);

// Clients must not reach what servers have for others.
inline bool is_internal(std::string_view name) { return name.substr(0, kInternalPrefix.size()) == kInternalPrefix; }

// The `number`th of a text.
inline std::string stand_in(std::size_t number) {
  const std::string digits = std::to_string(number), start = "pgweir_stand_in_";
  return start + std::string(protocol::kServerStatementNameSize - start.size() - digits.size(), '0') + digits;
}

inline std::size_t weight_of(const Statement& statement) { return sizeof(Statement) + statement.sql.size() + statement.types.size() * 4; }

}  // namespace pgweir::session
