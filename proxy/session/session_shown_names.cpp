// Session: the client's names of prepared statements where SQL looks at them: pg_prepared_statements, and code of users that
// EXECUTEs a statement by its name.
#include <algorithm>
#include <cctype>
#include <cstdlib>

#include "proxy/session/session.h"
#include "proxy/session/statement_aliases.h"

namespace pgweir::session {

using protocol::Disposition;
using protocol::Frame;
using protocol::Request;
using protocol::TransactionStatus;

namespace {

constexpr std::size_t kMaxShown = 1000;  // a few requests for each, within what the ReplyTracker takes

bool begins_ignoring_case(std::string_view text, std::string_view word) {
  return text.size() >= word.size() && std::equal(word.begin(), word.end(), text.begin(), [](unsigned char a, unsigned char b) { return std::tolower(a) == std::tolower(b); });
}

// EXECUTE and the name, anywhere: in a literal that code is given, say.
bool executes(std::string_view text, std::string_view name) {
  constexpr std::string_view kExecute = "execute";
  for (std::size_t at = 0; at + kExecute.size() < text.size(); ++at) {
    if (!begins_ignoring_case(text.substr(at), kExecute)) continue;
    const std::size_t next = text.find_first_not_of(" \t\r\n\"", at + kExecute.size());
    if (next != std::string_view::npos && begins_ignoring_case(text.substr(next), name)) return true;
  }
  return false;
}

// The view's columns in front of and behind result_types, which PostgreSQL 16 has added.
std::string columns(std::string_view name, std::string_view statement, bool result_types) {
  std::string list = "SELECT ";
  ((list += name) += " AS name, ") += statement;
  list += " AS statement, s.prepare_time, s.parameter_types";
  if (result_types) list += ", s.result_types";
  return list += ", s.from_sql, s.generic_plans, s.custom_plans";
}

}  // namespace

// A query that mentions the view: what it reads there is replaced. Where that place cannot be told, outside a block and where
// nothing else keeps the server, the client's statements are prepared under its own names and dropped behind the query.
// nullopt: not here: then the servers' names are seen.
std::optional<Session::Step> Session::on_shown_names(const Frame& frame, const routing::Analysis& analysis) {
  const bool placed = !analysis.statements.front().prepared.views.empty();
  if (!routing_->plain || group_.open || statements_.size() > kMaxShown || tx_ == TransactionStatus::Failed) return std::nullopt;
  if (!placed && (in_block() || !pinned_.empty())) return std::nullopt;
  if (relay_ && relay_->open() && !relay_->quiet()) return Step::Later;
  barrier_ = true;
  routing::Route route;
  route.shards = routing::ShardSet::single(routing::ShardId{0});
  Step step = Step::Done;
  if (auto error = acquire_one(route, step)) return refuse_query(*error);
  if (step == Step::Later) return step;
  if (!relay_) return refuse_query({"08006", "the server connection was lost", {}, {}, {}, {}});
  naming_.reset();
  Link& link = *relay_;
  // In a transaction that has begun what cannot be prepared any more would fail it.
  if (!std::exchange(making_, {}) && !(placed && link.in_transaction)) {
    making_.emplace();  // what cannot be prepared any more is left out
    const std::size_t owed = link.tracker().outstanding();
    if (!placed) {
      link.own_names = true;
      link.server().statements.clear();
      link.inject("DEALLOCATE ALL", {});
    }
    statements_.for_each([&](std::string_view name, const StatementPtr& statement) {
      if (name.empty()) return;
      const std::size_t before = link.tracker().outstanding();
      if (placed) {
        ensure_on_server(*statement);
        if (link.tracker().outstanding() != before) push_sync();
        return;
      }
      out_.clear();
      if (statement->from_sql) {
        append_prepare(statement->sql, 0);
      } else {
        link.tracker().push(Request::Parse, Disposition::Swallow);
        protocol::encode_parse(name, statement->sql, statement->types, out_);
        tenancy_->cells->server_parses.add();
      }
      link.send(out_);
      push_sync();
    });
    if (link.tracker().outstanding() != owed) return Step::Later;
    making_.reset();
  }
  if (placed) put_views(analysis);
  note_route(&route, nullptr);
  forward_query(frame, analysis, route);
  return Step::Done;
}

// In the place of the view: the client's statements by its names, with its texts; and what code on this server has prepared.
void Session::put_views(const routing::Analysis& analysis) {
  const auto* version = told_->find("server_version");
  const bool result_types = version && std::atoi(version->c_str()) >= 16;
  std::vector<std::pair<std::string, StatementPtr>> known;
  statements_.for_each([&](std::string_view name, const StatementPtr& statement) {
    if (!name.empty()) known.emplace_back(name, statement);
  });
  std::ranges::sort(known, {}, [](const auto& entry) { return entry.first; });
  std::string source = "(";
  if (!known.empty()) {
    source += "(" + columns("c.name", "c.statement", result_types) + " FROM (VALUES ";
    for (std::size_t i = 0; i < known.size(); ++i) {
      const auto& [name, statement] = known[i];
      source += (i == 0 ? "(" : ", (") + std::to_string(i) + ", " + pool::quote_literal(name) + "::pg_catalog.text, " + pool::quote_literal(statement->sql) +
                "::pg_catalog.text, '" + protocol::server_name(statement_hash(*statement)) + "')";
    }
    source += ") c (number, name, statement, internal) JOIN pg_catalog.pg_prepared_statement() s ON s.name OPERATOR(pg_catalog.=) c.internal ORDER BY c.number) UNION ALL ";
  }
  source += columns("s.name", "s.statement", result_types) + " FROM pg_catalog.pg_prepared_statement() s WHERE pg_catalog.left(s.name, 7) OPERATOR(pg_catalog.<>) 'pgweir_')";
  auto naming = std::make_unique<Naming>();
  naming->effects = analysis.statements;
  const bool utf8 = counts_utf8(*told_);
  const auto text = std::string_view(analysis.text);
  std::size_t copied = 0;
  for (const auto& view : analysis.statements.front().prepared.views) {
    const std::string put = view.aliased ? source : source + " AS pg_prepared_statements";
    naming->text.append(text.substr(copied, view.begin - copied)) += put;
    copied = view.end;
    naming->renamings.push_back({"", "", count_characters(text.substr(0, view.begin), utf8), count_characters(text.substr(view.begin, view.end - view.begin), utf8),
                                 count_characters(put, utf8)});
    naming->renamed.push_back(0);
  }
  naming->text.append(text.substr(copied));
  naming_ = std::move(naming);
}

// Code of users may EXECUTE what the client has PREPAREd: statements that the text EXECUTEs somewhere are on the server under
// the client's names while it runs. Step: the message is not handled now.
std::optional<Session::Step> Session::lend_names(const routing::Analysis& analysis) {
  const bool code = std::ranges::any_of(analysis.statements, [](const auto& facts) { return facts.runs_code; });
  if (!code || statements_.size() > kMaxShown || tx_ == TransactionStatus::Failed || group_.open) return std::nullopt;
  Link& link = *relay_;
  std::vector<std::pair<std::string, StatementPtr>> wanted;
  statements_.for_each([&](std::string_view name, const StatementPtr& statement) {
    if (statement->from_sql && std::ranges::find(link.lent_names, name) == link.lent_names.end() && executes(analysis.text, name)) wanted.emplace_back(name, statement);
  });
  if (auto done = std::exchange(making_, {}); done && done->error && in_block()) return refuse_query(*done->error);
  if (wanted.empty()) return std::nullopt;
  if (!link.quiet()) return Step::Later;
  barrier_ = true;
  inject_begin(link);
  making_.emplace();
  for (const auto& [name, statement] : wanted) {
    link.lent_names.push_back(name);
    out_.clear();
    append_prepare(statement->sql, 0);
    link.send(out_);
    push_sync();
  }
  return Step::Later;
}

// At the end of a transaction. A name that is gone already is no error for Close.
void Session::take_back_names(Link& link) {
  out_.clear();
  for (const auto& name : link.lent_names) {
    link.tracker().push(Request::Close, Disposition::Swallow);
    protocol::encode_close('S', name, out_);
  }
  link.lent_names.clear();
  link.send(out_);
  await_injected(link);
}

}  // namespace pgweir::session
