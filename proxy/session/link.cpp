#include "proxy/session/link.h"

#include <charconv>

#include "protocol/backend_codec.h"
#include "protocol/frontend_codec.h"
#include "protocol/report_start.h"

namespace pgweir::session {

using protocol::BackendMessage;
using protocol::Disposition;
using protocol::Frame;
using protocol::ReplyTracker;
using protocol::Request;
using Action = ReplyTracker::Reply::Action;

namespace {

constexpr std::size_t kHeldReport = 1u << 20, kReportStart = 4096;

class NullSink final : public LinkSink {
 public:
  bool on_message(Link&, const Frame&, const ReplyTracker::Reply&) override { return false; }
  void relay_bytes(Link&, std::string_view) override {}
  void on_burst_end(Link&) override {}
  void on_skipped(Link&, const ReplyTracker::Skipped&) override {}
  void on_server_writable(Link&) override {}
  void on_link_closed(Link&, const protocol::SqlError&) override {}
};

}  // namespace

Link::Link(pool::Lease lease, routing::ShardId shard, routing::Role role, LinkSink& sink, metrics::WorkerCells& cells)
    : lease_(std::move(lease)), shard_(shard), role_(role), sink_(&sink), cells_(cells) {
  lease_->set_user(this);
}

Link::~Link() { discard(); }

void Link::inject(std::string_view sql, std::function<void(Link&, Injected&)> done) {
  const bool alone = quiet();
  if (lease_->tracker.push(Request::Query, Disposition::Swallow) == ReplyTracker::Push::Skipped) {
    Injected nothing;
    nothing.skipped = true;
    if (done) done(*this, nothing);
    return;
  }
  if (alone) resume();  // nothing of the client's is in front: its slowness is not waited for
  injected_.push_back({std::move(done), {}});
  lease_->unnamed.reset();  // a simple Query drops it
  scratch_.clear();
  protocol::encode_query(sql, scratch_);
  send(scratch_);
}

void Link::detach() {
  static NullSink nobody;  // without state: shared by all workers
  sink_ = &nobody;
  if (lease_) resume();
}

void Link::give_back() {
  if (!lease_) return;
  lease_->tracker.release_memory();
  resume();  // it may have been held back for a slow client
  pin.drop();
  lease_.give_back();
}

void Link::discard() {
  if (!lease_) return;
  pin.drop();
  lease_.discard();
}

std::size_t Link::on_server_bytes(pool::ServerConnection& connection, std::string_view bytes) {
  std::string_view rest = bytes;
  std::string_view run;
  run_ = &run;
  while (!rest.empty()) {
    const Frame frame = connection.frames.next(rest);
    if (const bool large = large_report(connection, frame); large && rest.size() < kReportStart) {
      connection.stream().want(kReportStart);
      break;
    } else if (large) {
      if (!connection.frames.allow_large()) connection.frames.stream_incomplete();
      continue;
    }
    if (frame.kind == Frame::Kind::NeedMore) {
      connection.stream().want(frame.needed);
      break;
    }
    if (frame.kind == Frame::Kind::Error) {
      flush_run(run);
      lost({"08P01", "server " + connection.target().label + " sent a message that is not PostgreSQL's protocol", {}, {}, {}, {}});
      return bytes.size();
    }
    connection.more_behind = !rest.empty();  // it may be given back in here
    if (!handle(frame, run)) return connection.broken() ? bytes.size() : bytes.size() - rest.size();
  }
  flush_run(run);
  connection.more_behind = !rest.empty();
  const std::size_t consumed = bytes.size() - rest.size();
  cells_.bytes_from_servers.add(consumed);
  sink_->on_burst_end(*this);
  return consumed;
}

// An error or a notice that is not held until it is whole: from now on it comes in pieces, the first with its SQLSTATE.
bool Link::large_report(pool::ServerConnection& connection, const Frame& frame) {
  if (frame.type != 'E' && frame.type != 'N') return false;
  if (frame.kind == Frame::Kind::Error) return connection.frames.fault() == protocol::FrameReader::Fault::TooLarge;
  return frame.kind == Frame::Kind::NeedMore && !connection.frames.streaming() && frame.needed > kHeldReport;
}

void Link::flush_run(std::string_view& run) {
  if (!run.empty()) sink_->relay_bytes(*this, run);
  run = {};
}

void Link::flush_before(std::string_view replacement) {
  if (run_) flush_run(*run_);
  sink_->relay_bytes(*this, replacement);
}

// False when the connection is gone.
bool Link::handle(const Frame& frame, std::string_view& run) {
  ReplyTracker& tracker = lease_->tracker;
  auto extend = [&](std::string_view piece) {
    if (!run.empty() && run.data() + run.size() != piece.data()) flush_run(run);
    run = run.empty() ? piece : std::string_view(run.data(), run.size() + piece.size());
  };
  if (!frame.first) {  // more of a message that was decided at its header
    if (chunk_reply_.action == Action::Forward) {
      if (sink_->on_message(*this, frame, chunk_reply_)) extend(frame.bytes);
    }
    if (frame.last) amid_message = false;
    return true;
  }
  char status = 0;
  if (frame.type == 'Z' && !frame.body().empty()) status = frame.body().front();
  const auto reply = tracker.on_message(static_cast<BackendMessage>(frame.type), status);
  if (!frame.last) chunk_reply_ = reply;
  if (frame.type == 'S') lease_->on_parameter_status(frame.body());
  if (!tracker.skipped().empty()) forget_skipped();
  // Undone in the reverse order of their doing.
  for (auto skipped = tracker.skipped().rbegin(); skipped != tracker.skipped().rend(); ++skipped) sink_->on_skipped(*this, *skipped);
  switch (reply.action) {
    case Action::Forward:
      if (sink_->on_message(*this, frame, reply)) {
        extend(frame.bytes);
        amid_message = !frame.last;
      }
      break;
    case Action::Swallow:
      flush_run(run);
      swallow(frame, reply);
      break;
    case Action::Unsolicited: {
      flush_run(run);
      protocol::SqlError error{"57P01", "server closed the connection", {}, {}, {}, {}};
      if (auto fields = protocol::decode_error(frame.body())) error = protocol::to_sql_error(*fields);
      lost(error);
      return false;
    }
    case Action::Violation:
      flush_run(run);
      lost({"08P01", "server " + lease_->target().label + " sent a reply that nobody asked for (type '" + std::string(1, frame.type) + "')",
            {}, {}, {}, {}});
      return false;
  }
  if (!lease_) return false;
  scratch_.clear();
  if (tracker.take_simulated(scratch_)) {
    flush_run(run);
    sink_->relay_bytes(*this, scratch_);
  }
  return static_cast<bool>(lease_);
}

// Commands of ours behind an error in an extended batch: the server reads on to the Sync. What was sent before them has been
// answered, so they are the oldest ones.
void Link::forget_skipped() {
  for (const auto& skipped : lease_->tracker.skipped()) {
    if (skipped.request != Request::Query || skipped.disposition != Disposition::Swallow || injected_.empty()) continue;
    Command command = std::move(injected_.front());
    injected_.pop_front();
    command.result.skipped = true;
    if (command.done) command.done(*this, command.result);
  }
}

void Link::swallow(const Frame& frame, const ReplyTracker::Reply& reply) {
  // Injected statements in a client's batch (Parse, Close) are the session's: it asks by the tag.
  if (reply.request != Request::Query) {
    sink_->on_message(*this, frame, reply);
    return;
  }
  if (injected_.empty()) return;
  Injected& result = injected_.front().result;
  if (frame.type == 'E') {
    if (auto fields = frame.last ? protocol::decode_error(frame.body()) : protocol::decode_report_start(frame.body()); fields && !result.error) {
      result.error = protocol::to_sql_error(*fields);
      std::from_chars(fields->position.data(), fields->position.data() + fields->position.size(), result.error_position);
      protocol::move_position(*result.error, std::nullopt);  // the text is ours, not the client's
    }
  } else if (frame.type == 'C') {
    if (auto tag = protocol::decode_command_complete(frame.body())) result.tag = std::string(*tag);
  } else if (frame.type == 'D' && frame.last && result.rows.size() < kMaxInjectedRows) {
    std::vector<std::optional<std::string_view>> columns;
    if (!protocol::decode_data_row(frame.body(), columns)) {
      auto& row = result.rows.emplace_back();
      for (const auto& column : columns) row.push_back(column ? std::optional<std::string>(*column) : std::nullopt);
    }
  }
  if (reply.completed) {
    Command command = std::move(injected_.front());
    injected_.pop_front();
    if (command.done) command.done(*this, command.result);
  }
}

void Link::on_server_drained(pool::ServerConnection&) { sink_->on_server_writable(*this); }

void Link::on_server_closed(pool::ServerConnection&, const protocol::SqlError& error) { lost(error); }

void Link::lost(const protocol::SqlError& error) {
  if (!lease_) return;
  const protocol::SqlError copy = error;
  lease_->mark_broken();
  lease_->tracker.abandon();
  pin.drop();
  lease_.discard();
  injected_.clear();
  sink_->on_link_closed(*this, copy);
}

}  // namespace pgweir::session
