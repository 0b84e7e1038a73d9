// What the sessions of one worker share. One per worker, touched by it only.
#pragma once

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
