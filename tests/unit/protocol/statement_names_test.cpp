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
  EXPECT_EQ(statements.touch(a), 10u);
  statements.insert(c, 12);
  EXPECT_EQ(statements.pop_excess(), b);
  EXPECT_EQ(statements.pop_excess(), std::nullopt);
  EXPECT_EQ(statements.touch(b), std::nullopt);
  statements.insert(a, 20);
  EXPECT_EQ(statements.touch(a), 20u);
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
  EXPECT_EQ(statements.touch(*evicted), 1u);
}

}  // namespace
}  // namespace pgweir::protocol
