#include "proxy/session/replication.h"

#include <algorithm>

#include "protocol/backend_codec.h"
#include "proxy/session/cancel.h"

namespace pgweir::session {

using protocol::SqlError;

ReplicationPlace replication_place(const config::Config& config, protocol::Replication kind, std::string_view database,
                                   std::string_view shard_setting) {
  ReplicationPlace place;
  const bool whole = shard_setting.find('/') != std::string_view::npos;
  const std::string_view name = whole ? shard_setting : database;
  // A database may have a slash in its name: one that is configured as it stands is meant as it stands.
  const auto slash = config.find_cluster(std::string(name)) ? std::string_view::npos : name.find('/');
  place.cluster = name.substr(0, slash);
  if (slash != std::string_view::npos) place.shard = name.substr(slash + 1);
  if (!whole && !shard_setting.empty()) place.shard = shard_setting;
  const bool nameless = kind == protocol::Replication::Physical && place.cluster == "replication";
  if (nameless && !config.find_cluster(place.cluster) && config.clusters.size() == 1)
    place.cluster = config.clusters.front().name;
  return place;
}

void Replication::start(WorkerContext& context, std::unique_ptr<net::Stream> client, Identity identity,
                        const runtime::Snapshot& snapshot, protocol::Replication kind, const std::string& shard) {
  const auto id = identity.id;
  std::unique_ptr<Replication> made(new Replication(context, std::move(client), std::move(identity)));
  Replication& started = *made;
  context.replications.emplace(id, std::move(made));
  started.open(snapshot, kind, shard);
}

Replication::Replication(WorkerContext& context, std::unique_ptr<net::Stream> client, Identity identity)
    : context_(context), cells_(context.runtime.metrics.cluster(context.worker.index(), identity.database)), client_(std::move(client)), identity_(std::move(identity)) {
  context_.runtime.clients.fetch_add(1, std::memory_order_relaxed);
  client_->set_handler(this);
}

Replication::~Replication() {
  *alive_ = false;
  context_.runtime.clients.fetch_sub(1, std::memory_order_relaxed);
  context_.worker.add_load(-1);
  if (identity_.cancel_pid != 0) cancel_registry().forget(identity_.cancel_pid, identity_.cancel_key);
}

void Replication::open(const runtime::Snapshot& snapshot, protocol::Replication kind, const std::string& shard) {
  const auto& cluster = *snapshot.config->find_cluster(identity_.database);
  if (shard.empty() && cluster.shards.size() > 1)
    return fail({"0A000", "a replication connection goes to one shard, and cluster \"" + cluster.name + "\" has several", {},
                 "Name it: connect to the database \"" + cluster.name + "/" + cluster.shards.front().name +
                     "\" or with options=-cpgweir.shard=" + cluster.shards.front().name + ".",
                 "pgweir_refuse", "replication"});
  const auto at = std::find_if(cluster.shards.begin(), cluster.shards.end(),
                               [&](const auto& one) { return shard.empty() || one.name == shard; });
  if (at == cluster.shards.end())
    return fail({"22023", "cluster \"" + cluster.name + "\" has no shard \"" + shard + "\"", {}, {}, {}, {}});
  const pool::EndpointId endpoint{{static_cast<std::uint16_t>(at - cluster.shards.begin())}, -1};
  auto& pool = context_.runtime.pool_for(snapshot, cluster, endpoint, identity_.user);

  auto target = std::make_shared<pool::ServerTarget>(*pool.target());
  target->startup.emplace_back("replication", kind == protocol::Replication::Physical ? "true" : "database");
  for (const auto& [name, value] : identity_.startup->values()) target->startup.emplace_back(name, value);
  const unsigned node_id = snapshot.config->listen.node_id;
  pool.open_own(std::move(target), [this, alive = alive_, node_id](pool::Lease lease, const SqlError& error) {
    // Of a client that has gone, the lease closes what was made for it.
    if (*alive && client_) on_opened(std::move(lease), error, node_id);
  });
}

void Replication::on_opened(pool::Lease lease, const SqlError& error, unsigned node_id) {
  if (!lease) return fail(error);
  server_ = std::move(lease);
  cells_.assignments.add();
  server_->set_user(this);
  welcome(node_id);
  client_->resume();
}

void Replication::welcome(unsigned node_id) {
  const bool long_key = identity_.protocol >= protocol::kProtocol32;
  auto key = cancel_registry().make(node_id, long_key, context_.worker.index(), identity_.id);
  identity_.cancel_pid = key.pid;
  identity_.cancel_key = std::move(key.secret);
  std::string message;
  for (const auto& [name, value] : server_->parameters()->values()) protocol::encode_parameter_status(name, value, message);
  protocol::encode_backend_key_data(identity_.cancel_pid, identity_.cancel_key, message);
  protocol::encode_ready_for_query(protocol::TransactionStatus::Idle, message);
  client_->send(message);
}

void Replication::cancel() {
  context_.cells.cancels_received.add();
  if (server_) send_cancel(context_, *server_);
}

void Replication::close() { end(); }

runtime::ClientInfo Replication::info() const {
  runtime::ClientInfo info;
  info.id = identity_.id;
  info.user = identity_.user;
  info.database = identity_.database;
  info.address = identity_.address;
  info.worker = context_.worker.index();
  info.tls = identity_.tls;
  info.state = "active";
  info.pinned = "replication";
  if (const auto* name = identity_.startup->find("application_name")) info.application_name = *name;
  info.connected_seconds =
      std::chrono::duration_cast<std::chrono::seconds>(std::chrono::steady_clock::now() - since_).count();
  if (server_) info.server = server_->target().label;
  return info;
}

std::size_t Replication::on_bytes(std::string_view bytes) {
  if (!server_) return 0;
  context_.cells.bytes_from_clients.add(bytes.size());
  cells_.received.add(bytes.size());
  server_->send(bytes);
  if (server_->stream().above_high_water()) client_->pause();
  return bytes.size();
}

void Replication::on_drained() {
  if (server_) server_->stream().resume();
}

void Replication::on_hangup() {
  if (!server_) end();  // nobody waits for the server any more
}

void Replication::on_closed(const net::StreamError&) { end(); }

std::size_t Replication::on_server_bytes(pool::ServerConnection&, std::string_view bytes) {
  context_.cells.bytes_to_clients.add(bytes.size());
  cells_.sent.add(bytes.size());
  client_->send(bytes);
  if (client_->above_high_water()) server_->stream().pause();
  return bytes.size();
}

void Replication::on_server_drained(pool::ServerConnection&) { client_->resume(); }

void Replication::on_server_closed(pool::ServerConnection&, const SqlError&) { end(); }

void Replication::fail(const SqlError& error) {
  context_.cells.count_error(error.sqlstate);
  std::string message;
  protocol::encode_error(error, protocol::Severity::Fatal, message);
  client_->send(message);
  end();
}

void Replication::end() {
  if (!client_) return;
  context_.cells.clients_closed.add();
  client_->set_handler(nullptr);
  net::Stream::finish(std::move(client_));
  if (server_) {
    server_->mark_broken();  // the client's own Terminate was relayed, or is missing here as it would be there
    server_.discard();
  }
  const auto found = context_.replications.find(identity_.id);
  if (found == context_.replications.end()) return;
  context_.worker.dispose(std::move(found->second));
  context_.replications.erase(found);
}

}  // namespace pgweir::session
