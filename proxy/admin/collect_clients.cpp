// Asks every worker for its sessions: a session is touched by its own worker only, so each one lists its own and posts
// the list back to the worker that asked.
#include <algorithm>
#include <memory>
#include <utility>

#include "proxy/admin/command.h"

namespace pgweir::admin {
namespace {

using runtime::ClientInfo;

// Touched by the asking worker only, but for `source`, which is called on all and never changed.
struct Collection {
  ClientSource source;
  net::Worker* home = nullptr;
  std::vector<ClientInfo> clients;
  std::size_t missing = 0;
  std::function<void(std::vector<ClientInfo>)> then;

  void add(std::vector<ClientInfo> more) {
    clients.insert(clients.end(), std::make_move_iterator(more.begin()), std::make_move_iterator(more.end()));
    if (--missing != 0) return;
    std::ranges::sort(clients, {}, &ClientInfo::id);
    const auto call = std::exchange(then, nullptr);  // what it captures ends here, not on the last worker to let go
    call(std::move(clients));
  }
};

void ask(net::Worker& worker, const std::shared_ptr<Collection>& collection) {
  if (&worker == collection->home) return collection->add(collection->source(worker));
  const bool posted = worker.post(net::Task([&worker, collection] {
    auto own = collection->source(worker);
    // Refused when the asking worker has stopped: its consoles are gone then.
    collection->home->post(
        net::Task([collection, own = std::move(own)]() mutable { collection->add(std::move(own)); }));
  }));
  if (!posted) collection->add({});
}

}  // namespace

void collect_clients(const Invocation& invocation, std::function<void(std::vector<ClientInfo>)> then) {
  const std::vector<net::Worker*>& workers = invocation.runtime.workers;
  if (!invocation.sources.clients || workers.empty()) return then({});
  const auto collection = std::make_shared<Collection>();
  collection->source = invocation.sources.clients;
  collection->home = &invocation.worker;
  collection->missing = workers.size();
  collection->then = std::move(then);
  for (net::Worker* worker : workers) ask(*worker, collection);
}

}  // namespace pgweir::admin
