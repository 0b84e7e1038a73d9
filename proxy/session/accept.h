// The session room's front door: what server/ calls on a worker's thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "proxy/net/endpoint.h"
#include "proxy/net/worker.h"
#include "proxy/runtime/runtime.h"

namespace pgweir::session {

// Takes an accepted socket (and closes it if need be). The caller has counted it with worker.add_load(1).
void accept_client(runtime::Runtime& runtime, net::Worker& worker, int fd, const net::SocketAddress& peer);
// Asks every session of this worker to end at its next transaction boundary, or at once (57P01).
void drain(runtime::Runtime& runtime, net::Worker& worker, bool now);
// Ends clients of this worker with 57P01, their server connections with them: the one of this id (a console, too), or
// with id 0 those of this cluster ("": of all), without consoles. How many there were.
std::size_t kill(runtime::Runtime& runtime, net::Worker& worker, std::uint64_t id, const std::string& cluster);
// After a reload: asks the sessions of this worker whose cluster is gone to end at their next transaction boundary.
void end_removed(runtime::Runtime& runtime, net::Worker& worker);
// Sessions, logins and consoles alive on this worker.
std::size_t session_count(runtime::Runtime& runtime, net::Worker& worker);
// One entry per logged-in client of this worker.
std::vector<runtime::ClientInfo> client_infos(runtime::Runtime& runtime, net::Worker& worker);

}  // namespace pgweir::session
