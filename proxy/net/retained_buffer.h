// Unconsumed input of one stream: contiguous, present only while there is any. Small tails live in a block of the
// worker's pool, larger ones in memory of their own; both are
// charged to its account. Not thread-safe.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "proxy/net/block_pool.h"

namespace pgweir::net {

class RetainedBuffer {
 public:
  RetainedBuffer() = default;
  ~RetainedBuffer();
  RetainedBuffer(const RetainedBuffer&) = delete;
  RetainedBuffer& operator=(const RetainedBuffer&) = delete;

  bool empty() const { return size_ == 0; }
  std::size_t size() const { return size_; }
  std::string_view view() const { return {data() + begin_, size_}; }
  // Replaces the content; `bytes` must not lie in this buffer.
  void assign(BlockPool& pool, std::string_view bytes);
  // Drops bytes from the front; gives the memory back when none are left.
  void consume(BlockPool& pool, std::size_t count);
  void clear(BlockPool& pool) { consume(pool, size_); }
  // Makes the capacity at least `total` (content kept), and returns where to put the next bytes; commit() says how many
  // came.
  char* reserve(BlockPool& pool, std::size_t total);
  std::size_t room() const { return capacity_ - begin_ - size_; }
  void commit(std::size_t count) { size_ += static_cast<std::uint32_t>(count); }

 private:
  void free_memory(BlockPool& pool);
  char* data() const { return in_block_ ? block_->data : own_; }  // null when there is none
  // A message has less than 2 GiB. As long as a stream is idle this is all it has, so it is small.
  union {
    Block* block_ = nullptr;  // whose data it is, or
    char* own_;               // which was allocated for this buffer
  };
  std::uint32_t begin_ = 0, size_ = 0, capacity_ = 0;
  bool in_block_ = false;
};

}  // namespace pgweir::net
