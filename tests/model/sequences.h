// What the clients of one test do, drawn from bytes: the input of a fuzzer, or random ones.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace pgweir::model {

// Decisions, one byte each; when there are no more, always 0.
class Choices {
 public:
  explicit Choices(std::span<const std::uint8_t> bytes) : bytes_(bytes) {}
  // Below n (1 to 256).
  unsigned pick(unsigned n) { return at_ < bytes_.size() ? bytes_[at_++] % n : 0; }
  bool one_in(unsigned n) { return pick(n) == n - 1; }
  bool exhausted() const { return at_ >= bytes_.size(); }

 private:
  std::span<const std::uint8_t> bytes_;
  std::size_t at_ = 0;
};

struct ClientScript {
  std::string tag;       // stands in all its literals
  std::string bytes;     // startup packet first
  std::vector<std::size_t> waits;    // offsets where it waits for all answers to what stands before
  bool vanishes = false; // it leaves at the end without reading the answers
};

struct Sequence {
  unsigned pool_size = 1, max_prepared = 200;
  bool session_mode = false;
  bool faults = false;   // servers fail, end, and are closed
  bool notices = false;
  std::vector<ClientScript> clients;
};

Sequence draw_sequence(Choices& choices);
// A client that looks whether anything is left of others.
ClientScript auditor_script();

}  // namespace pgweir::model
