#include "proxy/pool/server_connection.h"

#include <random>

#include "protocol/backend_codec.h"
#include "protocol/frontend_codec.h"
#include "proxy/pool/login_services.h"

namespace pgweir::pool {
namespace {

std::atomic<std::uint64_t> next_id{1};

// Nothing a server sends between commands is large, but one row may be: rows stream.
constexpr std::uint32_t kMaxServerMessage = 64u << 20;

// Up to 10 % less than configured, so that connections made together do not all end together.
std::chrono::milliseconds jittered(std::chrono::milliseconds lifetime) {
  static thread_local std::minstd_rand random{std::random_device{}()};
  if (lifetime.count() <= 10) return lifetime;
  return lifetime - std::chrono::milliseconds(std::uniform_int_distribution<std::int64_t>(0, lifetime.count() / 10)(random));
}

}  // namespace

ServerConnection::ServerConnection(net::Worker& worker, Pool& pool, std::shared_ptr<const ServerTarget> target,
                                   const PoolLimits& limits, LoginServices& services)
    : statements(limits.max_prepared_statements),
      frames(protocol::backend_limits(kMaxServerMessage)),
      worker_(&worker),
      pool_(pool),
      target_(std::move(target)),
      services_(services),
      id_(next_id.fetch_add(1, std::memory_order_relaxed)),
      facts_(pool.census().add(id_, target_, jittered(limits.lifetime))),
      idle_since_(facts_->connected_at),
      connect_timeout_(limits.connect_timeout),
      alive_(std::make_shared<bool>(true)) {
  login_timer_.set<&ServerConnection::on_login_timeout>(this);
}

ServerConnection::~ServerConnection() { *alive_ = false; }

void ServerConnection::set_user(ServerUser* user) { user_ = user; }

void ServerConnection::on_parameter_status(std::string_view body) {
  auto decoded = protocol::decode_parameter_status(body);
  if (!decoded) return;
  if (state_ == State::Login) {
    login_parameters_[std::string(decoded->name)] = std::string(decoded->value);
    return;
  }
  auto values = parameters_->values();
  values[std::string(decoded->name)] = std::string(decoded->value);
  parameters_ = Settings::intern(std::move(values));
}

void ServerConnection::become_idle(Clock::time_point now) {
  user_ = nullptr;
  idle_since_ = now;
  facts_->statements.store(statements.size(), std::memory_order_relaxed);
  facts_->state.store(ServerFacts::State::Idle, std::memory_order_relaxed);
}

void ServerConnection::become_leased() {
  facts_->backend_pid.store(backend_pid_, std::memory_order_relaxed);
  facts_->leased_at.store(worker_->now().time_since_epoch().count(), std::memory_order_relaxed);
  facts_->state.store(ServerFacts::State::Active, std::memory_order_relaxed);
}

bool ServerConnection::expired(Clock::time_point now, const ServerTarget* current) const {
  return broken_ || facts_->close_needed.load(std::memory_order_relaxed) || target_.get() != current || now > facts_->ends_at;
}

bool ServerConnection::renewable(Clock::time_point now) const {
  return now > facts_->ends_at && facts_->leased_at.load(std::memory_order_relaxed) != 0 && !facts_->replaced.load(std::memory_order_relaxed);
}

bool ServerConnection::idle_longer_than(Clock::time_point now, std::chrono::milliseconds bound) const {
  return bound.count() > 0 && now - idle_since_ > bound;
}

bool ServerConnection::ended_unseen() const {
  return unusable() || (idle_since_ < worker_->now() && stream_->peer_closed_probe());
}

void ServerConnection::detach() { detached_ = stream_->release(); }

void ServerConnection::attach(net::Worker& worker) {
  worker_ = &worker;
  auto adopted = net::Stream::adopt(worker, std::move(detached_), this);
  if (!adopted) {
    broken_ = true;
    return;
  }
  stream_ = std::move(*adopted);
}

void ServerConnection::terminate(net::Task ended) {
  state_ = State::Closed;
  user_ = nullptr;
  if (!stream_ || !stream_->is_open()) {
    if (ended) worker_->defer(std::move(ended));
    return;
  }
  if (!broken_ && !frames.streaming()) {
    std::string bye;
    protocol::encode_terminate(bye);
    stream_->send(bye);
  }
  // A process that is busy counts against the server's limits; not where the pool has gone to another server meanwhile.
  net::Stream::finish(std::move(stream_), kGoodbye, std::move(ended), [&pool = pool_, target = target_, facts = facts_] {
    return !facts->close_needed.load(std::memory_order_relaxed) && (pool.target() == target || !target->startup.empty());
  });
}

std::size_t ServerConnection::on_bytes(std::string_view bytes) {
  switch (state_) {
    case State::AwaitTlsAnswer: return on_tls_answer(bytes);
    case State::Login: return on_login_bytes(bytes);
    case State::Ready:
      if (user_) return user_->on_server_bytes(*this, bytes);
      return on_idle_bytes(bytes);
    default: return bytes.size();
  }
}

std::size_t ServerConnection::on_idle_bytes(std::string_view bytes) {
  std::string_view rest = bytes;
  const bool in_step = take_unasked(rest);
  more_behind = !rest.empty();
  if (in_step) return bytes.size() - rest.size();
  broken_ = true;
  pool_.on_idle_closed(this);
  return bytes.size();
}

// Between leases a server may report settings, notices and its own end; anything else means that it is out of step. False:
// it has ended or is out of step, last_error_ says which. The beginning of a message may be left in `rest`.
bool ServerConnection::take_unasked(std::string_view& rest) {
  while (!rest.empty()) {
    const auto frame = frames.next(rest);
    const bool whole = frame.kind == protocol::Frame::Kind::Message;
    if (frame.kind == protocol::Frame::Kind::NeedMore) return true;
    if (whole && (frame.type == 'N' || frame.type == 'A')) continue;
    if (whole && frame.type == 'S') {
      on_parameter_status(frame.body());
      continue;
    }
    last_error_ = {"08P01", "server " + target_->label + " sent something that nobody asked for", {}, {}, {}, {}};
    if (whole && frame.type == 'E')
      if (const auto fields = protocol::decode_error(frame.body())) last_error_ = protocol::to_sql_error(*fields);
    return false;
  }
  return true;
}

void ServerConnection::on_drained() {
  if (user_) user_->on_server_drained(*this);
}

void ServerConnection::on_closed(const net::StreamError& error) {
  broken_ = true;
  if (state_ == State::Connecting && next_address_ < addresses_.size()) {  // the name has another
    broken_ = false;
    worker_->defer([this, alive = alive_] {
      if (*alive && state_ == State::Connecting) connect_to_next();
    });
    return;
  }
  if (state_ != State::Ready && state_ != State::Closed) {
    if (!last_error_.sqlstate.empty()) return fail(last_error_);
    return fail({"08006", "could not connect to server " + target_->label + " (" + target_->endpoint.to_string() + "): " + error.text,
                 {}, {}, {}, {}});
  }
  if (state_ == State::Closed) return;
  state_ = State::Closed;
  if (user_) {
    protocol::SqlError told = last_error_;
    if (told.sqlstate.empty()) {
      told.sqlstate = "08006";
      told.message = "server " + target_->label + " closed the connection unexpectedly";
      told.detail = error.text;
    }
    user_->on_server_closed(*this, told);
  } else {
    pool_.on_idle_closed(this);
  }
}

}  // namespace pgweir::pool
