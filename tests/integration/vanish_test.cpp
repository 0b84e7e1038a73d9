// A client whose conversation ends behind any byte leaves nothing: what it had committed is there, nothing else, no lock and
// no transaction; the servers go on with others. By default every few bytes are tried; PGWEIR_LONG=1: each.
#include <cstdlib>
#include <filesystem>
#include <map>
#include <set>

#include "tests/integration/proxy_fixture.h"
#include "tests/integration/raw_client.h"

namespace pgweir::support {
namespace {

std::size_t entries_of(const std::string& directory) {
  std::size_t count = 0;
  for ([[maybe_unused]] const auto& entry : std::filesystem::directory_iterator(directory)) ++count;
  return count;
}

// Everything that a client sends, and behind which byte each of its rows is committed.
struct Conversation {
  std::string bytes;
  std::map<std::string, std::size_t> committed;
  std::size_t startup = 0;

  void add(std::string_view more, const std::string& row = {}) {
    bytes += more;
    if (!row.empty()) committed[row] = bytes.size();
  }
};

std::string insert(const std::string& row) { return "INSERT INTO cut VALUES ('" + row + "')"; }

// Rows are named after the run.
Conversation conversation(const std::string& run) {
  Conversation out;
  out.add(raw_startup(kVersion30, {{"user", "app"}, {"database", "fediflow"}, {"application_name", "cut"}}));
  out.startup = out.bytes.size();
  out.add(raw_query(insert(run + "simple")), run + "simple");
  out.add(raw_query("SET DateStyle = 'German'"));
  out.add(raw_query("BEGIN") + raw_query(insert(run + "block")));
  out.add(raw_query("COMMIT"), run + "block");
  out.add(raw_parse("s", "INSERT INTO cut VALUES ($1)") + raw_describe('S', "s") + raw_bind("", "s", {run + "bound"}) + raw_execute(""));
  out.add(raw_sync(), run + "bound");
  out.add(raw_parse("", "SELECT generate_series(1, 50)") + raw_bind("p", "") + raw_execute("p", 10) + raw_flush() + raw_execute("p", 10) + raw_sync());
  out.add(raw_query("COPY cut FROM STDIN") + raw_message('d', run + "copied\n"));
  out.add(raw_message('c', ""), run + "copied");
  out.add(raw_query("COPY cut FROM STDIN") + raw_message('d', run + "never\n") + raw_message('f', raw_text("no")));
  out.add(raw_query("COPY (SELECT generate_series(1, 2000)) TO STDOUT"));
  out.add(raw_query("SELECT repeat('x', 1000) FROM generate_series(1, 2000)"));
  out.add(raw_query("BEGIN") + raw_query("LOCK TABLE cut IN SHARE ROW EXCLUSIVE MODE") + raw_query("SAVEPOINT s") + raw_query(insert(run + "never")));
  out.add(raw_message('X', ""));
  return out;
}

class VanishTest : public ProxyTest {
 protected:
  void SetUp() override { default_pool_size = 2; }

  // Sends them and leaves; what stands behind a whole startup packet when the login is through.
  void leave_behind(std::string_view bytes, bool hard, std::size_t startup = 0) {
    heard_.clear();
    RawClient client(port());
    if (startup != 0 && bytes.size() > startup) {
      client.send(bytes.substr(0, startup));
      ASSERT_FALSE(client.receive_until('Z').empty());
      bytes.remove_prefix(startup);
    }
    client.send(bytes);
    if (hard) return client.reset();
    client.half_close();
    while (const auto message = client.receive())
      if (heard_.size() < 4096) heard_ += message->type == 'E' ? "E" + raw_field(message->body, 'C') + " " + raw_field(message->body, 'M') + " " : std::string(1, message->type);
  }
  void expect_quiet() {
    EXPECT_TRUE(no_transaction_is_open());
    EXPECT_TRUE(wait_until([&] { return server().exec("SELECT count(*) FROM pg_locks WHERE relation = 'cut'::regclass").value() == "0"; }));
    EXPECT_LE(pooled_backends(), 2);
  }
  std::string heard_;  // by the last client, as types and errors
  std::set<std::string> rows() {
    std::set<std::string> out;
    for (const auto& row : server().exec("SELECT v FROM cut").rows) EXPECT_TRUE(out.insert(*row[0]).second) << *row[0] << " is there twice";
    return out;
  }
};

TEST_F(VanishTest, BehindAnyByteNothingIsLeft) {
  NEEDS_PROXY();
  start(ProxyOptions{.auth = "method = \"trust\"", .pool = "size = 2"});
  table("cut", "v text");
  const std::size_t stride = std::getenv("PGWEIR_LONG") != nullptr ? 1 : 3;
  const std::string descriptors = "/proc/" + std::to_string(proxy().pid()) + "/fd";
  std::size_t before = 0;
  unsigned runs = 0;
  std::set<std::string> surely, perhaps;
  std::map<std::string, std::string> heard;
  const std::size_t whole = conversation("100000-").bytes.size();
  for (std::size_t count = 1; count <= whole; count += stride) {
    for (const bool hard : {false, true}) {
      const Conversation said = conversation(std::to_string(100'000 + runs++) + "-");
      for (const auto& [row, end] : said.committed)
        if (end <= count) (hard ? perhaps : surely).insert(row);
      leave_behind(std::string_view(said.bytes).substr(0, count), hard, said.startup);
      for (const auto& [row, end] : said.committed) heard[row] = std::to_string(count) + " bytes: " + heard_;
    }
    if (runs == 20) before = entries_of(descriptors);
  }
  expect_quiet();
  const auto found = rows();
  for (const auto& row : surely) EXPECT_TRUE(found.contains(row)) << row << " was committed and is not there: " << heard[row];
  for (const auto& row : found) EXPECT_TRUE(surely.contains(row) || perhaps.contains(row)) << row << " was not committed and is there";
  auto next = connect(), another = connect();
  for (auto* client : {&next, &another}) EXPECT_EQ(client->must("SHOW DateStyle").value(), "ISO, MDY");
  EXPECT_EQ(next.exec("EXECUTE s").sqlstate(), "26000");
  EXPECT_OK(next.exec("BEGIN; LOCK TABLE cut; COMMIT"));
  EXPECT_TRUE(wait_until([&] { return entries_of(descriptors) <= before + 4; })) << entries_of(descriptors) << " after " << before;
}

// The packet of a cancel request, too.
TEST_F(VanishTest, InTheMiddleOfACancelRequest) {
  NEEDS_PROXY();
  start(ProxyOptions{.auth = "method = \"trust\"", .pool = "size = 2"});
  RawClient victim(port());
  const auto greeting = victim.log_in();
  const std::string packet = raw_int32(16) + raw_int32(80877102) + raw_find(greeting, 'K').body;
  for (std::size_t count = 1; count < packet.size(); ++count)
    for (const bool hard : {false, true}) leave_behind(std::string_view(packet).substr(0, count), hard);
  EXPECT_EQ(raw_types(victim.query("SELECT pg_sleep(0.1)")), "TDCZ");
  victim.send(raw_query("SELECT pg_sleep(30)"));
  ASSERT_TRUE(wait_until([] { return backends("state = 'active' AND query LIKE '%pg_sleep(30)%'") == 1; }));
  leave_behind(packet, false);
  EXPECT_EQ(raw_field(raw_find(victim.receive_until('Z'), 'E').body, 'C'), "57014");
}

}  // namespace
}  // namespace pgweir::support
