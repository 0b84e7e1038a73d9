// Small types that every part of routing shares. Value types, thread-safe to read.
#pragma once

#include <algorithm>
#include <compare>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "protocol/result.h"

namespace pgweir::routing {

using protocol::Result;
using protocol::SqlError;

using Oid = std::uint32_t;

// Index of a shard in config::Cluster::shards.
struct ShardId {
  std::uint16_t value = 0;
  auto operator<=>(const ShardId&) const = default;
};

// A set of shards of one cluster, kept sorted.
class ShardSet {
 public:
  ShardSet() = default;
  static ShardSet single(ShardId shard) { ShardSet s; s.shards_.push_back(shard); return s; }
  static ShardSet all(std::size_t count) {
    ShardSet s;
    for (std::size_t i = 0; i < count; ++i) s.shards_.push_back(ShardId{static_cast<std::uint16_t>(i)});
    return s;
  }
  void add(ShardId shard) {
    auto at = std::lower_bound(shards_.begin(), shards_.end(), shard);
    if (at == shards_.end() || *at != shard) shards_.insert(at, shard);
  }
  bool contains(ShardId shard) const { return std::binary_search(shards_.begin(), shards_.end(), shard); }
  bool contains_all(const ShardSet& other) const {
    return std::includes(shards_.begin(), shards_.end(), other.shards_.begin(), other.shards_.end());
  }
  ShardSet operator&(const ShardSet& other) const {
    ShardSet s;
    std::set_intersection(shards_.begin(), shards_.end(), other.shards_.begin(), other.shards_.end(), std::back_inserter(s.shards_));
    return s;
  }
  ShardSet operator|(const ShardSet& other) const {
    ShardSet s;
    std::set_union(shards_.begin(), shards_.end(), other.shards_.begin(), other.shards_.end(), std::back_inserter(s.shards_));
    return s;
  }
  std::size_t size() const { return shards_.size(); }
  bool empty() const { return shards_.empty(); }
  ShardId front() const { return shards_.front(); }  // Precondition: !empty().
  auto begin() const { return shards_.begin(); }
  auto end() const { return shards_.end(); }
  bool operator==(const ShardSet&) const = default;

 private:
  std::vector<ShardId> shards_;
};

enum class Role : std::uint8_t { Primary, Replica };

// One bound parameter as the client sent it. Views live as long as the client's message.
struct Parameter {
  Oid type = 0;          // 0: not declared by the client
  bool binary = false;
  bool null = false;
  std::string_view value;
};

// A refusal: SQLSTATE 0A000 unless said otherwise, routine "pgweir_refuse", with a reason code.
inline SqlError refuse(std::string reason, std::string message, std::string hint, std::string sqlstate = "0A000") {
  return SqlError{std::move(sqlstate), std::move(message), {}, std::move(hint), "pgweir_refuse", std::move(reason)};
}

}  // namespace pgweir::routing
