// Asks every worker about its sessions, from another thread.
#pragma once

#include <cstddef>

#include "proxy/runtime/runtime.h"

namespace pgweir::server {

// Asks all sessions to end at their next transaction boundary, or at once, and returns how many are left. Waits at most
// a second for a busy worker, which then counts as having one session. Not on a worker's thread.
std::size_t drain_sessions(runtime::Runtime& runtime, bool now);

// How many there are; asks for nothing. As above.
std::size_t count_sessions(runtime::Runtime& runtime);

}  // namespace pgweir::server
