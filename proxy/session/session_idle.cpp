// Session: clients that send nothing, inside a transaction or outside.
#include <algorithm>

#include "proxy/session/session.h"

namespace pgweir::session {
namespace {

using Bound = std::chrono::milliseconds;
constexpr Bound kRarely{30'000};  // where no bound is set: a reload may set one
constexpr Bound kOften{10};

}  // namespace

// Looks four times in each bound, so that nothing has to be done for a message; a client is ended at most a quarter
// late. The exact end of a transaction on one server is timer_'s business.
void Session::on_idle_tick() {
  if (client_gone()) return;
  const auto now = std::chrono::steady_clock::now();
  const bool quiet = mode_ == Mode::Open && std::all_of(links_.begin(), links_.end(), [](const auto& link) {
                       return !link->open() || link->quiet();
                     });
  if (!quiet || std::exchange(seen_bursts_, bursts_) != bursts_) silent_since_ = now;
  const Bound in_transaction = pool_settings().idle_in_transaction_timeout, outside = pool_settings().client_idle_timeout;
  const Bound bound = in_block() ? in_transaction : outside;
  if (bound.count() > 0 && now - silent_since_ >= bound) {
    return in_block() ? fatal({"25P03", "terminating connection due to idle-in-transaction timeout", {}, {}, {}, {}})
                      : fatal({"57P05", "terminating connection due to idle-session timeout", {},
                               "client_idle_timeout is " + std::to_string(bound.count()) + " ms.", {}, {}});
  }
  Bound next = kRarely;
  for (const Bound one : {in_transaction, outside})
    if (one.count() > 0) next = std::min(next, std::max(one / 4, kOften));
  idle_timer_.arm(context_.worker, next);
}

}  // namespace pgweir::session
