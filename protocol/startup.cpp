#include "protocol/startup.h"

#include "protocol/byte_io.h"

namespace pgweir::protocol {
namespace {

constexpr std::string_view kStuffed =
    "This could be either a client-software bug or evidence of an attempted man-in-the-middle attack.";
constexpr char kTlsHandshake = 0x16;  // the content type that a TLS ClientHello begins with

using Kind = StartupAction::Kind;

}  // namespace

StartupAction StartupNegotiation::next(std::string_view& input) {
  switch (state_) {
    case State::Packet:
      return next_packet(input);
    case State::AnsweredSsl:
      state_ = State::AwaitTls;
      return StartupAction{Kind::StartTls};
    case State::AwaitTls:
      return StartupAction{Kind::StartTls};
    case State::AwaitDirectTls:
      return StartupAction{Kind::DirectTls};
    case State::MissingAlpn:
      return fail("08P01", "received direct SSL connection request without ALPN protocol negotiation extension", false);
    case State::Done:
      break;
  }
  if (error_.sqlstate.empty()) return fail("08P01", "the startup has ended", false);
  return StartupAction{Kind::Fail};
}

void StartupNegotiation::tls_established(bool alpn_postgresql) {
  state_ = state_ == State::AwaitDirectTls && !alpn_postgresql ? State::MissingAlpn : State::Packet;
  tls_ = true;
}

StartupAction StartupNegotiation::next_packet(std::string_view& input) {
  if (input.empty()) return StartupAction{Kind::NeedMore, 1};
  // Only as the very first byte: behind a refused SSLRequest it is a length, and a bad one.
  if (input[0] == kTlsHandshake && !tls_ && !ssl_asked_ && !gss_asked_) {
    if (!options_.tls_available) return fail("08P01", "received direct SSL connection request, but TLS is off", false);
    state_ = State::AwaitDirectTls;
    return StartupAction{Kind::DirectTls};
  }
  if (input.size() < 4) return StartupAction{Kind::NeedMore, 4};
  const std::uint32_t length = load_u32(input, 0);
  if (length < 8 || length - 4 > kMaxStartupPacket)
    return fail("08P01", "invalid length of startup packet", false);
  if (input.size() < length) return StartupAction{Kind::NeedMore, length};
  const std::uint32_t code = load_u32(input, 4);
  const std::string_view body = input.substr(8, length - 8);
  input.remove_prefix(length);
  switch (code) {
    case kCancelRequestCode:
      return cancel_request(body);
    case kSslRequestCode:
      return ssl_request(input);
    case kGssEncRequestCode:
      return gss_request(input);
    default:
      break;
  }
  if (code >> 16 != 3) return unsupported(code);
  auto decoded = decode_startup_packet(code, body);
  state_ = State::Done;
  if (!decoded) {
    error_ = std::move(decoded.error());
    reply_ = true;
    return StartupAction{Kind::Fail};
  }
  request_ = std::move(*decoded);
  return StartupAction{Kind::Startup};
}

StartupAction StartupNegotiation::ssl_request(std::string_view& input) {
  if (tls_ || ssl_asked_) return unsupported(kSslRequestCode);
  ssl_asked_ = true;
  if (!input.empty()) return fail("08P01", "received unencrypted data after SSL request", true, std::string(kStuffed));
  if (!options_.tls_available) return StartupAction{Kind::Send, 0, 'N'};
  state_ = State::AnsweredSsl;
  return StartupAction{Kind::Send, 0, 'S'};
}

StartupAction StartupNegotiation::gss_request(std::string_view& input) {
  if (tls_ || gss_asked_) return unsupported(kGssEncRequestCode);
  gss_asked_ = true;
  if (!input.empty())
    return fail("08P01", "received unencrypted data after GSSAPI encryption request", true, std::string(kStuffed));
  return StartupAction{Kind::Send, 0, 'N'};
}

StartupAction StartupNegotiation::cancel_request(std::string_view body) {
  ByteReader reader(body);
  const std::int32_t pid = reader.i32();
  const std::string_view key = reader.rest();
  if (key.size() < kMinCancelKey || key.size() > kMaxCancelKey)
    return fail("08P01", "invalid length of cancel request packet", false);
  state_ = State::Done;
  return StartupAction{Kind::Cancel, 0, 0, pid, key};
}

StartupAction StartupNegotiation::unsupported(std::uint32_t version) {
  return fail("0A000",
              "unsupported frontend protocol " + std::to_string(version >> 16) + "." +
                  std::to_string(version & 0xffff) + ": server supports 3.0 to 3.2",
              true);
}

StartupAction StartupNegotiation::fail(std::string_view sqlstate, std::string message, bool reply, std::string detail) {
  error_ = SqlError{std::string(sqlstate), std::move(message), std::move(detail), {}, {}, {}};
  reply_ = reply;
  state_ = State::Done;
  return StartupAction{Kind::Fail};
}

}  // namespace pgweir::protocol
