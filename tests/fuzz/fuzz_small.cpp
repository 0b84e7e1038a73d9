// Small decoders of the protocol and of the proxy that have no target of their own. The order of `decoders` is that of
// the seeds' first byte.
#include <algorithm>
#include <string>
#include <vector>

#include "protocol/auth/authentication_messages.h"
#include "protocol/auth/base64.h"
#include "protocol/auth/scram_message.h"
#include "protocol/auth/scram_verifier.h"
#include "protocol/parameter_status.h"
#include "protocol/reply_tracker.h"
#include "protocol/server_startup.h"
#include "protocol/startup.h"
#include "proxy/admin/lexer.h"
#include "proxy/session/renamed_error.h"
#include "tests/fuzz/selected.h"

namespace {

using namespace pgweir;
using fuzz::require;

// Requests and replies in any order: what is owed is bounded by what was sent.
void replies(std::string_view input) {
  using namespace protocol;
  constexpr std::string_view kTypes = "12tTnDCIEsZNSAGHWcdVRK?";
  ReplyTrackerLimits limits;
  limits.entries = 64;
  ReplyTracker tracker(limits);
  std::size_t pushed = 0;
  std::string due;
  for (const char c : input) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 64) {
      const auto queued = tracker.push(static_cast<Request>(byte % 9), byte % 2 == 0 ? Disposition::Forward : Disposition::Swallow, byte);
      pushed += queued == ReplyTracker::Push::Queued ? 1 : 0;
    } else if (byte < 72) {
      (void)tracker.push_simulated("simulated", byte);
    } else if (byte < 80) {
      tracker.push_copy_end();
    } else {
      const auto reply = tracker.on_message(static_cast<BackendMessage>(kTypes[byte % kTypes.size()]), "ITE"[byte % 3]);
      if (reply.action == ReplyTracker::Reply::Action::Violation) break;
      tracker.take_simulated(due);
    }
    require(tracker.outstanding() <= limits.entries && tracker.outstanding_syncs() <= pushed);
  }
  tracker.abandon();
  require(tracker.skipped().size() <= limits.entries);
}

void authentication(std::string_view input) {
  (void)protocol::decode_authentication_request(input);
  (void)protocol::decode_password_message(input);
  (void)protocol::decode_sasl_initial_response(input);
  (void)protocol::interpret_ssl_answer(input);
}

void scram(std::string_view input) {
  protocol::ScramAttributes attributes(input);
  std::size_t count = 0;
  while (attributes.next()) require(++count <= input.size());
  (void)protocol::is_scram_nonce(input);
  if (const auto verifier = protocol::parse_scram_verifier(input))
    require(protocol::parse_scram_verifier(protocol::format_scram_verifier(*verifier)) == verifier);
}

void base64(std::string_view input) {
  require(protocol::base64_decode(protocol::base64_encode(input)) == std::string(input));
  // The unused bits of a last digit may be anything.
  if (const auto bytes = protocol::base64_decode(input)) require(protocol::base64_encode(*bytes).size() == input.size());
}

void parameters(std::string_view input) {
  protocol::ParameterStatusSet set;
  while (!input.empty()) {
    const std::size_t end = std::min(input.find('\n'), input.size());
    const auto line = input.substr(0, end);
    const std::size_t equals = std::min(line.find('='), line.size());
    (void)set.set(line.substr(0, equals), line.substr(std::min(equals + 1, line.size())));
    input.remove_prefix(std::min(end + 1, input.size()));
  }
  protocol::ParameterStatusSet known;
  std::string out;
  (void)protocol::append_changes(known, set, out);
  require(known == set);
}

void console(std::string_view input) {
  for (const auto statement : admin::split_statements(input)) {
    require(statement.data() >= input.data() && statement.data() + statement.size() <= input.data() + input.size());
    std::size_t end = 0;
    for (const auto& token : admin::tokenize(statement)) {
      require(token.begin >= end && !token.text.empty() && token.end() <= statement.size());
      end = token.end();
      (void)admin::name_of(token);
    }
  }
}

void renamed_error(std::string_view input) {
  const session::Renaming renamings[] = {{"pgweir_", "mine", 8, 6, 41}, {"pgweir_0", "other", 20, 7, 41}};
  std::string out;
  (void)session::retell_error(input, renamings, out);
  (void)session::count_characters(input, true);
}

constexpr fuzz::Decoder decoders[] = {replies, authentication, scram, base64, parameters, console, renamed_error};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  return fuzz::run_selected(decoders, data, size);
}
