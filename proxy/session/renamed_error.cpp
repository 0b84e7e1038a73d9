#include "proxy/session/renamed_error.h"

#include <algorithm>
#include <charconv>

#include "protocol/byte_io.h"

namespace pgweir::session {
namespace {

std::string rename(std::string_view message, std::span<const Renaming> renamings) {
  std::string told(message);
  for (const auto& renaming : renamings) {
    if (renaming.internal.empty()) continue;
    const auto at = told.find('"' + renaming.internal);
    if (at == std::string::npos) continue;
    const auto end = told.find('"', at + 1);
    if (end != std::string::npos) told.replace(at + 1, end - at - 1, renaming.own);
  }
  return told;
}

// position: counted from 1 in the text that was sent.
std::size_t in_own_text(std::size_t position, std::span<const Renaming> renamings) {
  std::size_t longer = 0;  // what was sent, up to here
  for (const auto& renaming : renamings) {
    if (renaming.at == Renaming::kNowhere) continue;
    const std::size_t sent_at = renaming.at + longer;
    if (position <= sent_at + 1) break;
    if (position <= sent_at + renaming.sent_size) return renaming.at + 1;
    longer += renaming.sent_size - renaming.own_size;  // may wrap: sums do, too
  }
  return position - longer;
}

}  // namespace

std::string with_name(std::string_view sql, std::size_t begin, std::size_t end, std::string_view name) {
  std::string text(sql.substr(0, begin));
  ((text += '"') += name) += '"';
  return text += sql.substr(end);
}

std::size_t count_characters(std::string_view text, bool utf8) {
  if (!utf8) return text.size();
  return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xc0) != 0x80; }));
}

bool retell_error(std::string_view body, std::span<const Renaming> renamings, std::string& out) {
  const std::size_t start = out.size();
  bool changed = false;
  protocol::ByteWriter writer(out);
  writer.begin_message('E');
  for (std::size_t at = 0; at < body.size() && body[at] != '\0';) {
    const std::size_t end = body.find('\0', at);
    if (end == std::string_view::npos) break;  // malformed: the server's own bytes are no worse
    const std::string_view value = body.substr(at + 1, end - at - 1);
    std::string told;
    if (body[at] == 'M') told = rename(value, renamings);
    std::size_t position = 0;
    if (body[at] == 'P' && std::from_chars(value.data(), value.data() + value.size(), position).ec == std::errc())
      told = std::to_string(in_own_text(position, renamings));
    writer.character(body[at]);
    const bool other = !told.empty() && told != value;
    writer.cstring(other ? std::string_view(told) : value);
    changed |= other;
    at = end + 1;
  }
  writer.u8(0);
  writer.end_message();
  if (!changed) out.resize(start);
  return changed;
}

}  // namespace pgweir::session
