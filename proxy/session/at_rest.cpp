#include "proxy/session/at_rest.h"

#include <algorithm>
#include <functional>
#include <string_view>

#include "proxy/session/session.h"
#include "proxy/session/worker_context.h"

namespace pgweir::session {

StatementPtr StatementShelf::put(const StatementPtr& statement) {
  const auto key = std::hash<std::string_view>{}(statement->sql);
  auto [from, to] = shelf_.equal_range(key);
  for (auto i = from; i != to; ++i)
    if (i->second->stands_for(*statement)) {
      // The latest Parse stands for all: at worst a copy is made anew that another client would have taken as it is.
      i->second->version.stamp = std::max(i->second->version.stamp, statement->version.stamp);
      return i->second;
    }
  if (shelf_.size() >= sweep_at_) sweep();
  statement->at_rest = true;
  statement->serial = 0;  // no Bind has it
  shelf_.emplace(key, statement);
  return statement;
}

void StatementShelf::sweep() {
  std::erase_if(shelf_, [](const auto& entry) { return entry.second.use_count() == 1; });
  sweep_at_ = std::max<std::size_t>(256, shelf_.size() * 2);
}

StatementPtr* StatementMap::find(std::string_view name) {
  StatementPtr* found = ClientStatements::find(name);
  if (found == nullptr || !*found || !(*found)->at_rest) return found;
  *found = std::make_shared<Statement>(**found);
  (*found)->at_rest = false;
  (*found)->serial = ++serials_ | kTaken;
  return found;
}

void StatementMap::rest(StatementShelf& shelf) {
  for_each_handle([&](std::string_view, StatementPtr& statement) {
    if (statement && !statement->at_rest && statement.use_count() == 1) statement = shelf.put(statement);
  });
  trim();
}

void RestSweep::awake(std::uint64_t session) {
  awake_.push_back(session);
  if (!timer_.armed()) timer_.arm(context_.worker, kEvery);
}

void RestSweep::look() {
  looked_at_.swap(awake_);
  for (const auto id : looked_at_) {
    const auto found = context_.sessions.find(id);
    if (found != context_.sessions.end() && !found->second->rests()) awake_.push_back(id);
  }
  looked_at_.clear();
  if (awake_.empty())
    std::vector<std::uint64_t>().swap(looked_at_), awake_.shrink_to_fit();
  else
    timer_.arm(context_.worker, kEvery);
}

// Called twice a second while the session has not rested. True: it does now, until its client sends something.
bool Session::rests() {
  const bool silent = std::exchange(rest_bursts_, bursts_) == bursts_;
  if (!silent || mode_ != Mode::Open || in_block() || !links_.empty() || group_.open || virtual_ || naming_ || making_ || input_waits_)
    return client_gone();
  awake_ = false;
  group_ = Group{};
  flights_.trim();
  poisons_.trim();
  statements_.rest(context_.shelf);
  links_.trim();
  wanted_.trim();
  virtual_portals_.trim();
  naming_portals_.trim();
  temp_tables_.trim();
  deferred_savepoints_.trim();
  if (deferred_begin_.empty()) std::string().swap(deferred_begin_);
  throwaway_setting_.reset();
  if (checkout_ && !checkout_->waiting()) checkout_.reset();
  if (hints_ && hints_->none()) hints_.reset();
  if (notifications_ && notifications_->unused()) notifications_.reset();
  return true;
}

}  // namespace pgweir::session
