// The elements of a one-dimensional array value, in PostgreSQL's text form ({1,NULL,"a b"}) or binary form (ndim,
// flags, element type, dimension and lower bound, then length and bytes of each element; arrayfuncs.c, array_recv).
// False: not such an array, or more than kMaxArrayElements elements. Pure.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "routing/types.h"

namespace pgweir::routing {

inline constexpr std::size_t kMaxArrayElements = 100'000;

bool read_array_text(std::string_view text, std::vector<std::optional<std::string>>& elements);
bool read_array_binary(std::string_view bytes, std::vector<std::optional<std::string>>& elements, Oid& element_type);

}  // namespace pgweir::routing
