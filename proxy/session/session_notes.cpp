// Session: what is noted of a statement that is sent, so that nobody else meets what it leaves behind on its server.
#include <algorithm>

#include "proxy/session/session.h"

namespace pgweir::session {

using routing::Route;
using routing::StatementKind;

namespace {

bool contains_ignoring_case(std::string_view text, std::string_view word) {
  return std::search(text.begin(), text.end(), word.begin(), word.end(), [](char a, char b) {
           return (a >= 'A' && a <= 'Z' ? static_cast<char>(a + 32) : a) == b;
         }) != text.end();
}

}  // namespace

// Custom settings do not show in pg_settings: the census asks for every name that a statement may have set.
void Session::note_custom_names(Link& link, std::string_view text) {
  if (!contains_ignoring_case(text, "set_config")) return;
  bool any = false;
  for (std::size_t at = text.find('\''); at != std::string_view::npos; at = text.find('\'', at + 1)) {
    const auto end = text.find('\'', at + 1);
    if (end == std::string_view::npos) break;
    const auto literal = text.substr(at + 1, end - at - 1);
    any = any || !literal.empty();
    if (literal.find('.') != std::string_view::npos && literal.size() < 128 && custom_names_.size() < 1000 &&
        std::find(custom_names_.begin(), custom_names_.end(), literal) == custom_names_.end())
      custom_names_.emplace_back(literal);
    at = end;
  }
  if (!any || text.find('$') != std::string_view::npos || text.find("||") != std::string_view::npos) link.unknown_settings = true;
}

void Session::note_statement(Link& link, const routing::StatementFacts& facts, const Route* route) {
  if (facts.may_change_session || facts.kind == StatementKind::Unparsable) link.make_suspect();
  if (!facts.read_only) link.wrote = true;
  if (facts.creates_temp) temp_tables_.push_back(facts.name);
  if (route && route->ddl) ddl_seen_ = true;
  if (facts.name.find('.') != std::string::npos && custom_names_.size() < 1000 &&
      std::find(custom_names_.begin(), custom_names_.end(), facts.name) == custom_names_.end() &&
      (facts.kind == StatementKind::Set || facts.kind == StatementKind::SetLocal || facts.kind == StatementKind::Select))
    custom_names_.push_back(facts.name);
  if (facts.uses_sequence_state && !link.sequences_clean) {
    // Another client may have moved sequences on this server: its values must not be seen. The worst outcome is 55000.
    link.sequences_clean = true;
    if (!link.in_transaction || !link.wrote) link.inject("DISCARD SEQUENCES", {});
  }
}

}  // namespace pgweir::session
