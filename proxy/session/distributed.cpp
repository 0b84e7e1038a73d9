#include "proxy/session/distributed.h"

#include <openssl/rand.h>
#include <unistd.h>

#include "proxy/pool/settings.h"
#include "proxy/session/fault_point.h"

namespace pgweir::session {

using protocol::SqlError;
using Outcomes = std::vector<Fanout::Outcome>;

namespace {

// UUID version 7 (RFC 9562): 48 bits of Unix milliseconds, then random bits, so that decision rows sort by time.
std::string uuid7() {
  unsigned char bytes[16];
  RAND_bytes(bytes, sizeof bytes);
  const auto now = std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::system_clock::now().time_since_epoch()).count();
  for (int i = 0; i < 6; ++i) bytes[i] = static_cast<unsigned char>(now >> (8 * (5 - i)));
  bytes[6] = static_cast<unsigned char>(0x70 | (bytes[6] & 0x0f));
  bytes[8] = static_cast<unsigned char>(0x80 | (bytes[8] & 0x3f));
  std::string out;
  constexpr char hex[] = "0123456789abcdef";
  for (int i = 0; i < 16; ++i) {
    if (i == 4 || i == 6 || i == 8 || i == 10) out += '-';
    out += hex[bytes[i] >> 4];
    out += hex[bytes[i] & 15];
  }
  return out;
}

const Fanout::Outcome* first_error(const Outcomes& outcomes) {
  for (const auto& outcome : outcomes)
    if (outcome.error) return &outcome;
  return nullptr;
}

// COMMIT and PREPARE TRANSACTION of a failed transaction answer ROLLBACK without an error.
void expect_tag(Fanout::Outcome& outcome, std::string_view tag) {
  if (!outcome.error && outcome.result.tag != tag)
    outcome.error = SqlError{"40000", "the transaction was rolled back by the server", {}, {}, {}, {}};
}

}  // namespace

DistributedCommit::DistributedCommit(WorkerContext& context, std::string cluster, const config::Cluster& config, std::vector<Link*> links)
    : context_(context), cluster_(std::move(cluster)), config_(config), links_(std::move(links)), fanout_(context.worker) {
  for (auto* link : links_) (link->wrote ? writers_ : readers_).push_back(link);
  prepared_.resize(writers_.size());
}

void DistributedCommit::commit(Done done) {
  done_ = std::move(done);
  if (writers_.size() < 2) return commit_plain();
  if (auto refusal = context_.runtime.control ? context_.runtime.control->distributed_writes_refusal(cluster_) : std::nullopt)
    return undo(*refusal);
  gid_ = "pgweir:" + cluster_ + ":" + config_.shards[writers_.front()->shard().value].name + ":" + uuid7();
  decide();
}

// At most one server was written: its COMMIT decides, the others have nothing to lose.
void DistributedCommit::commit_plain() {
  std::vector<std::pair<Link*, std::string>> commands;
  for (auto* link : writers_) commands.emplace_back(link, "COMMIT");
  fanout_.run(std::move(commands), [this](Outcomes& outcomes) {
    for (auto& outcome : outcomes) expect_tag(outcome, "COMMIT");
    if (const auto* failed = first_error(outcomes)) {
      result_.error = failed->error;
      if (failed->lost) result_.error->sqlstate = "40003";
    }
    std::vector<std::pair<Link*, std::string>> rest;
    for (auto* link : readers_) rest.emplace_back(link, "COMMIT");
    fanout_.run(std::move(rest), [this](Outcomes&) { finish(result_); });
  });
}

void DistributedCommit::decide() {
  fault_point("2pc_before_decide");
  std::string participants = "ARRAY[";
  for (std::size_t i = 1; i < writers_.size(); ++i) {
    if (i > 1) participants += ',';
    participants += pool::quote_literal(config_.shards[writers_[i]->shard().value].name);
  }
  participants += "]::pg_catalog.text[]";
  const std::string proxy = std::to_string(::getpid());
  // A decision that an asynchronous COMMIT could lose would be none.
  const std::string sql =
      "SELECT pg_catalog.set_config('synchronous_commit', 'on', true) WHERE pg_catalog.current_setting('synchronous_commit') IN ('off', 'local');"
      "SELECT pgweir.decide(" + pool::quote_literal(gid_) + ", " + participants + ", " + pool::quote_literal(proxy) + ")";
  fanout_.run({{writers_.front(), sql}}, [this](Outcomes& outcomes) {
    if (const auto* failed = first_error(outcomes)) return undo(*failed->error);
    fault_point("2pc_after_decide");
    prepare();
  });
}

