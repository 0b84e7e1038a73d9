#include "tests/integration/raw_client.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <algorithm>
#include <stdexcept>

namespace pgweir::support {

std::string raw_int32(std::uint32_t value) {
  const std::uint32_t wire = htonl(value);
  return {reinterpret_cast<const char*>(&wire), sizeof wire};
}

std::string raw_int16(std::uint16_t value) {
  const std::uint16_t wire = htons(value);
  return {reinterpret_cast<const char*>(&wire), sizeof wire};
}

std::string raw_message(char type, std::string_view body) {
  return type + raw_int32(static_cast<std::uint32_t>(body.size() + 4)) + std::string(body);
}

std::string raw_startup(std::uint32_t version, const std::vector<std::pair<std::string, std::string>>& parameters) {
  std::string body = raw_int32(version);
  for (const auto& [name, value] : parameters) body += raw_text(name) + raw_text(value);
  body += '\0';
  return raw_int32(static_cast<std::uint32_t>(body.size() + 4)) + body;
}

std::string raw_field(const std::string& body, char code) {
  for (std::size_t at = 0; at < body.size() && body[at] != '\0';) {
    const std::size_t end = body.find('\0', at + 1);
    if (end == std::string::npos) break;
    if (body[at] == code) return body.substr(at + 1, end - at - 1);
    at = end + 1;
  }
  return "";
}

RawClient::RawClient(std::uint16_t port, int patience) : fd_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  const timeval deadline{patience, 0};
  ::setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &deadline, sizeof deadline);
  ::setsockopt(fd_, SOL_SOCKET, SO_SNDTIMEO, &deadline, sizeof deadline);
  if (::connect(fd_, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0)
    throw std::runtime_error("cannot connect to port " + std::to_string(port));
}

RawClient::~RawClient() { close(); }

void RawClient::close() {
  if (fd_ >= 0) ::close(std::exchange(fd_, -1));
}

void RawClient::reset() {
  const linger hard{1, 0};
  ::setsockopt(fd_, SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
  close();
}

void RawClient::half_close() { ::shutdown(fd_, SHUT_WR); }

bool RawClient::send(std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t sent = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent <= 0) return false;
    bytes.remove_prefix(static_cast<std::size_t>(sent));
  }
  return true;
}

bool RawClient::receive_exactly(char* to, std::size_t size) {
  while (size > 0) {
    const ssize_t count = ::recv(fd_, to, size, 0);
    if (count <= 0) return false;
    to += count;
    size -= static_cast<std::size_t>(count);
  }
  return true;
}

std::optional<char> RawClient::receive_byte() {
  char byte = 0;
  if (!receive_exactly(&byte, 1)) return std::nullopt;
  return byte;
}

std::optional<RawMessage> RawClient::receive() {
  RawMessage message;
  std::uint32_t length = 0;
  if (!receive_exactly(&message.type, 1) || !receive_exactly(reinterpret_cast<char*>(&length), 4)) return std::nullopt;
  length = ntohl(length);
  if (length < 4 || length > 1u << 30) throw std::runtime_error("a message's length is " + std::to_string(length));
  message.body.resize(length - 4);
  if (!receive_exactly(message.body.data(), message.body.size())) return std::nullopt;
  return message;
}

std::optional<char> RawClient::receive_pieces(const std::function<void(std::string_view)>& take) {
  char type = 0;
  std::uint32_t length = 0;
  if (!receive_exactly(&type, 1) || !receive_exactly(reinterpret_cast<char*>(&length), 4)) return std::nullopt;
  std::string piece(1u << 20, '\0');
  for (std::size_t left = ntohl(length) - 4; left > 0;) {
    const std::size_t size = std::min(left, piece.size());
    if (!receive_exactly(piece.data(), size)) return std::nullopt;
    take(std::string_view(piece).substr(0, size));
    left -= size;
  }
  return type;
}

std::string RawClient::receive_rest() {
  std::string all, piece(1u << 20, '\0');
  for (ssize_t count = 0; (count = ::recv(fd_, piece.data(), piece.size(), 0)) > 0;) all.append(piece, 0, static_cast<std::size_t>(count));
  return all;
}

std::vector<RawMessage> RawClient::receive_until(char type) {
  std::vector<RawMessage> messages;
  while (auto message = receive()) {
    messages.push_back(std::move(*message));
    if (messages.back().type == type) break;
  }
  return messages;
}

bool RawClient::closed() {
  char byte = 0;
  while (true) {
    const ssize_t count = ::recv(fd_, &byte, 1, MSG_PEEK);
    if (count == 0) return true;
    if (count < 0) return errno == ECONNRESET;
    const auto message = receive();
    if (!message || message->type != 'E') return !message.has_value();
  }
}

std::vector<RawMessage> RawClient::log_in(std::uint32_t version,
                                          const std::vector<std::pair<std::string, std::string>>& more) {
  std::vector<std::pair<std::string, std::string>> parameters{{"user", "app"}, {"database", "fediflow"}};
  parameters.insert(parameters.end(), more.begin(), more.end());
  send(raw_startup(version, parameters));
  return receive_until('Z');
}

std::vector<RawMessage> RawClient::query(std::string_view sql) {
  send(raw_query(sql));
  return receive_until('Z');
}

std::string raw_types(const std::vector<RawMessage>& messages) {
  std::string types;
  for (const auto& message : messages) types += message.type;
  return types;
}

RawMessage raw_find(const std::vector<RawMessage>& messages, char type) {
  for (const auto& message : messages)
    if (message.type == type) return message;
  return {};
}

std::string raw_query(std::string_view sql) { return raw_message('Q', raw_text(sql)); }

std::string raw_parse(std::string_view name, std::string_view sql) {
  return raw_message('P', raw_text(name) + raw_text(sql) + raw_int16(0));
}

std::string raw_bind(std::string_view portal, std::string_view statement, const std::vector<std::string>& values) {
  std::string body = raw_text(portal) + raw_text(statement) + raw_int16(0);
  body += raw_int16(static_cast<std::uint16_t>(values.size()));
  for (const auto& value : values) body += raw_int32(static_cast<std::uint32_t>(value.size())) + value;
  return raw_message('B', body + raw_int16(0));
}

std::string raw_describe(char kind, std::string_view name) { return raw_message('D', kind + raw_text(name)); }
std::string raw_execute(std::string_view portal, std::uint32_t rows) {
  return raw_message('E', raw_text(portal) + raw_int32(rows));
}
std::string raw_close(char kind, std::string_view name) { return raw_message('C', kind + raw_text(name)); }
std::string raw_sync() { return raw_message('S', ""); }
std::string raw_flush() { return raw_message('H', ""); }

}  // namespace pgweir::support
