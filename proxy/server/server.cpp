#include "proxy/server/server.h"

#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <csignal>
#include <mutex>
#include <thread>

#include "config/loader.h"
#include "proxy/admin/console_sources.h"
#include "proxy/admin/stats_period.h"
#include "proxy/control/control_plane.h"
#include "proxy/control/snapshot_update.h"
#include "proxy/log/log.h"
#include "proxy/metrics/exporter.h"
#include "proxy/net/listener.h"
#include "proxy/server/client_tls.h"
#include "proxy/server/drain.h"
#include "proxy/server/reload.h"
#include "proxy/session/accept.h"

namespace pgweir::server {
namespace {

using namespace std::chrono_literals;

constexpr auto kMaintenanceInterval = 250ms;
constexpr auto kFirstCatalogs = 5s;  // how long the start waits for schemas
constexpr auto kDrainLimit = 60s;    // how long SIGTERM waits for transactions
constexpr auto kGoodbyeLimit = 1s;   // how long sessions that are ended at once get to say so
constexpr auto kDrainStep = 100ms;

sigset_t handled_signals() {
  sigset_t set;
  sigemptyset(&set);
  for (const int signal : {SIGHUP, SIGTERM, SIGINT, SIGQUIT, SIGUSR1, SIGUSR2}) sigaddset(&set, signal);
  return set;
}

// The next signal, or 0 when none came within `bound`.
int wait_for_signal(std::chrono::milliseconds bound) {
  const sigset_t set = handled_signals();
  const timespec limit{bound.count() / 1000, static_cast<long>(bound.count() % 1000) * 1'000'000};
  const int signal = sigtimedwait(&set, nullptr, &limit);
  return signal > 0 ? signal : 0;
}

// The pools' housekeeping on one worker. Made anywhere, armed on the worker, destroyed after the worker stopped.
class Housekeeping {
 public:
  Housekeeping(runtime::Runtime& runtime, net::Worker& worker) : runtime_(runtime), worker_(worker) {
    timer_.set<&Housekeeping::run>(this);
  }
  void run() {
    runtime_.pools.maintain(worker_);
    if (worker_.index() == 0) admin::note_stats(runtime_.metrics);
    timer_.arm(worker_, kMaintenanceInterval);
  }

 private:
  runtime::Runtime& runtime_;
  net::Worker& worker_;
  net::Timer timer_;
};

// A socket on its way to a worker: closed when the message is dropped.
class AcceptedSocket {
 public:
  explicit AcceptedSocket(int fd) : fd_(fd) {}
  AcceptedSocket(AcceptedSocket&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  AcceptedSocket& operator=(AcceptedSocket&&) = delete;
  ~AcceptedSocket() {
    if (fd_ >= 0) ::close(fd_);
  }
  int release() { return std::exchange(fd_, -1); }

 private:
  int fd_;
};

}  // namespace

std::string_view version() { return PGWEIR_VERSION; }

void prepare_process() {
  std::signal(SIGPIPE, SIG_IGN);
  const sigset_t set = handled_signals();
  pthread_sigmask(SIG_BLOCK, &set, nullptr);
  rlimit files{};
  if (getrlimit(RLIMIT_NOFILE, &files) == 0 && files.rlim_cur < files.rlim_max) {
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
  }
}

struct Server::Impl {
  explicit Impl(std::shared_ptr<const config::Config> file) : config(std::move(file)) {}
  ~Impl() { stop(); }

  std::optional<std::string> start();
  std::optional<std::string> start_workers();
  std::optional<std::string> listen();
  void wire();
  void start_metrics(const config::Config& now);
  void accept(int fd, const net::SocketAddress& peer);
  std::string reload();
  int run();
  void drain(bool now);
  bool wait_for_clients();
  void stop();

