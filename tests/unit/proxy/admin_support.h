// Helpers of the tests of proxy/admin and proxy/metrics: a runtime over running workers, and a console whose replies
// are decoded.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "config/loader.h"
#include "net_support.h"
#include "protocol/backend_codec.h"
#include "protocol/frame_reader.h"
#include "proxy/admin/console.h"
#include "proxy/runtime/runtime.h"

namespace pgweir::admin {

using protocol::ColumnDescription;
using protocol::ErrorFields;

// One statement's answer.
struct Reply {
  std::vector<ColumnDescription> columns;
  std::vector<std::vector<std::optional<std::string>>> rows;
  std::string tag, sqlstate, message, detail, hint;
  bool empty_query = false;

  std::size_t index(const std::string& column) const {
    for (std::size_t i = 0; i < columns.size(); ++i) {
      if (columns[i].name == column) return i;
    }
    ADD_FAILURE() << "no column " << column;
    return 0;
  }
  // "" for NULL and for what is not there.
  std::string at(std::size_t row, const std::string& column) const {
    if (row >= rows.size()) {
      ADD_FAILURE() << "no row " << row;
      return {};
    }
    const std::size_t i = index(column);
    return i < rows[row].size() ? rows[row][i].value_or("") : "";
  }
  // The value of the first row whose first column is `key`.
  std::string value_of(const std::string& key) const {
    for (const auto& row : rows) {
      if (row.at(0) == key) return row.at(1).value_or("");
    }
    return "(no " + key + ")";
  }
  std::vector<std::string> column(const std::string& name) const {
    std::vector<std::string> values;
    for (std::size_t row = 0; row < rows.size(); ++row) values.push_back(at(row, name));
    return values;
  }
};

// Decodes complete messages up to ReadyForQuery(idle), which must be the last one and the only one.
inline std::vector<Reply> decode_replies(const std::string& bytes) {
  std::vector<Reply> replies;
  Reply current;
  protocol::FrameReader frames(protocol::backend_limits(64u << 20));
  std::string_view rest = bytes;
  bool ready = false;
  while (!rest.empty()) {
    const protocol::Frame frame = frames.next(rest);
    if (frame.kind != protocol::Frame::Kind::Message) {
      ADD_FAILURE() << "not a message: " << rest.substr(0, 20);
      return replies;
    }
    EXPECT_FALSE(ready) << "a message behind ReadyForQuery";
    const auto end_statement = [&] { replies.push_back(std::exchange(current, {})); };
    switch (frame.type) {
      case 'T': current.columns = protocol::decode_row_description(frame.body()).value(); break;
      case 'D': {
        std::vector<std::optional<std::string_view>> values;
        EXPECT_EQ(protocol::decode_data_row(frame.body(), values), std::nullopt);
        EXPECT_EQ(values.size(), current.columns.size());
        current.rows.emplace_back(values.begin(), values.end());
        break;
      }
      case 'C': current.tag = protocol::decode_command_complete(frame.body()).value(); end_statement(); break;
      case 'I': current.empty_query = true; end_statement(); break;
      case 'E': {
        const ErrorFields fields = protocol::decode_error(frame.body()).value();
        EXPECT_EQ(fields.severity_unlocalized, "ERROR");
        current.sqlstate = fields.sqlstate;
        current.message = fields.message;
        current.detail = fields.detail;
        current.hint = fields.hint;
        end_statement();
        break;
      }
      case 'Z':
        EXPECT_EQ(protocol::decode_ready_for_query(frame.body()).value(), protocol::TransactionStatus::Idle);
        ready = true;
        break;
      default: ADD_FAILURE() << "unexpected message " << frame.type;
    }
  }
  EXPECT_TRUE(ready) << "no ReadyForQuery";
  return replies;
}

inline constexpr char kTwoShards[] = R"(
[listen]
workers = 2
[admin]
users = ["admin"]
stats_users = ["stats"]
[auth]
method = "scram-sha-256"
[[user]]
name = "app"
password = "app-secret-one"
server_user = "app_server"
server_password = "server-secret-two"
[[user]]
name = "admin"
password = "admin-secret-three"
[[user]]
name = "stats"
password = "stats-secret-four"
[pool]
size = 7
[cluster.fediflow]
database = "fediflow_db"
home = "eu1"
recovery_user = "recoverer"
recovery_password = "recovery-secret-five"
[[cluster.fediflow.shard]]
name = "eu1"
region = "eu"
tier = "hot"
primary = "127.0.0.1:54321"
replicas = ["127.0.0.1:54322"]
[[cluster.fediflow.shard]]
name = "us1"
region = "us"
primary = "127.0.0.1:54323"
)";

