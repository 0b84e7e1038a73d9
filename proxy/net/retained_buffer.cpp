#include "proxy/net/retained_buffer.h"

#include <algorithm>
#include <cstring>

namespace pgweir::net {

RetainedBuffer::~RetainedBuffer() {
  if (in_block_)
    delete block_;
  else
    delete[] own_;
}

void RetainedBuffer::free_memory(BlockPool& pool) {
  if (in_block_) {
    pool.put(block_);
  } else if (own_ != nullptr) {
    pool.memory().subtract(capacity_);
    delete[] own_;
  }
  in_block_ = false;
  own_ = nullptr;
  begin_ = size_ = capacity_ = 0;
}

void RetainedBuffer::assign(BlockPool& pool, std::string_view bytes) {
  begin_ = size_ = 0;
  if (bytes.empty()) return free_memory(pool);
  std::memcpy(reserve(pool, bytes.size()), bytes.data(), bytes.size());
  commit(bytes.size());
}

void RetainedBuffer::consume(BlockPool& pool, std::size_t count) {
  begin_ += static_cast<std::uint32_t>(count);
  size_ -= static_cast<std::uint32_t>(count);
  if (size_ == 0) free_memory(pool);
}

char* RetainedBuffer::reserve(BlockPool& pool, std::size_t total) {
  if (begin_ + total > capacity_) {
    if (total <= capacity_) {
      std::memmove(data(), data() + begin_, size_);
    } else if (total <= Block::kSize) {  // only when there is no memory yet: a block is the smallest capacity
      block_ = pool.get();
      in_block_ = true;
      capacity_ = Block::kSize;
    } else {
      char* grown = new char[total];
      const std::uint32_t size = size_;
      if (size > 0) std::memcpy(grown, data() + begin_, size);
      free_memory(pool);
      pool.memory().add(total);
      own_ = grown;
      capacity_ = static_cast<std::uint32_t>(total);
      size_ = size;
    }
    begin_ = 0;
  }
  return data() + begin_ + size_;
}

}  // namespace pgweir::net
