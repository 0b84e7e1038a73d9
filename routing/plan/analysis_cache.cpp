#include "routing/plan/analysis_cache.h"

#include <functional>

namespace pgweir::routing {

std::uint64_t AnalysisCache::hash_of(const Key& key) {
  const std::uint64_t seed = key.version * 2 + (key.standard_conforming_strings ? 1 : 0);
  return std::hash<std::string_view>{}(key.text) ^ (seed * 0x9E3779B97F4A7C15u);
}

std::shared_ptr<const Analysis> AnalysisCache::find(const Key& key) {
  const auto [begin, end] = index_.equal_range(hash_of(key));
  for (auto i = begin; i != end; ++i) {
    const Entry& e = *i->second;
    if (e.standard_conforming_strings != key.standard_conforming_strings ||
        e.analysis->cluster_version != key.version || e.analysis->text != key.text ||
        e.analysis->path_key != key.path) {
      continue;
    }
    entries_.splice(entries_.begin(), entries_, i->second);
    ++stats_.hits;
    return e.analysis;
  }
  ++stats_.misses;
  return nullptr;
}

void AnalysisCache::insert(const Key& key, std::shared_ptr<const Analysis> analysis) {
  // The tree of a statement takes some 50 times its text (measured on short ones); what would fill the cache is not
  // kept.
  const std::size_t bytes = 2048 + 50 * key.text.size();
  if (bytes > limit_ / 4) return;
  while (stats_.bytes + bytes > limit_ && !entries_.empty()) {
    const auto last = std::prev(entries_.end());
    const auto [begin, end] = index_.equal_range(last->hash);
    for (auto i = begin; i != end; ++i) {
      if (i->second != last) continue;
      index_.erase(i);
      break;
    }
    stats_.bytes -= last->bytes;
    ++stats_.evictions;
    entries_.pop_back();
  }
  entries_.push_front({hash_of(key), key.standard_conforming_strings, bytes, std::move(analysis)});
  index_.emplace(entries_.front().hash, entries_.begin());
  stats_.bytes += bytes;
}

}  // namespace pgweir::routing
