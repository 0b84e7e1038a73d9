#include "tests/model/world.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <stdexcept>
#include <thread>

#include "config/loader.h"
#include "proxy/control/snapshot_update.h"
#include "proxy/session/accept.h"
#include "tests/model/replies.h"

namespace pgweir::model {
namespace {

constexpr auto kPatience = std::chrono::seconds(10);   // without a byte that moves

// The socket that all worlds of this process accept their servers' connections on.
class Listener {
 public:
  Listener() {
    char name[] = "/tmp/pgweir-model-XXXXXX";
    if (::mkdtemp(name) == nullptr) throw std::runtime_error("no directory for a socket");
    directory_ = name;
    fd_ = ::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path().copy(address.sun_path, sizeof address.sun_path - 1);
    if (::bind(fd_, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0 || ::listen(fd_, 64) != 0)
      throw std::runtime_error("no socket for the servers");
  }
  ~Listener() {
    ::close(fd_);
    ::unlink(path().c_str());
    ::rmdir(directory_.c_str());
  }
  const std::string& directory() const { return directory_; }
  int accept() const { return ::accept4(fd_, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC); }

 private:
  std::string path() const { return directory_ + "/.s.PGSQL.5432"; }
  std::string directory_;
  int fd_ = -1;
};

const Listener& listener() {
  static const Listener instance;
  return instance;
}

runtime::SnapshotPtr snapshot(const Sequence& sequence) {
  const std::string text = "[listen]\naddress = [\"127.0.0.1:1\"]\nworkers = 1\n[auth]\nmethod = \"trust\"\n[[user]]\nname = \"app\"\n"
                           "[tls.server]\nmode = \"disable\"\n[pool]\nmode = \"" + std::string(sequence.session_mode ? "session" : "transaction") +
                           "\"\nsize = " + std::to_string(sequence.pool_size) +
                           "\nmax_prepared_statements = " + std::to_string(sequence.max_prepared) +
                           "\n[cluster.main]\n[[cluster.main.shard]]\nname = \"only\"\nprimary = \"unix:" +
                           listener().directory() + ":5432\"\n";
  auto loaded = config::load_text(text, "/nowhere/pgweir.toml");
  if (!loaded.config) throw std::runtime_error(loaded.diagnostics.front().to_string());
  return *control::make_snapshot(loaded.config, nullptr);
}

}  // namespace

struct World::Server {
  Server(int socket, std::vector<std::string>& committed, std::int32_t pid) : fd(socket), model(committed, pid) {}
  ~Server() { close(); }
  void close() {
    if (fd >= 0) ::close(std::exchange(fd, -1));
  }
  int fd;
  BackendModel model;
  std::string inbox, outbox;
  std::string said;   // for reports
  bool end_of_input = false;
};

struct World::Client {
  ~Client() {
    if (fd >= 0) ::close(fd);
  }
  int fd = -1;
  ClientScript script;
  bool exact = false;
  std::size_t sent = 0, next_wait = 0;
  bool stopped_sending = false;
  std::string received;
  bool closed = false;
  std::string expected;                    // all answers
  std::vector<std::size_t> wait_counts;    // by wait: how many ReadyForQuery are to be there
  std::vector<std::size_t> committed_at_ready;
  std::vector<std::string> committed;      // what the model of this client alone commits
};

World::World(const Sequence& sequence, Choices& choices)
    : sequence_(sequence), choices_(choices), worker_(std::make_unique<net::Worker>(0)) {
  runtime_ = std::make_unique<runtime::Runtime>(std::vector<net::Worker*>{worker_.get()}, snapshot(sequence));
  worker_->at_stop([this] { runtime_->pools.close_idle(*worker_); });
  if (!worker_->enter().ok()) throw std::runtime_error("the worker does not start");
  for (const auto& script : sequence.clients) add_client(script, !sequence.faults && !script.vanishes);
}

World::~World() {
  clients_.clear();
  session::drain(*runtime_, *worker_, true);
  for (int i = 0; i < 100 && session::session_count(*runtime_, *worker_) != 0; ++i) worker_->turn(1);
  worker_->leave();
}

void World::add_client(const ClientScript& script, bool exact) {
  int pair[2];
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) != 0) throw std::runtime_error("no sockets");
  auto client = std::make_unique<Client>();
  client->fd = pair[0];
  client->script = script;
  client->exact = exact;
  BackendModel alone(client->committed);
  std::size_t fed = 0;
  for (const std::size_t wait : script.waits) {
    if (wait > script.bytes.size()) break;
    alone.feed(std::string_view(script.bytes).substr(fed, wait - fed));
    fed = wait;
    client->expected += alone.take_output();
    client->wait_counts.push_back(count_replies(client->expected, 'Z'));
  }
  alone.feed(std::string_view(script.bytes).substr(fed));
  client->expected += alone.take_output();
  client->committed_at_ready = alone.committed_at_ready();
  clients_.push_back(std::move(client));
  worker_->add_load(1);
  session::accept_client(*runtime_, *worker_, pair[1], net::SocketAddress());
}