void DistributedCommit::prepare() {
  std::vector<std::pair<Link*, std::string>> commands;
  for (std::size_t i = 1; i < writers_.size(); ++i)
    commands.emplace_back(writers_[i], "PREPARE TRANSACTION " + pool::quote_literal(gid(i)));
  fanout_.run(std::move(commands), [this](Outcomes& outcomes) {
    std::optional<SqlError> error;
    for (std::size_t i = 0; i < outcomes.size(); ++i) {
      expect_tag(outcomes[i], "PREPARE TRANSACTION");
      prepared_[i + 1] = !outcomes[i].error || outcomes[i].lost;  // lost: perhaps prepared
      if (outcomes[i].error && !error) error = outcomes[i].error;
    }
    if (error) return undo(*error);
    fault_point("2pc_after_prepare");
    commit_decision();
  });
}

void DistributedCommit::commit_decision() {
  fanout_.run({{writers_.front(), "COMMIT"}}, [this](Outcomes& outcomes) {
    if (outcomes.front().lost) {
      // Nobody but the decision row knows. Recovery reads it and finishes the participants either way.
      if (context_.runtime.control) context_.runtime.control->recover_soon(cluster_);
      result_.error = SqlError{"40003", "the connection was lost while the transaction was being committed",
                               outcomes.front().error->message, "Whether it was committed is decided by its decision row; check before you repeat it.", {}, {}};
      return finish(result_);
    }
    expect_tag(outcomes.front(), "COMMIT");
    if (outcomes.front().error) return undo(*outcomes.front().error);
    fault_point("2pc_after_commit");
    commit_prepared();
  });
}

void DistributedCommit::commit_prepared() {
  std::vector<std::pair<Link*, std::string>> commands;
  for (std::size_t i = 1; i < writers_.size(); ++i)
    commands.emplace_back(writers_[i], "COMMIT PREPARED " + pool::quote_literal(gid(i)));
  for (auto* link : readers_) commands.emplace_back(link, "COMMIT");
  const std::size_t written = writers_.size() - 1;
  fanout_.run(std::move(commands), [this, written](Outcomes& outcomes) {
    context_.cells.distributed_commits.add();
    for (std::size_t i = 0; i < written && i < outcomes.size(); ++i)
      if (outcomes[i].error) {
        if (context_.runtime.control) context_.runtime.control->recover_soon(cluster_);
        result_.late.push_back({outcomes[i].link->shard(), gid(i + 1)});
        result_.warning = SqlError{"01000", "the transaction is committed, but shard \"" + config_.shards[outcomes[i].link->shard().value].name +
                                                "\" has not finished it yet", outcomes[i].error->message, {}, {}, {}};
      }
    fault_point("2pc_after_commit_prepared");
    finish(result_);
  });
}

// Nothing is decided: everything goes back. What cannot be reached now is rolled back by recovery, which finds no decision.
void DistributedCommit::undo(SqlError error) {
  result_.error = std::move(error);
  context_.cells.distributed_aborts.add();
  std::vector<std::pair<Link*, std::string>> commands;
  for (std::size_t i = 0; i < writers_.size(); ++i)
    if (writers_[i]->open())
      commands.emplace_back(writers_[i], prepared_[i] ? "ROLLBACK PREPARED " + pool::quote_literal(gid(i)) : "ROLLBACK");
  for (auto* link : readers_)
    if (link->open()) commands.emplace_back(link, "ROLLBACK");
  fanout_.run(std::move(commands), [this](Outcomes& outcomes) {
    if (first_error(outcomes) && context_.runtime.control) context_.runtime.control->recover_soon(cluster_);
    finish(result_);
  });
}

void DistributedCommit::rollback(Done done) {
  done_ = std::move(done);
  std::vector<std::pair<Link*, std::string>> commands;
  for (auto* link : links_)
    if (link->open()) commands.emplace_back(link, "ROLLBACK");
  fanout_.run(std::move(commands), [this](Outcomes&) { finish({}); });
}

void DistributedCommit::finish(Result result) {
  for (auto* link : links_) link->in_transaction = link->wrote = false;
  auto done = std::move(done_);
  done(result);
}

}  // namespace pgweir::session
