#include "proxy/metrics/exporter.h"

#include <prometheus/exposer.h>

#include <exception>
#include <string>
#include <vector>

#include "proxy/metrics/collector.h"

namespace pgweir::metrics {

struct Exporter::Server {
  Server(std::shared_ptr<Collector> collector_in, const config::Endpoint& address)
      : collector(std::move(collector_in)),
        // A client that sends nothing holds one of the two threads: not for long.
        exposer(std::vector<std::string>{"listening_ports", address.to_string(), "num_threads", "2",
                                         "request_timeout_ms", "3000", "enable_keep_alive", "no"}) {
    exposer.RegisterCollectable(collector);  // kept as a weak pointer
  }
  std::shared_ptr<Collector> collector;
  prometheus::Exposer exposer;
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
  if (!server_) return 0;
  const std::vector<int> ports = server_->exposer.GetListeningPorts();
  return ports.empty() ? 0 : static_cast<std::uint16_t>(ports.front());
}

}  // namespace pgweir::metrics
