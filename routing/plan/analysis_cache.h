// Analyses by statement text: least recently used first out, bounded in bytes. The hash only finds candidates; texts
// are compared in full. Not thread-safe (one per worker).
#pragma once

#include <list>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>

#include "routing/plan/router.h"

namespace pgweir::routing {

class AnalysisCache {
 public:
  explicit AnalysisCache(std::size_t bytes) : limit_(bytes) {}

  struct Key {
    std::string_view text;
    std::uint64_t version = 0;
    bool standard_conforming_strings = true;
    std::string_view path;
  };
  std::shared_ptr<const Analysis> find(const Key& key);
  void insert(const Key& key, std::shared_ptr<const Analysis> analysis);
  const Router::CacheStats& stats() const { return stats_; }

 private:
  struct Entry {
    std::uint64_t hash = 0;
    bool standard_conforming_strings = true;
    std::size_t bytes = 0;
    std::shared_ptr<const Analysis> analysis;  // holds text, version and path
  };
  static std::uint64_t hash_of(const Key& key);

  std::size_t limit_;
  std::list<Entry> entries_;  // most recently used first
  std::unordered_multimap<std::uint64_t, std::list<Entry>::iterator> index_;
  Router::CacheStats stats_;
};

}  // namespace pgweir::routing
