// SHOW HELP: the commands and what they do.
#include "proxy/admin/command.h"

namespace pgweir::admin {

void show_help(const Invocation&, Done done) {
  Table table{{{"command"}, {"description"}}};
  for (const Command& command : commands()) {
    std::string text(command.words);
    if (!command.arguments.empty()) text += " " + std::string(command.arguments);
    table.add(text, command.help);
  }
  done(std::move(table));
}

}  // namespace pgweir::admin
