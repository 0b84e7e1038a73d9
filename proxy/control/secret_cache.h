// What [auth] query said of users, for a while: so that a login rarely asks a server, and so that names that nobody has
// cannot be used to keep the servers busy. Pure (the time is given); one thread at a time.
#pragma once

#include <chrono>
#include <list>
#include <map>
#include <optional>
#include <string>
#include <utility>

#include "config/config.h"

namespace pgweir::control {

class SecretCache {
 public:
  using Time = std::chrono::steady_clock::time_point;
  using Key = std::pair<std::string, std::string>;  // cluster, user

  // A password that was changed or revoked on the server is known here for as long.
  static constexpr std::chrono::seconds kFound{30};
  static constexpr std::chrono::seconds kUnknown{5};
  // How long an answer is kept although a login failed with it: bounds what guessing passwords asks of a server.
  static constexpr std::chrono::seconds kTrusted{1};
  // Users, and names that are none, each: strangers' inventions never drive out users.
  static constexpr std::size_t kMost = 10'000;

  // None: known to be no valid user. nullopt: to be asked.
  std::optional<config::Secret> find(const Key& key, Time now) const;
  void put(const Key& key, config::Secret secret, Time now);
  // Forgets it unless it is younger than kTrusted.
  void distrust(const Key& key, Time now);
  void clear();
  std::size_t size() const { return found_.index.size() + unknown_.index.size(); }

 private:
  struct Entry {
    Key key;
    config::Secret secret;
    Time since;
  };
  struct Shelf {  // oldest first, which is the order of expiry
    std::list<Entry> entries;
    std::map<Key, std::list<Entry>::iterator> index;
    void erase(const Key& key);
    const Entry* find(const Key& key) const;
  };
  Shelf found_, unknown_;
};

}  // namespace pgweir::control
