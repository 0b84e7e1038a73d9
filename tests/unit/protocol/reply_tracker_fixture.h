// What the tests of ReplyTracker share: a tracker, and short words for what is sent and what comes.
#pragma once

#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <vector>

#include "protocol/reply_tracker.h"

namespace pgweir::protocol {

class ReplyTrackerTest : public testing::Test {
 protected:
  using Action = ReplyTracker::Reply::Action;
  using Push = ReplyTracker::Push;
  using Skipped = ReplyTracker::Skipped;
  using Tags = std::vector<std::uint32_t>;
  static constexpr auto kForward = Disposition::Forward;
  static constexpr auto kSwallow = Disposition::Swallow;

  void push(Request request, std::uint32_t tag = 0, Disposition disposition = kForward) {
    ASSERT_EQ(tracker.push(request, disposition, tag), Push::Queued);
  }
  ReplyTracker::Reply on(char type, char status = 0) {
    return tracker.on_message(static_cast<BackendMessage>(type), status);
  }
  // Every message must be forwarded.
  void forwards(std::string_view types) {
    for (const char type : types) EXPECT_EQ(on(type, 'I').action, Action::Forward) << type;
  }
  Tags skipped_tags() const {
    Tags tags;
    for (const Skipped& entry : tracker.skipped()) tags.push_back(entry.tag);
    return tags;
  }
  std::string simulated() {
    std::string out;
    tracker.take_simulated(out);
    return out;
  }
  ReplyTracker tracker;
};

}  // namespace pgweir::protocol
