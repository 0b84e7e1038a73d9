#include "proxy/session/listening.h"

#include <openssl/rand.h>

#include <array>
#include <charconv>

#include "protocol/backend_codec.h"
#include "protocol/frontend_codec.h"
#include "proxy/log/log.h"
#include "proxy/session/session.h"

namespace pgweir::session {

using protocol::Frame;
using protocol::SqlError;

namespace {

constexpr net::Duration kTick{1'000};
constexpr unsigned kLingerTicks = 10;   // a client that listens now and then does not make it connect each time
// A server that says nothing for so long is asked whether it is there: sessions wait for what it hears.
constexpr unsigned kQuietTicks = 5;

// What the roles or the database set must not end it.
constexpr std::string_view kSetUp =
    "SELECT pg_catalog.set_config(name, '0', false) FROM pg_catalog.pg_settings"
    " WHERE name OPERATOR(pg_catalog.=) ANY ('{idle_session_timeout,statement_timeout}');"
    "SET application_name = 'pgweir listen';";

std::string random_token() {
  unsigned char bytes[16];
  RAND_bytes(bytes, sizeof bytes);
  std::string out;
  for (const unsigned char byte : bytes)
    for (const int half : {byte >> 4, byte & 15}) out += "0123456789abcdef"[half];
  return out;
}

// A notifier: 10 bits of the endpoint, 23 of the backend's pid (PID_MAX_LIMIT is 2^22), 31 of the client's.
std::array<std::atomic<std::uint64_t>, 8192> notifiers;

std::uint64_t slot_key(const config::Endpoint& endpoint, std::int32_t backend) {
  const std::uint64_t where = std::hash<std::string>{}(endpoint.host) * 31 + endpoint.port;
  return (where & 0x3ff) << 23 | (static_cast<std::uint32_t>(backend) & 0x7fffff);
}

std::atomic<std::uint64_t>& slot_of(std::uint64_t key) { return notifiers[(key ^ key >> 23) & (notifiers.size() - 1)]; }

template <class Call>
void tell(const SubscriberPtr& subscriber, Call call) {
  subscriber->context.worker.post([subscriber, call = std::move(call)] {
    const auto found = subscriber->context.sessions.find(subscriber->session);
    if (found != subscriber->context.sessions.end() && found->second->subscribes_as(subscriber)) call(*found->second);
  });
}

void tell_subscribed(const SubscriberPtr& subscriber, std::optional<SqlError> error) {
  tell(subscriber, [error = std::move(error)](Session& session) { session.on_subscribed(error); });
}

}  // namespace

void Listening::note_notifier(const config::Endpoint& endpoint, std::int32_t backend, std::int32_t client) {
  const auto key = slot_key(endpoint, backend);
  slot_of(key).store(key << 31 | (static_cast<std::uint32_t>(client) & 0x7fffffff), std::memory_order_relaxed);
}

// The backend's own number where nobody knows better.
std::int32_t Listening::notifier(const config::Endpoint& endpoint, std::int32_t backend) {
  const auto key = slot_key(endpoint, backend);
  const auto entry = slot_of(key).load(std::memory_order_relaxed);
  return entry >> 31 == key && entry != 0 ? static_cast<std::int32_t>(entry & 0x7fffffff) : backend;
}

std::string Listening::private_channel(const pool::Pool& pool) {
  static const std::string token = random_token();
  // Two pools of one number would only hear marks that are not theirs, and know no such session.
  const auto number = std::hash<std::string>{}(pool.key().cluster + '\n' + pool.key().user);
  return "pgweir_" + token + "_" + std::to_string(number);
}

std::string Listening::mark_sql(const pool::Pool& pool, std::uint64_t session, char verb, std::uint64_t token) {
  return "NOTIFY " + private_channel(pool) + ", '" + std::to_string(session) + ' ' + verb + std::to_string(token) + "';";
}

net::Worker& Listening::worker_of(runtime::Runtime& runtime, const pool::Pool& pool) {
  return *runtime.workers[std::hash<std::string>{}(pool.key().cluster + '\n' + pool.key().user) % runtime.workers.size()];
}

Listening& Listening::of(WorkerContext& context, pool::Pool& pool) {
  if (!std::exchange(context.listening_stops, true))
    context.worker.at_stop([&context] { context.listenings.clear(); });
  auto& slot = context.listenings[&pool];
  if (!slot) {
    slot = std::make_unique<Listening>(context, pool);
    slot->open();
  }
  return *slot;
}

void Listening::update(pool::Pool& pool, SubscriberPtr subscriber, std::set<std::string> channels) {
  runtime::Runtime& runtime = subscriber->context.runtime;
  net::Worker& worker = worker_of(runtime, pool);
  worker.post([&runtime, &worker, &pool, subscriber = std::move(subscriber), channels = std::move(channels)]() mutable {
    of(WorkerContext::of(runtime, worker), pool).subscribe(std::move(subscriber), std::move(channels));
  });
}

void Listening::leave(pool::Pool& pool, SubscriberPtr subscriber) {
  runtime::Runtime& runtime = subscriber->context.runtime;
  net::Worker& worker = worker_of(runtime, pool);
  worker.post([&runtime, &worker, &pool, subscriber = std::move(subscriber)] {
    auto& context = WorkerContext::of(runtime, worker);
    if (const auto found = context.listenings.find(&pool); found != context.listenings.end()) found->second->remove(subscriber);
  });
}

Listening::Listening(WorkerContext& context, pool::Pool& pool)
    : context_(context), pool_(pool), private_(private_channel(pool)), target_(pool.target()) {
  open_.fetch_add(1, std::memory_order_relaxed);
  context_.cells.listening_opened.add();
  timer_.set<&Listening::on_tick>(this);
  timer_.arm(context_.worker, kTick);
}

Listening::~Listening() {
  *alive_ = false;
  open_.fetch_sub(1, std::memory_order_relaxed);
  context_.cells.listening_closed.add();
  close();
}

void Listening::close() {
  if (!connection_) return;
  connection_->set_user(nullptr);
  connection_->terminate();
  context_.worker.defer([dead = std::shared_ptr<pool::ServerConnection>(std::move(connection_))] {});
}

void Listening::open() {
  pool::ServerConnection::open(context_.worker, pool_, target_, pool_.limits(), pool_.manager().services(),
                               [this, alive = alive_](std::unique_ptr<pool::ServerConnection> connection, const SqlError& error) {
                                 if (*alive) return opened(std::move(connection), error);
                                 if (connection) connection->terminate();
                               });
}

void Listening::opened(std::unique_ptr<pool::ServerConnection> connection, const SqlError& error) {
  if (!connection) return lose(error);
  connection_ = std::move(connection);
  connection_->set_user(this);
  connection_->become_leased();
  connection_->facts().state.store(pool::ServerFacts::State::Listening, std::memory_order_relaxed);
  std::string sql{kSetUp};
  sql += "LISTEN " + private_ + ";";
  for (const auto& [channel, sessions] : channels_) sql += "LISTEN " + pool::quote_identifier(channel) + ";";
  log::info("{}: listening for clients of user {}", target_->label, pool_.key().user);
  command(sql, nullptr);
  commands_.back().waiting = std::move(early_);
  early_.clear();
}

void Listening::command(const std::string& sql, SubscriberPtr acknowledge) {
  std::string message;
  protocol::encode_query(sql, message);
  auto& sent = commands_.emplace_back(Command{net::Clock::now(), std::vector<SubscriberPtr>{}});
  if (acknowledge) sent.waiting.push_back(std::move(acknowledge));
  connection_->send(message);
}

void Listening::subscribe(SubscriberPtr subscriber, std::set<std::string> channels) {
  ticks_without_members_ = 0;
  if (lost_) return tell_subscribed(subscriber, SqlError{"57P01", "the connection that listens for notifications was lost", {}, {}, {}, {}});
  Member& member = members_[subscriber->session];
  member.subscriber = subscriber;
  std::string sql;
  for (const auto& channel : channels) {
    auto& sessions = channels_[channel];
    if (sessions.empty()) sql += "LISTEN " + pool::quote_identifier(channel) + ";";
    sessions.insert(subscriber->session);
  }
  for (const auto& channel : member.channels) {
    if (channels.contains(channel)) continue;
    auto& sessions = channels_[channel];
    sessions.erase(subscriber->session);
    if (!sessions.empty()) continue;
    channels_.erase(channel);
    sql += "UNLISTEN " + pool::quote_identifier(channel) + ";";
  }
  member.channels = std::move(channels);
  if (channels_.size() > kMaxChannels) {
    remove(subscriber);
    return tell_subscribed(subscriber, SqlError{"54000", "too many channels are listened to", {}, {}, {}, {}});
  }
  if (!connection_) {
    early_.push_back(std::move(subscriber));
  } else if (!sql.empty()) {
    command(sql, std::move(subscriber));
  } else if (!commands_.empty()) {
    commands_.back().waiting.push_back(std::move(subscriber));  // its channels may be in there
  } else {
    tell_subscribed(subscriber, std::nullopt);
  }
}

void Listening::remove(const SubscriberPtr& subscriber) {
  const auto found = members_.find(subscriber->session);
  if (found == members_.end() || found->second.subscriber != subscriber) return;
  std::string sql;
  for (const auto& channel : found->second.channels) {
    auto& sessions = channels_[channel];
    sessions.erase(subscriber->session);
    if (!sessions.empty()) continue;
    channels_.erase(channel);
    sql += "UNLISTEN " + pool::quote_identifier(channel) + ";";
  }
  std::erase_if(owners_, [&](const auto& owner) { return owner.second == subscriber->session; });
  members_.erase(found);
  if (connection_ && !sql.empty()) command(sql, nullptr);
}

std::size_t Listening::on_server_bytes(pool::ServerConnection& connection, std::string_view bytes) {
  std::string_view rest = bytes;
  quiet_ticks_ = 0;
  while (!rest.empty() && connection_) {
    const Frame frame = connection.frames.next(rest);
    if (frame.kind == Frame::Kind::NeedMore) {
      connection.stream().want(frame.needed);
      break;
    }
    if (frame.kind == Frame::Kind::Error || !frame.last) {
      lose({"08P01", "the server sent a message that is not PostgreSQL's protocol", {}, {}, {}, {}});
      return bytes.size();
    }
    if (frame.type == 'A') {
      on_notification(frame);
    } else if (frame.type == 'Z' && !commands_.empty()) {
      const auto answered = std::move(commands_.front());
      commands_.pop_front();
      for (const auto& subscriber : answered.waiting) tell_subscribed(subscriber, std::nullopt);
    } else if (frame.type == 'E') {
      auto fields = protocol::decode_error(frame.body());
      lose(fields ? protocol::to_sql_error(*fields) : SqlError{"08006", "the server refused to listen", {}, {}, {}, {}});
      return bytes.size();
    }
  }
  return bytes.size() - rest.size();
}

void Listening::on_server_closed(pool::ServerConnection&, const SqlError& error) { lose(error); }

void Listening::on_notification(const Frame& frame) {
  const auto decoded = protocol::decode_notification(frame.body());
  if (!decoded) return;
  if (decoded->channel == private_) return on_mark(decoded->pid, decoded->payload);
  const auto found = channels_.find(std::string(decoded->channel));
  if (found == channels_.end()) return;
  auto notice = std::make_shared<Notice>();
  const auto owner = owners_.find(decoded->pid);
  const auto session = owner == owners_.end() ? members_.end() : members_.find(owner->second);
  notice->pid = session != members_.end() ? session->second.subscriber->pid : notifier(target_->endpoint, decoded->pid);
  notice->channel = found->first;
  notice->payload = std::string(decoded->payload);
  for (const auto id : found->second)
    if (const auto member = members_.find(id); member != members_.end()) give(member->second, notice);
}

void Listening::give(Member& member, const NoticePtr& notice) {
  if (member.overflowed) return;
  const std::size_t weight = notice->weight();
  if (member.subscriber->waiting.fetch_add(weight, std::memory_order_relaxed) + weight > kMaxWaiting) {
    member.overflowed = true;
    return tell(member.subscriber, [](Session& session) { session.on_notices_overflow(); });
  }
  tell(member.subscriber, [notice](Session& session) { session.on_notice(notice); });
}

// "<session> <verb><token>"
void Listening::on_mark(std::int32_t backend, std::string_view payload) {
  std::uint64_t session = 0, token = 0;
  const auto end = payload.data() + payload.size();
  const auto at = std::from_chars(payload.data(), end, session).ptr;
  if (end - at < 3) return;
  const char verb = at[1];
  std::from_chars(at + 2, end, token);
  const auto member = members_.find(session);
  if (verb == 'e') owners_.erase(backend);
  if (member == members_.end()) return;
  if (verb != 'e') owners_[backend] = session;
  if (verb != 'b') tell(member->second.subscriber, [backend, token](Session& told) { told.on_mark(backend, token); });
}

// Whoever relies on it is told; the next subscription makes a new one.
void Listening::lose(const SqlError& error) {
  if (std::exchange(lost_, true)) return;
  context_.cells.listening_lost.add();
  log::warning("{}: the connection that listens for clients of user {} is lost: {}", target_->label, pool_.key().user, error.message);
  for (const auto& [id, member] : members_) tell(member.subscriber, [error](Session& session) { session.on_listening_lost(error); });
  members_.clear();
  close();
  context_.worker.defer([&context = context_, pool = &pool_, alive = alive_] {
    if (*alive) context.listenings.erase(pool);
  });
}

void Listening::on_tick() {
  timer_.arm(context_.worker, kTick);
  if (pool_.target() != target_) return lose({"57P01", "the server was replaced by a reload", {}, {}, {}, {}});
  // A bound for every wait on this connection: for a command here, for a mark in the sessions.
  const auto deadline = pool_.limits().connect_timeout;
  if (!commands_.empty() && deadline.count() > 0 && net::Clock::now() - commands_.front().sent > deadline)
    return lose({"08006", "the connection that listens has not answered for " + std::to_string(deadline.count()) + " ms", {}, {}, {}, {}});
  if (!members_.empty()) {
    ticks_without_members_ = 0;
    if (connection_ && commands_.empty() && ++quiet_ticks_ >= kQuietTicks) command(";", nullptr);
    return;
  }
  if (++ticks_without_members_ < kLingerTicks || !connection_ || !commands_.empty()) return;
  lost_ = true;
  close();
  context_.worker.defer([&context = context_, pool = &pool_, alive = alive_] {
    if (*alive) context.listenings.erase(pool);
  });
}

}  // namespace pgweir::session
