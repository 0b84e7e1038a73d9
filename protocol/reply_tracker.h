// ReplyTracker: the queue of replies that one server connection still owes, which is what makes pipelining right.
//
// Push an entry for each request in the order in which it is written to the server; call on_message() for each message
// that the server sends; then take_simulated(). Between them the queue knows whom a reply belongs to, whether the
// client sees it, what an error makes the server skip, and when the connection owes nothing. It mirrors PostgreSQL's
// rules (postgres.c, copyfromparse.c):
//  - an error in Parse, Bind, Describe, Execute or Close discards every later request, of any kind, up to the next
//    Sync; one in a Query, a FunctionCall or at a Sync does not; each of those three ends in its own ReadyForQuery;
//  - during COPY FROM STDIN the server reads CopyData, CopyDone, CopyFail and ignores Flush and Sync: such a Sync
//    gets no Z. That concerns Syncs sent behind the COPY before its CopyInResponse came, too; push_copy_end() marks how
//    far;
//  - NoticeResponse, ParameterStatus and NotificationResponse come at any time and answer nothing.
// Bounded by limits; memory is kept between uses (release_memory() gives it back). Not thread-safe.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "protocol/message_type.h"
#include "protocol/transaction_status.h"

namespace pgweir::protocol {

enum class Request : std::uint8_t {
  Query, Parse, Bind, DescribeStatement, DescribePortal, Execute, Close, Sync, FunctionCall,
  Simulated,  // bytes of ours at this place of the stream; the server knows nothing of it
};
enum class Disposition : std::uint8_t {
  Forward,  // the client asked: its replies go to the client
  Swallow,  // the proxy asked: its replies stay here
};

struct ReplyTrackerLimits {
  std::uint32_t entries = 16'384;        // requests owed at once, simulated ones included
  std::uint32_t simulated_bytes = 1u << 20;
};

class ReplyTracker {
 public:
  enum class Push : std::uint8_t {
    Queued,   // send it; its reply will come
    Skipped,  // the server discards it (an error, and no Sync since): not queued, need not be sent. Treat it like
              // an entry of skipped()
    Ignored,  // a Sync (or Flush) during COPY FROM STDIN: do not send it, nothing will come for it
    Full,     // a limit is reached: stop reading the client until replies have come; nothing was changed
  };

  struct Reply {
    enum class Action : std::uint8_t {
      Forward,      // give the message to the client
      Swallow,      // keep it from the client
      Unsolicited,  // an ErrorResponse that answers nothing (a FATAL between requests): the server is about to close
      Violation,    // this message cannot come now: the server connection is unusable, close it
    };
    Action action = Action::Violation;
    bool asynchronous = false;  // N, S or A: answers nothing. action is that of the request at work; A is forwarded
    bool error = false;         // an ErrorResponse
    bool completed = false;     // the request below has had its last message. An error completes the extended requests;
                                // Query, FunctionCall and Sync complete at their Z
    Request request = Request::Query;  // whose it is; meaningless for Unsolicited, Violation, nothing owed
    std::uint32_t tag = 0;             // the owner's
  };

  // A request that will get no reply.
  struct Skipped {
    enum class Why : std::uint8_t {
      Error,      // after an error: it did not happen (roll back what you assumed of a Parse, Bind or Close)
      CopyIn,     // a Sync that COPY FROM STDIN ate: it did not end the batch
      Abandoned,  // by abandon(): nobody knows whether it happened
    };
    Request request;
    Disposition disposition;
    Why why;
    std::uint32_t tag;
    bool operator==(const Skipped&) const = default;
  };

  explicit ReplyTracker(ReplyTrackerLimits limits = {}) : limits_(limits) {}

  // ---- what was sent

  // Precondition: request != Simulated.
  Push push(Request request, Disposition disposition, std::uint32_t tag = 0);
  // Bytes (whole messages) that the client gets when everything before them has been answered; due at once if nothing
  // is owed.
  Push push_simulated(std::string_view bytes, std::uint32_t tag = 0);
  // A CopyDone or CopyFail was sent. Required for each, also for a late one: it is how Syncs before and behind it are
  // told apart.
  void push_copy_end();
  // Whether a Flush may be sent now: Ignored during COPY FROM STDIN, else Queued (Flush has no reply and no entry).
  Push push_flush() const { return in_copy_in() ? Push::Ignored : Push::Queued; }

