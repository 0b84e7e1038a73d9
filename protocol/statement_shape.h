// The shape of a prepared statement as one number: the types of its parameters, and the name, type and type modifier of each
// result column. PostgreSQL refuses to run a prepared statement whose result columns are not those that it was prepared with
// (RevalidateCachedQuery: 0A000, "cached plan must not change result type"); where several servers stand for one, whoever
// compares shapes can tell. Pure functions; thread-safe. No allocation.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "protocol/backend_codec.h"
#include "protocol/frontend_codec.h"
#include "protocol/statement_names.h"

namespace pgweir::protocol {

// Of a ParameterDescription, to be given to shape_of_columns(). `canonical` gives a type's OID as all servers know it; empty:
// they are the same everywhere.
std::uint64_t shape_of_parameters(const StatementHashKey& key, const OidList& types, const OidMapper& canonical);

// Of the answer behind it: a RowDescription's body, or nullopt for NoData. Never 0.
std::uint64_t shape_of_columns(const StatementHashKey& key, std::uint64_t parameters, std::optional<std::string_view> body,
                               const OidMapper& canonical);

}  // namespace pgweir::protocol
