// Cancel requests between the processes behind one address ([[peer]]): a request may arrive at any of them, its key names
// the process that gave it.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "proxy/session/worker_context.h"

namespace pgweir::session {

// The node that a cancel key's pid names: ten bits, as CancelRegistry::make() writes them.
unsigned node_of(std::int32_t pid);

// A forwarded request carries one byte behind its key, so that a peer never sends it on again: with wrong node numbers
// two processes would throw it to each other for ever.
std::string mark_forwarded(std::string_view key);
// The key without the mark; empty when there is none.
std::string_view forwarded_key(std::string_view key);

// Sends the request on to the peer whose node the key names, over a connection of its own with a deadline. Does nothing
// when there is no such peer, when the node is this one, or when too many are under way.
void forward_cancel(WorkerContext& context, std::int32_t pid, std::string_view key);

}  // namespace pgweir::session
