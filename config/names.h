// The words of the configuration file for each enumeration: one table each, used to read and to print.
#pragma once

#include <optional>
#include <span>
#include <string_view>

#include "config/config.h"

namespace pgweir::config {

template <typename Enum>
struct Name {
  std::string_view word;
  Enum value;
};

// All words of an enumeration; the first word of a value is the one printed, later ones are accepted aliases.
template <typename Enum>
std::span<const Name<Enum>> names();

template <> std::span<const Name<TlsMode>> names();
template <> std::span<const Name<LogLevel>> names();
template <> std::span<const Name<LogFormat>> names();
template <> std::span<const Name<AuthMethod>> names();
template <> std::span<const Name<PoolMode>> names();
template <> std::span<const Name<Reads>> names();
template <> std::span<const Name<PlacementType>> names();
template <> std::span<const Name<KeyType>> names();
template <> std::span<const Name<HashKind>> names();
template <> std::span<const Name<TableKind>> names();
template <> std::span<const Name<FunctionReads>> names();

// "scram-sha-256", "timestamptz", ...
template <typename Enum>
std::string_view to_word(Enum value) {
  for (const Name<Enum>& name : names<Enum>()) {
    if (name.value == value) return name.word;
  }
  return "?";
}

template <typename Enum>
std::optional<Enum> from_word(std::string_view word) {
  for (const Name<Enum>& name : names<Enum>()) {
    if (name.word == word) return name.value;
  }
  return std::nullopt;
}

}  // namespace pgweir::config
