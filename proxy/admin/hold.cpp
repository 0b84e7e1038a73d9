// PAUSE, RESUME, DISABLE, ENABLE, RECONNECT, KILL, KILL_CLIENT, WAIT_CLOSE and SUSPEND, with PgBouncer's meaning and tags.
// A pause that its console does not wait for any more stays.
#include <charconv>
#include <chrono>
#include <memory>
#include <utility>

#include "proxy/admin/command.h"
#include "proxy/log/log.h"

namespace pgweir::admin {
namespace {

using protocol::SqlError;

constexpr auto kLookAgain = std::chrono::milliseconds(5);

SqlError near(const Token& token, std::string_view usage) {
  return {"42601", "syntax error at or near \"" + std::string(token.text.substr(0, 64)) + "\"", {}, std::string(usage), {}, {}};
}

// The cluster behind the command's words; "": none is named.
protocol::Result<std::string> cluster_argument(const Invocation& invocation, std::string_view usage) {
  const auto tokens = tokenize(invocation.statement.substr(invocation.arguments), 2);
  if (tokens.empty()) return std::string();
  if (tokens.size() > 1) return near(tokens[1], usage);
  if (tokens[0].kind != Token::Kind::Word && tokens[0].kind != Token::Kind::QuotedName) return near(tokens[0], usage);
  std::string name = name_of(tokens[0]);
  const auto& config = *invocation.runtime.snapshot()->config;
  if (config.find_cluster(name)) return name;
  if (is_console_database(config, name))
    return SqlError{"55000", "the console's database \"" + name + "\" has no servers", {}, {}, {}, {}};
  return SqlError{"3D000", "no such database: " + name, {}, "SHOW DATABASES lists them.", {}, {}};
}

protocol::Result<std::string> needed_cluster(const Invocation& invocation, std::string_view usage) {
  auto name = cluster_argument(invocation, usage);
  if (name && name->empty())
    return SqlError{"42601", "a database is required", {}, std::string(usage), {}, {}};
  return name;
}

// Asks again every few milliseconds until `met`, then answers. Ends with the console.
class Wait {
 public:
  Wait(net::Worker& worker, std::function<bool()> met, std::function<void()> then)
      : worker_(worker), met_(std::move(met)), then_(std::move(then)) {
    timer_.set<&Wait::look>(this);
  }
  void look() {
    if (!met_()) return timer_.arm(worker_, kLookAgain);
    worker_.defer([then = std::exchange(then_, nullptr)] { then(); });  // which may end this
  }

