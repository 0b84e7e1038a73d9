#include "proxy/control/control_plane.h"

namespace pgweir::control {

struct ControlPlane::Impl {
  explicit Impl(runtime::Runtime& shared) : runtime(shared) {}
  runtime::Runtime& runtime;
};

ControlPlane::ControlPlane(runtime::Runtime& runtime) : impl_(std::make_unique<Impl>(runtime)) {}
ControlPlane::~ControlPlane() { stop(); }
void ControlPlane::start() {}
void ControlPlane::stop() {}
bool ControlPlane::wait_for_catalogs(std::chrono::milliseconds) { return true; }
void ControlPlane::reconfigure() {}
void ControlPlane::refresh_catalog(const std::string&, net::Worker& worker, std::function<void()> done) { worker.post(std::move(done)); }
std::optional<protocol::SqlError> ControlPlane::distributed_writes_refusal(const std::string&) { return std::nullopt; }
int ControlPlane::choose_replica(const std::string&, routing::ShardId) { return -1; }
void ControlPlane::recover_soon(const std::string&) {}
std::vector<metrics::EndpointState> ControlPlane::health() const { return {}; }
std::uint64_t ControlPlane::old_prepared_transactions() const { return 0; }

}  // namespace pgweir::control
