// Both sides of the comparison, and what runs cases on them and looks at their tables.
#pragma once

#include <vector>

#include "tests/oracle/runner.h"
#include "tests/oracle/state.h"
#include "tests/oracle/world.h"

namespace pgweir::oracle {

struct Bench {
  PlainWorld plain;
  ShardedWorld sharded;
  StateCheck state;
  Runner runner;

  Bench() : state(plain.server().admin(), shards(), table_homes()), runner(sides()) {}

  std::vector<support::Connection> shards() {
    std::vector<support::Connection> connections;
    for (support::PgCluster* shard : sharded.cluster().primaries()) connections.push_back(shard->admin());
    return connections;
  }
  Sides sides() {
    return {.open_expected = [this] { return plain.server().connect(); },
            .open_got = [this] { return sharded.proxy().connect(); },
            .expected_type = type_names_of(plain.server()),
            .got_type = type_names_of(sharded.cluster().eu1()),
            .state = &state};
  }
};

}  // namespace pgweir::oracle
