#include "routing/plan/clause_ranges.h"

#include <algorithm>

namespace pgweir::routing {
namespace {

using sql::is_word;
using sql::Token;
using sql::TokenKind;
using Tokens = std::vector<Token>;

bool punctuation(std::string_view text, const Token& t, char c) {
  return t.kind == TokenKind::Punctuation && text[t.begin] == c;
}

class Finder {
 public:
  Finder(std::string_view text, const Tokens& tokens, const sql::Select& select)
      : text_(text), tokens_(tokens), select_(select) {}

  std::optional<ClauseRanges> run() {
    if (tokens_.empty() || !is_word(text_, tokens_[0], "select")) return std::nullopt;
    const std::size_t from = find_from();
    if (from == 0) return std::nullopt;
    ranges_.end = tokens_.back().end;
    const std::size_t order = find(from, {"order"}), group = find(from, {"group"});
    const std::size_t limit = find(from, {"limit", "offset", "fetch"});
    const std::size_t locking = find(from, {"for"});
    ranges_.limit_begin = limit < tokens_.size() ? tokens_[limit].begin : ranges_.end;
    ranges_.order_begin = order < tokens_.size() ? tokens_[order].begin : ranges_.limit_begin;
    if (locking < tokens_.size() || (order < tokens_.size()) != !select_.order_by.empty() ||
        (group < tokens_.size()) != !select_.group_by.empty()) {
      return std::nullopt;
    }
    if (!targets(from) || !order_by(order, limit)) return std::nullopt;
    const std::size_t after_group = std::min({find(from, {"having", "window"}), order, limit});
    if (group < tokens_.size()) ranges_.group_by = items(group + 2, after_group);
    if (ranges_.group_by.size() != select_.group_by.size()) return std::nullopt;
    return std::move(ranges_);
  }

 private:
  // Reserved words may still stand behind AS and '.', and GROUP behind WITHIN.
  bool keyword(std::size_t i) const {
    if (tokens_[i].depth != 0 || tokens_[i].kind != TokenKind::Word) return false;
    if (i == 0) return true;
    return !is_word(text_, tokens_[i - 1], "as") && !punctuation(text_, tokens_[i - 1], '.') &&
           !is_word(text_, tokens_[i - 1], "within");
  }
  std::size_t find(std::size_t start, std::initializer_list<std::string_view> words) const {
    for (std::size_t i = start; i < tokens_.size(); ++i) {
      if (!keyword(i)) continue;
      for (const auto w : words) {
        if (is_word(text_, tokens_[i], w)) return i;
      }
    }
    return tokens_.size();
  }

  static std::int64_t first_location(const sql::FromItem& item) {
    if (item.kind == sql::FromItem::Kind::Table) return item.relation.location;
    std::int64_t first = INT64_MAX;
    if (item.left) first = std::min(first, first_location(*item.left));
    if (item.right) first = std::min(first, first_location(*item.right));
    return first;
  }

  // IS DISTINCT FROM may stand in the select list: the clause is the last FROM before the first table.
  std::size_t find_from() const {
    std::int64_t first = INT64_MAX;
    for (const auto& item : select_.from) first = std::min(first, first_location(*item));
    std::size_t found = 0;
    for (std::size_t i = 1; i < tokens_.size() && static_cast<std::int64_t>(tokens_[i].begin) < first; ++i) {
      if (keyword(i) && is_word(text_, tokens_[i], "from")) found = i;
    }
    return found;
  }

  std::vector<TextRange> items(std::size_t begin, std::size_t end) const {
    std::vector<TextRange> result;
    std::size_t start = begin;
    for (std::size_t i = begin; i <= end; ++i) {
      if (i != end && !(tokens_[i].depth == 0 && punctuation(text_, tokens_[i], ','))) continue;
      if (i == start) return {};
      result.push_back({tokens_[start].begin, tokens_[i - 1].end});
      start = i + 1;
    }
    return result;
  }

  std::size_t token_ending_at(std::size_t end) const {
    const auto at =
        std::lower_bound(tokens_.begin(), tokens_.end(), end, [](const Token& t, std::size_t e) { return t.end < e; });
    return static_cast<std::size_t>(at - tokens_.begin());
  }

