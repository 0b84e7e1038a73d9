#include "routing/plan/search_path.h"

#include <algorithm>
#include <cctype>

namespace pgweir::routing {

std::string SearchPath::key() const {
  std::string key = catalog_first ? "1" : "0";
  key += creates_temp ? 't' : '-';
  for (const auto& s : schemas) key.append(1, '\0').append(s);
  return key;
}

// Rules of SplitIdentifierString: identifiers separated by commas, folded unless quoted.
SearchPath SearchPath::resolve(std::string_view setting, std::string_view user, const Catalog* catalog) {
  SearchPath path;
  std::size_t at = 0;
  bool first = true, created_in_catalog = false;
  while (at < setting.size()) {
    while (at < setting.size() && (std::isspace(static_cast<unsigned char>(setting[at])) || setting[at] == ',')) ++at;
    if (at >= setting.size()) break;
    std::string name;
    if (setting[at] == '"') {
      for (++at; at < setting.size(); ++at) {
        if (setting[at] == '"' && !(at + 1 < setting.size() && setting[at + 1] == '"')) break;
        if (setting[at] == '"') ++at;
        name += setting[at];
      }
      ++at;
    } else {
      while (at < setting.size() && setting[at] != ',' && !std::isspace(static_cast<unsigned char>(setting[at]))) {
        name += static_cast<char>(std::tolower(static_cast<unsigned char>(setting[at++])));
      }
    }
    if (name == "$user") name = std::string(user);
    if (name == "pg_catalog") {
      path.catalog_first = first;
      first = false;
      created_in_catalog |= path.schemas.empty();
      continue;
    }
    first = false;
    if (name == "pg_temp") {
      path.creates_temp |= !created_in_catalog && path.schemas.empty();
      continue;
    }
    const bool exists = catalog == nullptr || !catalog->loaded ||
                        std::find(catalog->schemas.begin(), catalog->schemas.end(), name) != catalog->schemas.end();
    if (exists && std::find(path.schemas.begin(), path.schemas.end(), name) == path.schemas.end())
      path.schemas.push_back(std::move(name));
  }
  return path;
}

}  // namespace pgweir::routing
