// Names of our prepared transactions: pgweir:<cluster>:<decision shard>:<uuid>:<n>. Pure.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace pgweir::control {

struct Gid {
  std::string shard;  // name of the decision shard
  std::string key;    // of the decision row: the gid up to and including the uuid
};

std::string gid_prefix(std::string_view cluster);
// nullopt: not one of this cluster's; such a transaction is never touched.
std::optional<Gid> parse_gid(std::string_view gid, std::string_view cluster);

}  // namespace pgweir::control
