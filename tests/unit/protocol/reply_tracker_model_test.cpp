// ReplyTracker against a model of PostgreSQL's message loop: random pipelines, answered with a random lag. The model
// knows which request each of its messages answers; the tracker must say the same.
#include <gtest/gtest.h>

#include <deque>
#include <map>
#include <optional>
#include <random>
#include <set>

#include "protocol/reply_tracker.h"

namespace pgweir::protocol {
namespace {

using Push = ReplyTracker::Push;

struct Sent {
  char type = 0;  // frontend letter; 's' for DescribeStatement, '~' for simulated bytes
  std::uint32_t id = 0;
  bool fails = false;
  bool copy = false;       // Query, Execute: is a COPY FROM STDIN
  bool bad_data = false;   // CopyData: makes the COPY fail
};
struct Answer {
  char type;
  std::uint32_t id;
};

// Follows PostgresMain(), exec_*_message() and CopyGetData(): one message in, its answers out.
class ModelServer {
 public:
  std::deque<Answer> answers;
  std::set<std::uint32_t> discarded, eaten;
  std::string simulated;  // those whose turn came

  void receive(const Sent& message) {
    if (copying_) return copy_message(message);
    if (message.type == 'S') {
      ignore_till_sync_ = false;
      return answer("Z", message.id);
    }
    if (std::string_view("dcfH").find(message.type) != std::string_view::npos) return;
    if (ignore_till_sync_) {
      discarded.insert(message.id);
      return;
    }
    if (message.type == '~') {
      simulated += std::to_string(message.id) + ' ';
      return;
    }
    if (message.fails) return fail(message);
    if (message.copy) {
      copying_ = message;
      return answer("G", message.id);
    }
    switch (message.type) {
      case 'Q': return answer("TDNDCZ", message.id);
      case 'F': return answer("VZ", message.id);
      case 'P': return answer("1", message.id);
      case 'B': return answer("2", message.id);
      case 'C': return answer("3", message.id);
      case 's': return answer("tT", message.id);
      case 'D': return answer("n", message.id);
      case 'E': return answer("DSDC", message.id);
      default: FAIL() << message.type;
    }
  }

 private:
  void answer(std::string_view types, std::uint32_t id) {
    for (const char type : types) answers.push_back({type, id});
  }
  void fail(const Sent& message) {
    answer("E", message.id);
    if (message.type == 'Q' || message.type == 'F')
      answer("Z", message.id);
    else
      ignore_till_sync_ = true;
  }
  void copy_message(const Sent& message) {
    const Sent copy = *copying_;
    switch (message.type) {
      case 'H': return;
      case 'S': eaten.insert(message.id); return;
      case 'd':
        if (!message.bad_data) return;
        [[fallthrough]];
      case 'f':
        copying_.reset();
        return fail(copy);
      case 'c':
        copying_.reset();
        return answer(copy.type == 'Q' ? "CZ" : "C", copy.id);
      default:
        FAIL() << "the scenario sent " << message.type << " during COPY";
    }
  }
  std::optional<Sent> copying_;
  bool ignore_till_sync_ = false;
};

class Scenario {
 public:
  explicit Scenario(unsigned seed) : random_(seed) {}

  void run() {
    for (int step = 0; step < 60 && !testing::Test::HasFatalFailure(); ++step) {
      one_request();
      if (chance(50)) settle(random_() % 12);
    }
    send({'S', next_id_++});
    settle(~0u);
    if (tracker_.in_copy_in() || !tracker_.idle()) {
      send({'c', 0});
      send({'S', next_id_++});
      settle(~0u);
    }
    EXPECT_TRUE(tracker_.idle());
    EXPECT_EQ(tracker_.outstanding_syncs(), 0u);
    EXPECT_EQ(discarded_, server_.discarded);
    EXPECT_EQ(eaten_, server_.eaten);
    EXPECT_EQ(simulated_seen_, server_.simulated);
  }

 private:
  bool chance(unsigned percent) { return random_() % 100 < percent; }

