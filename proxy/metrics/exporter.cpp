#include "proxy/metrics/exporter.h"

#include <netdb.h>
#include <prometheus/exposer.h>
#include <sys/socket.h>
#include <unistd.h>

#include <chrono>
#include <exception>
#include <string>
#include <thread>
#include <vector>

#include "proxy/metrics/collector.h"

namespace pgweir::metrics {
namespace {

// Connects and closes, without waiting for either.
void knock(const addrinfo& at) {
  const int fd = ::socket(at.ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) return;
  ::connect(fd, at.ai_addr, at.ai_addrlen);
  ::close(fd);
}

// CivetWeb's accepting thread sleeps up to two seconds before it looks whether it shall stop, and a new connection wakes
// it: so it gets some until it has stopped. A listener that is not known by a numeric address is waited for instead.
void knock_until(const std::stop_token& stopped, const std::string& host, std::uint16_t port) {
  addrinfo hints{};
  hints.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV;
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* at = nullptr;
  if (::getaddrinfo(host.c_str(), std::to_string(port).c_str(), &hints, &at) != 0) return;
  while (!stopped.stop_requested()) {
    knock(*at);
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
  ::freeaddrinfo(at);
}

}  // namespace

struct Exporter::Server {
  Server(std::shared_ptr<Collector> collector_in, const config::Endpoint& address)
      : collector(std::move(collector_in)),
        host(address.host),
        // A client that sends nothing holds one of the two threads: not for long.
        exposer(std::make_unique<prometheus::Exposer>(
            std::vector<std::string>{"listening_ports", address.to_string(), "num_threads", "2", "request_timeout_ms",
                                     "3000", "enable_keep_alive", "no"})) {
    exposer->RegisterCollectable(collector);  // kept as a weak pointer
  }
  ~Server() {
    const std::jthread waker([this, at = port()](const std::stop_token& stopped) { knock_until(stopped, host, at); });
    exposer.reset();
  }
  std::uint16_t port() const {
    const std::vector<int> ports = exposer->GetListeningPorts();
    return ports.empty() ? 0 : static_cast<std::uint16_t>(ports.front());
  }

  std::shared_ptr<Collector> collector;
  std::string host;
  std::unique_ptr<prometheus::Exposer> exposer;
};

Exporter::Exporter(runtime::Runtime& runtime, HealthSource health) : runtime_(runtime), health_(std::move(health)) {}

Exporter::~Exporter() { stop(); }

net::Result<std::monostate> Exporter::start(const config::Endpoint& address) {
  stop();
  if (address.unix_socket)
    return net::StreamError{net::StreamError::Kind::Io, 0,
                            "metrics are served over TCP only, not " + address.to_string()};
  try {
    server_ = std::make_unique<Server>(std::make_shared<Collector>(runtime_, health_), address);
  } catch (const std::exception&) {  // CivetWeb tells no cause
    return net::StreamError{net::StreamError::Kind::Io, 0,
                            "cannot serve metrics on " + address.to_string() +
                                ": the address is in use, not of this machine or not permitted"};
  }
  return std::monostate{};
}

void Exporter::stop() { server_.reset(); }

std::uint16_t Exporter::port() const {
  return server_ ? server_->port() : 0;
}

}  // namespace pgweir::metrics
