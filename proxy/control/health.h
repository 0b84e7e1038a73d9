// Watches one server: is it up, and does it have the role that is configured? Private to control/.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "proxy/control/pg_connection.h"
#include "proxy/metrics/health_source.h"

namespace pgweir::control {

struct Probe {
  metrics::EndpointState::State state = metrics::EndpointState::State::Down;
  std::string error;  // empty when up
};

class HealthProbe {
 public:
  HealthProbe(asio::io_context& context, net::Resolver& resolver, Login login, bool primary)
      : connection_(context, resolver), login_(std::move(login)), primary_(primary) {}
  // One question on the kept connection; at most about kProbeBound.
  Async<Probe> run();

 private:
  PgConnection connection_;
  Login login_;
  bool primary_;
};

}  // namespace pgweir::control
