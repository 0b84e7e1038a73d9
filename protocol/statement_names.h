// Prepared statements of many clients on shared servers: the name a statement has on every server (a hash of its
// content), the clients' own names, and what one server holds. Not thread-safe.
#pragma once

#include <cstdint>
#include <functional>
#include <list>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>

#include "protocol/message_type.h"

namespace pgweir::protocol {

struct StatementHash {
  std::uint64_t high = 0, low = 0;
  auto operator<=>(const StatementHash&) const = default;
};
struct StatementHashHasher {
  std::size_t operator()(const StatementHash& hash) const { return static_cast<std::size_t>(hash.low); }
};

// The secret of the hash: chosen at random once a process, so that nobody can prepare colliding statements.
struct StatementHashKey {
  std::uint64_t first = 0, second = 0;
};

// SipHash-2-4 with 128 bits of output (Aumasson, Bernstein: "SipHash: a fast short-input PRF", and its 128-bit
// variant), over `bytes`.
StatementHash siphash128(const StatementHashKey& key, std::string_view bytes);

// Of the text sent to the server, the declared types and the id of the parse environment (role and settings; 0 for
// none). Whoever keeps definitions by this hash compares them in full on a hit.
StatementHash hash_statement(const StatementHashKey& key, std::string_view text, std::span<const Oid> types,
                             std::uint64_t environment);

// "pgweir_" and 32 hexadecimal digits.
constexpr std::size_t kServerStatementNameSize = 39;
void append_server_name(const StatementHash& hash, std::string& out);
std::string server_name(const StatementHash& hash);

// Which Parse of a statement is meant, and what it gave. Of a client's statement: its own Parse. Of a copy on a server: the one
// that made the copy.
struct StatementVersion {
  std::uint64_t stamp = 0;  // the owner's order of Parses; 0: older than all
  std::uint64_t shape = 0;  // shape_of_columns() (protocol/statement_shape.h); 0: not known (yet)
};

// Whether a client that made `mine` finds in `copy` what a server of its own would have: what it has made itself, or a newer
// one that gives the same. A copy from before the client's own Parse may know an older schema.
inline bool serves(const StatementVersion& copy, const StatementVersion& mine) {
  return copy.stamp == mine.stamp || (copy.stamp > mine.stamp && (mine.shape == 0 || copy.shape == mine.shape));
}

// What one server connection has prepared, least recently used first out. Several clients' pipelines share it, so
// nothing is evicted behind the owner's back: after insert(), call pop_excess() and send a Close for what it returns,
// in front of the Parse.
class ServerStatements {
 public:
  explicit ServerStatements(std::size_t capacity) : capacity_(capacity) {}

  // The server's copy, marking it most recently used; null when it does not have it. Valid until the next change. No
  // allocation.
  StatementVersion* touch(const StatementHash& hash);
  // The same without the mark.
  StatementVersion* find(const StatementHash& hash);
  bool contains(const StatementHash& hash) const { return index_.contains(hash); }
  // A new copy, of unknown shape. Replaces one that is there already.
  void insert(const StatementHash& hash, std::uint64_t stamp);
  // Takes out the least recently used one while there are more than the capacity; never the most recently used one.
  std::optional<StatementHash> pop_excess();
  // Also the way back after an error: a Parse that was skipped is erased, one whose Close was skipped inserted again.
  bool erase(const StatementHash& hash);
  void clear();
  std::size_t size() const { return index_.size(); }
  std::size_t capacity() const { return capacity_; }
  void set_capacity(std::size_t capacity) { capacity_ = capacity; }

 private:
  struct Item {
    StatementHash hash;
    StatementVersion version;
  };
  std::size_t capacity_;
  std::list<Item> order_;  // most recently used first
  std::unordered_map<StatementHash, std::list<Item>::iterator, StatementHashHasher> index_;
};

}  // namespace pgweir::protocol
