// A client that sends the bytes a test gives it: what libpq never does.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace pgweir::support {

struct RawMessage {
  char type = 0;
  std::string body;
};

// Parts of messages, big-endian.
std::string raw_int32(std::uint32_t value);
std::string raw_int16(std::uint16_t value);
inline std::string raw_text(std::string_view text) { return std::string(text) + '\0'; }
std::string raw_message(char type, std::string_view body);
// A startup packet: "user", "app", "database", ... in pairs.
std::string raw_startup(std::uint32_t version, const std::vector<std::pair<std::string, std::string>>& parameters);
// One field of an ErrorResponse's or NoticeResponse's body; empty when absent.
std::string raw_field(const std::string& body, char code);
inline constexpr std::uint32_t kVersion30 = 3u << 16, kVersion32 = (3u << 16) | 2, kVersionGrease = (3u << 16) | 9999;

// A blocking TCP connection to 127.0.0.1; every receive gives up after `patience` seconds. Not thread-safe.
class RawClient {
 public:
  explicit RawClient(std::uint16_t port, int patience = 10);
  ~RawClient();
  RawClient(RawClient&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  RawClient& operator=(RawClient&&) = delete;

  bool send(std::string_view bytes);
  // Nothing: the end of the connection, or the deadline passed.
  std::optional<RawMessage> receive();
  std::optional<char> receive_byte();
  // Like receive() for a message that is too large to hold: `take` gets its body in pieces. Returns its type.
  std::optional<char> receive_pieces(const std::function<void(std::string_view)>& take);
  std::string receive_rest();  // all bytes up to the end or the deadline
  // Messages up to and with the first of this type, fewer at the end or the deadline.
  std::vector<RawMessage> receive_until(char type);
  // True when the other side closed, within the deadline, having sent nothing more than ErrorResponses.
  bool closed();
  void reset();  // closes with RST
  void close();
  void half_close();  // the other side meets the end; what it still sends can be received

  // Startup under trust authentication up to ReadyForQuery; returns what came.
  std::vector<RawMessage> log_in(std::uint32_t version = kVersion30,
                                 const std::vector<std::pair<std::string, std::string>>& more = {});
  // Query and everything up to ReadyForQuery.
  std::vector<RawMessage> query(std::string_view sql);

 private:
  bool receive_exactly(char* to, std::size_t size);
  int fd_;
};

// The types of messages in a row: "TDCZ".
std::string raw_types(const std::vector<RawMessage>& messages);
// The first message of this type; an empty one when there is none.
RawMessage raw_find(const std::vector<RawMessage>& messages, char type);

// Messages of the extended protocol, all in text format.
std::string raw_query(std::string_view sql);
std::string raw_parse(std::string_view name, std::string_view sql);
std::string raw_bind(std::string_view portal, std::string_view statement, const std::vector<std::string>& values = {});
std::string raw_describe(char kind, std::string_view name);
std::string raw_execute(std::string_view portal, std::uint32_t rows = 0);
std::string raw_close(char kind, std::string_view name);
std::string raw_sync();
std::string raw_flush();

}  // namespace pgweir::support
