// VirtualGroup: SQL PREPARE, EXECUTE and DEALLOCATE on a sharded cluster. The names are those of the extended protocol. PREPARE asks
// one server what PostgreSQL would say of the statement; EXECUTE is the Bind and the Execute of it, with the values that the
// server makes of its arguments: by then routing knows them as it knows a client's parameters.
#include <algorithm>

#include "protocol/frontend_codec.h"
#include "proxy/session/naming.h"
#include "proxy/session/refusals.h"
#include "proxy/session/statement_aliases.h"
#include "proxy/session/virtual_group.h"

namespace pgweir::session {

using protocol::Disposition;
using protocol::Request;
using protocol::SqlError;
using routing::StatementKind;

namespace {

bool blank(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f' || c == '\v'; });
}

SqlError cannot_place(std::string_view what) {
  return routing::refuse("sql_prepare", std::string(what), "Write the name as a plain or quoted identifier.");
}

// "{23,25}"
std::vector<protocol::Oid> read_oids(std::string_view array) {
  std::vector<protocol::Oid> oids;
  protocol::Oid oid = 0;
  bool digits = false;
  for (const char c : array) {
    if (c >= '0' && c <= '9') {
      oid = oid * 10 + static_cast<protocol::Oid>(c - '0');
      digits = true;
    } else if (digits) {
      oids.push_back(std::exchange(oid, 0));
      digits = false;
    }
  }
  return oids;
}

void replace_all(std::string& text, std::string_view from, std::string_view to) {
  for (std::size_t at = text.find(from); at != std::string::npos; at = text.find(from, at + to.size())) text.replace(at, from.size(), to);
}

}  // namespace

bool VirtualGroup::of_names(const routing::StatementFacts& facts) const {
  if (session_.routing_->plain) return false;
  return facts.kind == StatementKind::Prepare || facts.kind == StatementKind::Execute || facts.kind == StatementKind::Deallocate;
}

// True: it is done or has failed. False: it goes on later.
bool VirtualGroup::run_names(const routing::Analysis& analysis, const protocol::Bind* bind, bool simple) {
  const auto& facts = analysis.statements.front();
  const auto fail = [this](const SqlError& error) {
    statement_failed(error);
    return true;
  };
  if (session_.tx_ == protocol::TransactionStatus::Failed) return fail(failed_block_error());
  if (facts.kind == StatementKind::Deallocate) {
    if (facts.name.empty()) {
      session_.forget_named_statements();
    } else {
      if (!session_.statements_.drop(facts.name)) return fail(protocol::undefined_statement(facts.name));
    }
    statement_done(facts.name.empty() ? "DEALLOCATE ALL" : "DEALLOCATE");
    return true;
  }
  if (facts.prepared.end == 0) return fail(cannot_place("where this command names its prepared statement cannot be told"));
  if (names_ && names_->target) return fail(routing::refuse("sql_prepare", "EXECUTE of an EXECUTE", "Execute the statement itself."));
  names_ = std::make_unique<Names>();
  names_->simple = simple;
  const std::string_view text = analysis.text;
  names_->before = count_characters(text.substr(0, facts.prepared.end), counts_utf8(*session_.told_));
  if (facts.kind == StatementKind::Prepare) return prepare_name(text, facts);
  if (bind)
    for (std::size_t i = 0; i < kMaxResultFormats; ++i) names_->result_formats.push_back(bind->result_formats.of(i));
  names_->name = facts.prepared.executes;
  names_->arguments = text.substr(facts.prepared.end, facts.end - facts.prepared.end);
  names_->facts = facts;
  names_->target = look_up(names_->name);
  if (!names_->target) return fail(protocol::undefined_statement(names_->name));
  if (names_->target->described) return evaluate_arguments();
  describing_ = names_->target;
  describe_begin_ = std::nullopt;
  ask_one_server(nullptr);
  return false;
}

// The server that is asked: one of the block's, else home.
void VirtualGroup::ask_one_server(void (VirtualGroup::*then)()) {
  const auto bound = participants();
  running_.emplace();
  running_->shards = routing::ShardSet::single(bound.empty() ? home_shard() : bound.front()->shard());
  if (!bound.empty()) running_->role = bound.front()->role();
  links_ready_ = then;
  on_links_ready();
}

bool VirtualGroup::prepare_name(std::string_view text, const routing::StatementFacts& facts) {
  const auto& place = facts.prepared;
  names_->name = facts.name;
  auto made = std::make_shared<Statement>();
  made->sql = text.substr(place.query, facts.end - place.query);
  made->analysis = session_.analyze(made->sql);
  made->serial = session_.next_tag_++;
  made->version.stamp = next_stamp();
  made->from_sql = true;
  names_->made = made;
  describe_begin_ = count_characters(text.substr(0, place.query), counts_utf8(*session_.told_));
  constexpr std::size_t kAs = 2;
  names_->types = text.substr(place.end, place.query - kAs - place.end);
  if (!blank(names_->types)) {
    ask_one_server(&VirtualGroup::read_types);
    return false;
  }
  describing_ = made;
  ask_one_server(nullptr);
  return false;
}

// Types are names, which only a server can resolve.
void VirtualGroup::read_types() {
  Link* link = session_.find_link(running_->shards.front(), running_->role);
  if (!link) {
    statement_failed({"08006", "a server connection was lost", {}, {}, {}, {}});
    return step();
  }
  const std::string name = stand_in(0), begin = "PREPARE " + name;
  close_stand_in(*link, name, {});
  const std::string sql = begin + names_->types + "\nAS SELECT 1;"
                          "SELECT parameter_types::pg_catalog.oid[]::pg_catalog.text FROM pg_catalog.pg_prepared_statements"
                          " WHERE name OPERATOR(pg_catalog.=) '" + name + "';DEALLOCATE " + name;
  fanout_.run({{link, sql}}, [this, name, begin](std::vector<Fanout::Outcome>& outcomes) {
    auto& outcome = outcomes.front();
    if (outcome.error) {
      statement_failed(names_error(outcome, name, begin.size()));
      return step();
    }
    const auto& rows = outcome.result.rows;
    if (rows.size() == 1 && rows[0].size() == 1 && rows[0][0]) names_->made->types = read_oids(*rows[0][0]);
    if (const auto* map = oid_map(*outcome.link))
      for (auto& type : names_->made->types) type = map->canonical(type);
    describing_ = names_->made;
    described();
  });
}

const routing::OidMap* VirtualGroup::oid_map(const Link& link) const {
  const auto& catalog = session_.routing_->catalog;
  return catalog && link.shard().value < catalog->oid_maps.size() ? &catalog->oid_maps[link.shard().value] : nullptr;
}

// A server has described the statement of a PREPARE or an EXECUTE.
void VirtualGroup::names_described() {
  if (names_->target) {
    if (evaluate_arguments()) step();
    return;
  }
  const StatementPtr made = std::move(names_->made);
  auto error = session_.refuse_statement(true, weight_of(*made));
  if (!error) error = session_.statements_.put(names_->name, made, weight_of(*made), 0);
  if (error) {
    statement_failed(*error);
  } else {
    session_.statements_.confirm(0);
    session_.context_.cells.statements_prepared.add();
    statement_done("PREPARE");
  }
  step();
}

bool VirtualGroup::evaluate_arguments() {
  running_.reset();
  if (blank(names_->arguments) && names_->target->described->parameter_types.empty()) return run_executed({});
  ask_one_server(&VirtualGroup::ask_for_values);
  return false;
}

// What an earlier command has left under the name goes; `parse`: a Parse of ours that takes it, or nothing.
void VirtualGroup::close_stand_in(Link& link, const std::string& name, std::string_view parse) {
  std::string out;
  link.set_sink(fanout_);
  protocol::encode_close('S', name, out);
  link.tracker().push(Request::Close, Disposition::Swallow);
  if (!parse.empty()) link.tracker().push(Request::Parse, Disposition::Swallow);
  out += parse;
  protocol::encode_sync(out);
  link.tracker().push(Request::Sync, Disposition::Swallow);
  link.send(out);
}

// With the client's name, and the place in its text: what was sent begins with `begin` characters of ours.
SqlError VirtualGroup::names_error(const Fanout::Outcome& outcome, const std::string& name, std::size_t begin) const {
  SqlError error = *outcome.error;
  for (std::string* field : {&error.message, &error.detail, &error.hint}) replace_all(*field, name, names_->name);
  if (const auto position = outcome.result.error_position; position > begin)
    error.fields.insert(0, "P" + std::to_string(position - begin + names_->before) + '\0');
  return error;
}

// The server coerces the arguments to the parameters' types and gives them as text, with PostgreSQL's own errors.
void VirtualGroup::ask_for_values() {
  Link* link = session_.find_link(running_->shards.front(), running_->role);
  if (!link) {
    statement_failed({"08006", "a server connection was lost", {}, {}, {}, {}});
    return step();
  }
  std::vector<protocol::Oid> types = names_->target->described->parameter_types;
  if (const auto* map = oid_map(*link))
    for (auto& type : types) type = map->local(type);
  std::string parse, values = "SELECT";
  for (std::size_t i = 0; i < types.size(); ++i) values += (i > 0 ? ", $" : " $") + std::to_string(i + 1);
  const std::string name = stand_in(0);
  protocol::encode_parse(name, values, types, parse);
  close_stand_in(*link, name, parse);
  if (!names_->facts.prepared.quiet) session_.note_effects(*link, names_->facts);
  const std::string begin = "EXECUTE " + name;
  fanout_.run({{link, begin + names_->arguments}}, [this, name, begin](std::vector<Fanout::Outcome>& outcomes) {
    auto& outcome = outcomes.front();
    running_.reset();
    if (outcome.error) {
      statement_failed(names_error(outcome, name, begin.size()));
      return step();
    }
    std::vector<std::optional<std::string>> given;
    if (outcome.result.rows.size() == 1) given = std::move(outcome.result.rows.front());
    if (run_executed(given)) step();
  });
}

bool VirtualGroup::run_executed(const std::vector<std::optional<std::string>>& values) {
  std::vector<std::optional<std::string_view>> views(values.begin(), values.end());
  const StatementPtr target = names_->target;
  const auto columns = std::min(names_->result_formats.size(), target->described->columns.size());
  std::string message;
  protocol::encode_bind("", names_->name, {}, views, std::span(names_->result_formats).first(columns), message);
  running_bind_ = message.substr(protocol::kHeaderSize);
  auto bind = protocol::decode_bind(running_bind_);
  return run(*target->analysis, &*bind, target.get(), names_->simple);
}

}  // namespace pgweir::session