  // ---- what came

  // status: ReadyForQuery's letter, else unused. Invalidates skipped().
  Reply on_message(BackendMessage type, char status = 0) {
    skipped_.clear();
    // The one type that comes by the million answers in a few instructions.
    if (type == BackendMessage::DataRow && count_ != 0 && runs_statements(at(0).request)) return head_reply();
    return on_other(type, status);
  }
  // What the last on_message() or abandon() took out of the queue without a reply, in order. Valid until the next of
  // them.
  std::span<const Skipped> skipped() const { return skipped_; }
  // Appends the simulated bytes that are due (call it after the message of on_message() was handed on, and after
  // push_simulated). Returns whether there were any.
  bool take_simulated(std::string& out);
  // The server is gone: empties the queue; skipped() lists what was in it.
  void abandon();

  // ---- state

  // Entries owed by the server. Simulated ones count: 0 means that nothing is on its way to the client either, except
  // due bytes.
  std::size_t outstanding() const { return count_ - dead_; }
  std::size_t outstanding_syncs() const { return syncs_; }  // Sync, Query and FunctionCall: each ends in a Z
  // Nothing owed, no batch begun that has no Sync yet, no COPY, and the last Z said 'I': the server may be released.
  bool idle() const;
  // The server waits for CopyData of ours (its CopyInResponse came, no CopyDone or CopyFail was sent since).
  bool in_copy_in() const { return copy_ == Copy::In && !copy_end_sent_; }
  bool in_copy_both() const { return copy_ == Copy::Both; }
  bool in_copy_out() const { return copy_ == Copy::Out; }
  // An error was seen and the Sync that ends it has not been pushed yet.
  bool skipping_until_sync() const { return skipping_; }
  // Of the last Z; Idle before the first one (a server is adopted after its login's Z).
  TransactionStatus status() const { return status_; }

  // Gives memory back. Precondition: outstanding() == 0 and no simulated bytes due.
  void release_memory();

 private:
  enum class Copy : std::uint8_t { None, In, Out, Both };
  struct Entry {
    Request request;
    Disposition disposition;
    bool dead = false;      // answered by nothing any more (an eaten Sync)
    bool copy_end = false;  // the mark of push_copy_end(); request is unused, tag counts the ends at this place
    std::uint32_t tag = 0;
    std::uint32_t simulated_size = 0;
  };

  static bool runs_statements(Request request) { return request == Request::Query || request == Request::Execute; }
  Entry& at(std::size_t index) { return ring_[(head_ + index) & (ring_.size() - 1)]; }
  bool full() const { return count_ >= limits_.entries; }
  void append(const Entry& entry);
  void pop();
  void settle();
  Reply on_other(BackendMessage type, char status);
  Reply on_reply(BackendMessage type);
  Reply on_error();
  Reply on_ready(char status);
  Reply head_reply() {
    const Entry& head = at(0);
    Reply reply;
    reply.action = head.disposition == Disposition::Forward ? Reply::Action::Forward : Reply::Action::Swallow;
    reply.request = head.request;
    reply.tag = head.tag;
    return reply;
  }
  Reply finish(bool legal);
  Reply pass(bool legal);
  Reply start_copy(Copy copy);
  void skip_to_sync();
  void eat_syncs();
  bool batch_ends_behind_head();

  ReplyTrackerLimits limits_;
  std::vector<Entry> ring_;  // a power of two in size; entries at head_ .. head_ + count_
  std::size_t head_ = 0;
  std::size_t count_ = 0;
  std::size_t dead_ = 0;   // entries in the ring that owe nothing
  std::size_t syncs_ = 0;
  std::string simulated_;  // [0, taken_) taken, then due_ bytes due, then those still in the queue
  std::size_t taken_ = 0;
  std::size_t due_ = 0;
  std::vector<Skipped> skipped_;
  TransactionStatus status_ = TransactionStatus::Idle;
  Copy copy_ = Copy::None;
  bool copy_end_sent_ = false;
  bool skipping_ = false;
  bool batch_open_ = false;  // extended requests were pushed and no Sync since
};

}  // namespace pgweir::protocol
