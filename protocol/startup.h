// Startup negotiation towards clients: from the first byte of a connection to its startup packet, or a cancel request.
// Sans-I/O: give it what was received and do what it says. Source: PostgreSQL documentation, "Frontend/Backend
// Protocol", Message Flow, and the answers of backend_startup.c. Not thread-safe.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "protocol/message_type.h"
#include "protocol/result.h"

namespace pgweir::protocol {

enum class Replication : std::uint8_t { None, Physical, Database };

struct StartupRequest {
  std::uint32_t requested_version = kProtocol30;
  std::uint32_t version = kProtocol30;  // what is spoken: kProtocol30 or kProtocol32
  std::string user, database;           // database defaults to user
  Replication replication = Replication::None;
  // In the order in which PostgreSQL applies them: those of `options` first, then the other parameters as sent. Names
  // of `options` have '-' turned into '_'. A name may occur more than once; the last one counts.
  std::vector<std::pair<std::string, std::string>> settings;
  std::vector<std::string> unknown_protocol_options;  // "_pq_.*"
  // One NegotiateProtocolVersion(version, unknown_protocol_options) is due before authentication.
  bool negotiate = false;
};

// The settings of a startup parameter `options`: -c name=value, -cname=value, --name=value, words separated by white
// space, a backslash takes the next character literally; of the one-letter switches of postgres(1) -e, -F, -O, -P, -s
// and -S. Anything else is 42601, as PostgreSQL says it.
Result<std::vector<std::pair<std::string, std::string>>> parse_startup_options(std::string_view options);

// Decodes a startup packet from behind its length and version fields.
Result<StartupRequest> decode_startup_packet(std::uint32_t version, std::string_view body);

struct StartupAction {
  enum class Kind : std::uint8_t {
    NeedMore,   // read until `needed` bytes are there
    Send,       // send the byte `answer`, call next() again
    StartTls,   // all plaintext is used up: shake hands, then tls_established(), then next() with decrypted bytes
    DirectTls,  // the same, but the bytes in `input` already belong to the handshake (ALPN is mandatory)
    Cancel,     // cancel_pid, cancel_key; answer nothing, close
    Startup,    // startup() has it; go on with authentication. Bytes left in `input` follow it.
    Fail,       // error(): send it as a FATAL if reply() says so, close
  };
  Kind kind = Kind::NeedMore;
  std::size_t needed = 0;
  char answer = 0;
  std::int32_t cancel_pid = 0;
  std::string_view cancel_key;  // points into the input
};

class StartupNegotiation {
 public:
  struct Options {
    bool tls_available = false;   // answers SSLRequest 'S' and takes direct TLS
    bool tls_established = false;  // a listener that is already inside TLS
  };
  explicit StartupNegotiation(Options options) : options_(options), tls_(options.tls_established) {}

  // Looks at what was received and not used yet; takes from the front of `input` what it has used. Never asks for more
  // than 10,004 bytes. After Cancel, Startup and Fail it is done: further calls give Fail.
  StartupAction next(std::string_view& input);

  // The handshake that StartTls or DirectTls asked for has succeeded. alpn_postgresql: the client chose "postgresql" by
  // ALPN; a direct handshake without it makes the next call fail.
  void tls_established(bool alpn_postgresql);

  bool tls() const { return tls_; }
  StartupRequest& startup() { return request_; }  // Precondition: Startup was returned.
  const SqlError& error() const { return error_; }  // Precondition: Fail was returned.
  // False for garbage to which PostgreSQL itself answers nothing.
  bool reply() const { return reply_; }

 private:
  enum class State : std::uint8_t { Packet, AnsweredSsl, AwaitTls, AwaitDirectTls, MissingAlpn, Done };

  StartupAction next_packet(std::string_view& input);
  StartupAction ssl_request(std::string_view& input);
  StartupAction gss_request(std::string_view& input);
  StartupAction unsupported(std::uint32_t version);
  StartupAction cancel_request(std::string_view body);
  StartupAction fail(std::string_view sqlstate, std::string message, bool reply, std::string detail = {});

  Options options_;
  State state_ = State::Packet;
  bool tls_ = false;
  bool ssl_asked_ = false;
  bool gss_asked_ = false;
  bool reply_ = false;
  StartupRequest request_;
  SqlError error_;
};

}  // namespace pgweir::protocol
