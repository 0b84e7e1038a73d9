// What one session did with server connections, for SHOW CLIENTS, the metrics and the log. Lives on its session's worker. Small:
// there is one in each client at rest.
#pragma once

#include <array>
#include <bit>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "proxy/pool/pin.h"

namespace pgweir::session {

class Tally {
 public:
  void ran_on(std::uint64_t server) { servers_ |= std::uint64_t{1} << (server % 64); }   // id of a server connection
  unsigned servers() const { return static_cast<unsigned>(std::popcount(servers_)); }    // different ones, or a few less

  std::uint32_t transactions() const { return released_ + kept_; }
  void released() { ++released_; }                     // a transaction, after which its servers were given back,
  void kept(std::optional<pool::PinReason> reason);    // ... or kept; nullopt: because the pool's mode is session
  // "released=12 kept=3 servers=2 pins=temp_tables:3"
  std::string text() const;

 private:
  using Reasons = std::array<std::uint32_t, pool::kPinReasons>;
  std::uint64_t servers_ = 0;   // a bit for each remainder of an id
  std::uint32_t released_ = 0, kept_ = 0;
  std::unique_ptr<Reasons> reasons_;   // null: none
};

}  // namespace pgweir::session