bool World::accept_servers() {
  const int fd = listener().accept();
  if (fd < 0) return false;
  servers_.push_back(std::make_unique<Server>(fd, committed_, static_cast<std::int32_t>(servers_.size()) + 1));
  return true;
}

// A fault, or what a server may say at any time.
void World::disturb(Server& server) {
  if (!server.model.logged_in() || server.model.ended()) return;
  if (sequence_.notices && choices_.one_in(16)) server.model.notice("by the way");
  if (!sequence_.faults) return;
  switch (choices_.pick(64)) {
    case 61: server.model.fail_next(); break;
    case 62: server.model.terminate(); break;
    case 63:
      server.outbox += server.model.take_output();
      (void)!::send(server.fd, server.outbox.data(), choices_.pick(256) % (server.outbox.size() + 1), MSG_NOSIGNAL);
      server.close();
      break;
  }
}

// True when a byte has moved.
bool World::step(Server& server) {
  if (server.fd < 0) return false;
  bool moved = false;
  char bytes[16384];
  const ssize_t count = ::recv(server.fd, bytes, sizeof bytes, 0);
  if (count > 0) server.inbox.append(bytes, static_cast<std::size_t>(count));
  const bool ended = count == 0 || (count < 0 && errno != EAGAIN);
  if (!server.inbox.empty()) {
    const std::size_t taken = choices_.one_in(4) ? 1 + choices_.pick(32) : server.inbox.size();
    disturb(server);
    if (server.fd < 0) return true;
    server.model.feed(std::string_view(server.inbox).substr(0, taken));
    server.inbox.erase(0, taken);
    moved = true;
  }
  const std::string output = server.model.take_output();
  server.outbox += output;
  server.said += show_replies(output);
  if (!server.outbox.empty()) {
    const std::size_t wanted = choices_.one_in(4) ? std::min<std::size_t>(1 + choices_.pick(32), server.outbox.size()) : server.outbox.size();
    const ssize_t sent = ::send(server.fd, server.outbox.data(), wanted, MSG_NOSIGNAL);
    if (sent > 0) server.outbox.erase(0, static_cast<std::size_t>(sent));
    moved = moved || sent > 0;
  }
  if ((server.model.ended() && server.outbox.empty()) || (ended && server.inbox.empty())) {
    server.close();
    moved = true;
  }
  return moved;
}

bool World::send_some(Client& client) {
  const auto& script = client.script;
  std::size_t end = script.bytes.size();
  if (client.next_wait < client.wait_counts.size()) {
    end = std::min(end, script.waits[client.next_wait]);
    if (client.sent == end && count_replies(client.received, 'Z') >= client.wait_counts[client.next_wait]) {
      ++client.next_wait;
      return true;
    }
  }
  if (client.sent == end) {
    if (end != script.bytes.size() || !script.vanishes) return false;
    ::close(std::exchange(client.fd, -1));
    client.closed = true;
    return true;
  }
  const std::size_t some = choices_.one_in(2) ? 1 + choices_.pick(64) : end - client.sent;
  const ssize_t sent = ::send(client.fd, script.bytes.data() + client.sent, std::min(some, end - client.sent), MSG_NOSIGNAL);
  if (sent > 0) client.sent += static_cast<std::size_t>(sent);
  if (sent < 0 && errno != EAGAIN) client.stopped_sending = true;
  return sent > 0;
}