  bool targets(std::size_t from) {
    std::size_t begin = 1;
    if (is_word(text_, tokens_[1], "distinct") || is_word(text_, tokens_[1], "all")) ++begin;
    ranges_.targets = items(begin, from);
    if (ranges_.targets.size() != select_.targets.size()) return false;
    ranges_.targets_end = ranges_.targets.back().end;
    for (std::size_t i = 0; i < ranges_.targets.size(); ++i) {
      if (select_.targets[i].name.empty()) continue;
      const std::size_t label = token_ending_at(ranges_.targets[i].end);
      if (label < 2 || label >= tokens_.size()) return false;
      const bool as = is_word(text_, tokens_[label - 1], "as");
      if (as && label < 3) return false;
      ranges_.targets[i].end = tokens_[label - (as ? 2 : 1)].end;
      if (ranges_.targets[i].end <= ranges_.targets[i].begin) return false;
    }
    return true;
  }

  bool order_by(std::size_t order, std::size_t limit) {
    if (order >= tokens_.size()) return true;
    ranges_.order_by = items(order + 2, limit);
    if (ranges_.order_by.size() != select_.order_by.size()) return false;
    for (TextRange& r : ranges_.order_by) {
      std::size_t last = token_ending_at(r.end);
      if (last > 1 && (is_word(text_, tokens_[last], "first") || is_word(text_, tokens_[last], "last")) &&
          is_word(text_, tokens_[last - 1], "nulls"))
        last -= 2;
      if (is_word(text_, tokens_[last], "asc") || is_word(text_, tokens_[last], "desc")) --last;
      r.end = tokens_[last].end;
      if (r.end <= r.begin) return false;
    }
    return true;
  }

  std::string_view text_;
  const Tokens& tokens_;
  const sql::Select& select_;
  ClauseRanges ranges_;
};

std::size_t matching(const Tokens& tokens, std::size_t open) {
  for (std::size_t i = open + 1; i < tokens.size(); ++i) {
    if (tokens[i].kind == TokenKind::Punctuation && tokens[i].depth == tokens[open].depth) return i;
  }
  return tokens.size();
}

}  // namespace

std::optional<ClauseRanges> ClauseRanges::find(std::string_view text, const sql::Statement& statement) {
  const auto tokens = sql::tokenize(text, statement.begin, statement.end);
  if (!tokens || !statement.select) return std::nullopt;
  return Finder(text, *tokens, *statement.select).run();
}

std::optional<CallRange> find_call(std::string_view text, std::size_t location, std::size_t end) {
  // The rest of the statement may close parentheses that were opened before: find the call's own end first.
  const auto all = [&]() -> std::optional<Tokens> {
    int depth = 0;
    const auto tokens = sql::tokenize(text, 0, end);
    if (!tokens) return std::nullopt;
    Tokens rest;
    for (const Token& t : *tokens) {
      if (t.begin < location) continue;
      if (punctuation(text, t, ')') || punctuation(text, t, ']')) --depth;
      if (depth < 0) break;
      rest.push_back(t);
      rest.back().depth = static_cast<std::uint32_t>(depth);
      if (punctuation(text, t, '(') || punctuation(text, t, '[')) ++depth;
    }
    return rest;
  }();
  if (!all || all->empty()) return std::nullopt;
  const Tokens& t = *all;
  std::size_t i = 0;
  while (i + 2 < t.size() && punctuation(text, t[i + 1], '.')) i += 2;
  if (i + 1 >= t.size() || !punctuation(text, t[i + 1], '(')) return std::nullopt;
  const std::size_t close = matching(t, i + 1);
  if (close >= t.size()) return std::nullopt;
  CallRange r;
  r.name = {t[0].begin, t[i].end};
  r.arguments = {t[i + 1].end, t[close].begin};
  r.end = t[close].end;
  if (close + 2 < t.size() && is_word(text, t[close + 1], "filter") && punctuation(text, t[close + 2], '(')) {
    const std::size_t filter_close = matching(t, close + 2);
    if (filter_close >= t.size()) return std::nullopt;
    r.filter = {t[close + 1].begin, t[filter_close].end};
    r.end = r.filter.end;
  }
  return r;
}

}  // namespace pgweir::routing
