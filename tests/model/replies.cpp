#include "tests/model/replies.h"

#include <algorithm>
#include <map>
#include <optional>

#include "protocol/backend_codec.h"
#include "protocol/byte_io.h"

namespace pgweir::model {
namespace {

struct Message {
  char type = 0;
  std::string_view body;
};

class Messages {
 public:
  explicit Messages(std::string_view bytes) : rest_(bytes) {}
  // The next one; none at the end, and where it is not whole.
  std::optional<Message> next() {
    if (rest_.size() < 5) return std::nullopt;
    const std::size_t size = std::size_t{1} + protocol::load_u32(rest_, 1);
    if (size < 5 || size > rest_.size()) return std::nullopt;
    const Message message{rest_.front(), rest_.substr(5, size - 5)};
    rest_.remove_prefix(size);
    return message;
  }
  // The next that is an answer; ParameterStatus is noted.
  std::optional<Message> answer(std::map<std::string, std::string>& parameters) {
    while (auto message = next()) {
      if (message->type == 'S') {
        if (const auto status = protocol::decode_parameter_status(message->body)) parameters[std::string(status->name)] = status->value;
      } else if (message->type != 'N') {
        return message;
      }
    }
    return std::nullopt;
  }

 private:
  std::string_view rest_;
};

std::string show(const Message& message) {
  std::string out(1, message.type);
  if (message.type == 'E') {
    const auto error = protocol::decode_error(message.body);
    return out + " " + (error.ok() ? std::string(error->sqlstate) + " " + std::string(error->message) : "malformed");
  }
  if (message.type == 'K') return out;
  out += ' ';
  for (const char c : message.body) out += c >= ' ' && c <= '~' ? c : '.';
  return out;
}

}  // namespace

std::size_t count_replies(std::string_view bytes, char type) {
  Messages messages(bytes);
  std::size_t count = 0;
  while (const auto message = messages.next()) count += message->type == type ? 1 : 0;
  return count;
}

std::string show_replies(std::string_view bytes) {
  Messages messages(bytes);
  std::string out;
  while (const auto message = messages.next()) out += "  " + show(*message) + "\n";
  return out;
}

std::string show_requests(std::string_view bytes) {
  if (bytes.size() < 4) return {};
  Messages messages(bytes.substr(std::min<std::size_t>(protocol::load_u32(bytes, 0), bytes.size())));
  std::string out;
  while (const auto message = messages.next()) {
    out += std::string("  ") + message->type + ' ';
    for (const char c : message->body) out += c >= ' ' && c <= '~' ? c : '.';
    out += '\n';
  }
  return out;
}

Comparison compare_replies(std::string_view expected, std::string_view received) {
  Comparison result;
  Messages wanted(expected), got(received);
  std::map<std::string, std::string> wanted_parameters, got_parameters;
  for (std::size_t at = 1;; ++at) {
    const auto want = wanted.answer(wanted_parameters);
    const auto have = got.answer(got_parameters);
    if (!want) {
      result.complete = true;
      if (have) result.difference = "an answer more than expected: " + show(*have);
      return result;
    }
    if (!have) return result;
    if (std::string_view("RSKZTDCEIntsV123GHdcAWv").find(have->type) == std::string_view::npos) {
      result.malformed = "message " + std::to_string(at) + " is of no known type: " + show(*have);
      return result;
    }
    if (show(*want) != show(*have)) {
      result.difference = "answer " + std::to_string(at) + " is \"" + show(*have) + "\" and not \"" + show(*want) + "\"";
      return result;
    }
    if (have->type != 'Z') continue;
    if (wanted_parameters != got_parameters) {
      for (const auto& [name, value] : wanted_parameters)
        if (got_parameters[name] != value) result.difference = "at answer " + std::to_string(at) + " parameter " + name + " is \"" + got_parameters[name] + "\" and not \"" + value + "\"";
      if (result.difference.empty()) result.difference = "a parameter more than expected";
      return result;
    }
    ++result.same_until_ready;
  }
}

std::string foreign_text(std::string_view bytes, std::string_view tag) {
  for (const std::string_view start : {"client", "auditor"})
    for (std::size_t at = bytes.find(start); at != std::string_view::npos; at = bytes.find(start, at + 1)) {
      const auto end = bytes.find('-', at);
      const auto found = bytes.substr(at, end == std::string_view::npos || end - at > 9 ? 0 : end - at);
      if (!found.empty() && found != tag && found.find('_') == std::string_view::npos) return std::string(found);
    }
  return {};
}

}  // namespace pgweir::model
