// listen.memory_budget: what is larger than it passes as it comes, what would have to be held is refused, and what has
// begun goes on.
#include <fstream>

#include "tests/integration/proxy_fixture.h"
#include "tests/integration/raw_client.h"

namespace pgweir::support {
namespace {

using testing::HasSubstr;

constexpr long kMiB = 1024;  // in KiB
constexpr std::size_t kLarge = 300'000'000;

class MemoryBudgetTest : public ProxyTest {
 protected:
  void start_with(const std::string& listen, const std::string& pool = "size = 2", const std::string& clusters = "") {
    start(ProxyOptions{.clusters = clusters, .listen_extra = listen, .auth = "method = \"trust\"", .pool = pool});
  }
  RawClient raw() {
    RawClient client(port(), 30);
    client.log_in();
    return client;
  }
  // A line of /proc/<pid>/status in KiB: "VmRSS", "VmHWM" (the most so far).
  long status(const std::string& name) {
    std::ifstream file("/proc/" + std::to_string(proxy().pid()) + "/status");
    for (std::string line; std::getline(file, line);)
      if (line.starts_with(name + ":")) return std::stol(line.substr(name.size() + 1));
    return 0;
  }
  long metric(const std::string& name) {
    const std::string all = "\n" + proxy().metrics();
    const auto at = all.find("\n" + name + " ");
    return at == std::string::npos ? -1 : static_cast<long>(std::stod(all.substr(at + name.size() + 2)));
  }
  // Bind of one binary value of `size` bytes for the unnamed portal, in pieces.
  static void send_large_bind(RawClient& client, const std::string& statement, std::size_t size) {
    const std::string head =
        raw_text("") + raw_text(statement) + raw_int16(1) + raw_int16(1) + raw_int16(1) + raw_int32(static_cast<std::uint32_t>(size));
    const std::string tail = raw_int16(0);
    ASSERT_TRUE(client.send("B" + raw_int32(static_cast<std::uint32_t>(4 + head.size() + size + tail.size())) + head));
    const std::string piece(1'000'000, 'v');
    for (std::size_t sent = 0; sent < size; sent += piece.size())
      ASSERT_TRUE(client.send(std::string_view(piece).substr(0, std::min(piece.size(), size - sent))));
    ASSERT_TRUE(client.send(tail));
  }
  // A Query of this many bytes but for the last `missing`.
  static std::string part_of_query(std::size_t size, std::size_t missing) {
    std::string whole = raw_query("SELECT 1 /*" + std::string(size, 'x') + "*/");
    whole.resize(whole.size() - missing);
    return whole;
  }
  static std::string sharded() {
    return plain_cluster("fediflow", server().endpoint()) +
           "\n[cluster.fediflow.placement.by_key]\ntype = \"hash\"\nkey_type = \"bigint\"\nbranches = [\"" + "main" +
           "\"]\n[[cluster.fediflow.table]]\nname = \"public.keyed\"\nplacement = \"by_key\"\nkey = [\"k\"]\n";
  }
};

TEST_F(MemoryBudgetTest, ABindOfManyTimesTheBudgetPasses) {
  NEEDS_PROXY();
  start_with("memory_budget = \"64MiB\"");
  auto client = raw();
  client.query("SELECT 1");
  const long before = status("VmRSS");
  client.send(raw_parse("mine", "SELECT octet_length($1::bytea)") + raw_bind("", "mine", {"four"}) + raw_execute(""));
  send_large_bind(client, "mine", kLarge);
  client.send(raw_execute("") + raw_sync() + raw_query("SELECT 7"));
  const auto all = client.receive_until('Z'), next = client.receive_until('Z');
  EXPECT_EQ(raw_types(all), "12DC2DCZ");
  ASSERT_GT(all.size(), 5u);
  EXPECT_THAT(all[5].body, HasSubstr(std::to_string(kLarge)));
  EXPECT_EQ(raw_types(next), "TDCZ");
  EXPECT_LT(status("VmHWM") - before, 32 * kMiB);
}

TEST_F(MemoryBudgetTest, AnErrorBeforeALargeBindDropsIt) {
  NEEDS_PROXY();
  start_with("memory_budget = \"64MiB\"");
  auto client = raw();
  client.send(raw_parse("", "SELECT octet_length($1::bytea) / 0") + raw_bind("", "", {"four"}) + raw_execute(""));
  send_large_bind(client, "", 20'000'000);
  client.send(raw_execute("") + raw_sync());
  send_large_bind(client, "nobody", 20'000'000);
  client.send(raw_execute("") + raw_sync() + raw_query("SELECT 7"));
  EXPECT_EQ(raw_field(raw_find(client.receive_until('Z'), 'E').body, 'C'), "22012");
  EXPECT_EQ(raw_field(raw_find(client.receive_until('Z'), 'E').body, 'C'), "26000");
  EXPECT_EQ(raw_types(client.receive_until('Z')), "TDCZ");
}

// Its server has half a message and is of no use to anybody.
TEST_F(MemoryBudgetTest, AClientThatLeavesInsideALargeBindLeavesNothingBehind) {
  NEEDS_PROXY();
  start_with("memory_budget = \"64MiB\"", "size = 1");
  {
    auto client = raw();
    client.send(raw_parse("", "SELECT octet_length($1::bytea)"));
    client.send("B" + raw_int32(50'000'000) + raw_text("") + raw_text("") + std::string(3'000'000, '\0'));
    ASSERT_TRUE(wait_until([] { return backends("state = 'active' OR query LIKE '%octet_length%'") == 1; }));
  }
  auto next = raw();
  EXPECT_EQ(raw_types(next.query("SELECT 7")), "TDCZ");
  EXPECT_TRUE(no_transaction_is_open());
}

TEST_F(MemoryBudgetTest, ARowOfManyTimesTheBudgetPasses) {
  NEEDS_PROXY();
  start_with("memory_budget = \"64MiB\"");
  auto client = raw();
  client.query("SELECT 1");
  const long before = status("VmRSS");
  const auto all = client.query("SELECT repeat('x', " + std::to_string(kLarge) + ")");
  EXPECT_EQ(raw_types(all), "TDCZ");
  EXPECT_EQ(raw_find(all, 'D').body.size(), kLarge + 6);
  EXPECT_LT(status("VmHWM") - before, 32 * kMiB);
}

TEST_F(MemoryBudgetTest, ACopyOfManyTimesTheBudgetPassesBothWays) {
  NEEDS_PROXY();
  start_with("memory_budget = \"64MiB\"");
  table("copied", "line text");
  auto client = raw();
  client.query("SELECT 1");
  const long before = status("VmRSS");
  client.send(raw_query("COPY copied FROM STDIN WHERE length(line) = 3"));
  client.receive_until('G');
  // One message that is larger than the budget, and many small ones.
  const std::string line = std::string(999'999, 'l') + "\n";
  const std::size_t half = kLarge / 2;
  client.send("d" + raw_int32(static_cast<std::uint32_t>(half + 4)));
  for (std::size_t sent = 0; sent < half; sent += line.size()) ASSERT_TRUE(client.send(line));
  for (std::size_t sent = 0; sent < half; sent += line.size()) ASSERT_TRUE(client.send(raw_message('d', line)));
  client.send(raw_message('d', "two\n") + raw_message('c', ""));
  EXPECT_EQ(raw_find(client.receive_until('Z'), 'C').body, raw_text("COPY 1"));
  client.send(raw_query("COPY (SELECT repeat('x', 999999) FROM generate_series(1, 300)) TO STDOUT"));
  std::size_t bytes = 0;
  for (std::optional<RawMessage> message; (message = client.receive()) && message->type != 'Z';)
    if (message->type == 'd') bytes += message->body.size();
  EXPECT_EQ(bytes, kLarge);
  EXPECT_LT(status("VmHWM") - before, 32 * kMiB);
}

// Where routing has to see the values they would have to be held.
TEST_F(MemoryBudgetTest, WhereRoutingMustSeeItALargeBindIsRefused) {
  NEEDS_PROXY();
  table("keyed", "k bigint, v bytea");
  start_with("memory_budget = \"64MiB\"\nmax_statement_size = \"32MiB\"", "size = 2", sharded());
  auto client = raw();
  client.query("SELECT 1");
  const long before = status("VmRSS");
  client.send(raw_parse("", "SELECT octet_length($1::bytea)"));
  send_large_bind(client, "", kLarge);
  client.send(raw_execute("") + raw_sync() + raw_query("SELECT 7"));
  const auto refused = client.receive_until('Z');
  EXPECT_EQ(raw_field(raw_find(refused, 'E').body, 'C'), "54000");
  EXPECT_EQ(raw_types(client.receive_until('Z')), "TDCZ");
  EXPECT_LT(status("VmHWM") - before, 32 * kMiB);
}

// Three clients have not ended their statements; a fourth finds no room for its own.
TEST_F(MemoryBudgetTest, AMessageThatDoesNotFitIsRefusedAndTheOthersGoOn) {
  NEEDS_PROXY();
  start_with("memory_budget = \"16MiB\"\nmax_statement_size = \"6MiB\"");
  std::vector<RawClient> holders;
  for (int i = 0; i < 3; ++i) {
    holders.push_back(raw());
    holders.back().send(part_of_query(5'000'000, 1));
  }
  ASSERT_TRUE(wait_until([&] { return metric("pgweir_buffer_bytes") >= 15'000'000; })) << metric("pgweir_buffer_bytes");
  EXPECT_LE(metric("pgweir_buffer_bytes"), 16 * 1024 * 1024);
  EXPECT_EQ(metric("pgweir_buffer_limit_bytes"), 16 * 1024 * 1024);
  auto late = raw();
  late.send(part_of_query(5'000'000, 0));
  const auto refused = late.receive_until('Z');
  EXPECT_EQ(raw_types(refused), "EZ");
  const std::string error = raw_find(refused, 'E').body;
  EXPECT_EQ(raw_field(error, 'C'), "53200");
  EXPECT_THAT(raw_field(error, 'D'), HasSubstr("memory_budget = 16 MiB"));
  EXPECT_EQ(metric("pgweir_memory_refusals_total"), 1);
  EXPECT_EQ(raw_types(late.query("SELECT 7")), "TDCZ");  // what is small still finds room
  for (auto& holder : holders) {
    holder.send(std::string(1, '\0'));
    EXPECT_EQ(raw_types(holder.receive_until('Z')), "TDCZ");
  }
  late.send(part_of_query(5'000'000, 0));
  EXPECT_EQ(raw_types(late.receive_until('Z')), "TDCZ");
  EXPECT_TRUE(wait_until([&] { return metric("pgweir_buffer_bytes") < 4'000'000; })) << metric("pgweir_buffer_bytes");
}

// Beyond the budget nothing begins, and what has begun ends.
TEST_F(MemoryBudgetTest, WhenItIsExhaustedNothingNewBegins) {
  NEEDS_PROXY();
  start_with("memory_budget = \"32MiB\"\nmax_statement_size = \"4MiB\"");
  table("block", "id int");
  auto in_block = raw(), outside = raw();
  in_block.query("BEGIN");
  in_block.query("INSERT INTO block VALUES (1)");
  std::vector<RawClient> holders;
  for (int i = 0; i < 5; ++i) {
    holders.push_back(raw());
    holders.back().send(part_of_query(4'000'000, 1));
  }
  ASSERT_TRUE(wait_until([&] { return metric("pgweir_buffer_bytes") >= 20'000'000; }));
  std::string smaller = proxy().config_text();
  smaller.replace(smaller.find("\"32MiB\""), 7, "\"16MiB\"");
  proxy().reload_file(smaller);
  ASSERT_TRUE(wait_until([&] { return metric("pgweir_buffer_limit_bytes") == 16 * 1024 * 1024; }));
  EXPECT_EQ(raw_field(raw_find(outside.query("SELECT 1"), 'E').body, 'C'), "53200");
  outside.send(raw_parse("", "SELECT 1") + raw_bind("", "") + raw_execute("") + raw_sync());
  const auto batch = outside.receive_until('Z');
  EXPECT_EQ(raw_types(batch), "EZ");
  EXPECT_EQ(raw_field(raw_find(batch, 'E').body, 'C'), "53200");
  EXPECT_EQ(raw_types(in_block.query("INSERT INTO block VALUES (2)")), "CZ");
  EXPECT_EQ(raw_find(in_block.query("COMMIT"), 'C').body, raw_text("COMMIT"));
  // Their statements have not begun either; with the first ones gone there is room again.
  std::vector<std::string> answers;
  for (auto& holder : holders) {
    holder.send(std::string(1, '\0'));
    answers.push_back(raw_types(holder.receive_until('Z')));
  }
  EXPECT_EQ(answers.front(), "EZ");
  EXPECT_EQ(answers.back(), "TDCZ");
  EXPECT_TRUE(wait_until([&] { return raw_types(outside.query("SELECT 1")) == "TDCZ"; }));
  EXPECT_EQ(server().exec("SELECT count(*) FROM block").value(), "2");
}

}  // namespace
}  // namespace pgweir::support
