// Finishes distributed transactions of one cluster whose coordinator is gone, and deletes decisions that nobody needs
// any more. Any number of proxies may do it at once: the unique index on the decision's gid settles every race. Private
// to control/; used by one coroutine at a time.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "proxy/control/decision_table.h"
#include "proxy/control/gid.h"
#include "proxy/control/pg_connection.h"

namespace pgweir::control {

class Recovery {
 public:
  // `cluster` is a part of `config` and has two or more shards.
  Recovery(asio::io_context& context, net::Resolver& resolver, std::shared_ptr<const config::Config> config,
           const config::Cluster& cluster);

  struct Outcome {
    std::optional<protocol::SqlError> refusal;  // of distributed writes; nullopt: every shard can take part
    std::uint64_t old = 0;  // prepared transactions of ours that are older than kMinimumAge, before this pass
  };
  // One pass over all shards: installs decision tables, finishes what is old enough; with `clean`, deletes old
  // decisions. A shard that does not answer keeps its transactions and the decisions about them.
  Async<Outcome> pass(bool clean);

 private:
  struct Prepared {
    std::string gid, owner;
    Gid parsed;
    bool old = false;
  };
  struct Source {
    Source(asio::io_context& context, net::Resolver& resolver)
        : connection(context, resolver), owner_connection(context, resolver) {}
    PgConnection connection, owner_connection;
    bool listed = false;  // `prepared` is what the shard holds now
    std::vector<Prepared> prepared;
    DecisionTableState table;
    unsigned blocked = 0;  // decisions of this pass that waited for a live coordinator in vain
  };
  enum class Decision { Unknown, Commit, Abort };
  struct Row {
    std::string gid, state;
    bool has_participants = false;
    std::vector<std::string> participants;
  };

  Async<void> look(std::size_t shard);
  Async<void> list(std::size_t shard);
  Async<Decision> decide(std::size_t shard, std::string key);
  Async<void> end_stalled_coordinators(std::size_t shard);
  Async<void> finish(std::size_t shard, Prepared transaction, Decision decision);
  Async<void> clean_up();
  Async<std::vector<Row>> old_decisions(std::size_t shard);
  bool needed(const Row& row) const;
  std::optional<std::size_t> shard_named(const std::string& name) const;

  asio::io_context& context_;
  std::shared_ptr<const config::Config> config_;
  const config::Cluster& cluster_;
  bool complain(const std::string& about);  // true once for each: a pass comes every few seconds
  std::vector<std::unique_ptr<Source>> sources_;
  std::set<std::string> complained_;
};

}  // namespace pgweir::control
