// Session: what is noted of a statement that is sent, so that nobody else meets what it leaves behind on its server.
#include <algorithm>
#include <array>

#include "proxy/session/session.h"

namespace pgweir::session {

using protocol::Disposition;
using protocol::Request;
using routing::Route;
using routing::StatementKind;
using Push = protocol::ReplyTracker::Push;

namespace {

bool contains_ignoring_case(std::string_view text, std::string_view word) {
  return std::search(text.begin(), text.end(), word.begin(), word.end(), [](char a, char b) {
           return (a >= 'A' && a <= 'Z' ? static_cast<char>(a + 32) : a) == b;
         }) != text.end();
}

}  // namespace

bool Session::add_custom_name(std::string_view name) {
  auto& known = custom_.made();
  const auto before = known.names.size();
  known.add(name);
  return known.names.size() != before;
}

// Custom settings do not show in pg_settings: the census asks for every name that a statement may have set. `values`: of the
// statement's parameters; null: it has none.
void Session::note_custom_names(Link& link, std::string_view text, const protocol::ValueList* values) {
  routing::CustomSettings found;
  if (contains_ignoring_case(text, "set") || (link.ran_code && contains_ignoring_case(text, "load"))) routing::find_custom_settings(text, found);
  for (const auto number : found.parameters) {
    if (!values || number == 0 || number > values->size()) {
      found.unknown = true;
    } else if (const auto name = values->at(number - 1)) {
      found.add(*name);
    }
  }
  if (values && link.ran_code)  // a function may run what it is given
    for (const auto value : *values)
      if (value && contains_ignoring_case(*value, "set_config")) routing::find_custom_settings(*value, found);
  for (const auto& name : found.names) add_custom_name(name);
  link.unknown_settings = link.unknown_settings || found.unknown || custom_.or_default().unknown;
}

// What the statement may leave behind in the server's session.
void Session::note_effects(Link& link, const routing::StatementFacts& facts) {
  // DDL may make temporary objects without saying so: search_path decides.
  const bool ddl = facts.kind == StatementKind::Ddl;
  if (facts.runs_code || ddl) link.ran_code = true;  // event triggers, defaults and indexes that are computed
  if (facts.may_change_session || ddl || facts.kind == StatementKind::Unparsable) link.make_suspect();
  if (facts.kind == StatementKind::Set || facts.kind == StatementKind::SetLocal) add_custom_name(facts.name);
}

void Session::note_statement(Link& link, const routing::StatementFacts& facts, const Route* route) {
  note_effects(link, facts);
  note_notifier(link, facts);
  if (!facts.read_only) link.wrote = true;
  if (facts.creates_temp) temp_tables_.push_back(facts.name);
  if (route && route->ddl) ddl_seen_ = true;
  note_reset(facts);
}

// Large objects are what drivers call by this message; anything else may do anything.
void Session::note_function_call(Link& link, const protocol::Frame& frame) {
  // OIDs of pg_proc.dat: lo_open, loread, lowrite, lo_lseek, lo_creat, lo_tell, lo_unlink, lo_create, lo_truncate and
  // those for 64 bits.
  static constexpr std::array<protocol::Oid, 12> kLargeObjects{952, 954, 955, 956, 957, 958, 964, 715, 1004, 3170, 3171, 3172};
  constexpr protocol::Oid kSetConfig = 2078;
  auto call = protocol::decode_function_call(frame.body());
  if (call && std::find(kLargeObjects.begin(), kLargeObjects.end(), call->function) != kLargeObjects.end()) return;
  routing::StatementFacts facts;
  facts.runs_code = facts.may_change_session = true;
  note_effects(link, facts);
  own_sequences(link, facts);
  if (call && call->function == kSetConfig && call->arguments.size() > 0)
    if (const auto name = call->arguments.at(0)) add_custom_name(*name);
}

// Another client may have moved sequences on this server, or this one on another server: such values must not be seen. The worst outcome is 55000. Values
// of this session stay. To be called when BEGIN has been sent.
void Session::own_sequences(Link& link, const routing::StatementFacts& facts) {
  auto& server = link.server();
  if (!facts.uses_sequence_state && !facts.runs_code) return;
  // Its own values on this server are the last ones only if it has moved no sequence elsewhere since.
  const bool latest = std::exchange(sequence_server_, server.id()) == server.id();
  if (latest && server.sequence_user == identity_.id) return;
  const bool clean = std::exchange(server.sequence_user, identity_.id) == 0;
  if (clean) return;
  context_.cells.injected_commands.add();
  if (&link == relay_ && group_.open && !group_.is_virtual) {
    if (!run_in_batch(link, "DISCARD SEQUENCES", 'q')) server.sequence_user = pool::ServerConnection::kSequencesUnknown;
    return;
  }
  link.inject("DISCARD SEQUENCES", [](Link& done, Injected& result) {
    if ((result.error || result.skipped) && done.open()) done.server().sequence_user = pool::ServerConnection::kSequencesUnknown;
  });
}

// A simple Query would end the batch's implicit transaction and drop the unnamed statement and portal. False: the server
// skips to the Sync, the client's statement as well. `kind`: of its Flight.
bool Session::run_in_batch(Link& link, std::string_view sql, char kind) {
  static constexpr std::string_view kName = "pgweir_own";
  const std::uint32_t tag = next_tag_++;
  auto& tracker = link.tracker();
  if (tracker.push(Request::Close, Disposition::Swallow, tag) != Push::Queued) return false;
  flights_.push_back({tag, kind, nullptr, {}, syncs_sent_ + 1});
  for (const auto request : {Request::Parse, Request::Bind, Request::Execute, Request::Close, Request::Close})
    tracker.push(request, Disposition::Swallow, tag);
  out_.clear();
  protocol::encode_close('S', kName, out_);
  protocol::encode_parse(kName, sql, {}, out_);
  protocol::encode_bind_raw(kName, kName, std::string_view("\0\0\0\0\0\0", 6), out_);
  protocol::encode_execute(kName, 0, out_);
  protocol::encode_close('P', kName, out_);
  protocol::encode_close('S', kName, out_);
  link.send(out_);
  return true;
}

}  // namespace pgweir::session
