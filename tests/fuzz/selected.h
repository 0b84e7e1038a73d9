// What targets that hold several decoders share: the first byte of an input chooses one.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

namespace pgweir::fuzz {

inline void require(bool condition) {
  if (!condition) std::abort();
}

using Decoder = void (*)(std::string_view input);

template <std::size_t N>
int run_selected(const Decoder (&decoders)[N], const std::uint8_t* data, std::size_t size) {
  if (size >= 1) decoders[data[0] % N]({reinterpret_cast<const char*>(data) + 1, size - 1});
  return 0;
}

}  // namespace pgweir::fuzz
