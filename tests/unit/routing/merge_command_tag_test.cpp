#include "routing/merge/command_tag.h"

#include <gtest/gtest.h>

#include <vector>

namespace pgweir::routing {
namespace {

std::string merged(std::vector<std::string> tags) { return merge_command_tags(tags); }

TEST(CommandTag, CountsAreAddedUp) {
  EXPECT_EQ(merged({"INSERT 0 3", "INSERT 0 2"}), "INSERT 0 5");
  EXPECT_EQ(merged({"UPDATE 0", "UPDATE 0"}), "UPDATE 0");
  EXPECT_EQ(merged({"DELETE 1", "DELETE 2", "DELETE 4"}), "DELETE 7");
  EXPECT_EQ(merged({"SELECT 10", "SELECT 1"}), "SELECT 11");
  EXPECT_EQ(merged({"COPY 2", "COPY 2"}), "COPY 4");
  EXPECT_EQ(merged({"MERGE 1", "MERGE 1"}), "MERGE 2");
  EXPECT_EQ(merged({"UPDATE 9223372036854775807", "UPDATE 1"}), "UPDATE 9223372036854775807");
}

TEST(CommandTag, OthersAreUnchanged) {
  EXPECT_EQ(merged({"CREATE TABLE", "CREATE TABLE"}), "CREATE TABLE");
  EXPECT_EQ(merged({"BEGIN"}), "BEGIN");
  EXPECT_EQ(merged({}), "");
  EXPECT_EQ(merged({"UPDATE 1", "DELETE 1"}), "UPDATE 1");
  EXPECT_EQ(merged({"UPDATE x", "UPDATE 1"}), "UPDATE x");
  EXPECT_EQ(merged({"ALTER 5", "ALTER 5"}), "ALTER 5");
}

TEST(CommandTag, RowsAreReadAndReplaced) {
  EXPECT_EQ(tag_rows("INSERT 0 12"), 12);
  EXPECT_EQ(tag_rows("SELECT"), -1);
  EXPECT_EQ(tag_rows("SELECT -1"), -1);
  EXPECT_EQ(tag_rows("SELECT 99999999999999999999"), -1);
  EXPECT_EQ(with_tag_rows("SELECT 7", 3), "SELECT 3");
  EXPECT_EQ(with_tag_rows("INSERT 0 7", 30), "INSERT 0 30");
  EXPECT_EQ(with_tag_rows("VACUUM", 3), "VACUUM");
}

}  // namespace
}  // namespace pgweir::routing
