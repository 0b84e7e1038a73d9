#include "proxy/control/secret_cache.h"

namespace pgweir::control {

void SecretCache::Shelf::erase(const Key& key) {
  const auto at = index.find(key);
  if (at == index.end()) return;
  entries.erase(at->second);
  index.erase(at);
}

const SecretCache::Entry* SecretCache::Shelf::find(const Key& key) const {
  const auto at = index.find(key);
  return at == index.end() ? nullptr : &*at->second;
}

std::optional<config::Secret> SecretCache::find(const Key& key, Time now) const {
  if (const Entry* entry = found_.find(key); entry && now - entry->since < kFound) return entry->secret;
  if (const Entry* entry = unknown_.find(key); entry && now - entry->since < kUnknown) return config::Secret{};
  return std::nullopt;
}

void SecretCache::put(const Key& key, config::Secret secret, Time now) {
  found_.erase(key);
  unknown_.erase(key);
  Shelf& shelf = secret.kind == config::Secret::Kind::None ? unknown_ : found_;
  shelf.entries.push_back({key, std::move(secret), now});
  shelf.index.emplace(key, std::prev(shelf.entries.end()));
  if (shelf.entries.size() > kMost) shelf.erase(Key(shelf.entries.front().key));
}

void SecretCache::distrust(const Key& key, Time now) {
  const Entry* entry = found_.find(key);
  if (entry != nullptr && now - entry->since >= kTrusted) found_.erase(key);
}

void SecretCache::clear() { found_ = {}, unknown_ = {}; }

}  // namespace pgweir::control
