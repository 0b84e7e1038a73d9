// A circular doubly linked list whose nodes are base classes of the elements: linking never allocates, an element
// leaves its list in O(1) and leaves by itself when destroyed. Tag tells apart several lists that an element is on at
// once. Not thread-safe.
#pragma once

namespace pgweir::net {

template <class Tag>
class ListNode {
 public:
  ListNode() = default;
  ListNode(const ListNode&) = delete;
  ListNode& operator=(const ListNode&) = delete;
  ~ListNode() { unlink(); }

  bool linked() const { return next_ != this; }
  void unlink() {
    previous_->next_ = next_;
    next_->previous_ = previous_;
    previous_ = next_ = this;
  }

 private:
  template <class T, class U>
  friend class List;
  ListNode* previous_ = this;
  ListNode* next_ = this;
};

template <class T, class Tag>
class List {
 public:
  List() = default;
  ~List() { while (pop_front() != nullptr) {} }

  bool empty() const { return !head_.linked(); }
  // Moves the element here when it is on another list of the same tag.
  void push_back(T& element) {
    ListNode<Tag>& node = element;
    node.unlink();
    node.previous_ = head_.previous_;
    node.next_ = &head_;
    head_.previous_->next_ = &node;
    head_.previous_ = &node;
  }
  T* front() { return empty() ? nullptr : static_cast<T*>(head_.next_); }
  T* pop_front() {
    T* first = front();
    if (first != nullptr) static_cast<ListNode<Tag>*>(first)->unlink();
    return first;
  }
  // Takes all elements of `other`, which is empty afterwards. Precondition: *this is empty.
  void take(List& other) {
    if (other.empty()) return;
    head_.next_ = other.head_.next_;
    head_.previous_ = other.head_.previous_;
    head_.next_->previous_ = &head_;
    head_.previous_->next_ = &head_;
    other.head_.next_ = other.head_.previous_ = &other.head_;
  }

 private:
  ListNode<Tag> head_;
};

}  // namespace pgweir::net
