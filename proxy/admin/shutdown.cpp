// SHUTDOWN: ends the proxy at once. With WAIT_FOR_CLIENTS or WAIT_FOR_SERVERS it takes no new clients and ends when the
// transactions under way are done, as on SIGTERM.
#include "proxy/admin/command.h"

namespace pgweir::admin {

using protocol::SqlError;

void shutdown(const Invocation& invocation, Done done) {
  const auto arguments = tokenize(invocation.statement.substr(invocation.arguments), 2);
  bool wait = false;
  if (!arguments.empty()) {
    const Token& first = arguments.front();
    wait = first.kind == Token::Kind::Word &&
           (same_word(first.text, "WAIT_FOR_CLIENTS") || same_word(first.text, "WAIT_FOR_SERVERS"));
    if (!wait || arguments.size() > 1) {
      const std::string near(arguments[wait ? 1 : 0].text.substr(0, 64));
      return done(SqlError{"42601", "syntax error at or near \"" + near + "\"", {},
                           "SHUTDOWN [WAIT_FOR_CLIENTS | WAIT_FOR_SERVERS]", {}, {}});
    }
  }
  if (!invocation.runtime.shutdown) return done(SqlError{"55000", "this process cannot shut down", {}, {}, {}, {}});
  invocation.runtime.shutdown(wait);
  done(completed("SHUTDOWN"));
}

}  // namespace pgweir::admin
