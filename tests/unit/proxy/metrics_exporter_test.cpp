#include "proxy/metrics/exporter.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <set>
#include <sstream>

#include "admin_support.h"
#include "proxy/metrics/families.h"
#include "proxy/metrics/process.h"

namespace pgweir::metrics {
namespace {

using ::testing::HasSubstr;

struct Response {
  std::string head, body;
};

Response http_get(std::uint16_t port, const std::string& path) {
  const int fd = ::socket(AF_INET, SOCK_STREAM, 0);
  net::Peer peer(fd);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (::connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) return {};
  peer.send("GET " + path + " HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
  const std::string all = peer.receive(8u << 20);
  const std::size_t end = all.find("\r\n\r\n");
  if (end == std::string::npos) return {all, {}};
  return {all.substr(0, end), all.substr(end + 4)};
}

// The text format, line by line: families announced by TYPE and samples by "name{labels}".
struct Scrape {
  std::map<std::string, std::string> types, helps;
  std::map<std::string, double> samples;

  explicit Scrape(const std::string& body) { read(body); }
  void read(const std::string& body) {
    std::istringstream lines(body);
    for (std::string line; std::getline(lines, line);) {
      if (!line.empty() && line.back() == '\r') line.pop_back();
      if (line.empty()) continue;
      std::istringstream words(line);
      std::string hash, keyword, name, rest;
      if (line.starts_with("# ")) {
        words >> hash >> keyword >> name;
        std::getline(words, rest);
        (keyword == "TYPE" ? types : helps)[name] = rest.empty() ? rest : rest.substr(1);
        continue;
      }
      const std::size_t space = line.rfind(' ');
      ASSERT_NE(space, std::string::npos) << line;
      std::size_t used = 0;
      const double value = std::stod(line.substr(space + 1), &used);
      EXPECT_EQ(used, line.size() - space - 1) << line;
      EXPECT_TRUE(samples.emplace(line.substr(0, space), value).second) << "twice: " << line;
    }
  }
  double at(const std::string& name) const {
    const auto found = samples.find(name);
    if (found == samples.end()) ADD_FAILURE() << "no sample " << name;
    return found == samples.end() ? -1 : found->second;
  }
};

class ExporterTest : public admin::RuntimeTest {
 protected:
  Scrape scrape(HealthSource health = {}) {
    Exporter exporter(*runtime, std::move(health));
    const auto started = exporter.start({"127.0.0.1", 0, false});
    EXPECT_TRUE(started.ok()) << started.error().text;
    const Response response = http_get(exporter.port(), "/metrics");
    EXPECT_THAT(response.head, HasSubstr(" 200 "));
    return Scrape(response.body);
  }
};

TEST_F(ExporterTest, ServesEveryDeclaredFamily) {
  const Scrape scraped = scrape();
  std::set<std::string_view> names;
  for (const Family& family : kFamilies) {
    const std::string name(family.name);
    EXPECT_TRUE(names.insert(family.name).second) << "declared twice: " << name;
    ASSERT_TRUE(scraped.types.contains(name)) << name;
    EXPECT_EQ(scraped.types.at(name), family.type == FamilyType::Counter     ? "counter"
                                      : family.type == FamilyType::Histogram ? "histogram"
                                                                             : "gauge");
    EXPECT_EQ(scraped.helps.at(name), family.help);
    if (family.type == FamilyType::Counter) { EXPECT_TRUE(name.ends_with("_total")) << name; }
  }
  for (const auto& [name, type] : scraped.types) {
    EXPECT_TRUE(names.contains(name) || name.starts_with("exposer_")) << "not declared: " << name;
  }
}

TEST_F(ExporterTest, SumsTheWorkers) {
  auto& one = runtime->metrics.cells(0);
  auto& two = runtime->metrics.cells(1);
  one.clients_accepted.add(2);
  two.clients_accepted.add(3);
  one.queries[static_cast<std::size_t>(RouteKind::Scatter)].add(4);
  two.queries[static_cast<std::size_t>(RouteKind::Scatter)].add(1);
  one.bytes_to_servers.add(77);
  one.count_error("42P01");
  two.count_error("42601");
  two.distributed_aborts.add();
  runtime->clients = 9;
  runtime->unauthenticated = 4;
  const Scrape scraped = scrape();
  EXPECT_EQ(scraped.at("pgweir_clients_total"), 5);
  EXPECT_EQ(scraped.at("pgweir_queries_total{route=\"scatter\"}"), 5);
  EXPECT_EQ(scraped.at("pgweir_queries_total{route=\"refused\"}"), 0);
  EXPECT_EQ(scraped.at("pgweir_bytes_total{side=\"server\",direction=\"sent\"}"), 77);
  EXPECT_EQ(scraped.at("pgweir_errors_total{class=\"42\"}"), 2);
  EXPECT_EQ(scraped.at("pgweir_errors_total{class=\"other\"}"), 0);
  EXPECT_EQ(scraped.at("pgweir_distributed_total{outcome=\"aborted\"}"), 1);
  EXPECT_EQ(scraped.at("pgweir_clients{state=\"connected\"}"), 9);
  EXPECT_EQ(scraped.at("pgweir_clients{state=\"login\"}"), 4);
  EXPECT_EQ(scraped.at("pgweir_info{version=\"" + std::string(version()) + "\"}"), 1);
}

TEST_F(ExporterTest, WaitsAreACumulativeHistogramInSeconds) {
  runtime->metrics.cells(0).count_wait(std::chrono::microseconds(7));
  runtime->metrics.cells(1).count_wait(std::chrono::microseconds(40));
  runtime->metrics.cells(1).count_wait(std::chrono::seconds(20));
  const Scrape scraped = scrape();
  EXPECT_EQ(scraped.at("pgweir_checkout_wait_seconds_bucket{le=\"1e-05\"}"), 1);
  EXPECT_EQ(scraped.at("pgweir_checkout_wait_seconds_bucket{le=\"10\"}"), 2);
  EXPECT_EQ(scraped.at("pgweir_checkout_wait_seconds_bucket{le=\"+Inf\"}"), 3);
  EXPECT_EQ(scraped.at("pgweir_checkout_wait_seconds_count"), 3);
  EXPECT_NEAR(scraped.at("pgweir_checkout_wait_seconds_sum"), 20.000047, 1e-6);
}

TEST_F(ExporterTest, PoolsAndHealthHaveTheirLabels) {
  make_pool(0);
  make_pool(0, 0);
  using State = EndpointState::State;
  const Scrape scraped = scrape([] {
    return std::vector<EndpointState>{{"fediflow", "eu1", "127.0.0.1:54321", "primary", State::Up, ""},
                                      {"fediflow", "eu1", "127.0.0.1:54322", "replica", State::Recovering, "starting"},
                                      {"fediflow", "us1", "127.0.0.1:54323", "primary", State::Down, "refused"}};
  });
  const std::string eu1 = "cluster=\"fediflow\",shard=\"eu1\",role=";
  const std::string primary = eu1 + "\"primary\",endpoint=\"127.0.0.1:54321\"";
  const std::string replica = eu1 + "\"replica\",endpoint=\"127.0.0.1:54322\"";
  EXPECT_EQ(scraped.at("pgweir_servers{" + primary + ",user=\"app\",state=\"idle\"}"), 0);
  EXPECT_EQ(scraped.at("pgweir_servers{" + replica + ",user=\"app\",state=\"active\"}"), 0);
  EXPECT_EQ(scraped.at("pgweir_pool_size{" + primary + ",user=\"app\"}"), 7);
  EXPECT_EQ(scraped.at("pgweir_pool_waiting{" + primary + ",user=\"app\"}"), 0);
  EXPECT_EQ(scraped.at("pgweir_endpoint_up{" + primary + "}"), 1);
  EXPECT_EQ(scraped.at("pgweir_endpoint_up{" + replica + "}"), 0);
  const std::string us1 = "cluster=\"fediflow\",shard=\"us1\",role=\"primary\",endpoint=\"127.0.0.1:54323\"";
  EXPECT_EQ(scraped.at("pgweir_endpoint_up{" + us1 + "}"), 0);
}

TEST_F(ExporterTest, TellsAboutTheProcess) {
  const ProcessUsage usage = process_usage();
  EXPECT_GT(usage.resident_bytes, 1u << 20);
  const int extra = ::socket(AF_INET, SOCK_STREAM, 0);
  EXPECT_EQ(process_usage().open_fds, usage.open_fds + 1);
  ::close(extra);
  EXPECT_GT(scrape().at("process_open_fds"), 3);
}

TEST_F(ExporterTest, AnotherPathIsNotFound) {
  Exporter exporter(*runtime);
  ASSERT_TRUE(exporter.start({"127.0.0.1", 0, false}).ok());
  EXPECT_THAT(http_get(exporter.port(), "/etc/passwd").head, HasSubstr(" 404 "));
  EXPECT_THAT(http_get(exporter.port(), "/").head, HasSubstr(" 404 "));
}

TEST_F(ExporterTest, AnAddressInUseIsAnError) {
  Exporter one(*runtime), two(*runtime);
  ASSERT_TRUE(one.start({"127.0.0.1", 0, false}).ok());
  const auto second_start = two.start({"127.0.0.1", one.port(), false});
  ASSERT_FALSE(second_start.ok());
  EXPECT_THAT(second_start.error().text, HasSubstr("127.0.0.1:" + std::to_string(one.port())));
  EXPECT_EQ(two.port(), 0);
  const auto unix_start = two.start({"/tmp", 5432, true});
  ASSERT_FALSE(unix_start.ok());
  EXPECT_THAT(unix_start.error().text, HasSubstr("TCP"));
}

TEST_F(ExporterTest, StopsAndStartsAgain) {
  Exporter exporter(*runtime);
  ASSERT_TRUE(exporter.start({"127.0.0.1", 0, false}).ok());
  const std::uint16_t port = exporter.port();
  exporter.stop();
  EXPECT_EQ(exporter.port(), 0);
  EXPECT_EQ(http_get(port, "/metrics").head, "");
  ASSERT_TRUE(exporter.start({"127.0.0.1", 0, false}).ok());
  ASSERT_TRUE(exporter.start({"127.0.0.1", 0, false}).ok());  // moves
  EXPECT_THAT(http_get(exporter.port(), "/metrics").body, HasSubstr("pgweir_info"));
}

}  // namespace
}  // namespace pgweir::metrics
