#include "proxy/control/health.h"

namespace pgweir::control {
namespace {

using namespace std::chrono_literals;
using State = metrics::EndpointState::State;

constexpr auto kProbeBound = 2s;

// libpq keeps no SQLSTATE of a refused login (57P03), only its text (postmaster.c). In another language the server
// counts as down instead, which is treated alike.
bool starting_up(const std::string& error) {
  return error.find("is starting up") != std::string::npos ||
         error.find("not yet accepting connections") != std::string::npos ||
         error.find("in recovery mode") != std::string::npos ||
         error.find("not accepting connections") != std::string::npos;
}

Probe failed(const std::string& error) { return {starting_up(error) ? State::Recovering : State::Down, error}; }

// A server at its limit of connections (53300; InitPostgres, ProcessStartupPacket) is not down.
bool full(const std::string& error) {
  return error.find("too many clients already") != std::string::npos || error.find("too many connections for") != std::string::npos ||
         error.find("remaining connection slots are reserved") != std::string::npos;
}

}  // namespace

Async<Probe> HealthProbe::run() {
  if (auto error = co_await connection_.ensure(login_, kProbeBound)) {
    if (full(error->message)) co_return Probe{State::Up, {}};
    co_return failed(error->message);
  }
  const Reply reply = co_await connection_.query("SELECT pg_is_in_recovery()", kProbeBound);
  if (!reply.ok() || reply.results.size() != 1 || reply.results[0].rows() != 1) {
    connection_.close();
    co_return failed(reply.error ? reply.error->message : "the server answered nothing");
  }
  const bool standby = reply.results[0].flag(0, 0);
  if (standby != primary_) co_return Probe{State::Up, {}};
  co_return Probe{State::Recovering, primary_ ? "it is a standby, but configured as the primary"
                                              : "it is a primary, but configured as a replica"};
}

}  // namespace pgweir::control