bool World::receive(Client& client) {
  char bytes[16384];
  const ssize_t count = ::recv(client.fd, bytes, sizeof bytes, 0);
  if (count > 0) client.received.append(bytes, static_cast<std::size_t>(count));
  if (count == 0 || (count < 0 && errno != EAGAIN)) client.closed = true;
  return count > 0 || client.closed;
}

bool World::step(Client& client) {
  if (client.fd < 0 || client.closed) return false;
  bool moved = receive(client);
  if (!client.closed && !client.stopped_sending) moved = send_some(client) || moved;
  return moved;
}

// Every client has all it waits for (a server's fault may have ended it), and no session is left.
bool World::settled() {
  for (auto& client : clients_)
    if (!client->closed && (client->sent < client->script.bytes.size() || client->script.vanishes ||
                            count_replies(client->received, 'Z') < count_replies(client->expected, 'Z') ||
                            client->script.bytes.ends_with(std::string("X\0\0\0\4", 5))))
      return false;
  return true;
}

std::string World::describe_stall() const {
  std::string report = "nothing moves any more:";
  for (pool::Pool* pool : runtime_->pools.all()) {
    const auto stats = pool->stats();
    report += "\nthe pool has " + std::to_string(stats.total) + " connections, " + std::to_string(stats.idle) + " idle, " +
              std::to_string(stats.connecting) + " connecting; " + std::to_string(stats.waiting) + " clients wait";
  }
  for (const auto& info : session::client_infos(*runtime_, *worker_))
    report += "\nsession " + std::to_string(info.id) + " is " + info.state + (info.pinned.empty() ? "" : ", pinned by " + info.pinned) +
              (info.server.empty() ? "" : ", on " + info.server);
  for (const auto& server : servers_)
    report += std::string("\na server, ") + (server->fd < 0 ? "closed:" : "open:") + server->model.dirt() + " last said\n" +
              server->said.substr(server->said.size() - std::min<std::size_t>(server->said.size(), 400));
  for (const auto& client : clients_)
    if (!client->closed)
      report += "\n" + client->script.tag + " sent " + std::to_string(client->sent) + " of " +
                std::to_string(client->script.bytes.size()) + " bytes and has\n" + show_replies(client->received) + "\nof\n" +
                show_replies(client->expected);
  return report;
}

std::string World::play_clients() {
  auto last = std::chrono::steady_clock::now();
  unsigned quiet = 0;
  while (quiet < 20) {
    bool moved = accept_servers();
    worker_->turn(quiet > 16 ? 1 : 0);
    if (quiet > 4) runtime_->pools.maintain(*worker_);
    for (std::size_t i = 0; i < servers_.size(); ++i) moved = (choices_.one_in(3) ? false : step(*servers_[i])) || moved;
    for (auto& client : clients_) moved = step(*client) || moved;
    const auto now = std::chrono::steady_clock::now();
    if (moved) {
      quiet = 0;
      last = now;
    } else if (settled()) {
      ++quiet;
    } else if (now - last > kPatience) {
      return describe_stall();
    } else {
      quiet = std::min(quiet + 1, 17u);
    }
  }
  return {};
}

