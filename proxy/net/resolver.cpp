#include "proxy/net/resolver.h"

#include <netdb.h>
#include <sys/socket.h>

#include <algorithm>
#include <condition_variable>
#include <deque>
#include <map>
#include <mutex>
#include <thread>
#include <utility>

#include "proxy/net/worker.h"

namespace pgweir::net {
namespace {

Result<Resolver::Addresses> system_lookup(const std::string& host, std::uint16_t port) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  const int error = ::getaddrinfo(host.c_str(), std::to_string(port).c_str(), &hints, &found);
  if (error != 0) {
    return StreamError{StreamError::Kind::Io, 0, "cannot resolve host name \"" + host + "\": " + ::gai_strerror(error)};
  }
  Resolver::Addresses addresses;
  for (const addrinfo* i = found; i != nullptr; i = i->ai_next) addresses.emplace_back(i->ai_addr, i->ai_addrlen);
  ::freeaddrinfo(found);
  if (addresses.empty()) return StreamError{StreamError::Kind::Io, 0, "host name \"" + host + "\" has no address"};
  return addresses;
}

}  // namespace

struct Resolver::Shared {
  using Name = std::pair<std::string, std::uint16_t>;
  struct Question {
    Name name;
    Clock::time_point deadline;
    Executor executor;
    Callback callback;
  };
  struct Answer {
    Result<Addresses> result;
    Clock::time_point expires;
  };

  Options options;
  Lookup lookup;
  std::mutex mutex;  // of everything below
  std::condition_variable work_changed, deadlines_changed;
  std::vector<Question> waiting;  // answered, or timed out, by whoever takes it out first
  std::deque<Name> work;          // names to look up, without repetition
  std::map<Name, Answer> cache;
  bool stopped = false;
  bool lookup_ended = false;

  static void answer(Question question, Result<Addresses> result) {
    const Executor executor = std::move(question.executor);
    executor([callback = std::move(question.callback), result = std::move(result)]() mutable {
      callback(std::move(result));
    });
  }

  // Takes out what `due` chooses. Caller holds the mutex.
  template <class Due>
  std::vector<Question> take(Due due) {
    const auto stays = [&](const Question& question) { return !due(question); };
    const auto first = std::stable_partition(waiting.begin(), waiting.end(), stays);
    std::vector<Question> taken(std::make_move_iterator(first), std::make_move_iterator(waiting.end()));
    waiting.erase(first, waiting.end());
    return taken;
  }

  void remember(const Name& name, const Result<Addresses>& result) {
    if (cache.size() >= options.max_cached && !cache.contains(name)) {
      const auto by_age = [](const auto& a, const auto& b) { return a.second.expires < b.second.expires; };
      cache.erase(std::min_element(cache.begin(), cache.end(), by_age));
    }
    cache.insert_or_assign(name, Answer{result, Clock::now() + (result.ok() ? options.ttl : options.failure_ttl)});
  }

  void run_lookups() {
    std::unique_lock lock(mutex);
    while (true) {
      work_changed.wait(lock, [this] { return stopped || !work.empty(); });
      if (stopped) break;
      const Name name = work.front();
      lock.unlock();
      Result<Addresses> result = lookup(name.first, name.second);
      lock.lock();
      work.pop_front();
      remember(name, result);
      auto answered = take([&](const Question& question) { return question.name == name; });
      if (stopped) break;
      lock.unlock();
      for (Question& question : answered) answer(std::move(question), result);
      answered.clear();
      lock.lock();
    }
    lookup_ended = true;
    deadlines_changed.notify_all();
  }

  void run_deadlines() {
    std::unique_lock lock(mutex);
    while (!stopped) {
      if (waiting.empty()) {
        deadlines_changed.wait(lock);
      } else {
        const auto by_deadline = [](const Question& a, const Question& b) { return a.deadline < b.deadline; };
        const auto next = std::min_element(waiting.begin(), waiting.end(), by_deadline)->deadline;
        deadlines_changed.wait_until(lock, next);
      }
      if (stopped) return;
      const auto now = Clock::now();
      auto late = take([&](const Question& question) { return question.deadline <= now; });
      lock.unlock();
      for (Question& question : late) {
        const std::string text = "timed out resolving host name \"" + question.name.first + "\"";
        answer(std::move(question), StreamError{StreamError::Kind::Timeout, 0, text});
      }
      late.clear();
      lock.lock();
    }
  }
};

