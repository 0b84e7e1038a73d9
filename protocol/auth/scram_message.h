// The grammar of SCRAM messages (RFC 5802, section 7): attributes "x=value", separated by commas. For both sides' FSMs.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "protocol/auth/secret_random.h"
#include "protocol/result.h"

namespace pgweir::protocol {

// Cursor over the attributes of a message, which must outlive it.
class ScramAttributes {
 public:
  struct Attribute {
    char name = 0;  // a letter
    std::string_view value;
  };

  explicit ScramAttributes(std::string_view message) : rest_(message), at_end_(message.empty()) {}

  // The next attribute; empty when there is none or it is malformed.
  [[nodiscard]] std::optional<Attribute> next();
  // The value of the next attribute if it has that name; else empty, and the message is malformed.
  [[nodiscard]] std::optional<std::string_view> take(char name);
  // Skips optional extensions up to the end; false if one is malformed.
  [[nodiscard]] bool skip_extensions();
  // True when the whole message was read (a trailing comma is not an end).
  bool at_end() const { return at_end_; }

 private:
  std::string_view rest_;
  bool at_end_;
};

// Not empty; printable ASCII without comma.
[[nodiscard]] bool is_scram_nonce(std::string_view nonce);
// 18 random bytes in base64 (what PostgreSQL uses: 24 characters without padding). Empty when random fails.
[[nodiscard]] std::optional<std::string> make_scram_nonce(const RandomBytes& random);

// 08P01.
SqlError malformed_scram(std::string detail);
// XX000, for failures of random numbers and libcrypto.
SqlError scram_internal_error();

}  // namespace pgweir::protocol
