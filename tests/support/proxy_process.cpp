#include "tests/support/proxy_process.h"

#include <signal.h>

#include <stdexcept>

#include "tests/support/pg_cluster.h"

namespace pgweir::support {

std::string plain_cluster(const std::string& name, const std::string& endpoint, const std::string& extra) {
  return "[cluster." + name + "]\n" + extra + "\n[[cluster." + name + ".shard]]\nname = \"main\"\nprimary = \"" +
         endpoint + "\"\n";
}

ProxyProcess::ProxyProcess(ProxyOptions options) : ProxyProcess(std::move(options), Stopped{}) { start(); }

ProxyProcess::ProxyProcess(ProxyOptions options, Stopped)
    : options_(std::move(options)),
      temp_("proxy"),
      config_file_(temp_.path() / "pgweir.toml"),
      port_(free_port()),
      metrics_port_(free_port()) {
  write_file(config_file_, render(options_.clusters));
}

std::string ProxyProcess::render(const std::string& clusters) const {
  const Certificates& tls = certificates();
  std::string text = "[listen]\naddress = [\"127.0.0.1:" + std::to_string(port_) +
                     "\"]\nworkers = " + std::to_string(options_.workers) + "\n" + options_.listen_extra + "\n\n";
  text += "[tls.client]\nmode = \"" + options_.tls_client + "\"\ncert = \"" + tls.server_cert + "\"\nkey = \"" +
          tls.server_key + "\"\nca = \"" + tls.ca + "\"\n\n";
  text += "[tls.server]\nmode = \"" + options_.tls_server + "\"\nca = \"" + tls.ca + "\"\n\n";
  text += "[admin]\nusers = [\"admin\"]\nstats_users = [\"stats\"]\n\n";
  if (options_.metrics) text += "[metrics]\naddress = \"127.0.0.1:" + std::to_string(metrics_port_) + "\"\n\n";
  text += "[auth]\n" + options_.auth + "\n\n";
  for (const std::string user : {"app", "reader", "admin", "stats"}) {
    text += "[[user]]\nname = \"" + user + "\"\npassword = \"" + user + "-secret\"\n\n";
  }
  if (!options_.pool.empty()) text += "[pool]\n" + options_.pool + "\n\n";
  return text + options_.extra + "\n" + clusters;
}

void ProxyProcess::start() {
  process_ = Process({.command = {PGWEIR_BINARY, "--config", config_file_.string()},
                      .environment = options_.environment,
                      .output = temp_.path() / "proxy.log",
                      .death_signal = SIGKILL});
  bool accepting = false;
  (void)wait_until([&] { return !process_.running() || (accepting = accepts(port_)); }, Milliseconds{30'000});
  if (!accepting) throw std::runtime_error("the proxy did not start:\n" + log());
}

void ProxyProcess::reload(const std::string& clusters) {
  options_.clusters = clusters;
  reload_file(render(clusters));
}

void ProxyProcess::reload_file(const std::string& whole_text) {
  write_file(config_file_, whole_text);
  process_.signal(SIGHUP);
}

std::optional<int> ProxyProcess::terminate(Milliseconds deadline) {
  process_.signal(SIGTERM);
  return process_.wait(deadline);
}

std::string ProxyProcess::log() const { return read_file(temp_.path() / "proxy.log"); }

bool ProxyProcess::wait_for_log(const std::string& text, Milliseconds deadline) const {
  return wait_until([&] { return log().find(text) != std::string::npos; }, deadline);
}

Parameters ProxyProcess::parameters(const std::string& user, const std::string& database) const {
  return {{"host", "127.0.0.1"},
          {"port", std::to_string(port_)},
          {"user", user},
          {"password", user + "-secret"},
          {"dbname", database}};
}

Connection ProxyProcess::connect(const std::string& user, const std::string& database) const {
  return Connection::open(parameters(user, database));
}

std::string ProxyProcess::metrics() const {
  return run({.command = {"curl", "-sS", "--fail", "--noproxy", "*",
                          "http://127.0.0.1:" + std::to_string(metrics_port_) + "/metrics"}});
}

}  // namespace pgweir::support