 private:
  net::Worker& worker_;
  std::function<bool()> met_;
  std::function<void()> then_;
  net::Timer timer_;
};

void answer_when(const Invocation& invocation, std::function<bool()> met, std::string tag, Done done) {
  const auto wait = std::make_shared<Wait>(invocation.worker, std::move(met), [tag = std::move(tag), done = std::move(done)] {
    done(completed(tag));
  });
  invocation.pending = wait;
  wait->look();
}

bool no_servers(pool::PoolManager& pools, const std::string& cluster) {
  for (const pool::Pool* pool : pools.of(cluster))
    if (const auto stats = pool->stats(); stats.total + stats.closing != 0) return false;
  return true;
}

std::string of_what(const std::string& cluster) { return cluster.empty() ? "every database" : "database \"" + cluster + "\""; }

// Runs on every worker; `then` on the asking one, with the sum.
void kill_everywhere(const Invocation& invocation, std::uint64_t id, const std::string& cluster,
                     std::function<void(std::size_t)> then) {
  struct Sum {
    net::Worker* home;
    std::size_t missing, killed = 0;
    std::function<void(std::size_t)> then;
    void add(std::size_t count) {
      killed += count;
      if (--missing == 0) std::exchange(then, nullptr)(killed);
    }
  };
  const auto& workers = invocation.runtime.workers;
  if (!invocation.sources.kill || workers.empty()) return then(0);
  const auto sum = std::make_shared<Sum>(Sum{&invocation.worker, workers.size(), 0, std::move(then)});
  for (net::Worker* worker : workers) {
    const bool posted = worker->post(net::Task([worker, id, cluster, sum, kill = invocation.sources.kill] {
      const std::size_t count = kill(*worker, id, cluster);
      sum->home->post(net::Task([sum, count] { sum->add(count); }));
    }));
    if (!posted) sum->add(0);
  }
}

}  // namespace

void pause(const Invocation& invocation, Done done) {
  const auto cluster = cluster_argument(invocation, "PAUSE [<database>]");
  if (!cluster) return done(cluster.error());
  auto& pools = invocation.runtime.pools;
  if (!pools.pause(*cluster)) return done(SqlError{"55000", of_what(*cluster) + " is already paused", {}, {}, {}, {}});
  log::info("{} is paused by the console", of_what(*cluster));
  // A RESUME meanwhile ends the wait, too.
  answer_when(
      invocation,
      [&pools, name = *cluster] {
        const bool resumed = name.empty() ? !pools.holds().all_paused() : !pools.holds().paused(name);
        return resumed || no_servers(pools, name);
      },
      "PAUSE", std::move(done));
}

void resume(const Invocation& invocation, Done done) {
  const auto cluster = cluster_argument(invocation, "RESUME [<database>]");
  if (!cluster) return done(cluster.error());
  if (!invocation.runtime.pools.resume(*cluster))
    return done(SqlError{"55000", (cluster->empty() ? std::string("the proxy") : of_what(*cluster)) + " is not paused", {},
                         cluster->empty() ? "RESUME <database> resumes what was paused by name." : "", {}, {}});
  log::info("{} is resumed by the console", of_what(*cluster));
  done(completed("RESUME"));
}

void disable(const Invocation& invocation, Done done) {
  const auto cluster = needed_cluster(invocation, "DISABLE <database>");
  if (!cluster) return done(cluster.error());
  invocation.runtime.pools.holds().disable(*cluster, true);
  log::info("{} is closed to new clients by the console", of_what(*cluster));
  done(completed("DISABLE"));
}

void enable(const Invocation& invocation, Done done) {
  const auto cluster = needed_cluster(invocation, "ENABLE <database>");
  if (!cluster) return done(cluster.error());
  invocation.runtime.pools.holds().disable(*cluster, false);
  log::info("{} is open to new clients again", of_what(*cluster));
  done(completed("ENABLE"));
}

void reconnect(const Invocation& invocation, Done done) {
  const auto cluster = cluster_argument(invocation, "RECONNECT [<database>]");
  if (!cluster) return done(cluster.error());
  for (pool::Pool* pool : invocation.runtime.pools.of(*cluster)) pool->reconnect();
  log::info("the server connections of {} are replaced when they are free", of_what(*cluster));
  done(completed("RECONNECT"));
}

void wait_close(const Invocation& invocation, Done done) {
  const auto cluster = cluster_argument(invocation, "WAIT_CLOSE [<database>]");
  if (!cluster) return done(cluster.error());
  const auto met = [&pools = invocation.runtime.pools, name = *cluster] {
    for (const pool::Pool* pool : pools.of(name)) {
      const auto target = pool->target();
      for (const auto& row : pool->servers()) {
        const bool stale = row.target != target && row.target->startup.empty();  // of before a reload
        if (row.state != pool::ServerFacts::State::Listening && (row.close_needed || stale)) return false;
      }
    }
    return true;
  };
  answer_when(invocation, met, "WAIT_CLOSE", std::move(done));
}

void kill(const Invocation& invocation, Done done) {
  const auto cluster = cluster_argument(invocation, "KILL [<database>]");
  if (!cluster) return done(cluster.error());
  invocation.runtime.pools.pause(*cluster);  // may be so already
  log::info("the clients and servers of {} are killed by the console", of_what(*cluster));
  kill_everywhere(invocation, 0, *cluster, [done = std::move(done)](std::size_t) { done(completed("KILL")); });
}

void kill_client(const Invocation& invocation, Done done) {
  constexpr std::string_view kUsage = "KILL_CLIENT <id>: the id of SHOW CLIENTS.";
  const auto tokens = tokenize(invocation.statement.substr(invocation.arguments), 2);
  std::uint64_t id = 0;
  if (tokens.empty()) return done(SqlError{"42601", "a client's id is required", {}, std::string(kUsage), {}, {}});
  std::string_view text = tokens[0].text;
  if (tokens[0].kind == Token::Kind::String && text.size() > 2) text = text.substr(1, text.size() - 2);
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), id);
  if (error != std::errc() || end != text.data() + text.size() || id == 0) return done(near(tokens[0], kUsage));
  if (tokens.size() > 1) return done(near(tokens[1], kUsage));
  kill_everywhere(invocation, id, {}, [done = std::move(done), id](std::size_t killed) {
    if (killed == 0) return done(SqlError{"02000", "there is no client " + std::to_string(id), {}, {}, {}, {}});
    log::info("client {} is killed by the console", id);
    done(completed("KILL_CLIENT"));
  });
}

void suspend(const Invocation&, Done done) {
  done(SqlError{"0A000", "SUSPEND is not supported", "Sockets are not handed to another process.",
                "PAUSE keeps the clients and waits for the servers; a new process can listen beside this one "
                "(listen.reuse_port).", {}, {}});
}

}  // namespace pgweir::admin
