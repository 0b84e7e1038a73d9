// Where PREPARE, EXECUTE and their relatives name a prepared statement. The tree does not say; the tokens do.
#include <algorithm>

#include "routing/plan/template.h"
#include "routing/sql/token.h"

namespace pgweir::routing {
namespace {

using sql::Command;
using sql::Token;
using sql::TokenKind;

constexpr std::size_t kMaxIdentifier = 63;  // NAMEDATALEN - 1 (src/include/pg_config_manual.h)

// The identifier as PostgreSQL folds it, before it is cut to kMaxIdentifier bytes.
std::string folded(std::string_view text, const Token& token) {
  const std::string_view written = text.substr(token.begin, token.end - token.begin);
  std::string name;
  if (token.kind == TokenKind::QuotedWord) {
    for (std::size_t i = 1; i + 1 < written.size(); ++i) {
      name += written[i];
      if (written[i] == '"') ++i;
    }
    return name;
  }
  for (const char c : written) name += c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
  return name;
}

// U&"..." and letters that are folded by locale are not told apart here: then the name has no place.
bool is_name(std::string_view text, const Token& token, std::string_view name) {
  if (token.kind != TokenKind::Word && token.kind != TokenKind::QuotedWord) return false;
  const std::string written = folded(text, token);
  return written == name || (written.size() > kMaxIdentifier && written.substr(0, name.size()) == name && name.size() + 4 > kMaxIdentifier);
}

const sql::Statement* executed(const sql::Statement& s) {
  if (s.command == Command::Execute) return &s;
  const bool contains = s.command == Command::Explain || s.command == Command::CreateTableAs;
  return contains && s.inner ? executed(*s.inner) : nullptr;
}

// The EXECUTE of EXPLAIN ... EXECUTE and CREATE TABLE ... AS EXECUTE: its options stand in parentheses, and what may be called
// execute stands in front of AS.
std::size_t find_execute(std::string_view text, const std::vector<Token>& tokens, const sql::Statement& s) {
  const bool table = s.command == Command::CreateTableAs || (s.inner && s.inner->command == Command::CreateTableAs);
  for (std::size_t i = 0; i < tokens.size(); ++i) {
    if (tokens[i].depth != 0 || !is_word(text, tokens[i], "execute")) continue;
    if (!table || (i > 0 && is_word(text, tokens[i - 1], "as"))) return i;
  }
  return tokens.size();
}

constexpr std::string_view kView = "pg_prepared_statements";

// What may follow a table in FROM that is not a name for it (src/backend/parser/gram.y, from_clause and what comes behind).
bool ends_from_item(std::string_view text, const Token& token) {
  static constexpr std::string_view kWords[] = {"where", "join", "inner", "left", "right", "full", "cross", "natural", "on", "using", "group", "order",
                                                "limit", "offset", "fetch", "for", "union", "intersect", "except", "having", "window", "tablesample"};
  if (token.kind == TokenKind::QuotedWord) return false;
  return token.kind != TokenKind::Word || std::ranges::any_of(kWords, [&](std::string_view word) { return is_word(text, token, word); });
}

void find_views(std::string_view text, const std::vector<Token>& tokens, PreparedName& found) {
  const auto written = [&](std::size_t i) { return text.substr(tokens[i].begin, tokens[i].end - tokens[i].begin); };
  for (std::size_t i = 1; i < tokens.size(); ++i) {
    if (!is_name(text, tokens[i], kView)) continue;
    std::size_t first = i;
    if (i > 2 && written(i - 1) == "." && is_name(text, tokens[i - 2], "pg_catalog")) first = i - 2;
    const bool listed = is_word(text, tokens[first - 1], "from") || is_word(text, tokens[first - 1], "join") || written(first - 1) == ",";
    const bool last = i + 1 == tokens.size();
    if (!listed || (!last && (written(i + 1) == "." || written(i + 1) == "("))) continue;
    found.views.push_back({tokens[first].begin, tokens[i].end, !last && !ends_from_item(text, tokens[i + 1])});
  }
}

}  // namespace

PreparedName prepared_name(const sql::Statement& s, std::string_view text) {
  PreparedName found;
  found.shown = std::search(text.begin(), text.end(), kView.begin(), kView.end(), [](char a, char b) {
                  return (a >= 'A' && a <= 'Z' ? static_cast<char>(a + 32) : a) == b;
                }) != text.end();
  const sql::Statement* execute = executed(s);
  const bool naming = s.command == Command::Prepare || (s.command == Command::Deallocate && !s.name.empty());
  if (!execute && !naming && !found.shown) return found;
  if (execute) found.executes = execute->name;
  const auto tokens = sql::tokenize(text, s.begin, s.end);
  if (!tokens) return found;
  if (found.shown) find_views(text, *tokens, found);
  if (!execute && !naming) return found;
  std::size_t at = execute && execute != &s ? find_execute(text, *tokens, s) + 1 : 1;
  // "DEALLOCATE prepare" drops a statement of that name, "DEALLOCATE PREPARE x" drops x.
  if (s.command == Command::Deallocate && tokens->size() > 2) at = 2;
  if (at >= tokens->size() || !is_name(text, (*tokens)[at], execute ? execute->name : s.name)) return found;
  if (s.command == Command::Prepare) {
    const auto as = std::find_if(tokens->begin() + static_cast<std::ptrdiff_t>(at) + 1, tokens->end(),
                                 [&](const Token& token) { return token.depth == 0 && is_word(text, token, "as"); });
    if (as == tokens->end()) return found;
    found.query = as->end;
  }
  found.begin = (*tokens)[at].begin;
  found.end = (*tokens)[at].end;
  return found;
}

}  // namespace pgweir::routing
