#include "proxy/net/retained_buffer.h"

#include <algorithm>
#include <cstring>

namespace pgweir::net {

RetainedBuffer::~RetainedBuffer() { delete block_; }

void RetainedBuffer::free_memory(BlockPool& pool) {
  if (block_ != nullptr) pool.put(block_);
  if (own_ != nullptr) pool.memory().subtract(capacity_);
  block_ = nullptr;
  own_.reset();
  data_ = nullptr;
  begin_ = size_ = capacity_ = 0;
}

void RetainedBuffer::assign(BlockPool& pool, std::string_view bytes) {
  begin_ = size_ = 0;
  if (bytes.empty()) return free_memory(pool);
  std::memcpy(reserve(pool, bytes.size()), bytes.data(), bytes.size());
  commit(bytes.size());
}

void RetainedBuffer::consume(BlockPool& pool, std::size_t count) {
  begin_ += count;
  size_ -= count;
  if (size_ == 0) free_memory(pool);
}

char* RetainedBuffer::reserve(BlockPool& pool, std::size_t total) {
  if (begin_ + total > capacity_) {
    if (total <= capacity_) {
      std::memmove(data_, data_ + begin_, size_);
    } else if (total <= Block::kSize) {  // only when there is no memory yet: a block is the smallest capacity
      block_ = pool.get();
      data_ = block_->data;
      capacity_ = Block::kSize;
    } else {
      auto grown = std::make_unique_for_overwrite<char[]>(total);
      const std::size_t size = size_;
      if (size > 0) std::memcpy(grown.get(), data_ + begin_, size);
      free_memory(pool);
      pool.memory().add(total);
      own_ = std::move(grown);
      data_ = own_.get();
      capacity_ = total;
      size_ = size;
    }
    begin_ = 0;
  }
  return data_ + begin_ + size_;
}

}  // namespace pgweir::net
