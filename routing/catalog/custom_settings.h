// Custom settings ("app.user": PostgreSQL accepts any dotted name) that a piece of code sets. pg_settings does not list them,
// so their names are read from the texts that may run: statements, DO blocks, bodies of functions. Pure; thread-safe.
//
// Found: set_config('name', ...) and SET [SESSION | LOCAL] name, also inside string literals and dollar quotes (EXECUTE).
// Not found: names in text that is put together so that neither shows (an encoded literal, a text read from a table).
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace pgweir::routing {

struct CustomSettings {
  static constexpr std::size_t kMaxNames = 1000;      // more: unknown
  std::vector<std::string> names;    // in lower case, each once
  std::vector<unsigned> parameters;  // $n that set_config() takes as the name
  bool unknown = false;              // a name that only the run tells

  void add(std::string_view name);   // names without a dot are those of pg_settings and left out
};

// Adds what `code` sets. Comments are skipped outside of literals.
void find_custom_settings(std::string_view code, CustomSettings& found);

}  // namespace pgweir::routing
