// A client from its first byte to its first ReadyForQuery: startup, TLS, authentication, welcome. Turns into a Session or
// an AdminSession, or ends. Lives on one worker.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "protocol/auth/client_authenticator.h"
#include "protocol/frame_reader.h"
#include "protocol/startup.h"
#include "proxy/net/endpoint.h"
#include "proxy/net/stream.h"
#include "proxy/net/timer.h"
#include "proxy/pool/checkout.h"
#include "proxy/session/identity.h"
#include "proxy/session/link.h"
#include "proxy/session/worker_context.h"

namespace pgweir::session {

class Login final : public net::Disposable, public net::StreamHandler, public pool::CheckoutOwner, public LinkSink {
 public:
  Login(WorkerContext& context, std::unique_ptr<net::Stream> stream, std::uint64_t id, const net::SocketAddress& peer);
  ~Login() override;
  void start();

 private:
  enum class State { Startup, Cancel, Tls, Lookup, Authentication, Keys, Welcome, Done };

  std::size_t on_bytes(std::string_view bytes) override;
  void on_closed(const net::StreamError& error) override;
  std::size_t on_startup_bytes(std::string_view bytes);
  std::size_t on_authentication_bytes(std::string_view bytes);
  void start_tls();
  void on_cancel(std::int32_t pid, std::string_view key);
  void on_startup();
  void start_authentication();
  void ask_for_proof(bool user_exists);
  void on_auth_step(protocol::AuthStep step);
  void authenticated(const protocol::AuthDone& done);
  bool take_slot();
  void start_replication();
  void welcome();
  void on_checkout(std::vector<pool::Lease> leases) override;
  void on_checkout_failed(const protocol::SqlError& error) override;
  void on_applied(Link& link, Injected& result);
  void try_another(const protocol::SqlError& error);
  void finish_welcome(pool::SettingsPtr parameters);
  void fail(const protocol::SqlError& error);
  void end();
  void on_timeout();

  bool on_message(Link&, const protocol::Frame&, const protocol::ReplyTracker::Reply&) override { return false; }
  void relay_bytes(Link&, std::string_view) override {}
  void on_burst_end(Link&) override {}
  void on_skipped(Link&, const protocol::ReplyTracker::Skipped&) override {}
  void on_server_writable(Link&) override {}
  void on_link_closed(Link& link, const protocol::SqlError& error) override;

  bool is_console() const;

  WorkerContext& context_;
  std::unique_ptr<net::Stream> stream_;
  const std::uint64_t id_;
  const net::SocketAddress peer_;
  State state_ = State::Startup;
  runtime::SnapshotPtr snapshot_;
  protocol::StartupNegotiation negotiation_;
  protocol::FrameReader frames_;
  protocol::AuthMethod method_ = protocol::AuthMethod::ScramSha256;
  config::Secret secret_;                // of the user, from [[user]] or auth.query
  bool looked_up_ = false;               // by auth.query
  std::unique_ptr<protocol::ClientAuthenticator> authenticator_;
  Identity identity_;
  std::string application_name_, hint_shard_, hint_key_, hint_role_;
  pool::SettingsPtr keyed_settings_;     // startup settings without application_name
  pool::SettingsPtr applied_;   // what the server that is asked is given
  std::optional<pool::PoolKey> pool_key_;
  pool::Checkout checkout_;
  std::unique_ptr<Link> link_;
  unsigned lost_servers_ = 0;            // in a row, while they were asked
  net::Timer timer_;
  bool counted_ = true;                  // in runtime.unauthenticated
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace pgweir::session
