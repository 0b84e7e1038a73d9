#include "proxy/session/fanout.h"

namespace pgweir::session {

void Fanout::run(std::vector<std::pair<Link*, std::string>> commands, Done done) {
  outcomes_.clear();
  outcomes_.resize(commands.size());
  done_ = std::move(done);
  waiting_ = commands.size();
  if (commands.empty()) return finish();
  for (std::size_t i = 0; i < commands.size(); ++i) outcomes_[i].link = commands[i].first;
  for (auto& [link, sql] : commands) {
    link->set_sink(*this);
    if (!link->open()) {
      on_link_closed(*link, {"08006", "the server connection was lost", {}, {}, {}, {}});
      continue;
    }
    link->inject(sql, [this, alive = alive_](Link& answering, Injected& result) {
      if (*alive) answered(answering, result);
    });
  }
}

void Fanout::answered(Link& link, Injected& result) {
  for (auto& outcome : outcomes_)
    if (outcome.link == &link) {
      outcome.answered = true;
      outcome.error = result.error;
      outcome.result = std::move(result);
    }
  if (--waiting_ == 0) finish();
}

// A connection that goes behind its answer has done its part; whoever uses the link next sees that it is closed.
void Fanout::on_link_closed(Link& link, const protocol::SqlError& error) {
  for (auto& outcome : outcomes_)
    if (outcome.link == &link && !outcome.answered && !outcome.lost) {
      outcome.error = error;
      outcome.lost = true;
      if (--waiting_ == 0) finish();
    }
}

// Deferred: the links' own callbacks must have returned before their holder goes on.
void Fanout::finish() {
  worker_.defer([this, alive = alive_] {
    if (!*alive || !done_) return;
    auto done = std::move(done_);
    done_ = nullptr;
    auto outcomes = std::move(outcomes_);
    done(outcomes);
  });
}

}  // namespace pgweir::session