std::string World::check(Client& client) {
  const std::string who = client.script.tag + ": ";
  std::string others = foreign_text(client.received, client.script.tag);
  if (!others.empty()) return who + "received another's \"" + others + "\"";
  const Comparison compared = compare_replies(client.expected, client.received);
  if (!compared.malformed.empty()) return who + compared.malformed;
  const bool same = compared.difference.empty();
  if (client.exact && (!same || !compared.complete))
    return who + (same ? "answers are missing" : compared.difference) + "\nexpected:\n" + show_replies(client.expected) +
           "\nreceived:\n" + show_replies(client.received);
  if (client.script.vanishes && !sequence_.faults && !same)
    return who + compared.difference + "\nexpected:\n" + show_replies(client.expected) + "\nreceived:\n" + show_replies(client.received);
  // What it was told to be done is done, once.
  const std::size_t ready = std::min(compared.same_until_ready, client.committed_at_ready.size());
  const std::size_t done = ready == 0 ? 0 : client.committed_at_ready[ready - 1];
  for (std::size_t i = 0; i < done; ++i)
    if (std::count(committed_.begin(), committed_.end(), client.committed[i]) == 0)
      return who + "was told that \"" + client.committed[i] + "\" is committed, but it is not";
  return {};
}

// Nothing is written twice, and an undisturbed client's rows are those that it would have written alone.
std::string World::check_rows() const {
  for (const auto& row : committed_)
    if (row.ends_with('!') && std::count(committed_.begin(), committed_.end(), row) > 1) return "\"" + row + "\" was committed twice";
  for (const auto& client : clients_) {
    std::vector<std::string> own;
    std::copy_if(committed_.begin(), committed_.end(), std::back_inserter(own),
                 [&](const std::string& row) { return row.starts_with(client->script.tag + "-"); });
    if (client->exact && own != client->committed) return client->script.tag + ": other rows were committed than directly";
    for (const auto& row : own)
      if (!sequence_.faults && std::count(client->committed.begin(), client->committed.end(), row) == 0)
        return client->script.tag + ": \"" + row + "\" was committed, which would not be directly";
  }
  return {};
}

std::string World::check_servers() {
  unsigned open = 0;
  for (auto& server : servers_) {
    if (server->fd < 0) continue;
    ++open;
    if (const std::string dirt = server->model.dirt(); !dirt.empty()) return "a server was left with" + dirt;
  }
  for (pool::Pool* pool : runtime_->pools.all()) {
    const auto stats = pool->stats();
    if (stats.total != stats.idle || stats.waiting != 0)
      return "the pool has " + std::to_string(stats.total) + " connections, of which " + std::to_string(stats.idle) + " are idle; " +
             std::to_string(stats.waiting) + " clients wait";
    if (stats.total != open) return "the pool has " + std::to_string(stats.total) + " connections, the servers " + std::to_string(open);
  }
  if (const auto left = session::session_count(*runtime_, *worker_); left != 0) return std::to_string(left) + " sessions are left";
  return {};
}

std::string World::play() {
  std::string problem = play_clients();
  if (problem.empty())
    for (auto& client : clients_)
      if (problem.empty()) problem = check(*client);
  if (problem.empty()) problem = check_rows();
  for (auto& client : clients_)
    if (client->fd >= 0) ::close(std::exchange(client->fd, -1)), client->closed = true;
  if (problem.empty()) problem = play_clients();
  if (problem.empty()) problem = check_servers();
  if (!problem.empty() || sequence_.faults) return problem;
  add_client(auditor_script(), true);
  problem = play_clients();
  if (problem.empty()) problem = check(*clients_.back());
  if (problem.empty()) problem = check_servers();
  return problem.empty() ? problem : "afterwards: " + problem;
}

std::string play(std::span<const std::uint8_t> bytes) {
  std::string problem;
  std::thread([&] {
    Choices choices(bytes);
    const Sequence sequence = draw_sequence(choices);
    problem = World(sequence, choices).play();
    if (problem.empty()) return;
    problem += "\npool of " + std::to_string(sequence.pool_size) + (sequence.faults ? ", servers fail" : "");
    for (const auto& script : sequence.clients)
      problem += "\n" + script.tag + (script.vanishes ? " vanishes behind" : "") + "\n" + show_requests(script.bytes);
  }).join();
  return problem;
}

}  // namespace pgweir::model
