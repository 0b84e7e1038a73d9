// What a session that listens keeps: its channels, and the notices that wait for the end of its transaction. On the
// session's worker. See session_notifications.cpp for how a LISTEN comes about.
#pragma once

#include <cstdint>
#include <set>
#include <string>

#include "protocol/fifo.h"
#include "proxy/session/listening.h"

namespace pgweir::session {

struct Notifications {
  // What stands between a transaction's end and the release of its servers.
  enum class Stage : std::uint8_t {
    None,
    Subscribe,   // the listening connection is being told of other channels
    Mark,        // a mark has been sent behind the transaction: what comes before it belongs to the transaction
    Done
  };

  SubscriberPtr subscriber;          // null: this session never listened
  pool::Pool* pool = nullptr;        // whose listening connection it is
  std::set<std::string> channels;    // in force
  std::set<std::string> next;        // while Subscribe and Mark: what will be
  Stage stage = Stage::None;
  bool mark_awaited = false;
  std::uint64_t mark = 0;            // of the last one: random, so that nobody else can send it
  std::int32_t marker = 0;           // and the backend that sends it
  protocol::Fifo<NoticePtr> queue;       // for the client, oldest first; bounded by Listening::kMaxWaiting

  bool unused() const { return !subscriber && stage == Stage::None && mark == 0 && queue.empty(); }
};

}  // namespace pgweir::session
