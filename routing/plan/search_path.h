// The schemas that unqualified names are looked up in. Value type.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "routing/plan/router.h"

namespace pgweir::routing {

struct SearchPath {
  std::vector<std::string> schemas;  // in order, "$user" replaced, those that do not exist left out
  bool catalog_first = true;         // pg_catalog is searched before them (it is, unless named at another place)
  bool creates_temp = false;         // pg_temp stands first: what is created without a schema is temp
  std::string key() const;           // for cache keys: equal keys resolve alike

  static SearchPath resolve(std::string_view setting, std::string_view user, const Catalog* catalog);
};

}  // namespace pgweir::routing
