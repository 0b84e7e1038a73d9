// What the sessions of one worker share. One per worker, touched by it only.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "proxy/metrics/metrics.h"
#include "proxy/net/worker.h"
#include "proxy/runtime/runtime.h"
#include "proxy/session/at_rest.h"
#include "proxy/session/tenancy.h"
#include "routing/plan/router.h"

namespace pgweir::session {

class Session;
class AdminSession;
class Login;
class Listening;
class Replication;

// Which parameters of servers say nothing that a client with its own does not know already: they usually differ in what is
// never told, and comparing them anew for every query costs more than the rest of it.
class ToldAlready {
 public:
  bool same(const pool::SettingsPtr& server, const pool::SettingsPtr& client) const {
    const Pair& pair = pairs_[place(server, client)];
    return server == client || (pair.server == server && pair.client == client);
  }
  void note(const pool::SettingsPtr& server, const pool::SettingsPtr& client) { pairs_[place(server, client)] = {server, client}; }

 private:
  struct Pair { pool::SettingsPtr server, client; };
  static constexpr std::size_t kPairs = 64;
  static std::size_t place(const pool::SettingsPtr& server, const pool::SettingsPtr& client) {
    const auto bits = reinterpret_cast<std::uintptr_t>(server.get()) * 31 + reinterpret_cast<std::uintptr_t>(client.get());
    return (bits ^ bits >> 12) / 16 % kPairs;
  }
  std::array<Pair, kPairs> pairs_;
};

class WorkerContext {
 public:
  WorkerContext(runtime::Runtime& runtime_in, net::Worker& worker_in);
  ~WorkerContext();
  WorkerContext(const WorkerContext&) = delete;
  WorkerContext& operator=(const WorkerContext&) = delete;

  // The context of the calling worker thread; made on its first use there.
  static WorkerContext& of(runtime::Runtime& runtime, net::Worker& worker);

  // The newest snapshot; costs one atomic load unless it changed.
  const runtime::SnapshotPtr& snapshot();

  runtime::Runtime& runtime;
  net::Worker& worker;
  metrics::WorkerCells& cells;
  routing::Router router;
  Tenancies tenancies;
  StatementShelf shelf;
  RestSweep rest{*this};
  ToldAlready told;
  // The part of a session's route context that follows from its settings, as of the last session that asked.
  struct { routing::RouteContext context; pool::SettingsPtr settings, told; bool role = false; } routes;
  // Scratch of the session that runs: nothing in it outlives a call.
  std::string out;
  std::vector<routing::Parameter> parameters;
  std::unordered_map<std::uint64_t, Session*> sessions;   // by session id
  std::unordered_map<std::uint64_t, std::unique_ptr<Login>> logins;
  std::unordered_map<std::uint64_t, std::unique_ptr<AdminSession>> consoles;
  std::unordered_map<const pool::Pool*, std::unique_ptr<Listening>> listenings;   // those that live on this worker
  bool listening_stops = false;   // they are to be closed when the worker stops
  std::unordered_map<std::uint64_t, std::unique_ptr<Replication>> replications;  // by session id

 private:
  runtime::SnapshotPtr snapshot_;
  std::uint64_t version_ = 0;
};

// Process-wide session numbers.
std::uint64_t next_session_id();

}  // namespace pgweir::session
