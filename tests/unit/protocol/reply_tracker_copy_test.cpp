#include "tests/unit/protocol/reply_tracker_fixture.h"

namespace pgweir::protocol {
namespace {

TEST_F(ReplyTrackerTest, CopyInBySimpleQuery) {
  push(Request::Query, 1);
  EXPECT_EQ(on('G').tag, 1u);
  EXPECT_TRUE(tracker.in_copy_in());
  EXPECT_EQ(tracker.push(Request::Sync, kForward), Push::Ignored);
  EXPECT_EQ(tracker.push_flush(), Push::Ignored);
  tracker.push_copy_end();
  EXPECT_FALSE(tracker.in_copy_in());
  EXPECT_EQ(tracker.push_flush(), Push::Queued);
  push(Request::Query, 2);
  forwards("CZ");
  EXPECT_EQ(on('C').tag, 2u);
  forwards("Z");
  EXPECT_TRUE(tracker.idle());
}

TEST_F(ReplyTrackerTest, CopyInEatsTheSyncThatFollowsItsExecute) {
  push(Request::Parse, 1);
  push(Request::Bind, 2);
  push(Request::Execute, 3);
  push(Request::Sync, 4);  // as libpq sends it, not knowing that this is a COPY
  forwards("12G");
  EXPECT_EQ(skipped_tags(), (Tags{4}));
  EXPECT_EQ(tracker.skipped()[0].why, Skipped::Why::CopyIn);
  EXPECT_EQ(tracker.outstanding_syncs(), 0u);
  tracker.push_copy_end();
  push(Request::Sync, 5);
  EXPECT_EQ(on('C').tag, 3u);
  EXPECT_FALSE(tracker.idle());
  EXPECT_EQ(on('Z', 'I').tag, 5u);
  EXPECT_TRUE(tracker.idle());
}

TEST_F(ReplyTrackerTest, CopyWhoseOnlySyncWasEatenIsNotIdle) {
  push(Request::Execute);
  push(Request::Sync);
  forwards("G");
  tracker.push_copy_end();
  forwards("C");
  EXPECT_EQ(tracker.outstanding(), 0u);
  EXPECT_FALSE(tracker.idle());
}

TEST_F(ReplyTrackerTest, CopySentBlindlyEatsOnlyUpToItsEnd) {
  push(Request::Execute, 1);
  push(Request::Sync, 2);
  tracker.push_copy_end();
  push(Request::Sync, 3);
  forwards("G");
  EXPECT_EQ(skipped_tags(), (Tags{2}));
  EXPECT_FALSE(tracker.in_copy_in());
  EXPECT_EQ(on('C').tag, 1u);
  EXPECT_EQ(on('Z', 'I').tag, 3u);
  EXPECT_TRUE(tracker.idle());
}

TEST_F(ReplyTrackerTest, CopyThatFailsAtItsStartEatsNothing) {
  push(Request::Execute, 1);
  push(Request::Sync, 2);
  tracker.push_copy_end();
  push(Request::Sync, 3);
  on('E');
  EXPECT_EQ(on('Z', 'I').tag, 2u);
  EXPECT_EQ(on('Z', 'I').tag, 3u);
  EXPECT_TRUE(tracker.idle());
}

TEST_F(ReplyTrackerTest, CopyErrorByExtendedProtocolDiscardsUntilSync) {
  push(Request::Execute, 1);
  push(Request::Sync, 2);
  forwards("G");
  const auto reply = on('E');  // bad data
  EXPECT_TRUE(reply.error && reply.completed);
  EXPECT_FALSE(tracker.in_copy_in());
  tracker.push_copy_end();  // late, discarded
  EXPECT_EQ(tracker.push(Request::Parse, kForward, 3), Push::Skipped);
  push(Request::Sync, 4);
  EXPECT_EQ(on('Z', 'I').tag, 4u);
  EXPECT_TRUE(tracker.idle());
}

TEST_F(ReplyTrackerTest, CopyErrorBySimpleQueryDiscardsNothing) {
  push(Request::Query, 1);
  forwards("GE");
  tracker.push_copy_end();  // late
  push(Request::Query, 2);
  EXPECT_EQ(on('Z', 'I').tag, 1u);
  forwards("G");
  EXPECT_TRUE(tracker.in_copy_in()) << "the late end of the first COPY does not end the second";
  tracker.push_copy_end();
  forwards("CZ");
  EXPECT_TRUE(tracker.idle());
}

TEST_F(ReplyTrackerTest, TwoCopiesInOneQuery) {
  push(Request::Query, 1);
  tracker.push_copy_end();
  tracker.push_copy_end();
  push(Request::Sync, 2);
  forwards("GCG");
  EXPECT_FALSE(tracker.in_copy_in());
  EXPECT_EQ(tracker.outstanding_syncs(), 2u);
  forwards("C");
  EXPECT_EQ(on('Z', 'I').tag, 1u);
  EXPECT_EQ(on('Z', 'I').tag, 2u);
  EXPECT_TRUE(tracker.idle());
}

TEST_F(ReplyTrackerTest, SecondCopyOfAQueryEatsSyncsBehindTheFirst) {
  push(Request::Query, 1);
  forwards("G");
  tracker.push_copy_end();
  push(Request::Sync, 2);
  forwards("CG");
  EXPECT_EQ(skipped_tags(), (Tags{2}));
  EXPECT_TRUE(tracker.in_copy_in());
}

TEST_F(ReplyTrackerTest, CopyOut) {
  push(Request::Query, 1);
  forwards("H");
  EXPECT_TRUE(tracker.in_copy_out());
  EXPECT_EQ(tracker.push_flush(), Push::Queued);
  push(Request::Sync, 2);  // nothing is eaten while data comes out
  forwards("ddcCZ");
  EXPECT_EQ(on('Z', 'I').tag, 2u);
  EXPECT_TRUE(tracker.idle());
}

TEST_F(ReplyTrackerTest, CopyBoth) {
  push(Request::Query, 1);
  forwards("W");
  EXPECT_TRUE(tracker.in_copy_both());
  forwards("dd");
  tracker.push_copy_end();
  forwards("cCZ");
  EXPECT_TRUE(tracker.idle());
}

}  // namespace
}  // namespace pgweir::protocol
