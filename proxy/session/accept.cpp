#include "proxy/session/accept.h"

#include <unistd.h>

#include "protocol/backend_codec.h"
#include "proxy/session/admin_session.h"
#include "proxy/session/login.h"
#include "proxy/session/replication.h"
#include "proxy/session/session.h"
#include "proxy/session/worker_context.h"

namespace pgweir::session {

void accept_client(runtime::Runtime& runtime, net::Worker& worker, int fd, const net::SocketAddress& peer) {
  auto& context = WorkerContext::of(runtime, worker);
  const auto& listen = context.snapshot()->config->listen;
  context.cells.clients_accepted.add();
  auto stream = net::Stream::adopt_fd(worker, fd, nullptr);
  if (!stream) {
    worker.add_load(-1);
    return;
  }
  if (runtime.unauthenticated.load(std::memory_order_relaxed) >= listen.max_unauthenticated) {
    // Not even a login is begun: half-open sockets must not starve those who can log in.
    worker.add_load(-1);
    return;
  }
  (*stream)->set_keepalive(60, 10, 3);
  const auto id = next_session_id();
  auto login = std::make_unique<Login>(context, std::move(*stream), id, peer);
  Login& started = *login;
  context.logins.emplace(id, std::move(login));
  started.start();
}

void drain(runtime::Runtime& runtime, net::Worker& worker, bool now) {
  auto& context = WorkerContext::of(runtime, worker);
  std::vector<std::uint64_t> ids;
  for (const auto& [id, session] : context.sessions) ids.push_back(id);
  for (auto id : ids)
    if (auto found = context.sessions.find(id); found != context.sessions.end()) found->second->drain(now);
  if (now) context.logins.clear();
  std::vector<AdminSession*> consoles;
  for (const auto& [id, console] : context.consoles) consoles.push_back(console.get());
  for (auto* console : consoles) console->close();
  std::vector<Replication*> replications;
  for (const auto& [id, replication] : context.replications) replications.push_back(replication.get());
  for (auto* replication : replications) replication->close();
}

std::size_t kill(runtime::Runtime& runtime, net::Worker& worker, std::uint64_t id, const std::string& cluster) {
  auto& context = WorkerContext::of(runtime, worker);
  const auto meant = [&](std::uint64_t one, const std::string& database) {
    return id != 0 ? one == id : cluster.empty() || database == cluster;
  };
  std::vector<Session*> sessions;  // apart: ending them takes them out of the map
  for (const auto& [one, session] : context.sessions)
    if (meant(one, session->identity().database)) sessions.push_back(session);
  for (auto* session : sessions) session->drain(true, true);
  std::vector<Replication*> replications;
  for (const auto& [one, replication] : context.replications)
    if (meant(one, replication->info().database)) replications.push_back(replication.get());
  for (auto* replication : replications) replication->close();
  const auto console = context.consoles.find(id);
  const bool found = id != 0 && console != context.consoles.end();
  if (found) console->second->close();
  return sessions.size() + replications.size() + (found ? 1 : 0);
}

void end_removed(runtime::Runtime& runtime, net::Worker& worker) {
  auto& context = WorkerContext::of(runtime, worker);
  const auto snapshot = context.snapshot();
  std::vector<std::uint64_t> ids;
  for (const auto& [id, session] : context.sessions)
    if (!snapshot->cluster(session->identity().database)) ids.push_back(id);
  for (auto id : ids)
    if (auto found = context.sessions.find(id); found != context.sessions.end()) found->second->drain(false);
}

std::size_t session_count(runtime::Runtime& runtime, net::Worker& worker) {
  auto& context = WorkerContext::of(runtime, worker);
  return context.sessions.size() + context.logins.size() + context.consoles.size() + context.replications.size();
}

std::vector<runtime::ClientInfo> client_infos(runtime::Runtime& runtime, net::Worker& worker) {
  auto& context = WorkerContext::of(runtime, worker);
  std::vector<runtime::ClientInfo> infos;
  infos.reserve(context.sessions.size());
  for (const auto& [id, session] : context.sessions) infos.push_back(session->info());
  for (const auto& [id, replication] : context.replications) infos.push_back(replication->info());
  return infos;
}

}  // namespace pgweir::session
