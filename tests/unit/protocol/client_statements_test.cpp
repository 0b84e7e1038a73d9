#include "protocol/client_statements.h"

#include <gtest/gtest.h>

namespace pgweir::protocol {
namespace {

using Statements = ClientStatements<int>;

int handle_of(Statements& statements, std::string_view name) {
  const int* handle = statements.find(name);
  return handle == nullptr ? -1 : *handle;
}

TEST(ClientStatements, NamesAreUniqueExceptTheUnnamed) {
  Statements statements;
  EXPECT_EQ(statements.put("a", 1, 10, 0), std::nullopt);
  const auto error = statements.put("a", 2, 10, 0);
  ASSERT_TRUE(error.has_value());
  EXPECT_EQ(error->sqlstate, "42P05");
  EXPECT_EQ(error->message, "prepared statement \"a\" already exists");
  EXPECT_EQ(statements.put("", 3, 10, 0), std::nullopt);
  EXPECT_EQ(statements.put("", 4, 10, 0), std::nullopt);
  EXPECT_EQ(handle_of(statements, "a"), 1);
  EXPECT_EQ(handle_of(statements, ""), 4);
  EXPECT_EQ(statements.bytes(), 21u);
  EXPECT_EQ(undefined_statement("x").message, "prepared statement \"x\" does not exist");
  EXPECT_EQ(undefined_statement("").message, "unnamed prepared statement does not exist");
}

TEST(ClientStatements, Bounds) {
  Statements statements(ClientStatementLimits{2, 100});
  EXPECT_EQ(statements.put("a", 1, 50, 0), std::nullopt);
  EXPECT_EQ(statements.put("b", 1, 60, 0)->sqlstate, "54000");
  EXPECT_EQ(statements.put("b", 1, 10, 0), std::nullopt);
  EXPECT_EQ(statements.put("c", 1, 1, 0)->sqlstate, "54000");
  EXPECT_TRUE(statements.erase("a", 0));
  EXPECT_EQ(statements.put("c", 1, 1, 0), std::nullopt);
  EXPECT_EQ(statements.bytes(), 13u);
}

TEST(ClientStatements, ParseThatDidNotHappenIsUndone) {
  Statements statements;
  statements.put("", 1, 0, 1);
  statements.confirm(1);
  statements.put("", 2, 0, 2);
  statements.put("a", 3, 0, 3);
  statements.erase("a", 4);
  EXPECT_TRUE(statements.pending("a"));
  EXPECT_FALSE(statements.pending("b"));
  for (const std::uint32_t tag : {2u, 3u, 4u}) statements.undo(tag);
  EXPECT_EQ(handle_of(statements, ""), 1);
  EXPECT_EQ(handle_of(statements, "a"), -1);
  EXPECT_EQ(statements.unconfirmed(), 0u);
}

TEST(ClientStatements, UndoKeepsWhatALaterGroupDid) {
  Statements statements;
  statements.put("", 1, 5, 1);   // group one, will be skipped
  statements.put("", 2, 7, 2);   // group two, happens
  statements.undo(1);
  EXPECT_EQ(handle_of(statements, ""), 2);
  EXPECT_EQ(statements.bytes(), 7u);
  statements.undo(2);
  EXPECT_EQ(handle_of(statements, ""), -1);
  EXPECT_EQ(statements.bytes(), 0u);
}

TEST(ClientStatements, WhatIsDroppedIsNotBroughtBackByWhatDidNotHappenBefore) {
  Statements statements;
  ASSERT_EQ(statements.put("", 1, 10, 1), std::nullopt);
  ASSERT_EQ(statements.put("", 2, 10, 2), std::nullopt);
  ASSERT_EQ(statements.put("other", 3, 10, 2), std::nullopt);
  EXPECT_TRUE(statements.drop(""));
  EXPECT_FALSE(statements.drop(""));
  EXPECT_FALSE(statements.pending(""));
  statements.undo(2);
  EXPECT_EQ(handle_of(statements, ""), -1);
  EXPECT_EQ(handle_of(statements, "other"), -1);
  EXPECT_EQ(statements.bytes(), 0u);
  ASSERT_EQ(statements.put("", 4, 10, 3), std::nullopt);  // behind it a new one
  statements.undo(1);
  EXPECT_EQ(handle_of(statements, ""), 4);
}

TEST(ClientStatements, EraseAllCanBeUndone) {
  Statements statements;
  statements.put("a", 1, 1, 1);
  statements.put("b", 2, 1, 2);
  statements.confirm(2);
  statements.confirm(1);
  EXPECT_EQ(statements.unconfirmed(), 0u);
  statements.erase_all(3);
  EXPECT_EQ(statements.size(), 0u);
  statements.undo(3);
  EXPECT_EQ(handle_of(statements, "a"), 1);
  EXPECT_EQ(handle_of(statements, "b"), 2);
}

}  // namespace
}  // namespace pgweir::protocol
