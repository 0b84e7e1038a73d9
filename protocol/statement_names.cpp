#include "protocol/statement_names.h"

#include <bit>

namespace pgweir::protocol {
namespace {

// SipHash-2-4-128 over pieces, without joining them first.
class SipHasher {
 public:
  explicit SipHasher(const StatementHashKey& key)
      : v0_(0x736f6d6570736575 ^ key.first),
        v1_(0x646f72616e646f6d ^ key.second ^ 0xee),
        v2_(0x6c7967656e657261 ^ key.first),
        v3_(0x7465646279746573 ^ key.second) {}

  void update(std::string_view bytes) {
    size_ += bytes.size();
    std::size_t at = 0;
    while (filled_ != 0 && at < bytes.size()) add(bytes[at++]);
    for (; at + 8 <= bytes.size(); at += 8) block(load(bytes.data() + at));
    while (at < bytes.size()) add(bytes[at++]);
  }
  void update(std::uint64_t number) {
    char raw[8];
    for (int i = 0; i < 8; ++i) raw[i] = static_cast<char>(number >> 8 * i);
    update(std::string_view(raw, 8));
  }

  StatementHash finish() {
    block(pending_ | static_cast<std::uint64_t>(size_ & 0xff) << 56);
    v2_ ^= 0xee;
    for (int i = 0; i < 4; ++i) round();
    const std::uint64_t low = v0_ ^ v1_ ^ v2_ ^ v3_;
    v1_ ^= 0xdd;
    for (int i = 0; i < 4; ++i) round();
    return StatementHash{v0_ ^ v1_ ^ v2_ ^ v3_, low};
  }

 private:
  static std::uint64_t load(const char* at) {
    std::uint64_t word = 0;
    for (int i = 0; i < 8; ++i) word |= static_cast<std::uint64_t>(static_cast<unsigned char>(at[i])) << 8 * i;
    return word;
  }
  void add(char byte) {
    pending_ |= static_cast<std::uint64_t>(static_cast<unsigned char>(byte)) << 8 * filled_;
    if (++filled_ < 8) return;
    block(pending_);
    pending_ = 0;
    filled_ = 0;
  }
  void block(std::uint64_t word) {
    v3_ ^= word;
    round();
    round();
    v0_ ^= word;
  }
  void round() {
    v0_ += v1_; v1_ = std::rotl(v1_, 13); v1_ ^= v0_; v0_ = std::rotl(v0_, 32);
    v2_ += v3_; v3_ = std::rotl(v3_, 16); v3_ ^= v2_;
    v0_ += v3_; v3_ = std::rotl(v3_, 21); v3_ ^= v0_;
    v2_ += v1_; v1_ = std::rotl(v1_, 17); v1_ ^= v2_; v2_ = std::rotl(v2_, 32);
  }

  std::uint64_t v0_, v1_, v2_, v3_;
  std::uint64_t pending_ = 0;
  unsigned filled_ = 0;  // bytes in pending_
  std::size_t size_ = 0;
};

void append_hex(std::uint64_t number, std::string& out) {
  for (int shift = 60; shift >= 0; shift -= 4) out.push_back("0123456789abcdef"[number >> shift & 0xf]);
}

}  // namespace

StatementHash siphash128(const StatementHashKey& key, std::string_view bytes) {
  SipHasher hasher(key);
  hasher.update(bytes);
  return hasher.finish();
}

StatementHash hash_statement(const StatementHashKey& key, std::string_view text, std::span<const Oid> types,
                             std::uint64_t environment) {
  SipHasher hasher(key);
  hasher.update(environment);
  hasher.update(std::uint64_t{types.size()});
  for (const Oid type : types) hasher.update(std::uint64_t{type});
  hasher.update(text);
  return hasher.finish();
}

void append_server_name(const StatementHash& hash, std::string& out) {
  out.append("pgweir_");
  append_hex(hash.high, out);
  append_hex(hash.low, out);
}

std::string server_name(const StatementHash& hash) {
  std::string name;
  name.reserve(kServerStatementNameSize);
  append_server_name(hash, name);
  return name;
}

StatementVersion* ServerStatements::touch(const StatementHash& hash) {
  const auto found = index_.find(hash);
  if (found == index_.end()) return nullptr;
  order_.splice(order_.begin(), order_, found->second);
  return &found->second->version;
}

StatementVersion* ServerStatements::find(const StatementHash& hash) {
  const auto found = index_.find(hash);
  return found == index_.end() ? nullptr : &found->second->version;
}

void ServerStatements::insert(const StatementHash& hash, std::uint64_t stamp) {
  const auto found = index_.find(hash);
  if (found != index_.end()) {
    found->second->version = {stamp, 0};
    order_.splice(order_.begin(), order_, found->second);
    return;
  }
  order_.push_front(Item{hash, {stamp, 0}});
  index_.emplace(hash, order_.begin());
}

std::optional<StatementHash> ServerStatements::pop_excess() {
  if (order_.size() <= capacity_ || order_.size() <= 1) return std::nullopt;
  const StatementHash oldest = order_.back().hash;
  index_.erase(oldest);
  order_.pop_back();
  return oldest;
}

bool ServerStatements::erase(const StatementHash& hash) {
  const auto found = index_.find(hash);
  if (found == index_.end()) return false;
  order_.erase(found->second);
  index_.erase(found);
  return true;
}

void ServerStatements::clear() {
  order_.clear();
  index_.clear();
}

}  // namespace pgweir::protocol
