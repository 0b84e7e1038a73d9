#include "protocol/startup.h"

#include <gtest/gtest.h>

#include <memory>

#include "protocol/frontend_codec.h"
#include "protocol/server_startup.h"

namespace pgweir::protocol {
namespace {

using namespace std::literals;
using Kind = StartupAction::Kind;

std::string startup(std::uint32_t version = kProtocol30) {
  std::string out;
  const std::vector<std::pair<std::string_view, std::string_view>> parameters{{"user", "u"}, {"database", "d"}};
  encode_startup(version, parameters, out);
  return out;
}
std::string ssl_request() {
  std::string out;
  encode_ssl_request(out);
  return out;
}
const std::string kGss = "\0\0\0\x08\x04\xd2\x16\x30"s;

// A client that sends each piece when the one before was dealt with; the log is what the negotiation did.
std::string run(StartupNegotiation::Options options, const std::vector<std::string>& pieces, bool alpn = true) {
  StartupNegotiation negotiation(options);
  std::string log, buffer;
  for (const std::string& piece : pieces) {
    buffer += piece;
    std::string_view input = buffer;
    for (bool more = true; more;) {
      const StartupAction action = negotiation.next(input);
      switch (action.kind) {
        case Kind::NeedMore:
          EXPECT_GT(action.needed, input.size());
          EXPECT_LE(action.needed, kMaxStartupPacket + 4);
          more = false;
          break;
        case Kind::Send: log += action.answer; break;
        case Kind::StartTls:
        case Kind::DirectTls:
          log += action.kind == Kind::StartTls ? "[tls]" : "[direct]";
          negotiation.tls_established(alpn);
          if (action.kind == Kind::DirectTls) input = {};  // the handshake's bytes
          break;
        case Kind::Cancel:
          return log + "[cancel " + std::to_string(action.cancel_pid) + " " + std::string(action.cancel_key) + "]";
        case Kind::Startup:
          return log + "[startup " + negotiation.startup().user + "]";
        case Kind::Fail:
          return log + "[" + negotiation.error().sqlstate + (negotiation.reply() ? " " : " silent ") +
                 negotiation.error().message + "]";
      }
    }
    buffer.erase(0, buffer.size() - input.size());
  }
  return log + "[waiting]";
}

constexpr StartupNegotiation::Options kPlain{};
constexpr StartupNegotiation::Options kTls{true, false};

TEST(Startup, Sequences) {
  EXPECT_EQ(run(kPlain, {startup()}), "[startup u]");
  EXPECT_EQ(run(kPlain, {ssl_request(), startup()}), "N[startup u]");
  EXPECT_EQ(run(kTls, {ssl_request(), startup()}), "S[tls][startup u]");
  EXPECT_EQ(run(kPlain, {kGss, startup()}), "N[startup u]");
  EXPECT_EQ(run(kTls, {kGss, ssl_request(), startup()}), "NS[tls][startup u]");
  EXPECT_EQ(run(kPlain, {ssl_request(), kGss, startup()}), "NN[startup u]");
  EXPECT_EQ(run(kTls, {"\x16", startup()}), "[direct][startup u]");
}

TEST(Startup, EverySplitGivesTheSame) {
  for (const std::string& packet : {startup(), startup(kProtocol32)}) {
    for (std::size_t cut = 0; cut <= packet.size(); ++cut)
      EXPECT_EQ(run(kPlain, {packet.substr(0, cut), packet.substr(cut)}), "[startup u]") << cut;
  }
  const std::string ssl = ssl_request();
  for (std::size_t cut = 0; cut <= ssl.size(); ++cut)
    EXPECT_EQ(run(kTls, {ssl.substr(0, cut), ssl.substr(cut), startup()}), "S[tls][startup u]") << cut;
}

TEST(Startup, TruncatedPacketsWait) {
  const std::string packet = startup();
  for (std::size_t size = 0; size < packet.size(); ++size)
    EXPECT_EQ(run(kPlain, {packet.substr(0, size)}), "[waiting]");
}

TEST(Startup, BytesBehindARequestAreAnAttack) {
  EXPECT_EQ(run(kTls, {ssl_request() + startup()}), "[08P01 received unencrypted data after SSL request]");
  EXPECT_EQ(run(kPlain, {ssl_request() + "x"}), "[08P01 received unencrypted data after SSL request]");
  EXPECT_EQ(run(kPlain, {kGss + startup()}), "[08P01 received unencrypted data after GSSAPI encryption request]");
}

TEST(Startup, RequestsAreTakenOnce) {
  EXPECT_EQ(run(kPlain, {ssl_request(), ssl_request()}),
            "N[0A000 unsupported frontend protocol 1234.5679: server supports 3.0 to 3.2]");
  EXPECT_EQ(run(kTls, {ssl_request(), ssl_request()}),
            "S[tls][0A000 unsupported frontend protocol 1234.5679: server supports 3.0 to 3.2]");
  EXPECT_EQ(run(kPlain, {kGss, kGss}), "N[0A000 unsupported frontend protocol 1234.5680: server supports 3.0 to 3.2]");
  EXPECT_EQ(run(kTls, {ssl_request(), kGss}),
            "S[tls][0A000 unsupported frontend protocol 1234.5680: server supports 3.0 to 3.2]");
}

TEST(Startup, DirectTls) {
  EXPECT_EQ(run(kPlain, {"\x16\x03\x01"}), "[08P01 silent received direct SSL connection request, but TLS is off]");
  EXPECT_EQ(run(kTls, {"\x16", startup()}, false),
            "[direct][08P01 silent received direct SSL connection request without ALPN protocol negotiation "
            "extension]");
  EXPECT_EQ(run(kTls, {ssl_request(), startup()}, false), "S[tls][startup u]") << "optional behind SSLRequest";
  EXPECT_EQ(run(kPlain, {ssl_request(), "\x16\x03\x01\x02"}), "N[08P01 silent invalid length of startup packet]");
}

TEST(Startup, Cancel) {
  for (const std::size_t size : {4u, 8u, 32u, 256u}) {
    std::string packet;
    const std::string key(size, 'k');
    encode_cancel_request(77, key, packet);
    EXPECT_EQ(run(kPlain, {packet}), "[cancel 77 " + key + "]");
    EXPECT_EQ(run(kTls, {ssl_request(), packet}), "S[tls][cancel 77 " + key + "]");
  }
  for (const std::string& body : {""s, "abc"s, "abcd"s, "abcdefg"s, std::string(4 + 257, 'k')}) {
    std::string packet;
    ByteWriter writer(packet);
    writer.begin_untyped();
    writer.u32(kCancelRequestCode);
    writer.bytes(body);
    writer.end_message();
    EXPECT_EQ(run(kPlain, {packet}), "[08P01 silent invalid length of cancel request packet]") << body.size();
  }
}

TEST(Startup, HostileLengths) {
  for (const std::uint32_t length : {0u, 3u, 4u, 7u, 10'005u, 0x7fffffffu, 0x80000000u, 0xffffffffu}) {
    std::string packet;
    ByteWriter(packet).u32(length);
    EXPECT_EQ(run(kPlain, {packet}), "[08P01 silent invalid length of startup packet]") << length;
  }
  std::string largest;
  ByteWriter(largest).u32(10'004);
  EXPECT_EQ(run(kPlain, {largest}), "[waiting]");
}

TEST(Startup, OtherMajorVersions) {
  const std::vector<std::pair<std::uint32_t, std::string>> versions{
      {0x20000, "2.0"}, {0x10000, "1.0"}, {0x40000, "4.0"}};
  for (const auto& [version, name] : versions)
    EXPECT_EQ(run(kPlain, {startup(version)}),
              "[0A000 unsupported frontend protocol " + name + ": server supports 3.0 to 3.2]");
}

TEST(Startup, NothingFollowsTheEnd) {
  StartupNegotiation negotiation(kPlain);
  const std::string bytes = startup() + "Qrest";
  std::string_view input = bytes;
  EXPECT_EQ(negotiation.next(input).kind, Kind::Startup);
  EXPECT_EQ(input, "Qrest");
  EXPECT_EQ(negotiation.next(input).kind, Kind::Fail);
}

TEST(ServerStartup, SslAnswers) {
  EXPECT_EQ(*interpret_ssl_answer(""), SslAnswer::NeedMore);
  EXPECT_EQ(*interpret_ssl_answer("S"), SslAnswer::Accepted);
  EXPECT_EQ(*interpret_ssl_answer("N"), SslAnswer::Refused);
  EXPECT_EQ(interpret_ssl_answer("SR").error().message, "received unencrypted data after SSL response");
  EXPECT_FALSE(interpret_ssl_answer("NR").ok());
  EXPECT_FALSE(interpret_ssl_answer("E").ok());
}

}  // namespace
}  // namespace pgweir::protocol
