// Runs every case of golden/*.txt: {sql, parameters, session} -> route or refusal. One case alone:
//   PGWEIR_GOLDEN=name unit_routing --gtest_filter='Golden.*'     (name: any part of the SQL)
// PGWEIR_GOLDEN_PRINT=1 prints what every case gives. The format is described in golden/README.
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>

#include "plan_fixture.h"

namespace pgweir::routing {
namespace {

struct Case {
  std::string where, sql, session;
  std::vector<std::string> parameters;
  std::vector<std::string> expected;
};

std::vector<Case> read_cases(const std::filesystem::path& file) {
  std::ifstream in(file);
  std::vector<Case> cases;
  Case current;
  std::string line;
  int number = 0;
  const auto finish = [&] {
    if (!current.sql.empty()) cases.push_back(current);
    current = Case{};
  };
  while (std::getline(in, line)) {
    ++number;
    if (line.empty()) {
      finish();
    } else if (line[0] == '#') {
      continue;
    } else if (line.rfind("=> ", 0) == 0 || line.rfind("sql: ", 0) == 0) {
      current.expected.push_back(line);
    } else if (line.rfind("p: ", 0) == 0) {
      current.parameters.push_back(line.substr(3));
    } else if (line.rfind("session: ", 0) == 0) {
      current.session = line.substr(9);
    } else {
      if (current.sql.empty()) current.where = file.filename().string() + ":" + std::to_string(number);
      current.sql += (current.sql.empty() ? "" : "\n") + line;
    }
  }
  finish();
  return cases;
}

Parameter parameter(const std::string& text, std::vector<std::string>& storage) {
  Parameter p;
  if (text == "null") {
    p.null = true;
    return p;
  }
  const auto colon = text.find(':');
  p.type = static_cast<Oid>(std::stoul(text.substr(0, colon)));
  std::string value = text.substr(colon + 1);
  if (value.rfind("0x", 0) == 0) {
    p.binary = true;
    std::string bytes;
    for (std::size_t i = 2; i + 1 < value.size(); i += 2)
      bytes += static_cast<char>(std::stoi(value.substr(i, 2), nullptr, 16));
    value = bytes;
  }
  storage.push_back(value);
  p.value = storage.back();
  return p;
}

void apply_session(const std::string& session, RouteContext& c, std::vector<std::string>& temp) {
  const auto has = [&](const char* word) { return session.find(word) != std::string::npos; };
  c.in_transaction = has("block");
  c.read_only_transaction = has("readonly");
  if (has("replica")) c.reads = config::Reads::Replica;
  if (has("hint-us1")) c.hint_shard = "us1";
  if (has("role-replica")) c.hint_role = "replica";
  if (has("temp-orders")) temp.push_back("orders");
  if (has("temp-scratch")) temp.push_back("scratch");
  if (has("path-temp")) c.search_path = "pg_temp, public";
  if (has("unbound")) c.parameters_known = false;
}

std::vector<std::string> outcome(const ClusterRouting& cluster, Router& router, const Case& test) {
  RouteContext context;
  context.user = "app";
  context.now_microseconds = 820'454'400'123'456;
  std::vector<std::string> temp, storage;
  storage.reserve(64);
  apply_session(test.session, context, temp);
  context.temp_tables = temp;
  std::vector<Parameter> parameters;
  for (const auto& p : test.parameters) parameters.push_back(parameter(p, storage));
  const auto analysis = router.analyze(cluster, test.sql, context);
  const auto route = router.route(cluster, *analysis, 0, parameters, context);
  std::vector<std::string> lines{"=> " + print(cluster, route)};
  if (route.ok() && !route->pushed_sql.empty()) lines.push_back("sql: " + route->pushed_sql);
  if (route.ok()) {
    for (const auto& s : route->statements) {
      std::string line = "sql: " + s.sql;
      for (const auto n : s.parameters) line += " <" + std::to_string(n + 1) + ">";
      lines.push_back(line);
    }
  }
  return lines;
}

TEST(Golden, EveryCaseGivesItsRoute) {
  const auto cluster = fediflow();
  Router router;
  const char* only = std::getenv("PGWEIR_GOLDEN");
  const bool printing = std::getenv("PGWEIR_GOLDEN_PRINT") != nullptr;
  std::size_t count = 0;
  for (const auto& entry : std::filesystem::directory_iterator(PGWEIR_SOURCE_DIR "/tests/unit/routing/golden")) {
    if (entry.path().extension() != ".txt") continue;
    for (const Case& test : read_cases(entry.path())) {
      if (only != nullptr && test.sql.find(only) == std::string::npos) continue;
      ++count;
      const auto got = outcome(*cluster, router, test);
      if (printing) {
        std::cout << test.sql << "\n";
        for (const auto& p : test.parameters) std::cout << "p: " << p << "\n";
        if (!test.session.empty()) std::cout << "session: " << test.session << "\n";
        for (const auto& line : got) std::cout << line << "\n";
        std::cout << "\n";
        continue;
      }
      EXPECT_EQ(test.expected, got) << test.where << "\n" << test.sql;
    }
  }
  if (only == nullptr) {
    EXPECT_GE(count, 200u);
  }
}

}  // namespace
}  // namespace pgweir::routing
