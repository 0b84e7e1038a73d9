#include "proxy/control/auth_query.h"

#include "protocol/auth/secret.h"
#include "proxy/log/log.h"

namespace pgweir::control {
namespace {

using config::Secret;
using namespace std::chrono_literals;

constexpr auto kConnectBound = 5s;
constexpr auto kQueryBound = 5s;

Secret classify(const std::string& text) {
  const protocol::Secret secret = protocol::classify_secret(text);
  switch (secret.kind) {
    case protocol::SecretKind::Plain: return {Secret::Kind::Plain, secret.value};
    case protocol::SecretKind::Md5: return {Secret::Kind::Md5, secret.value};
    case protocol::SecretKind::Scram: return {Secret::Kind::Scram, secret.value};
    case protocol::SecretKind::None: break;
  }
  return {};
}

const config::Shard& home_of(const config::Cluster& cluster) {
  for (const config::Shard& shard : cluster.shards)
    if (shard.name == cluster.home) return shard;
  return cluster.shards.front();
}

}  // namespace

std::variant<Secret, std::string> read_secret_rows(const RowSet& rows, const std::string& user, std::string& doubt) {
  if (rows.columns < 2) return "it must return two columns, the name and the verifier";
  if (rows.rows() == 0) return Secret{};
  if (rows.rows() > 1)
    doubt = "it returned " + std::to_string(rows.rows()) + " rows";
  else if (rows.null(0, 0) || rows.text(0, 0) != user)
    doubt = "it returned another name";
  if (!doubt.empty() || rows.null(0, 1) || rows.text(0, 1).empty()) return Secret{};
  Secret secret = classify(rows.text(0, 1));
  if (secret.kind == Secret::Kind::None) doubt = "the verifier is damaged";
  return secret;
}

Login query_login(const config::Config& config, const config::Cluster& cluster) {
  Login login{home_of(cluster).primary, cluster.database, config.auth.query_user, {}, config.tls_server};
  if (!config.auth.query_database.empty()) login.database = config.auth.query_database;
  const config::User* user = config.find_user(config.auth.query_user);
  if (user == nullptr) return login;
  if (!user->server_user.empty()) login.user = user->server_user;
  if (user->server_password.kind == Secret::Kind::Plain) login.password = user->server_password.value;
  return login;
}

struct AuthQuery::Place {
  Place(asio::io_context& context, net::Resolver& resolver) : connection(context, resolver) {}
  std::string cluster, query;
  Login login;
  PgConnection connection;
  std::deque<std::string> queue;                      // users, each once
  std::map<std::string, std::vector<Answer>> answers;  // who waits for them
  std::size_t waiting = 0;
  bool running = false;
};

void AuthQuery::adopt(std::shared_ptr<const config::Config> config) {
  config_ = std::move(config);
  cache_.clear();
  places_.clear();  // a coroutine under way keeps its own until its queue is empty
}

std::shared_ptr<AuthQuery::Place> AuthQuery::place_for(const config::Cluster& cluster) {
  auto& place = places_[cluster.name];
  if (!place) {
    place = std::make_shared<Place>(context_, resolver_);
    place->cluster = cluster.name;
    place->query = config_->auth.query;
    place->login = query_login(*config_, cluster);
  }
  return place;
}

void AuthQuery::look_up(const std::string& cluster, const std::string& user, Answer answer) {
  // A reload may have taken the query away.
  if (!config_ || config_->auth.query.empty()) return answer({});
  const config::Cluster* asked = config_->find_cluster(cluster);
  const config::Cluster& at = asked != nullptr ? *asked : config_->clusters.front();
  if (auto known = cache_.find({at.name, user}, Clock::now())) return answer({false, std::move(*known)});
  const auto place = place_for(at);
  if (place->waiting >= kMaxWaiting) {
    log::warning("auth.query: too many users of {} wait for their password", at.name);
    return answer({true, {}});
  }
  auto& answers = place->answers[user];
  if (answers.empty()) place->queue.push_back(user);
  answers.push_back(std::move(answer));
  ++place->waiting;
  if (std::exchange(place->running, true)) return;
  spawn(context_, run(place), "auth query");
}

Async<void> AuthQuery::run(std::shared_ptr<Place> place) {
  while (!place->queue.empty()) {
    const std::string user = place->queue.front();
    const runtime::SecretAnswer answer = co_await ask(place, user);
    place->queue.pop_front();
    const auto current = places_.find(place->cluster);
    if (!answer.failed && current != places_.end() && current->second == place)
      cache_.put({place->cluster, user}, answer.secret, Clock::now());
    auto answers = std::move(place->answers[user]);
    place->answers.erase(user);
    place->waiting -= answers.size();
    for (Answer& one : answers) one(answer);
  }
  place->running = false;
}

Async<runtime::SecretAnswer> AuthQuery::ask(std::shared_ptr<Place> place, std::string user) {
  const bool reused = place->connection.is_open();
  const Clock::time_point begin = Clock::now();
  Reply reply;
  for (int attempt = 0; attempt < 2; ++attempt) {
    auto failure = co_await place->connection.ensure(place->login, kConnectBound);
    if (failure) {
      log::warning("auth.query on {}: {}", place->cluster, failure->message);
      co_return runtime::SecretAnswer{true, {}};
    }
    std::vector<std::string> parameters{user};
    reply = co_await place->connection.query(place->query, std::move(parameters), kQueryBound);
    // A connection that stood idle may have ended meanwhile: once more on a new one. A slow server is not asked twice.
    if (place->connection.is_open() || !reused || Clock::now() - begin > kQueryBound / 2) break;
  }
  const bool not_text = reply.error && (reply.error->sqlstate == "22021" || reply.error->sqlstate == "22P05");
  if (not_text) co_return runtime::SecretAnswer{};  // bytes that are no text there are nobody's name
  if (reply.error || reply.results.empty()) {
    log::error("auth.query on {} failed: {}", place->cluster, reply.error ? reply.error->message : "no result");
    co_return runtime::SecretAnswer{true, {}};
  }
  std::string doubt;
  auto read = read_secret_rows(reply.results.back(), user, doubt);
  if (!doubt.empty()) log::warning("auth.query on {}: user \"{}\" is refused: {}", place->cluster, user, doubt);
  if (const auto* wrong = std::get_if<std::string>(&read)) {
    log::error("auth.query on {}: {}", place->cluster, *wrong);
    co_return runtime::SecretAnswer{true, {}};
  }
  co_return runtime::SecretAnswer{false, std::get<Secret>(read)};
}

}  // namespace pgweir::control
