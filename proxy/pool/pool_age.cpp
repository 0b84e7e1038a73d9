// Pool: connections whose end is known before it comes, and those that take their place.
#include <algorithm>
#include <functional>
#include <string_view>

#include "proxy/pool/login_services.h"
#include "proxy/pool/pool.h"
#include "proxy/pool/pool_manager.h"
#include "proxy/pool/server_connection.h"

namespace pgweir::pool {
namespace {

// How long before its end a connection is replaced: a login takes milliseconds, housekeeping looks four times a second.
constexpr auto kEarliest = std::chrono::seconds(10);

}  // namespace

std::size_t address_hash(const net::SocketAddress& address) {
  return std::hash<std::string_view>()(address.to_string()) | 1;
}

// Those that have been of use are replaced while they still serve, so that no client waits for a login. Where the budget is
// used up there is no room for that: the next one is then opened as soon as the old one has gone (renew_).
void Pool::replace_aging(Clock::time_point now) {
  using State = ServerFacts::State;
  Clock::duration ahead;
  {
    const std::lock_guard lock(mutex_);
    if (limits_.lifetime.count() == 0 || total_ == 0 || draining_ || paused_ || now < look_at_ages_) return;
    ahead = std::min<Clock::duration>(kEarliest, limits_.lifetime / 4);
    look_at_ages_ = now + limits_.lifetime / 2;  // none that comes meanwhile can be due before
  }
  auto next = Clock::time_point::max();
  for (auto& facts : census_.alive()) {
    const auto state = facts->state.load(std::memory_order_relaxed);
    if ((state != State::Idle && state != State::Active) || facts->replaced || facts->close_needed || facts->ends_at < now) continue;
    const auto due = facts->ends_at - ahead;
    const bool place = due <= now && facts->leased_at != 0 && [&] {
      const std::lock_guard lock(mutex_);
      return take_place_locked(false);
    }();
    if (place)
      open_instead(std::move(facts));
    else
      next = std::min(next, std::max(due, now));
  }
  const std::lock_guard lock(mutex_);
  look_at_ages_ = std::min(look_at_ages_, next);
}

void Pool::open_instead(std::shared_ptr<ServerFacts> old) {
  old->replaced = true;
  const auto worker = static_cast<unsigned>(old->id % manager_.worker_count());
  manager_.worker(worker).post([this, old] {
    {
      const std::lock_guard lock(mutex_);
      ++counters_.connects;
    }
    ServerConnection::open(*net::Worker::current(), *this, target(), limits(), manager_.services(),
                           [this, old](std::unique_ptr<ServerConnection> made, const protocol::SqlError& error) {
                             if (!made) {
                               old->replaced = false;
                               return on_connect_failed(error, {});
                             }
                             old->close_needed = true;
                             on_connected(std::move(made), {});
                             maintain_everywhere();
                           });
  });
}

void Pool::maintain_everywhere() {
  for (unsigned w = 0; w < manager_.worker_count(); ++w) manager_.worker(w).post([this, w] { maintain(w); });
}

void Pool::follow_name(Clock::time_point now) {
  std::shared_ptr<const ServerTarget> target;
  {
    const std::lock_guard lock(mutex_);
    if (total_ == 0 || now < look_at_name_) return;
    look_at_name_ = now + manager_.services().resolver().ttl();
    target = target_;
  }
  const auto literal = net::literal_address(target->endpoint);
  if (!literal || *literal) return;
  manager_.services().resolver().resolve(
      target->endpoint, std::chrono::milliseconds(5000), *net::Worker::current(),
      [this, target](net::Result<net::Resolver::Addresses> result) {
        if (!result) return;  // what works is kept
        std::vector<std::size_t> known;
        for (const auto& address : *result) known.push_back(address_hash(address));
        bool any = false;
        for (const auto& facts : census_.alive()) {
          const bool gone = facts->target == target && facts->state != ServerFacts::State::Listening && facts->address != 0 &&
                            std::find(known.begin(), known.end(), facts->address.load()) == known.end();
          if (!gone) continue;
          facts->close_needed = true;
          any = true;
        }
        if (any) maintain_everywhere();
      });
}

}  // namespace pgweir::pool