  std::shared_ptr<const config::Config> config;  // the last one in force
  std::mutex reload_mutex;
  std::atomic<bool> patient{false};  // the SIGTERM to come is SHUTDOWN WAIT_FOR_CLIENTS
  // Destroyed in reverse: the workers' threads have ended before (stop()), their objects go last.
  std::vector<std::unique_ptr<net::Worker>> workers;
  std::unique_ptr<runtime::Runtime> runtime;
  std::unique_ptr<control::ControlPlane> control;
  std::vector<std::unique_ptr<Housekeeping>> housekeeping;
  std::unique_ptr<metrics::Exporter> exporter;
  std::unique_ptr<net::Acceptor> acceptor;
};

std::optional<std::string> Server::Impl::start() {
  auto tls = client_tls(config->tls_client);
  if (!tls.ok()) return tls.error().text;
  auto made = control::make_snapshot(config, nullptr);
  if (!made.ok()) return made.error().message;
  auto first = std::make_shared<runtime::Snapshot>(*made.value());
  first->client_tls = tls.value();

  const unsigned count =
      config->listen.workers != 0 ? config->listen.workers : std::max(1U, std::thread::hardware_concurrency());
  std::vector<net::Worker*> pointers;
  for (unsigned i = 0; i < count; ++i) pointers.push_back(workers.emplace_back(std::make_unique<net::Worker>(i)).get());
  runtime = std::make_unique<runtime::Runtime>(std::move(pointers), std::move(first));
  control = std::make_unique<control::ControlPlane>(*runtime);
  exporter = std::make_unique<metrics::Exporter>(*runtime, [this] { return control->health(); });
  wire();
  if (auto problem = start_workers()) return problem;
  control->start();
  if (!control->wait_for_catalogs(kFirstCatalogs))
    log::warning("not every cluster's schema could be read yet; starting anyway");
  if (auto problem = listen()) return problem;
  start_metrics(*config);
  return std::nullopt;
}

// What other rooms ask the server for.
void Server::Impl::wire() {
  runtime->control = control.get();
  runtime->reload = [this] { return reload(); };
  runtime->shutdown = [this](runtime::Runtime::Shutdown how) {
    patient = how == runtime::Runtime::Shutdown::WaitForClients;
    ::kill(::getpid(), how == runtime::Runtime::Shutdown::Now ? SIGQUIT : SIGTERM);
  };
  admin::ConsoleSources& sources = admin::console_sources();
  sources.health = [this] { return control->health(); };
  sources.kill = [this](net::Worker& worker, std::uint64_t id, const std::string& cluster) {
    return session::kill(*runtime, worker, id, cluster);
  };
  sources.clients = [this](net::Worker& worker) { return session::client_infos(*runtime, worker); };
}

std::optional<std::string> Server::Impl::start_workers() {
  for (auto& worker : workers) {
    worker->at_stop([this, at = worker.get()] { runtime->pools.close_idle(*at); });
    if (auto started = worker->start(); !started.ok()) return started.error().text;
    auto* keeper = housekeeping.emplace_back(std::make_unique<Housekeeping>(*runtime, *worker)).get();
    worker->post([keeper] { keeper->run(); });
  }
  return std::nullopt;
}

std::optional<std::string> Server::Impl::listen() {
  acceptor = std::make_unique<net::Acceptor>(
      [this](int fd, const net::SocketAddress& peer) { accept(fd, peer); },
      [](const net::StreamError& error) { log::warning("accepting clients pauses: {}", error.text); });
  net::ListenOptions options;
  options.reuse_port = config->listen.reuse_port;
  options.unix_mode = config->listen.unix_socket_mode;
  for (const config::Endpoint& endpoint : config->listen.addresses) {
    auto sockets = net::listen_on(endpoint, options);
    if (!sockets.ok()) return sockets.error().text;
    for (auto& socket : sockets.value()) {
      log::info("listening on {}", socket.address().to_string());
      acceptor->add(std::move(socket));
    }
  }
  if (auto started = acceptor->start(); !started.ok()) return started.error().text;
  return std::nullopt;
}

void Server::Impl::start_metrics(const config::Config& now) {
  if (!now.metrics.address) return exporter->stop();
  if (auto started = exporter->start(*now.metrics.address); !started.ok())
    log::error("metrics are not served: {}", started.error().text);
  else
    log::info("metrics on http://{}/metrics", now.metrics.address->to_string());
}

void Server::Impl::accept(int fd, const net::SocketAddress& peer) {
  AcceptedSocket socket(fd);
  net::Worker& worker = net::least_loaded(workers);
  worker.add_load(1);
  worker.post([socket = std::move(socket), peer, &worker, shared = runtime.get()]() mutable {
    session::accept_client(*shared, worker, socket.release(), peer);
  });
}

std::string Server::Impl::reload() {
  const std::lock_guard lock(reload_mutex);
  auto loaded = config::load_file(config->path);
  for (const auto& finding : loaded.diagnostics)
    log::log(finding.severity == config::Severity::Error ? log::Level::Error : log::Level::Warning, "{}",
             finding.to_string());
  std::string problem;
  if (!loaded.config) {
    for (const auto& finding : loaded.diagnostics)
      if (finding.severity == config::Severity::Error) problem += (problem.empty() ? "" : "\n") + finding.to_string();
  } else if (problem = moved_shard(*config, *loaded.config); problem.empty()) {
    std::vector<std::string> kept;
    const auto next = keep_fixed_settings(*config, *loaded.config, kept);
    problem = apply_config(*runtime, next);
    if (problem.empty()) {
      for (const auto& name : kept)
        log::warning("{} cannot change while the process runs; it keeps its value until a restart", name);
      if (next->metrics != config->metrics) start_metrics(*next);
      config = next;
      control->reconfigure();
      for (net::Worker* worker : runtime->workers)
        worker->post([worker, shared = runtime.get()] { session::end_removed(*shared, *worker); });
      log::info("the configuration was reloaded from {}", next->path);
      return {};
    }
  }
  log::error("the configuration was not reloaded: {}", problem);
  return problem;
}

int Server::Impl::run() {
  for (;;) {
    const int signal = wait_for_signal(1h);
    if (signal == SIGHUP) (void)reload();
    if (signal == SIGUSR1 && runtime->pools.pause("")) log::info("every database is paused by SIGUSR1");
    if (signal == SIGUSR2 && runtime->pools.resume("")) log::info("every database is resumed by SIGUSR2");
    if (signal == SIGTERM || signal == SIGINT || signal == SIGQUIT) {
      drain(signal != SIGTERM || (patient && wait_for_clients()));
      return 0;
    }
  }
}

// Until the last client has left (true), or a signal says to hurry.
bool Server::Impl::wait_for_clients() {
  log::info("stopping when the last client has left");
  runtime->draining.store(true, std::memory_order_relaxed);
  acceptor->stop();
  while (count_sessions(*runtime) != 0)
    if (const int signal = wait_for_signal(kDrainStep); signal == SIGTERM) return false;
    else if (signal == SIGINT || signal == SIGQUIT) return true;
  return true;
}

void Server::Impl::drain(bool now) {
  log::info("stopping{}", now ? "" : "; sessions end with their transactions");
  runtime->draining.store(true, std::memory_order_relaxed);
  acceptor->stop();
  const auto begin = std::chrono::steady_clock::now();
  auto deadline = begin + (now ? std::chrono::seconds(kGoodbyeLimit) : std::chrono::seconds(kDrainLimit));
  while (drain_sessions(*runtime, now) != 0 && (!now || std::chrono::steady_clock::now() < deadline)) {
    const int signal = wait_for_signal(kDrainStep);
    const bool hurry = signal == SIGTERM || signal == SIGINT || signal == SIGQUIT || std::chrono::steady_clock::now() >= deadline;
    if (!now && hurry) {
      now = true;
      deadline = std::chrono::steady_clock::now() + kGoodbyeLimit;
    }
  }
}

void Server::Impl::stop() {
  if (acceptor) acceptor->stop();
  if (exporter) exporter->stop();
  if (control) control->stop();
  for (auto& worker : workers) worker->stop();
  admin::console_sources() = {};
  if (acceptor) log::info("stopped");
}

Server::Server(std::shared_ptr<const config::Config> config) : impl_(std::make_unique<Impl>(std::move(config))) {}
Server::~Server() = default;
std::optional<std::string> Server::start() { return impl_->start(); }
int Server::run() { return impl_->run(); }
std::string Server::reload() { return impl_->reload(); }

}  // namespace pgweir::server
