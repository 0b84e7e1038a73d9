// ClientStatements: the prepared statements of one client by the names the client gave them, and the way back when a
// Parse or Close that was sent ahead did not happen. Handle is the owner's (a pointer to a shared definition). Not
// thread-safe.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <new>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "protocol/fifo.h"
#include "protocol/result.h"
#include "protocol/thin_vector.h"

namespace pgweir::protocol {

// 42P05 and 26000 as PostgreSQL says them; 54000 when the client's bound is reached.
SqlError duplicate_statement(std::string_view name);
SqlError undefined_statement(std::string_view name);
SqlError too_many_statements(std::size_t count, std::size_t bytes, std::size_t max_count, std::size_t max_bytes);

struct ClientStatementLimits {
  std::uint32_t count = 10'000;
  std::uint32_t bytes = 32u << 20;  // names and what the owner says a statement weighs
};

template <class Handle>
class ClientStatements {
 public:
  explicit ClientStatements(ClientStatementLimits limits = {}) : limits_(limits) {}

  // Of what comes from here on.
  void set_limits(ClientStatementLimits limits) { limits_ = limits; }

  // Parse: the name stands for the handle from here on. The empty name is replaced, another one that exists is 42P05.
  // bytes: its weight. tag: the ReplyTracker's; every put and erase stays undoable until confirm(tag).
  std::optional<SqlError> put(std::string_view name, Handle handle, std::size_t bytes, std::uint32_t tag) {
    const Item* found = item(name);
    if (found != nullptr && !name.empty()) return duplicate_statement(name);
    const std::size_t weight = name.size() + bytes;
    const std::size_t freed = found == nullptr ? 0 : found->weight();
    if ((found == nullptr && items_.size() >= limits_.count) || bytes_ - freed + weight > limits_.bytes)
      return too_many_statements(items_.size(), bytes_, limits_.count, limits_.bytes);
    exchange(name, Item(name, std::move(handle), static_cast<std::uint32_t>(weight)), tag);
    return std::nullopt;
  }

  // Valid until the map changes. nullptr: undefined_statement(name).
  Handle* find(std::string_view name) {
    Item* found = item(name);
    return found == nullptr ? nullptr : &found->handle();
  }

  // Close or DEALLOCATE. False when there was none (which Close does not mind).
  bool erase(std::string_view name, std::uint32_t tag) {
    if (item(name) == nullptr) return false;
    exchange(name, Item(), tag);
    return true;
  }

  // It is gone, whatever becomes of earlier changes of the name that await their reply. False when there was none.
  bool drop(std::string_view name) {
    if (!journal_.empty()) journal_.erase_if([name](const Change& change) { return change.name == name; });
    return static_cast<bool>(assign(name, Item()));
  }

  // DEALLOCATE ALL, DISCARD ALL; undoable like an erase of each.
  void erase_all(std::uint32_t tag) {
    while (!items_.empty()) exchange(std::string(items_.back().name()), Item(), tag);
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
  void for_each(Visit visit) const {  // visit(name, handle), by name
    for (const Item& each : items_) visit(each.name(), std::as_const(each.handle()));
  }
  // The same with handles that may be replaced by others for the same statements.
  template <class Visit>
  void for_each_handle(Visit visit) {
    for (Item& each : items_) visit(each.name(), each.handle());
  }

  std::size_t size() const { return items_.size(); }
  std::size_t bytes() const { return bytes_; }
  std::size_t unconfirmed() const { return journal_.size(); }
  // Gives back the memory that nothing is kept in.
  void trim() {
    items_.trim();
    journal_.trim();
  }

 private:
  // A statement and its name, in one piece of memory. Empty: none.
  class Item {
   public:
    Item() = default;
    Item(std::string_view name, Handle handle, std::uint32_t weight)
        : node_(new (::operator new(sizeof(Node) + name.size())) Node{std::move(handle), weight, static_cast<std::uint32_t>(name.size())}) {
      name.copy(reinterpret_cast<char*>(node_ + 1), name.size());
    }
    Item(Item&& other) noexcept : node_(std::exchange(other.node_, nullptr)) {}
    Item& operator=(Item&& other) noexcept {
      std::swap(node_, other.node_);
      return *this;
    }
    ~Item() {
      if (node_ == nullptr) return;
      node_->~Node();
      ::operator delete(node_);
    }
    explicit operator bool() const { return node_ != nullptr; }
    std::string_view name() const { return {reinterpret_cast<const char*>(node_ + 1), node_->name_size}; }
    Handle& handle() const { return node_->handle; }
    std::uint32_t weight() const { return node_->weight; }

   private:
    struct Node {
      Handle handle;
      std::uint32_t weight, name_size;  // the name lies behind
    };
    Node* node_ = nullptr;
  };
  struct Change {
    std::uint32_t tag = 0;
    std::string name;
    Item before;
  };

  Item* place(std::string_view name) {  // where it is, or belongs
    return std::lower_bound(items_.begin(), items_.end(), name,
                            [](const Item& each, std::string_view text) { return each.name() < text; });
  }
  Item* item(std::string_view name) {
    Item* found = place(name);
    return found == items_.end() || found->name() != name ? nullptr : found;
  }
  void exchange(std::string_view name, Item now, std::uint32_t tag) {
    std::string key(name);
    Item before = assign(key, std::move(now));
    journal_.push_back(Change{tag, std::move(key), std::move(before)});
  }
  // What was there before.
  Item assign(std::string_view name, Item now) {
    Item* found = place(name);
    const bool there = found != items_.end() && found->name() == name;
    if (now) bytes_ += now.weight();
    if (!there) {
      if (now) items_.insert(found, std::move(now));
      return {};
    }
    bytes_ -= found->weight();
    Item before = std::move(*found);
    if (now)
      *found = std::move(now);
    else
      items_.erase(found);
    return before;
  }

  ClientStatementLimits limits_;
  ThinVector<Item> items_;  // by name. A client has few
  Fifo<Change> journal_;    // oldest first; as long as the requests in flight, which the ReplyTracker bounds
  std::uint32_t bytes_ = 0;
};

}  // namespace pgweir::protocol
