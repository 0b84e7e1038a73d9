#include "routing/placement/xx_hash.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <string>
#include <variant>

namespace pgweir::routing {

std::uint64_t xxh64_key(const KeyValue& value) {
  if (const auto* text = std::get_if<std::string>(&value.value)) return XXH64(text->data(), text->size(), 0);
  const auto number = static_cast<std::uint64_t>(std::get<std::int64_t>(value.value));
  unsigned char bytes[8];
  for (unsigned i = 0; i < 8; ++i) bytes[i] = static_cast<unsigned char>(number >> (8 * i));
  return XXH64(bytes, sizeof(bytes), 0);
}

}  // namespace pgweir::routing
