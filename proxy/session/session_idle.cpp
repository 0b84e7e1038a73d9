// Session: clients that send nothing, whose transaction takes too long, or who wait for a server connection.
#include <algorithm>
#include <charconv>
#include <cstdint>

#include "protocol/backend_codec.h"
#include "proxy/session/cancel.h"
#include "proxy/session/session.h"
#include "proxy/session/timeouts.h"

namespace pgweir::session {

using protocol::SqlError;

namespace {

using Bound = std::chrono::milliseconds;
constexpr Bound kRarely{30'000};  // where no bound is set: a reload may set one
constexpr Bound kOften{10};
constexpr Bound kAgain{1'000};

// The client's own setting as servers print it: "300ms", "5s", "1min"; 0: none.
Bound own_bound(const pool::Settings& settings, std::string_view name) {
  const std::string* value = settings.find(name);
  if (value == nullptr) return Bound{0};
  std::int64_t count = 0;
  const auto [unit, error] = std::from_chars(value->data(), value->data() + value->size(), count);
  if (error != std::errc() || count <= 0) return Bound{0};
  constexpr std::pair<std::string_view, std::int64_t> kUnits[] = {{"s", 1'000}, {"min", 60'000}, {"h", 3'600'000}, {"d", 86'400'000}};
  for (const auto& [word, length] : kUnits)
    if (std::string_view(unit, value->data() + value->size()) == word) return Bound{count * length};
  return Bound{count};
}

Bound shorter(Bound a, Bound b) { return a.count() == 0 ? b : b.count() == 0 ? a : std::min(a, b); }

}  // namespace

SqlError idle_in_transaction(const config::Pool& pool) {
  return {"25P03", "terminating connection due to idle-in-transaction timeout",
          "idle_in_transaction_timeout is " + std::to_string(pool.idle_in_transaction_timeout.count()) + " ms.", {}, {}, {}};
}

SqlError idle_outside(const config::Pool& pool) {
  return {"57P05", "terminating connection due to idle-session timeout",
          "client_idle_timeout is " + std::to_string(pool.client_idle_timeout.count()) + " ms.", {}, {}, {}};
}

SqlError long_transaction(const config::Pool& pool) {
  return {"25P04", "terminating connection due to transaction timeout",
          "transaction_timeout is " + std::to_string(pool.transaction_timeout.count()) + " ms.", {}, {}, {}};
}

SqlError half_message(std::chrono::milliseconds bound) {
  return {"08P01", "terminating connection because a message was not completed in time",
          "listen.client_message_timeout is " + std::to_string(bound.count()) + " ms.", {}, {}, {}};
}

SqlError overdue_query(const config::Pool& pool) {
  return {"57014", "canceling statement due to query timeout", "query_timeout is " + std::to_string(pool.query_timeout.count()) + " ms.", {}, {}, {}};
}

// The server knows of a cancel request only, and says that its user wanted it.
bool Session::retell_overdue(Link& link, const protocol::Frame& frame) {
  const auto fields = protocol::decode_error(frame.body());
  if (!fields || fields->sqlstate != "57014") return false;
  std::string told;
  protocol::encode_error(overdue_query(pool_settings()), protocol::Severity::Error, told);
  link.flush_before(told);
  return true;
}

void Session::on_checkout_slow(const SqlError& notice) {
  const bool silent = std::all_of(links_.begin(), links_.end(), [](const auto& link) { return !link->open() || link->quiet(); });
  if (!stream_ || client_gone() || !silent) return;  // half a message of a server may lie with the client
  std::string told;
  protocol::encode_notice(notice, protocol::Severity::Notice, told);
  to_client(told);
}

// A cancel that came between two messages, or that the statement has caught, has ended nothing.
void Session::cancel_work_again() {
  if (mode_ != Mode::Orphan) return;
  for (auto& link : links_)
    if (link->cancellable() && !link->forced_rollback) send_cancel(context_, link->server());
  idle_timer_.arm(context_.worker, kAgain);
}

// The first statement of a block tells where it runs, but the block has the time of its BEGIN: it is not put off for ever.
// Where there are several shards each part of a block has a time of its own, and nothing tells which will be needed. Returns
// when to look again; 0: nothing waits.
Bound Session::send_overdue_begin(std::chrono::steady_clock::time_point now) {
  const Bound bound = pool_settings().begin_defer_max;
  if (bound.count() == 0 || deferred_begin_.empty() || local_failed_ || participants() != 0 || routing_->cluster->shards.size() != 1) return Bound{0};
  if (const auto left = std::chrono::ceil<Bound>(transaction_since_ + bound - now); left.count() > 0) return left;
  const bool quiet = std::all_of(links_.begin(), links_.end(), [](const auto& link) { return !link->open() || link->quiet(); });
  const Bound again = std::max(bound / 4, kOften);
  if (mode_ != Mode::Open || !quiet || group_.open || virtual_ || throwaway_) return again;
  routing::Route primary;
  primary.shards = routing::ShardSet::single(routing::ShardId{0});
  Step step = Step::Done;
  wants_sequences_ = false;
  if (acquire_one(primary, step)) return bound;   // there is none now
  if (step == Step::Later) return again;   // wake() looks at once
  if (relay_) inject_begin(*relay_);
  return Bound{0};
}

// Looks four times in each bound, so that nothing has to be done for a message; a client is ended at most a quarter
// late. The exact end of a transaction on one server is timer_'s business.
void Session::on_idle_tick() {
  if (client_gone()) return cancel_work_again();
  const auto now = std::chrono::steady_clock::now();
  const bool quiet = mode_ == Mode::Open && std::all_of(links_.begin(), links_.end(), [](const auto& link) {
                       return !link->open() || link->quiet();
                     });
  const bool silent = std::exchange(seen_bursts_, bursts_) == bursts_;
  if (!quiet || !silent) silent_since_ = now;
  // Half a message is held: on_bytes() is not called before its end.
  if (!silent || !stream_ || stream_->unread() == 0 || !takes_input() || input_waits_) message_since_ = now;
  const Bound message = snapshot_->config->listen.client_message_timeout;
  if (message.count() > 0 && now - message_since_ >= message) return fatal(half_message(message));
  // The client's own are told as PostgreSQL tells them.
  const Bound own_in_transaction = own_bound(*settings_, "idle_in_transaction_session_timeout");
  const Bound own_outside = own_bound(*settings_, "idle_session_timeout");
  const Bound in_transaction = shorter(pool_settings().idle_in_transaction_timeout, own_in_transaction);
  const Bound outside = shorter(pool_settings().client_idle_timeout, own_outside);
  const Bound bound = in_block() ? in_transaction : outside;
  if (bound.count() > 0 && now - silent_since_ >= bound) {
    auto error = in_block() ? idle_in_transaction(pool_settings()) : idle_outside(pool_settings());
    if (bound == (in_block() ? own_in_transaction : own_outside)) error.detail.clear();
    return fatal(error);
  }
  const Bound begin = send_overdue_begin(now);
  const Bound whole = pool_settings().transaction_timeout;
  if ((quiet && !in_block()) || std::exchange(seen_transactions_, tally_.transactions()) != tally_.transactions()) transaction_since_ = now;
  if (whole.count() > 0 && now - transaction_since_ >= whole)
    return kill(long_transaction(pool_settings()));
  Bound next = kRarely;
  for (const Bound one : {in_transaction, outside, whole, message})
    if (one.count() > 0) next = std::min(next, std::max(one / 4, kOften));
  if (begin.count() > 0) next = std::min(next, begin);
  idle_timer_.arm(context_.worker, next);
}

}  // namespace pgweir::session
