// Fixed-size blocks for bytes in flight, and a queue of output made of them. One pool per worker; not thread-safe. Blocks
// in use are charged to the pool's account, spare ones (at most 1 MiB) are not.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "proxy/net/memory_budget.h"

struct iovec;

namespace pgweir::net {

struct Block {
  static constexpr std::size_t kSize = 16 * 1024;
  Block* next;
  std::uint32_t begin, end;  // [begin, end) of data is in use
  char data[kSize];
};

class BlockPool {
 public:
  BlockPool() = default;
  ~BlockPool();
  BlockPool(const BlockPool&) = delete;
  BlockPool& operator=(const BlockPool&) = delete;
  // An empty block. The most recently returned one is given first: its memory is likely in the cache.
  Block* get();
  void put(Block* block);
  std::size_t in_use() const { return in_use_; }
  MemoryAccount& memory() { return memory_; }

 private:
  static constexpr std::size_t kKeep = 64;  // spare blocks kept (1 MiB); the rest goes back to the allocator
  MemoryAccount memory_;
  Block* spare_ = nullptr;
  std::size_t spares_ = 0, in_use_ = 0;
};

// Bytes waiting to be written, in order. Holds no block when empty. Every member that needs a pool must be given the
// same one until the queue is empty.
class OutputQueue {
 public:
  OutputQueue() = default;
  ~OutputQueue();  // frees blocks to the allocator if any are left
  OutputQueue(const OutputQueue&) = delete;
  OutputQueue& operator=(const OutputQueue&) = delete;

  bool empty() const { return size_ == 0; }
  std::size_t size() const { return size_; }
  void append(BlockPool& pool, std::string_view bytes);
  // Drops `count` (<= size()) bytes from the front.
  void consume(BlockPool& pool, std::size_t count);
  void clear(BlockPool& pool) { consume(pool, size_); }
  std::string_view front() const;  // the first contiguous piece; empty when the queue is
  // Fills at most `max` entries with the queue's pieces; returns how many.
  int fill(iovec* vector, int max) const;

 private:
  Block* first_ = nullptr;
  Block* last_ = nullptr;
  std::size_t size_ = 0;
};

}  // namespace pgweir::net
