#include "protocol/statement_names.h"

#include <gtest/gtest.h>

#include <vector>

namespace pgweir::protocol {
namespace {

// The reference key 00 01 .. 0f.
constexpr StatementHashKey kKey{0x0706050403020100, 0x0f0e0d0c0b0a0908};

// The outputs of the reference implementation's vectors, read as two little-endian words.
TEST(SipHash128, ReferenceVectors) {
  EXPECT_EQ(siphash128(kKey, ""), (StatementHash{0x930255c71472f66d, 0xe6a825ba047f81a3}));
  EXPECT_EQ(siphash128(kKey, std::string(1, '\0')), (StatementHash{0x45fc229b11597634, 0x44af996bd8c187da}));
}

TEST(StatementHash, DependsOnEveryPart) {
  const std::vector<Oid> none, one{23}, other{25};
  const auto base = hash_statement(kKey, "select $1", one, 1);
  EXPECT_EQ(hash_statement(kKey, "select $1", one, 1), base);
  EXPECT_NE(hash_statement(kKey, "select $2", one, 1), base);
  EXPECT_NE(hash_statement(kKey, "select $1", other, 1), base);
  EXPECT_NE(hash_statement(kKey, "select $1", none, 1), base);
  EXPECT_NE(hash_statement(kKey, "select $1", one, 2), base);
  EXPECT_NE(hash_statement({1, 2}, "select $1", one, 1), base);
}

TEST(StatementHash, NameIsFixedInSize) {
  EXPECT_EQ(server_name({0x0123456789abcdef, 0xf}), "pgweir_0123456789abcdef000000000000000f");
  EXPECT_EQ(server_name({}).size(), kServerStatementNameSize);
}

TEST(ServerStatements, LeastRecentlyUsedGoesFirst) {
  ServerStatements statements(2);
  const StatementHash a{0, 1}, b{0, 2}, c{0, 3};
  statements.insert(a, 10);
  statements.insert(b, 11);
  EXPECT_EQ(statements.pop_excess(), std::nullopt);
  EXPECT_EQ(statements.touch(a)->stamp, 10u);
  statements.insert(c, 12);
  EXPECT_EQ(statements.pop_excess(), b);
  EXPECT_EQ(statements.pop_excess(), std::nullopt);
  EXPECT_EQ(statements.touch(b), nullptr);
  statements.insert(a, 20);
  EXPECT_EQ(statements.touch(a)->stamp, 20u);
  EXPECT_TRUE(statements.erase(a));
  EXPECT_FALSE(statements.erase(a));
  EXPECT_EQ(statements.size(), 1u);
}

TEST(ServerStatements, TheNewestIsNeverEvicted) {
  ServerStatements statements(0);
  statements.insert({0, 1}, 0);
  EXPECT_EQ(statements.pop_excess(), std::nullopt);
  statements.insert({0, 2}, 0);
  EXPECT_EQ(statements.pop_excess(), (StatementHash{0, 1}));
  EXPECT_TRUE(statements.contains({0, 2}));
}

TEST(ServerStatements, ASkippedCloseMayBePutBackAboveTheCapacity) {
  ServerStatements statements(1);
  statements.insert({0, 1}, 1);
  statements.insert({0, 2}, 2);
  const auto evicted = statements.pop_excess();
  ASSERT_TRUE(evicted.has_value());
  statements.erase({0, 2});  // its Parse was skipped, and so was the Close
  statements.insert(*evicted, 1);
  EXPECT_EQ(statements.touch(*evicted)->stamp, 1u);
}

TEST(ServerStatements, ANewCopyHasNoShapeUntilItIsTold) {
  ServerStatements statements(2);
  statements.insert({0, 1}, 1);
  statements.find({0, 1})->shape = 77;
  EXPECT_EQ(statements.touch({0, 1})->shape, 77u);
  statements.insert({0, 1}, 2);
  EXPECT_EQ(statements.touch({0, 1})->shape, 0u);
  EXPECT_EQ(statements.find({0, 2}), nullptr);
}

TEST(ServerStatements, LookingAtOneDoesNotUseIt) {
  ServerStatements statements(2);
  for (std::uint64_t i = 1; i <= 2; ++i) statements.insert({0, i}, i);
  EXPECT_EQ(statements.find({0, 1})->stamp, 1u);
  statements.insert({0, 3}, 3);
  EXPECT_EQ(statements.pop_excess(), (StatementHash{0, 1}));
}

TEST(StatementVersion, ACopyServesWhoMadeItAndWhoWasToldTheSameBefore) {
  const StatementVersion mine{5, 77};
  EXPECT_TRUE(serves({5, 77}, mine));
  EXPECT_TRUE(serves({5, 0}, mine));       // the own one, whatever is known of it
  EXPECT_TRUE(serves({6, 77}, mine));
  EXPECT_FALSE(serves({6, 78}, mine));     // another shape
  EXPECT_FALSE(serves({6, 0}, mine));      // nobody knows
  EXPECT_FALSE(serves({4, 77}, mine));     // from before the client's Parse: it may know another schema
  EXPECT_FALSE(serves({0, 77}, mine));
  EXPECT_TRUE(serves({6, 78}, {5, 0}));    // it was never told
  EXPECT_FALSE(serves({4, 78}, {5, 0}));
}

}  // namespace
}  // namespace pgweir::protocol
