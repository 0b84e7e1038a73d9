#include "protocol/reply_tracker.h"

#include <cassert>

namespace pgweir::protocol {
namespace {

bool ends_in_ready(Request request) {
  return request == Request::Query || request == Request::Sync || request == Request::FunctionCall;
}

bool describes(Request request) {
  return request == Request::DescribeStatement || request == Request::DescribePortal;
}

}  // namespace

// ---- what was sent

ReplyTracker::Push ReplyTracker::push(Request request, Disposition disposition, std::uint32_t tag) {
  assert(request != Request::Simulated);
  if (request == Request::Sync && in_copy_in()) return Push::Ignored;
  if (skipping_ && request != Request::Sync) return Push::Skipped;
  if (full()) return Push::Full;
  if (request == Request::Sync) skipping_ = false;
  if (ends_in_ready(request)) ++syncs_;
  batch_open_ = !ends_in_ready(request);
  append(Entry{request, disposition, false, false, tag, 0});
  return Push::Queued;
}

ReplyTracker::Push ReplyTracker::push_simulated(std::string_view bytes, std::uint32_t tag) {
  if (skipping_) return Push::Skipped;
  if (full() || bytes.size() > limits_.simulated_bytes - (simulated_.size() - taken_)) return Push::Full;
  simulated_.append(bytes);
  if (count_ == 0)
    due_ += bytes.size();
  else
    append({Request::Simulated, Disposition::Forward, false, false, tag, static_cast<std::uint32_t>(bytes.size())});
  return Push::Queued;
}

void ReplyTracker::push_copy_end() {
  if (copy_ == Copy::In && !copy_end_sent_) {
    copy_end_sent_ = true;
    return;
  }
  // Nothing that could still become a COPY: a late one, which the server discards.
  if (copy_ == Copy::Both || skipping_ || count_ == 0) return;
  Entry& last = at(count_ - 1);
  if (last.copy_end && !last.dead) {
    ++last.tag;
    return;
  }
  append(Entry{Request::Sync, Disposition::Swallow, false, true, 1, 0});
  ++dead_;
}

void ReplyTracker::append(const Entry& entry) {
  if (count_ == ring_.size()) {
    std::vector<Entry> larger(ring_.empty() ? 16 : ring_.size() * 2);
    for (std::size_t i = 0; i < count_; ++i) larger[i] = at(i);
    ring_.swap(larger);
    head_ = 0;
  }
  ++count_;
  at(count_ - 1) = entry;
}

// ---- what came

ReplyTracker::Reply ReplyTracker::on_other(BackendMessage type, char status) {
  switch (type) {
    case BackendMessage::NoticeResponse:
    case BackendMessage::ParameterStatus: {
      Reply reply = count_ == 0 ? Reply{Reply::Action::Forward} : head_reply();
      reply.asynchronous = true;
      return reply;
    }
    case BackendMessage::NotificationResponse:
      return Reply{Reply::Action::Forward, true};
    case BackendMessage::ErrorResponse:
      return on_error();
    case BackendMessage::ReadyForQuery:
      return on_ready(status);
    default:
      return count_ == 0 ? Reply{} : on_reply(type);
  }
}

ReplyTracker::Reply ReplyTracker::on_reply(BackendMessage type) {
  const Request request = at(0).request;
  switch (type) {
    case BackendMessage::ParseComplete:
      return finish(request == Request::Parse);
    case BackendMessage::BindComplete:
      return finish(request == Request::Bind);
    case BackendMessage::CloseComplete:
      return finish(request == Request::Close);
    case BackendMessage::ParameterDescription:
      return pass(request == Request::DescribeStatement);
    case BackendMessage::RowDescription:
      if (request == Request::Query) return pass(true);
      return finish(describes(request));
    case BackendMessage::NoData:
      return finish(describes(request));
    case BackendMessage::CommandComplete:
    case BackendMessage::EmptyQueryResponse:
      copy_ = Copy::None;
      return request == Request::Query ? pass(true) : finish(request == Request::Execute);
    case BackendMessage::PortalSuspended:
      return finish(request == Request::Execute);
    case BackendMessage::FunctionCallResponse:
      return pass(request == Request::FunctionCall);
    case BackendMessage::CopyInResponse:
      return start_copy(Copy::In);
    case BackendMessage::CopyOutResponse:
      return start_copy(Copy::Out);
    case BackendMessage::CopyBothResponse:
      return start_copy(Copy::Both);
    case BackendMessage::CopyData:
    case BackendMessage::CopyDone:
      return pass(copy_ == Copy::Out || copy_ == Copy::Both);
    default:
      return Reply{};
  }
}

ReplyTracker::Reply ReplyTracker::on_error() {
  if (count_ == 0) return Reply{Reply::Action::Unsolicited, false, true};
  copy_ = Copy::None;
  Reply reply = head_reply();
  reply.error = true;
  if (ends_in_ready(reply.request)) return reply;
  reply.completed = true;
  pop();
  skip_to_sync();
  settle();
  return reply;
}

ReplyTracker::Reply ReplyTracker::on_ready(char status) {
  if (count_ == 0 || !ends_in_ready(at(0).request) || !is_transaction_status(status)) return Reply{};
  status_ = static_cast<TransactionStatus>(status);
  copy_ = Copy::None;
  return finish(true);
}

ReplyTracker::Reply ReplyTracker::pass(bool legal) { return legal ? head_reply() : Reply{}; }

ReplyTracker::Reply ReplyTracker::finish(bool legal) {
  if (!legal) return Reply{};
  Reply reply = head_reply();
  reply.completed = true;
  pop();
  settle();
  return reply;
}

ReplyTracker::Reply ReplyTracker::start_copy(Copy copy) {
  if (!runs_statements(at(0).request)) return Reply{};
  copy_ = copy;
  copy_end_sent_ = false;
  if (copy == Copy::In) eat_syncs();
  return head_reply();
}

// ---- the queue

void ReplyTracker::pop() {
  const Entry& head = at(0);
  if (head.dead || head.copy_end)
    --dead_;
  else if (ends_in_ready(head.request))
    --syncs_;
  head_ = (head_ + 1) & (ring_.size() - 1);
  --count_;
}

// Brings the head to an entry that the server owes: what stands before it has had its turn.
void ReplyTracker::settle() {
  while (count_ != 0) {
    const Entry& head = at(0);
    if (!head.dead && !head.copy_end) {
      if (head.request != Request::Simulated) return;
      due_ += head.simulated_size;
    }
    pop();
  }
}

void ReplyTracker::skip_to_sync() {
  std::size_t dropped = 0;
  while (count_ != 0) {
    const Entry& head = at(0);
    if (!head.dead && !head.copy_end) {
      if (head.request == Request::Sync) break;
      skipped_.push_back(Skipped{head.request, head.disposition, Skipped::Why::Error, head.tag});
      dropped += head.simulated_size;
    }
    pop();
  }
  // The dropped bytes stand together: those before them are due, those behind them belong to later entries.
  simulated_.erase(taken_ + due_, dropped);
  skipping_ = count_ == 0;
}

// A CopyInResponse came: the server reads and ignores the Syncs up to the end of the copied data, or all if we sent no
// end yet.
void ReplyTracker::eat_syncs() {
  for (std::size_t i = 1; i < count_; ++i) {
    Entry& entry = at(i);
    if (entry.dead) continue;
    if (entry.copy_end) {
      copy_end_sent_ = true;
      if (--entry.tag == 0) entry.dead = true;
      break;
    }
    if (entry.request != Request::Sync) continue;
    skipped_.push_back(Skipped{entry.request, entry.disposition, Skipped::Why::CopyIn, entry.tag});
    entry.dead = true;
    ++dead_;
    --syncs_;
  }
  if (at(0).request == Request::Execute && !batch_ends_behind_head()) batch_open_ = true;
}

bool ReplyTracker::batch_ends_behind_head() {
  for (std::size_t i = 1; i < count_; ++i) {
    const Entry& entry = at(i);
    if (!entry.dead && !entry.copy_end && ends_in_ready(entry.request)) return true;
  }
  return false;
}

bool ReplyTracker::take_simulated(std::string& out) {
  if (due_ == 0) return false;
  out.append(simulated_, taken_, due_);
  taken_ += due_;
  due_ = 0;
  if (taken_ == simulated_.size()) {
    simulated_.clear();
    taken_ = 0;
  } else if (taken_ > simulated_.size() / 2) {
    simulated_.erase(0, taken_);
    taken_ = 0;
  }
  return true;
}

void ReplyTracker::abandon() {
  skipped_.clear();
  for (; count_ != 0; pop()) {
    const Entry& head = at(0);
    if (head.dead || head.copy_end) continue;
    skipped_.push_back(Skipped{head.request, head.disposition, Skipped::Why::Abandoned, head.tag});
  }
  simulated_.resize(taken_ + due_);
  copy_ = Copy::None;
  copy_end_sent_ = skipping_ = batch_open_ = false;
  status_ = TransactionStatus::Idle;
}

// ---- state

bool ReplyTracker::idle() const {
  return count_ == 0 && !batch_open_ && !skipping_ && copy_ == Copy::None && status_ == TransactionStatus::Idle;
}

void ReplyTracker::release_memory() {
  assert(count_ == 0 && due_ == 0);
  std::vector<Entry>().swap(ring_);
  std::vector<Skipped>().swap(skipped_);
  std::string().swap(simulated_);
  head_ = taken_ = 0;
}

}  // namespace pgweir::protocol
