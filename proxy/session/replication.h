// A replication connection (startup parameter `replication`): a client with a server connection of its own, made for it
// with its startup parameters, and every byte relayed both ways until either end closes. Who may replicate is the
// server's decision about the role that is logged in there. Lives on one worker; owned by its WorkerContext.
#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <string_view>

#include "config/config.h"
#include "protocol/result.h"
#include "protocol/startup.h"
#include "proxy/net/stream.h"
#include "proxy/pool/pool.h"
#include "proxy/pool/server_connection.h"
#include "proxy/session/identity.h"
#include "proxy/session/worker_context.h"

namespace pgweir::session {

// What a replication client wants to be connected to: "CLUSTER" or "CLUSTER/SHARD" as its database, or the same as the
// startup setting pgweir.shard, which may also be the shard alone. libpq asks for physical replication with the database
// "replication": that is the only cluster where one is configured.
struct ReplicationPlace {
  std::string cluster;
  std::string shard;  // empty: not named
};
ReplicationPlace replication_place(const config::Config& config, protocol::Replication kind, std::string_view database,
                                   std::string_view shard_setting);

class Replication final : public net::Disposable, public net::StreamHandler, public pool::ServerUser {
 public:
  // For an authenticated client whose cluster (identity.database) exists; its stream is paused. Answers with the welcome
  // of its server, or with the reason why there is none.
  static void start(WorkerContext& context, std::unique_ptr<net::Stream> client, Identity identity,
                    const runtime::Snapshot& snapshot, protocol::Replication kind, const std::string& shard);
  ~Replication() override;

  void cancel();  // a cancel request with this client's key came
  void close();   // both connections, at once: there is no moment at which nothing is under way
  runtime::ClientInfo info() const;

 private:
  Replication(WorkerContext& context, std::unique_ptr<net::Stream> client, Identity identity);
  void open(const runtime::Snapshot& snapshot, protocol::Replication kind, const std::string& shard);
  void on_opened(pool::Lease lease, const protocol::SqlError& error, unsigned node_id);
  void welcome(unsigned node_id);
  void fail(const protocol::SqlError& error);
  void end();

  std::size_t on_bytes(std::string_view bytes) override;
  void on_drained() override;
  void on_hangup() override;
  void on_closed(const net::StreamError& error) override;
  std::size_t on_server_bytes(pool::ServerConnection& connection, std::string_view bytes) override;
  void on_server_drained(pool::ServerConnection& connection) override;
  void on_server_closed(pool::ServerConnection& connection, const protocol::SqlError& error) override;

  WorkerContext& context_;
  metrics::ClusterCells& cells_;
  std::unique_ptr<net::Stream> client_;  // null: ended
  Identity identity_;
  pool::Lease server_;                   // empty until it is logged in
  const std::chrono::steady_clock::time_point since_ = std::chrono::steady_clock::now();
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace pgweir::session
