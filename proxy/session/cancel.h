// Cancel requests: which session a key belongs to, and sending one on to a server without ever hitting somebody else.
#pragma once

#include <cstdint>
#include <mutex>
#include <string>
#include <unordered_map>

#include "proxy/pool/server_connection.h"
#include "proxy/session/worker_context.h"

namespace pgweir::session {

// Keys of all sessions of the process. Thread-safe.
class CancelRegistry {
 public:
  struct Key { std::int32_t pid; std::string secret; };
  // A fresh key: pid is positive and carries the node in its top 10 bits (of 31), the rest is random. secret has 4 bytes
  // for protocol 3.0, 32 for 3.2.
  Key make(unsigned node_id, bool long_key, unsigned worker, std::uint64_t session);
  void forget(std::int32_t pid, const std::string& secret);
  struct Target { unsigned worker; std::uint64_t session; };
  // Compares the secret in constant time. nullopt: no such session.
  std::optional<Target> find(std::int32_t pid, std::string_view secret) const;

 private:
  struct Entry { std::string secret; Target target; };
  mutable std::mutex mutex_;
  std::unordered_multimap<std::int32_t, Entry> entries_;
};

CancelRegistry& cancel_registry();

// Sends a CancelRequest for what `server` runs now, over a connection of its own, with a deadline of 5 seconds. Until that
// connection has ended the server counts it in Cancels::in_flight and must not serve anybody else: see
// Session::release_links. A request that was sent and not answered with the end of the connection may still be delivered at
// any later time: Cancels::may_still_come is set, and the pool closes the server when it is given back.
void send_cancel(WorkerContext& context, pool::ServerConnection& server);

// Runs `done` on the worker, in the order of the calls, when no cancel for this server is under way any more (perhaps at once), at the latest when the
// deadline of send_cancel() has passed.
void when_cancels_ended(pool::ServerConnection& server, std::function<void()> done);

}  // namespace pgweir::session