  void one_request() {
    const char type = "QPBCsDEESSFEQ~~"[random_() % 15];
    Sent message{type, next_id_++};
    message.fails = type != 'S' && type != '~' && chance(12);
    message.copy = (type == 'Q' || type == 'E') && chance(30);
    send(message);
    if (!message.copy) return;
    if (chance(50)) settle(~0u);  // wait for the CopyInResponse; else send everything blindly
    if (chance(50)) send({'S', next_id_++});
    if (chance(30)) send({'H', 0});
    const unsigned rows = random_() % 4;
    for (unsigned i = 0; i < rows; ++i) {
      send({'d', 0, false, false, chance(15)});
      if (chance(20)) settle(~0u);
      // A Sync amid data is only told apart when the tracker knows that the COPY runs.
      if (chance(20) && tracker_.in_copy_in()) send({'S', next_id_++});
    }
    send({chance(20) ? 'f' : 'c', 0});
  }

  void send(const Sent& message) {
    static const std::map<char, Request> kRequests{
        {'Q', Request::Query}, {'P', Request::Parse}, {'B', Request::Bind}, {'C', Request::Close},
        {'s', Request::DescribeStatement}, {'D', Request::DescribePortal}, {'E', Request::Execute},
        {'S', Request::Sync}, {'F', Request::FunctionCall}};
    const auto request = kRequests.find(message.type);
    if (message.type == 'c' || message.type == 'f') tracker_.push_copy_end();
    if (message.type == 'H' && tracker_.push_flush() == Push::Ignored) return;
    if (request != kRequests.end()) {
      const auto disposition = message.id % 3 == 0 ? Disposition::Swallow : Disposition::Forward;
      const Push push = tracker_.push(request->second, disposition, message.id);
      ASSERT_NE(push, Push::Full);
      if (push == Push::Ignored) return;  // not sent
      if (push == Push::Skipped) discarded_.insert(message.id);
    }
    if (message.type == '~') {
      const Push push = tracker_.push_simulated(std::to_string(message.id) + ' ', message.id);
      ASSERT_NE(push, Push::Full);
      if (push == Push::Skipped) discarded_.insert(message.id);
      tracker_.take_simulated(simulated_seen_);
    }
    to_server_.push_back(message);
  }

  // The server handles up to `messages` of what was sent, and we all of its answers.
  void settle(unsigned messages) {
    for (; messages > 0 && !to_server_.empty(); --messages) {
      server_.receive(to_server_.front());
      to_server_.pop_front();
      if (chance(30)) continue;  // its answers come later
      take_answers();
    }
    take_answers();
  }

  void take_answers() {
    for (; !server_.answers.empty(); server_.answers.pop_front()) {
      const Answer answer = server_.answers.front();
      const auto reply = tracker_.on_message(static_cast<BackendMessage>(answer.type), 'I');
      for (const auto& skipped : tracker_.skipped())
        (skipped.why == ReplyTracker::Skipped::Why::Error ? discarded_ : eaten_).insert(skipped.tag);
      ASSERT_EQ(reply.tag, answer.id) << answer.type;
      using Action = ReplyTracker::Reply::Action;
      ASSERT_EQ(reply.action, answer.id % 3 == 0 ? Action::Swallow : Action::Forward) << answer.type;
      ASSERT_EQ(reply.error, answer.type == 'E');
      tracker_.take_simulated(simulated_seen_);
    }
  }

  std::mt19937 random_;
  ReplyTracker tracker_;
  ModelServer server_;
  std::deque<Sent> to_server_;
  std::uint32_t next_id_ = 1;
  std::set<std::uint32_t> discarded_, eaten_;
  std::string simulated_seen_;
};

TEST(ReplyTrackerModel, AgreesWithPostgresOnRandomPipelines) {
  for (unsigned seed = 1; seed <= 3000 && !testing::Test::HasFailure(); ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Scenario(seed).run();
  }
}

}  // namespace
}  // namespace pgweir::protocol
