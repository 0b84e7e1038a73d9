#include "proxy/pool/login_services.h"

namespace pgweir::pool {

LoginServices::LoginServices() : thread_([this] { run(); }) {}

LoginServices::LoginServices(const net::Resolver::Options& options, net::Resolver::Lookup lookup)
    : resolver_(options, std::move(lookup)), thread_([this] { run(); }) {}

LoginServices::~LoginServices() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  thread_.join();
}

net::Result<std::shared_ptr<const net::TlsContext>> LoginServices::tls(const config::ServerTls& settings) {
  const auto key = std::make_tuple(static_cast<int>(settings.mode), settings.ca, settings.cert, settings.key);
  const std::lock_guard lock(mutex_);
  if (auto found = contexts_.find(key); found != contexts_.end()) return found->second;
  net::TlsClientOptions options;
  options.ca_file = settings.ca;
  options.cert_file = settings.cert;
  options.key_file = settings.key;
  // As libpq: with a root certificate "require" is "verify-ca".
  const bool named = settings.mode == config::TlsMode::Require && !settings.ca.empty();
  if (settings.mode == config::TlsMode::VerifyCa || named) options.verify = net::TlsClientOptions::Verify::Ca;
  if (settings.mode == config::TlsMode::VerifyFull) options.verify = net::TlsClientOptions::Verify::Full;
  auto made = net::TlsContext::client(options);
  if (made) contexts_[key] = *made;
  return made;
}

void LoginServices::derive(protocol::DeriveKeysRequest request, net::Worker& worker,
                           std::function<void(std::optional<protocol::ScramKeys>)> done) {
  {
    const std::lock_guard lock(mutex_);
    if (jobs_.size() < kMaxWaiting) {
      jobs_.push_back({std::move(request), &worker, std::move(done)});
      wake_.notify_one();
      return;
    }
  }
  worker.post([done = std::move(done)] { done(std::nullopt); });
}

void LoginServices::run() {
  while (true) {
    Job job;
    {
      std::unique_lock lock(mutex_);
      wake_.wait(lock, [this] { return stopping_ || !jobs_.empty(); });
      if (stopping_) return;
      job = std::move(jobs_.front());
      jobs_.pop_front();
    }
    auto keys = protocol::derive_keys(job.request);
    job.worker->post([done = std::move(job.done), keys = std::move(keys)] { done(keys); });
  }
}

std::optional<protocol::DerivedKeys> LoginServices::cached_keys(const std::string& endpoint, const std::string& user) const {
  const std::lock_guard lock(mutex_);
  auto found = derived_.find({endpoint, user});
  if (found == derived_.end()) return std::nullopt;
  return found->second;
}

void LoginServices::cache_keys(const std::string& endpoint, const std::string& user, const protocol::DerivedKeys& keys) {
  const std::lock_guard lock(mutex_);
  derived_[{endpoint, user}] = keys;
}

namespace {

template <class Value>
void remember(std::map<std::pair<std::string, std::string>, Value>& map, const std::string& cluster,
              const std::string& user, const Value& value) {
  if (map.size() >= LoginServices::kMaxRemembered && map.count({cluster, user}) == 0) map.erase(map.begin());
  map.insert_or_assign({cluster, user}, value);
}

}  // namespace

std::optional<protocol::ScramKeys> LoginServices::client_keys(const std::string& cluster,
                                                              const std::string& user) const {
  const std::lock_guard lock(mutex_);
  auto found = client_keys_.find({cluster, user});
  if (found == client_keys_.end()) return std::nullopt;
  return found->second;
}

void LoginServices::remember_client_keys(const std::string& cluster, const std::string& user,
                                         const protocol::ScramKeys& keys) {
  const std::lock_guard lock(mutex_);
  remember(client_keys_, cluster, user, keys);
}

config::Secret LoginServices::found_secret(const std::string& cluster, const std::string& user) const {
  const std::lock_guard lock(mutex_);
  auto found = found_secrets_.find({cluster, user});
  return found == found_secrets_.end() ? config::Secret{} : found->second;
}

void LoginServices::remember_secret(const std::string& cluster, const std::string& user, const config::Secret& secret) {
  const std::lock_guard lock(mutex_);
  remember(found_secrets_, cluster, user, secret);
}

}  // namespace pgweir::pool
