// The startup negotiation over any bytes: bounded, and the same whether they come as asked for or one by one.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "protocol/startup.h"

namespace {

using namespace pgweir::protocol;
using Kind = StartupAction::Kind;

void require(bool condition) {
  if (!condition) std::abort();
}

// What the negotiation did with `stream`, given in the pieces it asked for or byte by byte, so that nothing ever
// stands behind a request for encryption.
std::string run(StartupNegotiation::Options options, std::string_view stream, bool byte_by_byte) {
  StartupNegotiation negotiation(options);
  std::string log, buffer;
  std::size_t wanted = 1;
  while (stream.size() >= (byte_by_byte ? 1 : wanted - buffer.size())) {
    const std::size_t take = byte_by_byte ? 1 : wanted - buffer.size();
    buffer.append(stream.substr(0, take));
    stream.remove_prefix(take);
    std::string_view input = buffer;
    for (bool more = true; more;) {
      const StartupAction action = negotiation.next(input);
      switch (action.kind) {
        case Kind::NeedMore:
          require(action.needed > input.size() && action.needed <= kMaxStartupPacket + 4);
          wanted = action.needed;
          more = false;
          break;
        case Kind::Send:
          log += action.answer;
          break;
        case Kind::StartTls:
        case Kind::DirectTls:
          log += "t";
          negotiation.tls_established(true);
          if (action.kind == Kind::DirectTls) input = {};
          break;
        case Kind::Cancel:
          require(action.cancel_key.size() >= kMinCancelKey && action.cancel_key.size() <= kMaxCancelKey);
          return log + "c" + std::to_string(action.cancel_pid) + std::string(action.cancel_key);
        case Kind::Startup: {
          StartupRequest& request = negotiation.startup();
          require(!request.user.empty() && !request.database.empty());
          require(request.version <= request.requested_version);
          log += "s" + request.user + request.database + std::to_string(request.settings.size());
          for (const auto& [name, value] : request.settings) log += name + "=" + value;
          return log;
        }
        case Kind::Fail:
          require(negotiation.error().sqlstate.size() == 5);
          return log + negotiation.error().message;
      }
    }
    buffer.erase(0, buffer.size() - input.size());
  }
  return log;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 1) return 0;
  const StartupNegotiation::Options options{data[0] % 2 == 1, data[0] % 4 >= 2};
  const std::string_view stream(reinterpret_cast<const char*>(data) + 1, size - 1);
  require(run(options, stream, true) == run(options, stream, false));
  (void)parse_startup_options(stream);
  return 0;
}
