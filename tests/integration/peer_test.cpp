// [[peer]]: a cancel request that arrives at the wrong process reaches the right one.
#include <future>

#include "tests/integration/proxy_fixture.h"
#include "tests/integration/raw_client.h"

namespace pgweir::support {
namespace {

class PeerTest : public ProxyTest {
 protected:
  static ProxyOptions options(unsigned node) {
    return {.clusters = plain_cluster("fediflow", server().endpoint()),
            .listen_extra = "node_id = " + std::to_string(node),
            .auth = "method = \"trust\""};
  }
  static void name_peer(ProxyProcess& proxy, unsigned node, const ProxyProcess& other) {
    write_file(proxy.config_file(), proxy.config_text() + "\n[[peer]]\nnode_id = " + std::to_string(node) +
                                        "\naddress = \"127.0.0.1:" + std::to_string(other.port()) + "\"\n");
  }
  // Both started, each knowing the other.
  void start_both() {
    name_peer(one, 2, two);
    name_peer(two, 1, one);
    one.start();
    two.start();
  }
  static std::string cancel_request(const std::string& pid_and_key) {
    return raw_int32(static_cast<std::uint32_t>(8 + pid_and_key.size())) + raw_int32(80877102) + pid_and_key;
  }
  static void send_cancel(const ProxyProcess& to, const std::string& pid_and_key) {
    RawClient client(to.port());
    client.send(cancel_request(pid_and_key));
    EXPECT_TRUE(client.closed());
  }
  static bool runs(const std::string& marker, int count = 1) {
    return wait_until([&] { return backends("state = 'active' AND query LIKE '%" + marker + "%'") == count; });
  }

  ProxyProcess one{options(1), ProxyProcess::Stopped{}}, two{options(2), ProxyProcess::Stopped{}};
};

TEST_F(PeerTest, ACancelRequestIsForwarded) {
  NEEDS_PROXY();
  start_both();
  for (const auto version : {kVersion30, kVersion32}) {
    RawClient client(one.port(), 20);
    const std::string key = raw_find(client.log_in(version), 'K').body;
    ASSERT_EQ(key.size(), version == kVersion30 ? 8u : 36u);
    client.send(raw_query("SELECT pg_sleep(15) /* far */"));
    ASSERT_TRUE(runs("far"));
    send_cancel(two, key);
    EXPECT_EQ(raw_field(raw_find(client.receive_until('Z'), 'E').body, 'C'), "57014");
  }
}

TEST_F(PeerTest, AWrongKeyDoesNothing) {
  NEEDS_PROXY();
  start_both();
  RawClient client(one.port());
  std::string key = raw_find(client.log_in(), 'K').body;
  client.send(raw_query("SELECT pg_sleep(0.7) /* guarded */"));
  ASSERT_TRUE(runs("guarded"));
  key.back() = static_cast<char>(key.back() ^ 1);
  send_cancel(two, key);
  send_cancel(one, key);
  EXPECT_EQ(raw_types(client.receive_until('Z')), "TDCZ");
}

TEST_F(PeerTest, ARequestIsForwardedOnceOnly) {
  NEEDS_PROXY();
  // Node 7 is nobody; each takes the other for it.
  name_peer(one, 7, two);
  name_peer(two, 7, one);
  one.start();
  two.start();
  // The pid carries the node from bit 21 on.
  const std::string key = raw_int32((7u << 21) | 5) + raw_int32(99);
  const auto accepted = [](const ProxyProcess& proxy) {
    const std::string text = proxy.metrics(), name = "pgweir_clients_total ";
    const auto at = text.find("\n" + name);
    return at == std::string::npos ? -1 : std::stoi(text.substr(at + 1 + name.size()));
  };
  const int before = accepted(two);
  send_cancel(one, key);
  ASSERT_TRUE(wait_until([&] { return accepted(two) == before + 1; }));
  // Had it come back, it would have come again and again.
  const int first = accepted(one);
  RawClient client(one.port());
  client.log_in();
  EXPECT_EQ(accepted(one), first + 1);
  EXPECT_EQ(accepted(two), before + 1);
}

TEST_F(PeerTest, APeerThatIsDownCostsNothing) {
  NEEDS_PROXY();
  name_peer(one, 2, two);
  one.start();
  RawClient client(one.port());
  client.log_in();
  for (int i = 0; i < 20; ++i) send_cancel(one, raw_int32((2u << 21) | 5) + raw_int32(99));
  EXPECT_EQ(raw_types(client.query("SELECT 1")), "TDCZ");
}

}  // namespace
}  // namespace pgweir::support
