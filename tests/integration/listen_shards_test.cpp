// LISTEN and NOTIFY where there are several shards: the home shard's.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/demo_cluster.h"
#include "tests/support/proxy_process.h"

namespace pgweir::support {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

class ListenOnShardsTest : public testing::Test {
 protected:
  static std::vector<std::string> take(Connection& connection) {
    std::vector<std::string> all;
    PQconsumeInput(connection.raw());
    while (PGnotify* notify = PQnotifies(connection.raw())) {
      all.push_back(std::string(notify->relname) + " " + notify->extra + (notify->be_pid == connection.backend_pid() ? " own" : ""));
      PQfreemem(notify);
    }
    return all;
  }
  static std::vector<std::string> hear(Connection& connection, std::size_t count) {
    std::vector<std::string> all;
    (void)wait_until([&] {
      const auto more = take(connection);
      all.insert(all.end(), more.begin(), more.end());
      return all.size() >= count;
    });
    return all;
  }
};

TEST_F(ListenOnShardsTest, InAndOutsideBlocks) {
  DemoCluster shards;
  ProxyProcess proxy({.clusters = shards.config(), .pool = "size = 2"});
  auto client = proxy.connect("app", "fediflow"), speaker = proxy.connect("app", "fediflow");
  create_demo_tables(client);
  client.must("LISTEN changes");
  client.must("BEGIN");
  client.must("SELECT count(*) FROM tenants");  // binds all shards
  client.must("NOTIFY changes, 'on all'");
  EXPECT_THAT(take(client), IsEmpty());
  client.must("COMMIT");
  EXPECT_THAT(hear(client, 1), ElementsAre("changes on all own"));
  client.must("BEGIN");
  client.must("SELECT 1");  // beside the block
  client.must("LISTEN more");
  speaker.must("NOTIFY changes, 'meanwhile'");
  client.must("NOTIFY more, 'self'");
  client.must("COMMIT");
  EXPECT_THAT(hear(client, 2), testing::UnorderedElementsAre("changes meanwhile", "more self own"));
  client.must("BEGIN");
  client.must("UNLISTEN *");
  client.must("ROLLBACK");
  EXPECT_EQ(client.must("SELECT count(*) FROM pg_listening_channels()").value(), "2");
  client.must("SELECT count(*) FROM tenants");
  speaker.must("NOTIFY more, 'still'");
  EXPECT_THAT(hear(client, 1), ElementsAre("more still"));
  for (int i = 0; i < 10; ++i) {
    client.must("NOTIFY changes, '" + std::to_string(i) + "'");
    EXPECT_THAT(take(client), ElementsAre("changes " + std::to_string(i) + " own"));
    client.must("UPDATE tenants SET name = name");  // all shards, in two phases where rows are
  }
  client.must("UNLISTEN *");
  speaker.must("NOTIFY more, 'nobody'");
  EXPECT_EQ(client.must("SELECT count(*) FROM pg_listening_channels()").value(), "0");
  EXPECT_THAT(take(client), IsEmpty());
}

}  // namespace
}  // namespace pgweir::support
