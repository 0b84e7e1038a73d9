// Session: the client's stream, the dispatch of its messages, and its end.
#include "proxy/session/session.h"
#include "proxy/session/timeouts.h"

#include <algorithm>

#include "proxy/log/log.h"
#include "proxy/session/cancel.h"
#include "proxy/session/virtual_group.h"

namespace pgweir::session {

using protocol::Frame;
using protocol::SqlError;
using protocol::TransactionStatus;

namespace {

// How long a vanished client's last requests may take to finish before they are cut off.
constexpr auto kOrphanBound = std::chrono::milliseconds(60'000);
// An incomplete message up to this size is waited for without asking for memory.
constexpr std::size_t kHeldAlways = 64u << 10;

protocol::ClientStatementLimits statement_limits(const config::Listen& listen) {
  // One statement of any size that is taken at all must fit.
  constexpr std::size_t kAround = sizeof(Statement) + 4 * 65'536 + 1024;  // types and name
  const std::size_t bytes = std::max<std::size_t>(listen.max_client_statement_bytes, listen.max_statement_size + kAround);
  return {listen.max_client_statements, static_cast<std::uint32_t>(std::min<std::size_t>(bytes, UINT32_MAX))};
}

}  // namespace

Session::Session(WorkerContext& context, std::unique_ptr<net::Stream> stream, Identity identity)
    : context_(context),
      stream_(std::move(stream)),
      identity_(std::move(identity)),
      frames_(protocol::frontend_limits(static_cast<std::uint32_t>(context.snapshot()->config->listen.max_statement_size))),
      settings_(identity_.startup),
      told_(identity_.parameters) {
  context_.sessions.emplace(identity_.id, this);
  context_.runtime.clients.fetch_add(1, std::memory_order_relaxed);
  timer_.set<&Session::on_timer>(this);
  idle_timer_.set<&Session::on_idle_tick>(this);
  refresh_routing();
  statements_.set_limits(statement_limits(context_.snapshot()->config->listen));
  // Room for the largest statement and one message behind it: larger ones are refused by the frame reader.
  stream_->set_retain_limit(context_.snapshot()->config->listen.max_statement_size + (1u << 20));
  stream_->set_handler(this);
  stream_->resume();
  on_idle_tick();
}

Session::~Session() {
  context_.sessions.erase(identity_.id);
  context_.runtime.clients.fetch_sub(1, std::memory_order_relaxed);
  context_.worker.add_load(-1);
  cancel_registry().forget(identity_.cancel_pid, identity_.cancel_key);
}

std::size_t Session::on_bytes(std::string_view bytes) {
  ++bursts_;
  if (!std::exchange(awake_, true)) context_.rest.awake(identity_.id);
  std::string_view rest = bytes;
  presenting_ = true;
  while (takes_input() && !input_waits_ && !rest.empty()) {
    const std::string_view before = rest;
    if (group_.is_virtual && copy_data_first(rest.front())) break;
    const Frame frame = frames_.next(rest);
    const bool too_large = frame.kind == Frame::Kind::Error && frames_.fault() == protocol::FrameReader::Fault::TooLarge;
    if (too_large || (frame.kind == Frame::Kind::NeedMore && frame.needed > kHeldAlways)) {
      if (meet_large(frame, rest) == Step::Done) continue;
      break;
    }
    if (frame.kind == Frame::Kind::NeedMore) {
      if (stream_) stream_->want(frame.needed);
      break;
    }
    if (frame.kind == Frame::Kind::Error) {
      presenting_ = false;
      fatal(frames_.error());
      return bytes.size();
    }
    if (oversized_) {
      oversized_ = !frame.last;
      continue;
    }
    if (bind_head_ != 0) {
      if (forward_bind(frame) == Step::Later) break;
      continue;
    }
    meter_.meets(*tenancy_->cells, frame.type);
    if (context_.worker.memory().exhausted() && lacks_memory(frame)) {
      if (refuse_message(frame.type, memory_error()) == Step::Done) {
        meter_.taken();
        continue;
      }
      rest = before;
      input_waits_ = true;
      break;
    }
    if (handle(frame) == Step::Later) {
      rest = before;
      input_waits_ = true;
      break;
    }
    meter_.taken();
    // Answers of our own must not pile up for a client that sends and does not read.
    if (stream_ && stream_->above_high_water()) break;
  }
  presenting_ = false;
  note_memory();
  if (!stream_) return bytes.size();
  if ((!takes_input() || input_waits_ || stream_->above_high_water()) && stream_->is_open()) stream_->pause();
  context_.cells.bytes_from_clients.add(bytes.size() - rest.size());
  tenancy_->cells->received.add(bytes.size() - rest.size());
  return bytes.size() - rest.size();
}

Session::Step Session::handle(const Frame& frame) {
  if (mode_ == Mode::CopyData && frame.type != 'd' && frame.type != 'c' && frame.type != 'f' && frame.type != 'X') {
    if (!virtual_ || !virtual_->takes_copy_data()) return Step::Later;  // it stands behind the COPY, which is about to end
    if (frame.type != 'S' && frame.type != 'H') lost_in_copy_in(frame.type);
    return Step::Done;
  }
  if (group_.failed && frame.type != 'S' && frame.type != 'X') return Step::Done;
  switch (frame.type) {
    case 'Q': return on_query(frame);
    case 'P':
    case 'B':
    case 'D':
    case 'E':
    case 'C': return on_extended(frame);
    case 'S': return on_sync(frame);
    case 'H': return on_flush(frame);
    case 'd':
    case 'c':
    case 'f': return on_copy_message(frame);
    case 'F': return on_function_call(frame);
    case 'X':
      // Answers to what stands in front are still wanted, unless nobody is there to read them.
      leaving_ = !hung_up_ && mode_ == Mode::Open && relay_ && relay_->open() && relay_->tracker().outstanding_syncs() > 0 && !relay_->tracker().in_copy_in();
      if (leaving_) return Step::Later;
      orphan();
      return Step::Done;
    default:
      fatal({"08P01", std::string("invalid frontend message type ") + std::to_string(static_cast<unsigned char>(frame.type)), {}, {}, {}, {}});
      return Step::Done;
  }
}

// What kept the input waiting is over. Safe to call at any time.
void Session::wake() {
  if (mode_ == Mode::Closed) return;
  if (mode_ == Mode::Orphan) return orphan_step();
  mode_ = Mode::Open;
  if (!std::exchange(input_waits_, false) && !deferred_begin_.empty()) idle_timer_.arm_no_later(context_.worker, std::chrono::milliseconds(0));
  deliver_notices();
  if (stream_) stream_->resume();
}

void Session::on_drained() {
  for (auto& link : links_)
    if (link->open()) link->resume();
  if (virtual_) virtual_->on_client_drained();
  deliver_notices();
  if (stream_ && takes_input() && !input_waits_) stream_->resume();
}

// The client hung up while its input waits. What it sent completely still runs, as on a direct connection; its end is met
// when reading goes on. Behind a Terminate there is nothing to wait for.
void Session::on_hangup() {
  hung_up_ = true;
  if (!leaving_) return;
  context_.worker.defer([&context = context_, id = identity_.id] {
    if (auto found = context.sessions.find(id); found != context.sessions.end()) found->second->orphan();
  });
}

void Session::on_closed(const net::StreamError&) {
  orphan();
}

void Session::send_error(const SqlError& error, protocol::Severity severity) {
  context_.cells.count_error(error.sqlstate);
  tenancy_->cells->errors.add();
  std::string message;
  const bool late = overdue_ && error.sqlstate == "57014";
  protocol::encode_error(late ? overdue_query(pool_settings()) : error, severity, message);
  to_client(message);
}

void Session::send_ready() {
  std::string message;
  const auto status = local_failed_ ? TransactionStatus::Failed : tx_;
  if (status == TransactionStatus::Idle && !notifications_.or_default().queue.empty()) message = take_notices(Listening::kMaxWaiting);
  protocol::encode_ready_for_query(status, message);
  to_client(message);
}

void Session::answer_ready() {
  if (tx_ == TransactionStatus::Idle && !local_failed_) transaction_ended();
  send_ready();
}

void Session::fatal(const SqlError& error) {
  if (client_gone()) return;
  const bool amid = std::any_of(links_.begin(), links_.end(), [](const auto& link) { return link->amid_message; });
  if (!amid) send_error(error, protocol::Severity::Fatal);  // else it would be taken for the rest of a row
  orphan();
}

// servers: what runs on them ends too, and so do their connections.
void Session::drain(bool now, bool servers) {
  ending_ = true;
  // Servers that are kept (pinned, session mode) do not matter, what runs on them does.
  const bool at_boundary = mode_ == Mode::Open && !in_block() && !group_.open &&
                           std::all_of(links_.begin(), links_.end(), [](const auto& l) { return !l->open() || l->idle(); });
  const SqlError ended{"57P01", "terminating connection due to administrator command", {}, {}, {}, {}};
  if (servers) return kill(ended);
  if (now || at_boundary) fatal(ended);
}

void Session::kill(const SqlError& error) {
  fatal(error);
  if (mode_ != Mode::Orphan) return;
  for (auto& link : links_)
    if (link->open() && !link->idle() && !link->begin_sent) send_cancel(context_, link->server());
  on_timer();
}

// The client is gone. What it sent completely has been handed on and finishes as it would on a direct connection; an open
// transaction is rolled back.
void Session::orphan() {
  if (client_gone()) return;
  const Mode was = mode_;
  mode_ = Mode::Orphan;
  leave_listening();
  if (stream_) {
    stream_->set_handler(nullptr);
    net::Stream::finish(std::move(stream_));
  }
  if (was == Mode::Checkout) checkout_->cancel();
  if (virtual_ && (was == Mode::Checkout || was == Mode::Prepare)) {
    // Its next statement has no servers yet: nobody waits for it any more.
    virtual_->take_back_links();
    context_.worker.defer([group = std::shared_ptr<VirtualGroup>(std::move(virtual_))] {});
  }
  timer_.cancel();
  timer_.arm(context_.worker, kOrphanBound);
  const bool cancel_work = virtual_ ? virtual_->read_only() : in_flight_read_only_ || pool_settings().cancel_on_disconnect;
  if (cancel_work)
    for (auto& link : links_)
      if (link->cancellable()) send_cancel(context_, link->server());
  idle_timer_.cancel();
  if (cancel_work) idle_timer_.arm(context_.worker, std::chrono::milliseconds(1'000));  // cancel_work_again()
  if (virtual_) virtual_->on_client_gone();
  if (copy_partial_ && relay_) relay_->discard();  // half a message lies in it
  if (group_.relayed && relay_ && relay_->open() && !relay_->tracker().in_copy_in()) {
    // A batch without its Sync: on a direct connection the server would abort it at the end of the input.
    using protocol::Disposition;
    using protocol::Request;
    using Push = protocol::ReplyTracker::Push;
    out_.clear();
    if (relay_->tracker().push(Request::Parse, Disposition::Swallow, Link::kPoison) == Push::Queued)
      protocol::encode_parse("", "pgweir aborts", {}, out_);
    if (relay_->tracker().push(Request::Sync, Disposition::Forward) == Push::Queued) protocol::encode_sync(out_);
    relay_->server().unnamed.reset();
    relay_->send(out_);
    group_ = Group{};
  }
  for (auto& link : links_)
    if (link->open()) {
      if (link->tracker().in_copy_in()) fail_copy_in(*link);
      link->resume();
    }
  orphan_step();
}

// The server waits for data that nobody will send any more.
void Session::fail_copy_in(Link& link) {
  out_.clear();
  protocol::encode_copy_fail("client connection lost", out_);
  link.tracker().push_copy_end();
  link.send(out_);
}

// Called whenever something has finished: ends when nothing is owed any more.
void Session::orphan_step() {
  if (mode_ != Mode::Orphan || virtual_ || preparing_ != 0 || settling_ != 0) return;
  bool busy = false;
  for (auto& link : links_) {
    if (!link->open()) continue;
    if (link->tracker().in_copy_in()) fail_copy_in(*link);  // it may have begun only now
    if (!link->idle() && link->quiet() && !link->forced_rollback) {
      // An open transaction, or a batch without its Sync: both end here.
      link->forced_rollback = true;
      out_.clear();
      if (link->tracker().push(protocol::Request::Sync, protocol::Disposition::Forward) == protocol::ReplyTracker::Push::Queued) {
        protocol::encode_sync(out_);
        link->send(out_);
      }
      link->inject("ROLLBACK", [this](Link&, Injected&) { orphan_step(); });
      busy = true;
    } else if (!link->idle()) {
      busy = true;
    }
  }
  if (busy) return;
  tx_ = TransactionStatus::Idle;
  // Sequence values alone are no reason: own_sequences() keeps them from others.
  if ((!pinned_.empty() && pinned_ != pool::pin_reason_name(pool::PinReason::Sequence)) || pool_settings().mode == config::PoolMode::Session) {
    // What pinned the connection must not reach anybody else. A new connection costs less than proving that it is gone.
    for (auto& link : links_) link->discard();
    end();
    return;
  }
  for (auto& link : links_)
    if (link->open() && link->suspect) {
      link->suspect = false;
      link->discard();
    }
  release_links();
  end();
}

void Session::end() {
  if (mode_ == Mode::Closed) return;
  mode_ = Mode::Closed;
  if (meter_.in_transaction()) transaction_ended();  // it was not to end
  leave_listening();
  timer_.cancel();
  idle_timer_.cancel();
  if (checkout_) checkout_->cancel();
  if (stream_) {
    stream_->set_handler(nullptr);
    net::Stream::finish(std::move(stream_));
  }
  for (auto& link : links_) context_.worker.dispose(std::move(link));
  links_.clear();
  relay_ = nullptr;
  context_.cells.clients_closed.add();
  context_.cells.count_servers(tally_.servers());
  const auto* name = settings_->find("application_name");
  if (log::enabled(log::Level::Debug))
    log::debug("client {} of user \"{}\" has left: application_name=\"{}\" {}", identity_.id, identity_.user, name ? *name : "", tally_.text());
  context_.worker.dispose(std::unique_ptr<net::Disposable>(this));
}

void Session::on_timer() {
  if (mode_ == Mode::Orphan) {
    for (auto& link : links_) link->discard();
    virtual_.reset();
    return end();
  }
  if (mode_ == Mode::Settle || client_gone()) return;
  if (std::exchange(idle_armed_, false)) {
    if (in_block() && mode_ == Mode::Open && (links_.empty() || !relay_ || relay_->quiet())) fatal(idle_in_transaction(pool_settings()));
    return;
  }
  if (mode_ != Mode::Open || (relay_ && !relay_->quiet())) cancel_overdue();
}

runtime::ClientInfo Session::info() const {
  runtime::ClientInfo info;
  info.id = identity_.id;
  info.user = identity_.user;
  info.database = identity_.database;
  info.address = identity_.address;
  info.worker = context_.worker.index();
  info.tls = identity_.tls;
  info.pinned = pinned_.empty() && !temp_tables_.empty() ? std::string_view("temp_tables") : pinned_;
  info.state = mode_ == Mode::Checkout ? "waiting" : links_.empty() ? "idle" : "active";
  info.servers = static_cast<unsigned>(tally_.servers());
  if (const auto* name = settings_->find("application_name")) info.application_name = *name;
  info.connected_seconds = std::chrono::duration_cast<std::chrono::seconds>(std::chrono::steady_clock::now() - since_).count();
  info.prepared_statements = statements_.size();
  if (checkout_ && checkout_->waiting()) info.waited = checkout_->waiting_for();
  if (!relay_ || !relay_->open()) return info;
  info.server = relay_->server().target().label;
  info.server_id = relay_->server().id();
  return info;
}

}  // namespace pgweir::session
