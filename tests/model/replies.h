// What a client of the model receives: counted, shown, and compared with what it would receive directly.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace pgweir::model {

// Whole messages of this type.
std::size_t count_replies(std::string_view bytes, char type);
// One line for each message.
std::string show_replies(std::string_view bytes);
// The same of what a client sends, behind its startup packet.
std::string show_requests(std::string_view bytes);

struct Comparison {
  std::string malformed;              // it is no stream of messages
  std::string difference;             // the first one; empty where the one is a beginning of the other
  bool complete = false;              // all that is expected has come
  std::size_t same_until_ready = 0;   // how many ReadyForQuery there were before the first difference
};
// The parameters that a client knows must be the same at each ReadyForQuery; keys and versions of the login may differ.
Comparison compare_replies(std::string_view expected, std::string_view received);

// "clientN-..." of another client; empty when there is none.
std::string foreign_text(std::string_view bytes, std::string_view tag);

}  // namespace pgweir::model
