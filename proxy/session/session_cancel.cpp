// Session: cancel requests of its client.
#include "proxy/session/cancel.h"
#include "proxy/session/session.h"

namespace pgweir::session {

using protocol::SqlError;

void Session::cancel(std::shared_ptr<void> told) {
  if (mode_ == Mode::Checkout) {
    checkout_->cancel();
    return on_checkout_failed({"57014", "canceling statement due to user request", {}, {}, {}, {}});
  }
  // What runs there is ours and short: the request that waits for it ends here. Behind a transaction none does.
  const bool ours = preparing_ != 0 && mode_ == Mode::Prepare;
  if (ours && (input_waits_ || virtual_)) acquire_error_ = SqlError{"57014", "canceling statement due to user request", {}, {}, {}, {}};
  for (auto& link : links_) {
    if (ours || !link->open() || link->quiet() || link->settling != 0) continue;
    if (link->begin_sent) {
      link->late_cancels.push_back(told);
    } else if (link->server().cancels->in_flight == 0) {
      send_cancel(context_, link->server());
      when_cancels_ended(link->server(), [told] {});
    } else if (again_) {
      again_->push_back(told);
    } else {
      // One is under way, for what ran before perhaps: another goes behind it, for all that come meanwhile.
      again_ = std::make_shared<std::vector<std::shared_ptr<void>>>(1, told);
      when_cancels_ended(link->server(), [&context = context_, id = identity_.id, again = again_] {
        auto found = context.sessions.find(id);
        if (found == context.sessions.end()) return;
        found->second->again_.reset();
        found->second->cancel(again);
      });
    }
  }
}

// What runs has taken too long. A cancel that is under way already is enough; one that came between two messages, or that
// the statement has caught, is not.
void Session::cancel_overdue() {
  overdue_ = true;
  if (mode_ == Mode::Checkout) return cancel({});
  for (auto& link : links_)
    if (link->cancellable()) send_cancel(context_, link->server());
  timer_.arm(context_.worker, std::chrono::milliseconds(1'000));
}

}  // namespace pgweir::session
