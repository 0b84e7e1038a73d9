// ClientStatements: the prepared statements of one client by the names the client gave them, and the way back when a
// Parse or Close that was sent ahead did not happen. Handle is the owner's (a pointer to a shared definition). Not
// thread-safe.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>

#include "protocol/fifo.h"
#include "protocol/result.h"

namespace pgweir::protocol {

// 42P05 and 26000 as PostgreSQL says them; 54000 when the client's bound is reached.
SqlError duplicate_statement(std::string_view name);
SqlError undefined_statement(std::string_view name);
SqlError too_many_statements(std::size_t count, std::size_t bytes, std::size_t max_count, std::size_t max_bytes);

struct ClientStatementLimits {
  std::size_t count = 10'000;
  std::size_t bytes = 32u << 20;  // names and what the owner says a statement weighs
};

template <class Handle>
class ClientStatements {
 public:
  explicit ClientStatements(ClientStatementLimits limits = {}) : limits_(limits) {}

  // Parse: the name stands for the handle from here on. The empty name is replaced, another one that exists is 42P05.
  // bytes: its weight. tag: the ReplyTracker's; every put and erase stays undoable until confirm(tag).
  std::optional<SqlError> put(std::string_view name, Handle handle, std::size_t bytes, std::uint32_t tag) {
    auto found = map_.find(name);
    if (found != map_.end() && !name.empty()) return duplicate_statement(name);
    const std::size_t weight = name.size() + bytes;
    const std::size_t freed = found == map_.end() ? 0 : found->second.weight;
    if ((found == map_.end() && map_.size() >= limits_.count) || bytes_ - freed + weight > limits_.bytes)
      return too_many_statements(map_.size(), bytes_, limits_.count, limits_.bytes);
    exchange(name, Item{std::move(handle), weight}, tag);
    return std::nullopt;
  }

  // Valid until the map changes. nullptr: undefined_statement(name).
  Handle* find(std::string_view name) {
    auto found = map_.find(name);
    return found == map_.end() ? nullptr : &found->second.handle;
  }

  // Close or DEALLOCATE. False when there was none (which Close does not mind).
  bool erase(std::string_view name, std::uint32_t tag) {
    if (!map_.contains(name)) return false;
    exchange(name, std::nullopt, tag);
    return true;
  }

  // DEALLOCATE ALL, DISCARD ALL; undoable like an erase of each.
  void erase_all(std::uint32_t tag) {
    while (!map_.empty()) exchange(std::string(map_.begin()->first), std::nullopt, tag);
  }

  // The reply came: changes with this tag are final.
  void confirm(std::uint32_t tag) {
    // Replies come in order: what is confirmed is at the front, unless requests in between were undone.
    while (!journal_.empty() && journal_.front().tag == tag) journal_.pop_front();
    if (!journal_.empty()) journal_.erase_if([tag](const Change& change) { return change.tag == tag; });
  }

  // The request with this tag did not happen: what it changed is as before, unless a later one changed the same name.
  void undo(std::uint32_t tag) {
    for (std::size_t i = journal_.size(); i-- > 0;) {
      if (journal_[i].tag != tag) continue;
      Change change = std::move(journal_[i]);
      journal_.erase_at(i);
      Change* later = nullptr;
      for (std::size_t k = i; k < journal_.size() && later == nullptr; ++k)
        if (journal_[k].name == change.name) later = &journal_[k];
      if (later != nullptr)
        later->before = std::move(change.before);
      else
        assign(change.name, std::move(change.before));
    }
  }

  // A change of this name awaits its reply: what find() and put() say of it is an assumption.
  bool pending(std::string_view name) const {
    for (const Change& change : journal_)
      if (change.name == name) return true;
    return false;
  }

  // The same for a change made under a tag below `tag`.
  bool pending_before(std::string_view name, std::uint32_t tag) const {
    for (const Change& change : journal_)
      if (change.tag < tag && change.name == name) return true;
    return false;
  }

  template <class Visit>
  void for_each(Visit visit) const {  // visit(name, handle), in no order
    for (const auto& [name, item] : map_) visit(std::string_view(name), item.handle);
  }

  std::size_t size() const { return map_.size(); }
  std::size_t bytes() const { return bytes_; }
  std::size_t unconfirmed() const { return journal_.size(); }

 private:
  struct Item {
    Handle handle;
    std::size_t weight;
  };
  struct Change {
    std::uint32_t tag;
    std::string name;
    std::optional<Item> before;
  };
  struct Hasher {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const { return std::hash<std::string_view>{}(text); }
  };

  void exchange(std::string_view name, std::optional<Item> item, std::uint32_t tag) {
    std::string key(name);
    auto found = map_.find(name);
    std::optional<Item> before;
    if (found != map_.end()) before = found->second;
    assign(key, std::move(item));
    journal_.push_back(Change{tag, std::move(key), std::move(before)});
  }
  void assign(const std::string& name, std::optional<Item> item) {
    auto found = map_.find(name);
    if (found != map_.end()) bytes_ -= found->second.weight;
    if (!item) {
      if (found != map_.end()) map_.erase(found);
      return;
    }
    bytes_ += item->weight;
    map_.insert_or_assign(name, std::move(*item));
  }

  ClientStatementLimits limits_;
  std::unordered_map<std::string, Item, Hasher, std::equal_to<>> map_;
  Fifo<Change> journal_;  // oldest first; as long as the requests in flight, which the ReplyTracker bounds
  std::size_t bytes_ = 0;
};

}  // namespace pgweir::protocol
