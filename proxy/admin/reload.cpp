// RELOAD: reads the configuration file again. When it has errors they are told, with lines, and the old one stays.
#include "proxy/admin/command.h"

namespace pgweir::admin {

using protocol::SqlError;

void reload(const Invocation& invocation, Done done) {
  if (!invocation.runtime.reload) return done(SqlError{"55000", "this process cannot reload", {}, {}, {}, {}});
  const std::string wrong = invocation.runtime.reload();
  if (!wrong.empty())
    return done(SqlError{
        "F0000", "the configuration was not changed", wrong, "Correct the file, then RELOAD again.", {}, {}});
  done(completed("RELOAD"));
}

}  // namespace pgweir::admin
