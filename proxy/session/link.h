// A leased server connection in the hands of one session: walks what the server sends, lets the ReplyTracker decide whose
// it is, and keeps injected commands (settings, BEGIN, census, two-phase commit) away from the client.
// Lives on its session's worker.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "protocol/fifo.h"
#include "protocol/frame_reader.h"
#include "protocol/reply_tracker.h"
#include "proxy/metrics/metrics.h"
#include "proxy/net/worker.h"
#include "proxy/pool/pin.h"
#include "proxy/pool/server_connection.h"
#include "routing/types.h"

namespace pgweir::session {

class Link;

// Who gets what the server says to the client's requests: the relay of a session, a gather, ...
class LinkSink {
 public:
  // A message that answers a request of ours with Disposition::Forward, or an asynchronous one (N, S, A). A large DataRow,
  // CopyData, error or notice may come in chunks. Returns true when the bytes shall go to the client unchanged (relay_bytes
  // follows).
  virtual bool on_message(Link& link, const protocol::Frame& frame, const protocol::ReplyTracker::Reply& reply) = 0;
  // Adjacent messages for which on_message() said true, and simulated replies, in order.
  virtual void relay_bytes(Link& link, std::string_view bytes) = 0;
  // All messages of one read burst are handled; the link may be given back or destroyed in here.
  virtual void on_burst_end(Link& link) = 0;
  // Parse or Close requests that did not happen (they stood behind an error).
  virtual void on_skipped(Link& link, const protocol::ReplyTracker::Skipped& skipped) = 0;
  virtual void on_server_writable(Link& link) = 0;
  // The server connection is lost; the lease is already discarded. Queued injected commands are dropped without a call.
  virtual void on_link_closed(Link& link, const protocol::SqlError& error) = 0;

 protected:
  ~LinkSink() = default;
};

// The outcome of an injected command.
struct Injected {
  std::optional<protocol::SqlError> error;                   // without its position, since the text is ours
  std::size_t error_position = 0;                            // ... which is this, in characters from 1; 0: none
  bool skipped = false;                                      // it stood behind an error: the server did not run it
  std::string tag;                                           // of the last command in it
  std::vector<std::vector<std::optional<std::string>>> rows; // text format; bounded by kMaxInjectedRows
};

class Link final : public net::Disposable, public pool::ServerUser {
 public:
  static constexpr std::size_t kMaxInjectedRows = 100'000;
  // Tag of Parse entries that are made to fail on purpose, to abort a transaction (see Session::fail_group).
  static constexpr std::uint32_t kPoison = 0xffffffff;

  Link(pool::Lease lease, routing::ShardId shard, routing::Role role, LinkSink& sink, metrics::WorkerCells& cells);
  ~Link() override;

  routing::ShardId shard() const { return shard_; }
  routing::Role role() const { return role_; }
  bool open() const { return static_cast<bool>(lease_); }
  pool::ServerConnection& server() { return *lease_; }      // precondition: open()
  protocol::ReplyTracker& tracker() { return lease_->tracker; }
  void set_sink(LinkSink& sink) { sink_ = &sink; }
  // Nobody listens any more: what still comes is dropped, and a lost connection is only discarded.
  void detach();

  void send(std::string_view bytes) {
    cells_.bytes_to_servers.add(bytes.size());
    lease_->send(bytes);
  }
  // A simple Query whose replies stay here; `done` runs after its ReadyForQuery, or when it turns out (perhaps at once)
  // that the server skips it. It ends the implicit transaction of an extended batch that is open.
  void inject(std::string_view sql, std::function<void(Link&, Injected&)> done);
  bool injecting() const { return !injected_.empty(); }

  // Nothing is owed and no transaction is open on the server.
  bool idle() const { return lease_->tracker.idle() && injected_.empty(); }
  bool cancellable() const { return open() && !quiet() && !begin_sent; }
  bool quiet() const { return lease_->tracker.outstanding() == 0; }
  protocol::TransactionStatus status() const { return lease_->tracker.status(); }

  void pause() { lease_->stream().pause(); }
  void resume() { lease_->stream().resume(); }
  void give_back();
  void discard();
  // A statement that may change session state has been sent.
  void make_suspect() { suspect = true, private_environment = 0; }
  // Inside on_message(): these bytes go to the client in place of the message being looked at.
  void flush_before(std::string_view replacement);

  // What the session notes about this lease.
  bool in_transaction = false;      // BEGIN was sent by us or by the client. Stays when the connection is lost
  std::vector<std::string> temp_tables;   // temporary relations on the server, as of the last census
  std::string_view pinned;          // why the server is kept for the session; empty: it is not. Points to a constant
  pool::Pin pin;                    // its place among the pool's pinned servers; also while a statement runs that may need one
  bool moved_sequence = false;      // currval() may be asked for what this server gave
  bool loaded = false;              // a library was loaded
  bool wrote = false;               // a statement that may write has been sent in this transaction
  bool suspect = false;             // session state on the server may differ from what we know: census before release
  // While suspect: stands for the settings that nobody knows; 0: to be chosen. Statements parsed under it are not shared.
  std::uint64_t private_environment = 0;
  bool begin_sent = false;          // a BEGIN of ours is under way: a cancel that hit it would leave what is behind it outside the block
  std::vector<std::shared_ptr<void>> late_cancels;   // ... so these wait
  bool listening = false;           // the server may listen to channels: for the client alone, or as follows
  bool mirrored = false;            // it listens to the session's channels, which the listening connection delivers
  bool adopted = false;             // the last census gave `channels` for the listening connection
  std::set<std::string> channels;
  bool forced_rollback = false;
  bool amid_message = false;        // the client has a part of a message: nothing else may be said before its end
  bool fatal_told = false;          // the client has been given the server's FATAL: nothing is to be added at its end
  unsigned preparing = 0;           // injected commands whose end the session waits for: settings,
  unsigned settling = 0;            // ... and what follows a transaction
  unsigned census_tries = 0;        // of the present one, that a statement_timeout has ended
  std::optional<std::string> own_timeout; // ... and what the session has it set to
  bool ran_code = false;            // code of users has run in this lease: it may have set what the session's texts do not show
  bool unknown_settings = false;    // a custom setting of unknown name may have been set: not for anybody else
  bool own_names = false;           // the client's statements are on the server under the client's names: to be dropped
  std::vector<std::string> lent_names;   // only these are

  std::size_t on_server_bytes(pool::ServerConnection& connection, std::string_view bytes) override;
  void on_server_drained(pool::ServerConnection& connection) override;
  void on_server_closed(pool::ServerConnection& connection, const protocol::SqlError& error) override;

 private:
  struct Command { std::function<void(Link&, Injected&)> done; Injected result; };
  bool handle(const protocol::Frame& frame, std::string_view& run);
  void swallow(const protocol::Frame& frame, const protocol::ReplyTracker::Reply& reply);
  void forget_skipped();
  void flush_run(std::string_view& run);
  void lost(const protocol::SqlError& error);
  static bool large_report(pool::ServerConnection& connection, const protocol::Frame& frame);

  pool::Lease lease_;
  routing::ShardId shard_;
  routing::Role role_;
  LinkSink* sink_;
  metrics::WorkerCells& cells_;
  protocol::Fifo<Command> injected_;
  protocol::ReplyTracker::Reply chunk_reply_;  // of the message that is being given in chunks
  std::string_view* run_ = nullptr;  // the adjacent messages to forward, while a burst is walked
  std::string scratch_;
};

}  // namespace pgweir::session
