// Unconsumed input of one stream: contiguous, present only while there is any. Small tails live in a block of the
// worker's pool, larger ones in memory of their own; both are
// charged to its account. Not thread-safe.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
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
  std::string_view view() const { return {data_ + begin_, size_}; }
  // Replaces the content; `bytes` must not lie in this buffer.
  void assign(BlockPool& pool, std::string_view bytes);
  // Drops bytes from the front; gives the memory back when none are left.
  void consume(BlockPool& pool, std::size_t count);
  void clear(BlockPool& pool) { consume(pool, size_); }
  // Makes the capacity at least `total` (content kept), and returns where to put the next bytes; commit() says how many
  // came.
  char* reserve(BlockPool& pool, std::size_t total);
  std::size_t room() const { return capacity_ - begin_ - size_; }
  void commit(std::size_t count) { size_ += count; }

 private:
  void free_memory(BlockPool& pool);
  char* data_ = nullptr;
  std::size_t begin_ = 0, size_ = 0, capacity_ = 0;
  Block* block_ = nullptr;             // data_ is the block's, or
  std::unique_ptr<char[]> own_;        // data_ is this
};

}  // namespace pgweir::net
