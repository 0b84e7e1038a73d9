// The listening connection of a pool: one server connection beside the pool's own that LISTENs to everything the pool's
// clients listen to, so that LISTEN keeps nobody on a server (docs/decisions/0004-listen.md). It logs in as the pool does,
// at the home shard's primary. Made by the first subscription, closed some time after the last one.
//
// What it receives is in the order of PostgreSQL's queue and is posted on in that order. Servers that work for a subscriber
// send private notifications (marks) through the same queue: they tell when everything before them has been received, and
// whose notifications a backend sends from now on.
//
// Lives on one worker, chosen by the pool; the static functions may be called on any worker's thread.
#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "proxy/pool/server_connection.h"
#include "proxy/session/worker_context.h"

namespace pgweir::session {

struct Notice {
  std::int32_t pid = 0;            // as the clients know it
  std::string channel, payload;
  std::size_t weight() const { return sizeof(Notice) + channel.size() + payload.size(); }
};
using NoticePtr = std::shared_ptr<const Notice>;

// A session as its listening connection sees it. The context is the session's worker's.
struct Subscriber {
  Subscriber(WorkerContext& worker, std::uint64_t session_id, std::int32_t client_pid) : context(worker), session(session_id), pid(client_pid) {}
  WorkerContext& context;
  const std::uint64_t session;
  const std::int32_t pid;
  std::atomic<std::size_t> waiting{0};  // weight of notices that are on their way or queued for the client
};
using SubscriberPtr = std::shared_ptr<Subscriber>;

class Listening final : public pool::ServerUser {
 public:
  // Notices that may wait for one client, by weight; beyond it the client is disconnected.
  static constexpr std::size_t kMaxWaiting = 8u << 20;
  static constexpr std::size_t kMaxChannels = 10'000;  // of one listening connection

  // From now on `subscriber` is to get the notices of these channels (in place of those before). The session is called
  // back (Session::on_subscribed) when the server has every LISTEN, or with what went wrong.
  static void update(pool::Pool& pool, SubscriberPtr subscriber, std::set<std::string> channels);
  static void leave(pool::Pool& pool, SubscriberPtr subscriber);

  // The channel of marks; nobody else listens to it, and its name cannot be guessed. As an identifier that needs no quotes.
  static std::string private_channel(const pool::Pool& pool);
  // 'b': the backend works for this session from here on; 'e': all before is received, and it works for it no more;
  // 'k': all before is received, and it goes on working for it.
  static std::string mark_sql(const pool::Pool& pool, std::uint64_t session, char verb, std::uint64_t token);

  // Who sends what a backend notifies, where no mark says it: the client that last ran something there that may notify.
  // Any thread; kept for a bounded number of backends, and only while somebody listens.
  static bool wanted() { return open_.load(std::memory_order_relaxed) != 0; }
  static void note_notifier(const config::Endpoint& endpoint, std::int32_t backend, std::int32_t client);
  static std::int32_t notifier(const config::Endpoint& endpoint, std::int32_t backend);

  Listening(WorkerContext& context, pool::Pool& pool);
  ~Listening();
  Listening(const Listening&) = delete;
  Listening& operator=(const Listening&) = delete;

  std::size_t on_server_bytes(pool::ServerConnection& connection, std::string_view bytes) override;
  void on_server_drained(pool::ServerConnection&) override {}
  void on_server_closed(pool::ServerConnection& connection, const protocol::SqlError& error) override;

 private:
  struct Member { SubscriberPtr subscriber; std::set<std::string> channels; bool overflowed = false; };
  struct Command { net::Clock::time_point sent; std::vector<SubscriberPtr> waiting; };
  static net::Worker& worker_of(runtime::Runtime& runtime, const pool::Pool& pool);
  static Listening& of(WorkerContext& context, pool::Pool& pool);
  void subscribe(SubscriberPtr subscriber, std::set<std::string> channels);
  void remove(const SubscriberPtr& subscriber);
  void open();
  void opened(std::unique_ptr<pool::ServerConnection> connection, const protocol::SqlError& error);
  void command(const std::string& sql, SubscriberPtr acknowledge);
  void on_notification(const protocol::Frame& frame);
  void on_mark(std::int32_t backend, std::string_view payload);
  void give(Member& member, const NoticePtr& notice);
  void lose(const protocol::SqlError& error);
  void close();
  void on_tick();

  WorkerContext& context_;
  pool::Pool& pool_;
  const std::string private_;
  std::shared_ptr<const pool::ServerTarget> target_;
  std::unique_ptr<pool::ServerConnection> connection_;   // null: not there (yet)
  std::map<std::uint64_t, Member> members_;              // by session
  std::unordered_map<std::string, std::set<std::uint64_t>> channels_;
  std::unordered_map<std::int32_t, std::uint64_t> owners_;   // backend to session, as the marks say
  std::deque<Command> commands_;                         // sent, not answered: who waits for each
  std::vector<SubscriberPtr> early_;                     // who waits for the connection
  net::Timer timer_;
  unsigned ticks_without_members_ = 0, quiet_ticks_ = 0;
  bool lost_ = false;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
  static inline std::atomic<int> open_{0};
};

}  // namespace pgweir::session