inline std::shared_ptr<const config::Config> load_config(const std::string& text) {
  config::LoadResult result = config::load_text(text, "/nowhere/pgweir.toml");
  for (const config::Diagnostic& finding : result.diagnostics) {
    EXPECT_NE(finding.severity, config::Severity::Error) << finding.to_string();
  }
  return result.config;
}

// A runtime over two running workers with a configuration and no servers.
class RuntimeTest : public ::testing::Test {
 protected:
  void SetUp() override {
    for (auto* worker : {&first, &second}) ASSERT_TRUE(worker->start().ok());
    use(kTwoShards);
  }
  void TearDown() override {
    first.stop();
    second.stop();
  }
  void use(const std::string& text) {
    auto snapshot = std::make_shared<runtime::Snapshot>();
    snapshot->config = load_config(text);
    ASSERT_NE(snapshot->config, nullptr);
    for (const config::Cluster& cluster : snapshot->config->clusters) {
      auto routing = routing::ClusterRouting::make(snapshot->config, cluster, std::make_shared<routing::Catalog>(), 1);
      ASSERT_TRUE(routing.ok()) << routing.error().message;
      snapshot->clusters.emplace(cluster.name, *routing);
    }
    if (!runtime) {
      runtime = std::make_unique<runtime::Runtime>(std::vector<net::Worker*>{&first, &second}, snapshot);
    } else {
      runtime->publish(snapshot);
    }
  }
  pool::Pool& make_pool(std::uint16_t shard, std::int16_t replica = -1, const std::string& user = "app") {
    const auto snapshot = runtime->snapshot();
    return runtime->pool_for(*snapshot, snapshot->config->clusters.front(), {routing::ShardId{shard}, replica}, user);
  }

  net::Worker first{0}, second{1};
  std::unique_ptr<runtime::Runtime> runtime;
};

class ConsoleTest : public RuntimeTest {
 protected:
  // Runs the text on the first worker and waits for its replies.
  std::vector<Reply> run_all(const std::string& sql, bool may_write = true) {
    auto promise = std::make_shared<std::promise<std::string>>();
    auto future = promise->get_future();
    auto console = std::make_shared<std::unique_ptr<Console>>();
    net::on(first, [&] {
      *console = std::make_unique<Console>(*runtime, first, may_write ? "admin" : "stats", may_write, sources);
      (*console)->execute(sql, [this, promise](std::string replies) {
        EXPECT_TRUE(first.on_own_thread());
        promise->set_value(std::move(replies));
      });
    });
    if (future.wait_for(net::kPatience) != std::future_status::ready) {
      ADD_FAILURE() << "the console does not answer: " << sql;
      return {};
    }
    net::on(first, [console] { console->reset(); });
    return decode_replies(future.get());
  }
  // For a text of one statement.
  Reply run(const std::string& sql, bool may_write = true) {
    auto replies = run_all(sql, may_write);
    EXPECT_EQ(replies.size(), 1u) << sql;
    return replies.empty() ? Reply{} : std::move(replies.front());
  }

  ConsoleSources sources;
};

}  // namespace pgweir::admin
