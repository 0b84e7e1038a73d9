#include "proxy/net/block_pool.h"

#include <sys/uio.h>

#include <algorithm>
#include <cstring>

namespace pgweir::net {

BlockPool::~BlockPool() {
  while (spare_ != nullptr) {
    Block* block = spare_;
    spare_ = block->next;
    delete block;
  }
}

Block* BlockPool::get() {
  Block* block = spare_;
  if (block != nullptr) {
    spare_ = block->next;
    --spares_;
  } else {
    block = new Block;
  }
  block->next = nullptr;
  block->begin = block->end = 0;
  ++in_use_;
  memory_.add(sizeof(Block));
  return block;
}

void BlockPool::put(Block* block) {
  --in_use_;
  memory_.subtract(sizeof(Block));
  if (spares_ >= kKeep) {
    delete block;
    return;
  }
  block->next = spare_;
  spare_ = block;
  ++spares_;
}

OutputQueue::~OutputQueue() {
  while (first_ != nullptr) {
    Block* block = first_;
    first_ = block->next;
    delete block;
  }
}

void OutputQueue::append(BlockPool& pool, std::string_view bytes) {
  size_ += bytes.size();
  while (!bytes.empty()) {
    if (last_ == nullptr || last_->end == Block::kSize) {
      Block* block = pool.get();
      (last_ == nullptr ? first_ : last_->next) = block;
      last_ = block;
    }
    const std::size_t count = std::min<std::size_t>(bytes.size(), Block::kSize - last_->end);
    std::memcpy(last_->data + last_->end, bytes.data(), count);
    last_->end += static_cast<std::uint32_t>(count);
    bytes.remove_prefix(count);
  }
}

void OutputQueue::consume(BlockPool& pool, std::size_t count) {
  size_ -= count;
  while (first_ != nullptr) {
    const std::size_t here = std::min<std::size_t>(count, first_->end - first_->begin);
    first_->begin += static_cast<std::uint32_t>(here);
    count -= here;
    if (first_->begin != first_->end) return;
    Block* empty = first_;
    first_ = empty->next;
    pool.put(empty);
  }
  last_ = nullptr;
}

std::string_view OutputQueue::front() const {
  if (first_ == nullptr) return {};
  return {first_->data + first_->begin, first_->end - first_->begin};
}

int OutputQueue::fill(iovec* vector, int max) const {
  int count = 0;
  for (Block* block = first_; block != nullptr && count < max; block = block->next, ++count) {
    vector[count] = {block->data + block->begin, block->end - block->begin};
  }
  return count;
}

}  // namespace pgweir::net
