// Session: pg_prepared_statements. A query that mentions it, outside a block, gets a server on which exactly the client's
// statements are, under the client's names; they are dropped behind it.
#include "proxy/session/session.h"

namespace pgweir::session {

using protocol::Disposition;
using protocol::Frame;
using protocol::Request;

namespace {

constexpr std::size_t kMaxShown = 1000;  // a few requests for each, within what the ReplyTracker takes

}  // namespace

// nullopt: not here. What a pinned server holds by itself must stay there, and in a block an old statement that cannot be
// prepared any more would fail the block: there the servers' names are seen.
std::optional<Session::Step> Session::on_shown_names(const Frame& frame, const routing::Analysis& analysis) {
  if (!routing_->plain || in_block() || !pinned_.empty() || group_.open || statements_.size() > kMaxShown) return std::nullopt;
  if (relay_ && relay_->open() && !relay_->quiet()) return Step::Later;
  barrier_ = true;
  routing::Route route;
  route.shards = routing::ShardSet::single(routing::ShardId{0});
  Step step = Step::Done;
  if (auto error = acquire_one(route, step)) return refuse_query(*error);
  if (step == Step::Later) return step;
  if (!relay_) return refuse_query({"08006", "the server connection was lost", {}, {}, {}, {}});
  naming_.reset();
  if (std::exchange(making_, {})) {
    note_route(&route, nullptr);
    forward_query(frame, analysis, route);
    return Step::Done;
  }
  making_.emplace();  // what cannot be prepared any more is left out
  Link& link = *relay_;
  link.own_names = true;
  link.server().statements.clear();
  link.inject("DEALLOCATE ALL", {});
  statements_.for_each([&](std::string_view name, const StatementPtr& statement) {
    if (name.empty()) return;
    out_.clear();
    if (statement->from_sql) {
      append_prepare(statement->sql, 0);
    } else {
      link.tracker().push(Request::Parse, Disposition::Swallow);
      protocol::encode_parse(name, statement->sql, statement->types, out_);
    }
    link.send(out_);
    push_sync();
  });
  // Where the last PREPARE failed, the server still has what was to run it.
  out_.clear();
  link.tracker().push(Request::Close, Disposition::Swallow);
  protocol::encode_close('S', kMaker, out_);
  link.send(out_);
  push_sync();
  return Step::Later;
}

}  // namespace pgweir::session
