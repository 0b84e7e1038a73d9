// What the metrics say is what happened.
#include <charconv>

#include "tests/integration/proxy_fixture.h"

namespace pgweir::support {
namespace {

class MetricsTest : public ProxyTest {
 protected:
  // The value of the sample whose line starts with `name` (labels included as given).
  double sample(const std::string& name) {
    const std::string text = proxy().metrics();
    const auto at = text.find("\n" + name + " ");
    if (at == std::string::npos) return -1;
    return std::strtod(text.c_str() + at + name.size() + 2, nullptr);
  }
};

TEST_F(MetricsTest, BytesOfBothSidesAreCounted) {
  NEEDS_PROXY();
  auto one = connect();
  one.must("SELECT 1");
  const auto before = sample("pgweir_bytes_total{side=\"server\",direction=\"received\"}");
  const auto sent_before = sample("pgweir_bytes_total{side=\"server\",direction=\"sent\"}");
  const auto client_before = sample("pgweir_bytes_total{side=\"client\",direction=\"sent\"}");
  one.must("SELECT repeat('x', 1000000)");
  one.must("SELECT length('" + std::string(500'000, 'y') + "')");
  const auto between = [](double value, double low, double high) { return value >= low && value <= high; };
  EXPECT_TRUE(between(sample("pgweir_bytes_total{side=\"server\",direction=\"received\"}") - before, 1e6, 1.1e6));
  EXPECT_TRUE(between(sample("pgweir_bytes_total{side=\"server\",direction=\"sent\"}") - sent_before, 5e5, 5.1e5));
  EXPECT_TRUE(between(sample("pgweir_bytes_total{side=\"client\",direction=\"sent\"}") - client_before, 1e6, 1.1e6));
}

}  // namespace
}  // namespace pgweir::support
