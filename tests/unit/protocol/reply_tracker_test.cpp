#include "tests/unit/protocol/reply_tracker_fixture.h"

namespace pgweir::protocol {
namespace {

TEST_F(ReplyTrackerTest, SimpleQueryCompletesAtItsZ) {
  EXPECT_TRUE(tracker.idle());
  push(Request::Query, 7);
  EXPECT_FALSE(tracker.idle());
  forwards("TDDC");
  EXPECT_EQ(tracker.outstanding(), 1u);
  const auto reply = on('Z', 'T');
  EXPECT_TRUE(reply.completed);
  EXPECT_EQ(reply.tag, 7u);
  EXPECT_EQ(tracker.status(), TransactionStatus::InTransaction);
  EXPECT_FALSE(tracker.idle());
}

TEST_F(ReplyTrackerTest, ExtendedBatch) {
  push(Request::Parse, 1);
  push(Request::Bind, 2);
  push(Request::DescribePortal, 3);
  push(Request::Execute, 4);
  push(Request::Sync, 5);
  EXPECT_EQ(on('1').tag, 1u);
  EXPECT_EQ(on('2').tag, 2u);
  EXPECT_TRUE(on('T').completed);
  EXPECT_FALSE(on('D').completed);
  EXPECT_EQ(on('C').tag, 4u);
  EXPECT_EQ(tracker.outstanding_syncs(), 1u);
  EXPECT_EQ(on('Z', 'I').tag, 5u);
  EXPECT_TRUE(tracker.idle());
}

TEST_F(ReplyTrackerTest, DescribeStatementHasTwoMessages) {
  push(Request::DescribeStatement);
  EXPECT_FALSE(on('t').completed);
  EXPECT_TRUE(on('n').completed);
}

TEST_F(ReplyTrackerTest, BatchWithoutSyncKeepsTheServer) {
  push(Request::Parse);
  forwards("1");
  EXPECT_EQ(tracker.outstanding(), 0u);
  EXPECT_FALSE(tracker.idle()) << "a Flush is not a boundary";
  push(Request::Sync);
  forwards("Z");
  EXPECT_TRUE(tracker.idle());
}

TEST_F(ReplyTrackerTest, QueryEndsABatchThatHadNoSync) {
  push(Request::Parse);
  push(Request::Query);
  forwards("1CZ");
  EXPECT_TRUE(tracker.idle());
}

TEST_F(ReplyTrackerTest, RowLimitSuspends) {
  push(Request::Execute, 1);
  push(Request::Sync);
  push(Request::Execute, 2);
  push(Request::Sync);
  EXPECT_TRUE(on('s').completed);
  on('Z', 'T');
  EXPECT_EQ(on('C').tag, 2u);
  forwards("Z");
}

TEST_F(ReplyTrackerTest, ErrorSkipsToItsSyncOnly) {
  push(Request::Parse, 1);
  push(Request::Bind, 2);
  push(Request::Execute, 3);
  push(Request::Sync, 4);
  push(Request::Parse, 5);
  push(Request::Sync, 6);
  on('1');
  const auto reply = on('E');
  EXPECT_TRUE(reply.error && reply.completed);
  EXPECT_EQ(reply.tag, 2u);
  EXPECT_EQ(skipped_tags(), (Tags{3}));
  EXPECT_EQ(tracker.skipped()[0].why, Skipped::Why::Error);
  EXPECT_EQ(on('Z', 'I').tag, 4u);
  EXPECT_EQ(on('1').tag, 5u);
  EXPECT_EQ(on('Z', 'I').tag, 6u);
  EXPECT_TRUE(tracker.idle());
}

TEST_F(ReplyTrackerTest, ALateZIsNotTheNextBatchs) {
  push(Request::Parse, 1);
  push(Request::Sync, 2);
  on('E');
  push(Request::Query, 3);
  EXPECT_EQ(on('Z', 'I').tag, 2u);
  EXPECT_FALSE(tracker.idle());
  on('C');
  EXPECT_EQ(on('Z', 'I').tag, 3u);
}

TEST_F(ReplyTrackerTest, SkippingGoesOnForWhatIsSentLater) {
  push(Request::Parse, 1);
  on('E');
  EXPECT_TRUE(tracker.skipping_until_sync());
  EXPECT_EQ(tracker.push(Request::Bind, kForward, 2), Push::Skipped);
  EXPECT_EQ(tracker.push(Request::Query, kForward, 3), Push::Skipped) << "PostgreSQL discards a Query, too";
  EXPECT_EQ(tracker.push_simulated("x"), Push::Skipped);
  EXPECT_FALSE(tracker.idle());
  push(Request::Sync, 4);
  EXPECT_FALSE(tracker.skipping_until_sync());
  EXPECT_EQ(on('Z', 'I').tag, 4u);
  EXPECT_TRUE(tracker.idle());
}

TEST_F(ReplyTrackerTest, ErrorSkipsAQueryInsideTheBatch) {
  push(Request::Parse, 1);
  push(Request::Query, 2);
  push(Request::FunctionCall, 3);
  push(Request::Sync, 4);
  EXPECT_EQ(tracker.outstanding_syncs(), 3u);
  on('E');
  EXPECT_EQ(skipped_tags(), (Tags{2, 3}));
  EXPECT_EQ(tracker.outstanding_syncs(), 1u);
  EXPECT_EQ(on('Z', 'I').tag, 4u);
}

TEST_F(ReplyTrackerTest, ErrorOfAQueryOrAtASyncSkipsNothing) {
  push(Request::Query, 1);
  push(Request::Parse, 2);
  push(Request::Sync, 3);
  EXPECT_FALSE(on('E').completed);
  EXPECT_TRUE(tracker.skipped().empty());
  EXPECT_EQ(on('Z', 'I').tag, 1u);
  EXPECT_EQ(on('1').tag, 2u);
  EXPECT_EQ(on('E').tag, 3u) << "a deferred constraint fails at commit";
  EXPECT_EQ(on('Z', 'I').tag, 3u);
  EXPECT_TRUE(tracker.idle());
}

TEST_F(ReplyTrackerTest, SwallowedCommandIsInvisible) {
  push(Request::Parse, 1, kSwallow);
  push(Request::Bind, 2, kSwallow);
  push(Request::Execute, 3, kSwallow);
  push(Request::Sync, 4, kSwallow);
  push(Request::Query, 5);
  for (const char type : std::string_view("12DSNCZ")) EXPECT_EQ(on(type, 'I').action, Action::Swallow) << type;
  EXPECT_EQ(on('S').action, Action::Forward);
  EXPECT_EQ(on('C').action, Action::Forward);
  EXPECT_EQ(on('Z', 'I').action, Action::Forward);
}

TEST_F(ReplyTrackerTest, SwallowedParseErrorIsReported) {
  push(Request::Parse, 1, kSwallow);  // the statement of the client's Bind, put in by the proxy
  push(Request::Bind, 2);
  push(Request::Execute, 3);
  push(Request::Sync, 4);
  const auto reply = on('E');
  EXPECT_EQ(reply.action, Action::Swallow);
  EXPECT_TRUE(reply.error);
  EXPECT_EQ(reply.tag, 1u);
  EXPECT_EQ(skipped_tags(), (Tags{2, 3}));
  EXPECT_EQ(on('Z', 'I').action, Action::Forward);
}

TEST_F(ReplyTrackerTest, SimulatedBytesKeepTheirPlace) {
  EXPECT_EQ(tracker.push_simulated("first"), Push::Queued);
  EXPECT_EQ(simulated(), "first") << "nothing before it";
  push(Request::Bind);
  tracker.push_simulated("parse-complete");
  push(Request::Execute);
  tracker.push_simulated("last");
  push(Request::Sync);
  EXPECT_EQ(simulated(), "");
  on('2');
  EXPECT_EQ(simulated(), "parse-complete");
  on('D');
  EXPECT_EQ(simulated(), "");
  on('C');
  EXPECT_EQ(simulated(), "last");
  on('Z', 'I');
  EXPECT_TRUE(tracker.idle());
}

TEST_F(ReplyTrackerTest, SimulatedBytesInTheSkippedRangeAreDropped) {
  push(Request::Bind, 1);
  tracker.push_simulated("due");
  push(Request::Execute, 2);
  tracker.push_simulated("dropped", 3);
  push(Request::Execute, 4);
  tracker.push_simulated("dropped too", 5);
  push(Request::Sync, 6);
  tracker.push_simulated("later");
  push(Request::Sync, 7);
  on('2');  // "due" is not taken before the error comes
  on('E');
  EXPECT_EQ(skipped_tags(), (Tags{3, 4, 5}));
  EXPECT_EQ(tracker.skipped()[0].request, Request::Simulated);
  EXPECT_EQ(simulated(), "due");
  on('Z', 'I');
  EXPECT_EQ(simulated(), "later");
}

TEST_F(ReplyTrackerTest, AsynchronousMessagesAnswerNothing) {
  for (const char type : std::string_view("NSA")) {
    const auto reply = on(type);
    EXPECT_EQ(reply.action, Action::Forward);
    EXPECT_TRUE(reply.asynchronous);
  }
  push(Request::Parse, 1);
  EXPECT_FALSE(on('N').completed);
  EXPECT_EQ(on('1').tag, 1u);
}

TEST_F(ReplyTrackerTest, FatalBetweenRequestsIsUnsolicited) {
  EXPECT_EQ(on('E').action, Action::Unsolicited);
  EXPECT_TRUE(on('E').error);
}

TEST_F(ReplyTrackerTest, FunctionCall) {
  push(Request::FunctionCall, 1);
  EXPECT_FALSE(on('V').completed);
  EXPECT_TRUE(on('Z', 'I').completed);
}

TEST_F(ReplyTrackerTest, WhatCannotComeIsAViolation) {
  const std::string_view not_parse = "2345CDTZsntGHWdcVRKv";
  for (const char type : not_parse) EXPECT_EQ(on(type, 'I').action, Action::Violation) << type;
  EXPECT_EQ(on('1').action, Action::Violation);
  push(Request::Parse);
  for (const char type : not_parse) EXPECT_EQ(on(type, 'I').action, Action::Violation) << type;
  EXPECT_EQ(tracker.outstanding(), 1u);
  forwards("1");
  push(Request::Sync);
  EXPECT_EQ(on('Z', 'x').action, Action::Violation);
}

TEST_F(ReplyTrackerTest, LimitsHold) {
  ReplyTracker small(ReplyTrackerLimits{3, 4});
  EXPECT_EQ(small.push(Request::Parse, kForward), Push::Queued);
  EXPECT_EQ(small.push_simulated("12345"), Push::Full);
  EXPECT_EQ(small.push_simulated("1234"), Push::Queued);
  EXPECT_EQ(small.push_simulated("1"), Push::Full);
  EXPECT_EQ(small.push(Request::Sync, kForward), Push::Queued);
  EXPECT_EQ(small.push(Request::Parse, kForward), Push::Full);
  EXPECT_EQ(small.outstanding(), 3u);
}

TEST_F(ReplyTrackerTest, AbandonListsEverything) {
  push(Request::Parse, 1);
  push(Request::Sync, 2);
  tracker.abandon();
  EXPECT_EQ(skipped_tags(), (Tags{1, 2}));
  EXPECT_EQ(tracker.skipped()[1].why, Skipped::Why::Abandoned);
  EXPECT_EQ(tracker.outstanding(), 0u);
  EXPECT_EQ(tracker.outstanding_syncs(), 0u);
  tracker.release_memory();
  push(Request::Query);
  forwards("CZ");
  EXPECT_TRUE(tracker.idle());
}

TEST_F(ReplyTrackerTest, ALongPipelineWrapsAndGrowsTheRing) {
  std::uint32_t sent = 0, answered = 0;
  for (int round = 0; round < 200; ++round) {
    for (int i = 0; i < 7; ++i) push(Request::Parse, sent++);
    push(Request::Sync, sent++);
    const std::uint32_t keep = round < 100 ? 40 : 0;
    while (sent - answered > keep) {
      const bool sync = answered % 8 == 7;
      ASSERT_EQ(on(sync ? 'Z' : '1', 'I').tag, answered++);
    }
  }
  EXPECT_TRUE(tracker.idle());
}

}  // namespace
}  // namespace pgweir::protocol