Duration Resolver::ttl() const { return shared_->options.ttl; }

Resolver::Resolver() : Resolver(Options{}) {}

Resolver::Resolver(const Options& options, Lookup lookup) : shared_(std::make_shared<Shared>()) {
  shared_->options = options;
  shared_->lookup = lookup ? std::move(lookup) : Lookup(&system_lookup);
  lookups_ = std::thread([shared = shared_] { shared->run_lookups(); });
  deadlines_ = std::thread([shared = shared_] { shared->run_deadlines(); });
}

Resolver::~Resolver() {
  std::vector<Shared::Question> dropped;
  {
    std::unique_lock lock(shared_->mutex);
    shared_->stopped = true;
    dropped.swap(shared_->waiting);
    shared_->work_changed.notify_all();
    shared_->deadlines_changed.notify_all();
  }
  deadlines_.join();
  // A thread inside getaddrinfo cannot be interrupted: it is given a moment, then left to end by itself. It shares
  // ownership of all that it touches.
  std::unique_lock lock(shared_->mutex);
  const bool ended = shared_->deadlines_changed.wait_for(lock, Duration{200}, [this] { return shared_->lookup_ended; });
  lock.unlock();
  if (ended) {
    lookups_.join();
  } else {
    lookups_.detach();
  }
}

std::optional<Resolver::Addresses> Resolver::try_resolve(const config::Endpoint& endpoint) {
  if (auto literal = literal_address(endpoint); !literal.ok()) {
    return std::nullopt;
  } else if (*literal) {
    return Addresses{**literal};
  }
  const std::lock_guard lock(shared_->mutex);
  const auto found = shared_->cache.find({endpoint.host, endpoint.port});
  if (found == shared_->cache.end() || found->second.expires <= Clock::now() || !found->second.result.ok()) {
    return std::nullopt;
  }
  return *found->second.result;
}

void Resolver::resolve(const config::Endpoint& endpoint, Duration deadline, Executor executor, Callback callback) {
  Shared::Question question{{endpoint.host, endpoint.port}, Clock::now() + deadline, std::move(executor),
                            std::move(callback)};
  auto literal = literal_address(endpoint);
  if (!literal.ok()) return Shared::answer(std::move(question), std::move(literal.error()));
  if (*literal) return Shared::answer(std::move(question), Addresses{**literal});
  std::unique_lock lock(shared_->mutex);
  if (const auto found = shared_->cache.find(question.name);
      found != shared_->cache.end() && found->second.expires > Clock::now()) {
    Result<Addresses> result = found->second.result;
    lock.unlock();
    return Shared::answer(std::move(question), std::move(result));
  }
  const std::size_t bound = shared_->options.max_waiting;  // work can be longer: names whose questions have timed out
  const bool new_name = std::find(shared_->work.begin(), shared_->work.end(), question.name) == shared_->work.end();
  if (shared_->waiting.size() >= bound || (new_name && shared_->work.size() >= bound)) {
    lock.unlock();
    return Shared::answer(std::move(question), StreamError{StreamError::Kind::Limit, 0, "too many names to resolve"});
  }
  if (new_name) {
    shared_->work.push_back(question.name);
    shared_->work_changed.notify_one();
  }
  shared_->waiting.push_back(std::move(question));
  shared_->deadlines_changed.notify_one();
}

void Resolver::resolve(const config::Endpoint& endpoint, Duration deadline, Worker& worker, Callback callback) {
  const auto post = [&worker](std::function<void()> function) { return worker.post(Task(std::move(function))); };
  resolve(endpoint, deadline, Executor(post), std::move(callback));
}

}  // namespace pgweir::net
