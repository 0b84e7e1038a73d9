// What the tests of LISTEN share.
#pragma once

#include <string>
#include <vector>

#include "tests/integration/proxy_fixture.h"

namespace pgweir::support {

class ListenTest : public ProxyTest {
 protected:
  struct Heard { std::string text; int pid; };
  // What has come so far.
  static std::vector<Heard> take(Connection& connection) {
    std::vector<Heard> all;
    for (std::size_t before = 0;; before = all.size()) {
      PQconsumeInput(connection.raw());
      while (PGnotify* notify = PQnotifies(connection.raw())) {
        all.push_back({std::string(notify->relname) + " " + notify->extra, notify->be_pid});
        PQfreemem(notify);
      }
      if (all.size() == before) return all;
    }
  }
  static std::vector<std::string> texts(const std::vector<Heard>& all) {
    std::vector<std::string> out;
    for (const auto& one : all) out.push_back(one.text);
    return out;
  }
  // Waits until so many have come.
  static std::vector<Heard> hear(Connection& connection, std::size_t count, Milliseconds deadline = Milliseconds{10'000}) {
    std::vector<Heard> all;
    (void)wait_until(
        [&] {
          const auto more = take(connection);
          all.insert(all.end(), more.begin(), more.end());
          return all.size() >= count || !connection.alive();
        },
        deadline);
    return all;
  }
  // What the server said when it ended the connection.
  static Report last_words(Connection& connection) {
    EXPECT_TRUE(wait_until([&] {
      take(connection);
      return !connection.alive();
    }));
    const auto notices = connection.take_notices();
    return notices.empty() ? Report{} : notices.back();
  }
  static std::string channels(Connection& connection) {
    return connection.must("SELECT coalesce(string_agg(c, ',' ORDER BY c), '') FROM pg_listening_channels() c").value();
  }
};

}  // namespace pgweir::support
