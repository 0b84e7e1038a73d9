// Errors of commands that were sent with a prepared statement's name on servers in the place of the client's own: the client
// is told its name and the place in its own text. Values; thread-safe.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>

namespace pgweir::session {

// One name in a text that was sent.
struct Renaming {
  static constexpr std::size_t kNowhere = static_cast<std::size_t>(-1);
  std::string internal, own;         // as stored, not quoted; of `internal` the beginning is enough, and empty: not in messages
  std::size_t at = kNowhere;         // characters of the client's text in front of the name; kNowhere: positions do not move
  std::size_t own_size = 0;          // characters of the name as the client wrote it,
  std::size_t sent_size = 0;         // ... and as it was sent
};

// `sql` with [begin, end) replaced by the quoted name. The name needs no doubling of quotes.
std::string with_name(std::string_view sql, std::size_t begin, std::size_t end, std::string_view name);

// Characters of a text of the client. utf8: client_encoding is UTF8; else bytes are counted, which is right for encodings of one
// byte and an approximation for the few others.
std::size_t count_characters(std::string_view text, bool utf8);

// Appends the ErrorResponse with this body, corrected, to `out`. Renamings are in the order of the text. False: there was
// nothing to correct, `out` is as it was.
bool retell_error(std::string_view body, std::span<const Renaming> renamings, std::string& out);

}  // namespace pgweir::session
