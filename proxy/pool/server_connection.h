// One connection to a PostgreSQL server: its socket, its login, and what the proxy knows of the session behind it
// (settings, prepared statements, replies owed). Lives on one worker at a time and is used on that worker's thread only;
// detach() and attach() move it.
#pragma once

#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "protocol/auth/server_authenticator.h"
#include "protocol/frame_reader.h"
#include "protocol/message_type.h"
#include "protocol/reply_tracker.h"
#include "protocol/statement_names.h"
#include "protocol/transaction_status.h"
#include "proxy/net/stream.h"
#include "proxy/net/timer.h"
#include "proxy/pool/pool.h"
#include "proxy/pool/settings.h"

namespace pgweir::pool {

class LoginServices;

// Whoever holds the connection. Called on the connection's worker.
class ServerUser {
 public:
  // As net::StreamHandler::on_bytes: returns how many bytes are consumed.
  virtual std::size_t on_server_bytes(ServerConnection& connection, std::string_view bytes) = 0;
  virtual void on_server_drained(ServerConnection& connection) = 0;
  // The connection is dead: discard its lease. `error` is what the server said last, or that it closed (57P01/08006).
  virtual void on_server_closed(ServerConnection& connection, const protocol::SqlError& error) = 0;

 protected:
  ~ServerUser() = default;
};

class ServerConnection final : public net::StreamHandler {
 public:
  // Connects and logs in on `worker`, then calls `done` once, not from within open(): with the connection, or with null
  // and the reason (the server's own error where there is one).
  using Opened = std::function<void(std::unique_ptr<ServerConnection>, const protocol::SqlError&)>;
  static void open(net::Worker& worker, Pool& pool, std::shared_ptr<const ServerTarget> target, const PoolLimits& limits,
                   LoginServices& services, Opened done);
  ~ServerConnection();

  net::Worker& worker() const { return *worker_; }
  Pool& pool() const { return pool_; }
  const ServerTarget& target() const { return *target_; }
  std::uint64_t id() const { return id_; }
  ServerFacts& facts() { return *facts_; }

  void set_user(ServerUser* user);
  ServerUser* user() const { return user_; }
  void send(std::string_view bytes) { stream_->send(bytes); }
  net::Stream& stream() { return *stream_; }

  // Session knowledge, kept by whoever holds the lease.
  protocol::ReplyTracker tracker;
  protocol::ServerStatements statements;
  protocol::FrameReader frames;
  bool more_behind = false;                       // bytes have come behind the message that was handled last
  std::shared_ptr<const void> unnamed;            // the client statement that the server's unnamed statement stands for; null: none
  SettingsPtr settings = Settings::empty();       // as set in the session (source 'session')
  // The session (its id) whose sequence values currval() and lastval() would give here. 0: nobody's, there are none.
  static constexpr std::uint64_t kSequencesUnknown = ~std::uint64_t{0};
  std::uint64_t sequence_user = 0;
  bool temporary_schema = false;                  // it has one: it stays, empty
  protocol::TransactionStatus status = protocol::TransactionStatus::Idle;
  // Cancel requests under way: the connection is not reusable meanwhile. Shared with the cancel connection, which may outlive this.
  struct Cancels {
    unsigned in_flight = 0;
    bool may_still_come = false;   // one was sent, and nobody knows whether it will be delivered: not for another client
    std::vector<std::function<void()>> ended;   // run once when the count falls to 0
  };
  std::shared_ptr<Cancels> cancels = std::make_shared<Cancels>();

  // ParameterStatus as this server last reported it; a new interned object after each change.
  const SettingsPtr& parameters() const { return parameters_; }
  void on_parameter_status(std::string_view body);

  std::int32_t backend_pid() const { return backend_pid_; }
  const std::string& cancel_key() const { return cancel_key_; }

  // For the pool. Both tell SHOW SERVERS.
  void become_leased();
  void become_idle(Clock::time_point now);
  Clock::time_point idle_since() const { return idle_since_; }
  bool expired(Clock::time_point now, const ServerTarget* current) const;
  // Its time is over, it has been of use, and nothing has taken its place.
  bool renewable(Clock::time_point now) const;
  bool idle_longer_than(Clock::time_point now, std::chrono::milliseconds bound) const;
  bool broken() const { return broken_; }
  bool reusable() const { return !broken_ && !cancels->may_still_come; }
  // For an idle connection about to be handed out: has its end (or anything unasked for) arrived, though this worker has
  // not come to read it? Costs a system call when it was idle before this wake-up, else nothing.
  bool ended_unseen() const;
  // Part of it, without a system call: broken, or something has come that is none of the next holder's.
  bool unusable() const { return broken_ || more_behind || frames.streaming(); }
  void mark_broken() { broken_ = true; }
  void detach();                    // off its worker; only the pool calls it
  void attach(net::Worker& worker); // may leave it broken()
  // Terminate message, then the socket is closed. `ended` is deferred on the worker when the server has closed its side too
  // (its process counts against the server's limits until then) or is silently gone for kGoodbye, or is one that the
  // pool has left; not when the worker stops.
  static constexpr auto kGoodbye = std::chrono::seconds(5);
  void terminate(net::Task ended = {});

 private:
  enum class State { Resolving, Connecting, AwaitTlsAnswer, AwaitTls, Login, Ready, Closed };
  ServerConnection(net::Worker& worker, Pool& pool, std::shared_ptr<const ServerTarget> target, const PoolLimits& limits,
                   LoginServices& services);

  std::size_t on_bytes(std::string_view bytes) override;
  void on_connected() override;
  void on_drained() override;
  void on_closed(const net::StreamError& error) override;

  void start();
  void connect_to_next();
  void send_startup();
  std::size_t on_tls_answer(std::string_view bytes);
  std::size_t on_login_bytes(std::string_view bytes);
  bool on_login_frame(const protocol::Frame& frame);
  bool on_negotiation(std::string_view body);
  bool asked_too_much() const;
  void begin_again();
  void on_auth_step(protocol::AuthStep step);
  void on_ready();
  std::size_t on_idle_bytes(std::string_view bytes);
  bool take_unasked(std::string_view& rest);
  void fail(protocol::SqlError error);
  void on_login_timeout();

  net::Worker* worker_;
  Pool& pool_;
  std::shared_ptr<const ServerTarget> target_;
  LoginServices& services_;
  const std::uint64_t id_;
  const std::shared_ptr<ServerFacts> facts_;
  State state_ = State::Resolving;
  std::unique_ptr<net::Stream> stream_;
  net::Detached detached_;
  std::vector<net::SocketAddress> addresses_;  // of the endpoint, while connecting
  std::size_t next_address_ = 0;
  ServerUser* user_ = nullptr;
  bool broken_ = false;
  SettingsPtr parameters_ = Settings::empty();
  Settings::Map login_parameters_;
  std::int32_t backend_pid_ = 0;
  std::string cancel_key_;                   // 4 bytes in protocol 3.0, up to 256 in 3.2
  std::uint32_t protocol_ = protocol::kProtocol32;  // asked for, then agreed on
  bool authenticated_ = false;               // AuthenticationOk has come, and nothing of SCRAM is missing
  bool server_answered_ = false;             // with a message of the login that was not an error
  protocol::SqlError last_error_;
  Clock::time_point idle_since_;
  const std::chrono::milliseconds connect_timeout_;

  // Only while logging in.
  std::unique_ptr<protocol::ServerAuthenticator> authenticator_;
  Opened done_;
  net::Timer login_timer_;
  std::shared_ptr<bool> alive_;             // for callbacks that may come after destruction
};

}  // namespace pgweir::pool
