// SHUTDOWN: ends the proxy at once. With WAIT_FOR_SERVERS it takes no new clients and ends each session with its
// transaction, as on SIGTERM; with WAIT_FOR_CLIENTS it takes no new clients and ends when the last one has left.
#include "proxy/admin/command.h"

namespace pgweir::admin {

using protocol::SqlError;

void shutdown(const Invocation& invocation, Done done) {
  const auto arguments = tokenize(invocation.statement.substr(invocation.arguments), 2);
  using Shutdown = runtime::Runtime::Shutdown;
  auto how = Shutdown::Now;
  if (!arguments.empty()) {
    const Token& first = arguments.front();
    if (first.kind == Token::Kind::Word && same_word(first.text, "WAIT_FOR_CLIENTS")) how = Shutdown::WaitForClients;
    if (first.kind == Token::Kind::Word && same_word(first.text, "WAIT_FOR_SERVERS")) how = Shutdown::WaitForServers;
    const bool wait = how != Shutdown::Now;
    if (!wait || arguments.size() > 1) {
      const std::string near(arguments[wait ? 1 : 0].text.substr(0, 64));
      return done(SqlError{"42601", "syntax error at or near \"" + near + "\"", {},
                           "SHUTDOWN [WAIT_FOR_CLIENTS | WAIT_FOR_SERVERS]", {}, {}});
    }
  }
  if (!invocation.runtime.shutdown) return done(SqlError{"55000", "this process cannot shut down", {}, {}, {}, {}});
  invocation.runtime.shutdown(how);
  done(completed("SHUTDOWN"));
}

}  // namespace pgweir::admin
