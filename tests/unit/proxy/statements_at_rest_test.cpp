// Prepared statements of clients at rest: one object for all that are equal, and the client's own again when it is used.
#include <gtest/gtest.h>

#include "proxy/session/at_rest.h"

namespace pgweir::session {
namespace {

StatementPtr statement(const std::string& sql, std::uint32_t serial) {
  auto made = std::make_shared<Statement>();
  made->sql = sql;
  made->types = {23};
  made->serial = serial;
  return made;
}

struct Client {
  explicit Client(std::uint32_t first_serial, const std::string& text = "SELECT $1 + ") {
    for (std::uint32_t i = 0; i < 5; ++i) {
      const std::string number = std::to_string(i);
      EXPECT_EQ(statements.put("s" + number, statement(text + number, first_serial + i), 100, i), std::nullopt);
      statements.confirm(i);
    }
  }
  StatementPtr at_rest(const std::string& name) const {
    StatementPtr seen;
    statements.for_each([&](std::string_view each, const StatementPtr& handle) {
      if (each == name) seen = handle;
    });
    return seen;
  }
  StatementMap statements;
};

TEST(StatementsAtRest, EqualOnesOfManyClientsAreOne) {
  StatementShelf shelf;
  std::vector<std::unique_ptr<Client>> clients;
  for (std::uint32_t i = 0; i < 1000; ++i) clients.push_back(std::make_unique<Client>(10 * i));
  clients.push_back(std::make_unique<Client>(1, "SELECT $1 - "));
  for (auto& client : clients) client->statements.rest(shelf);
  EXPECT_EQ(shelf.size(), 10u);
  EXPECT_EQ(clients[0]->at_rest("s3"), clients[999]->at_rest("s3"));
  EXPECT_NE(clients[0]->at_rest("s3"), clients[1000]->at_rest("s3"));
}

TEST(StatementsAtRest, WhatAClientUsesIsItsOwnAgain) {
  StatementShelf shelf;
  Client one(1), other(1);
  one.statements.rest(shelf);
  other.statements.rest(shelf);
  const StatementPtr mine = *one.statements.find("s1"), second = *one.statements.find("s2");
  EXPECT_EQ(mine->sql, "SELECT $1 + 1");
  EXPECT_FALSE(mine->at_rest);
  EXPECT_EQ(*one.statements.find("s1"), mine);
  EXPECT_NE(mine->serial, second->serial);   // the tags of Binds tell a client's statements apart
  EXPECT_NE(mine->serial, 0u);
  mine->environment = 77;
  EXPECT_EQ((*other.statements.find("s1"))->environment, Statement::kNoEnvironment);
  EXPECT_EQ(one.statements.size(), 5u);
  EXPECT_EQ(one.statements.bytes(), other.statements.bytes());
}

TEST(StatementsAtRest, WhatSomebodyElseHoldsStays) {
  StatementShelf shelf;
  Client client(1);
  const StatementPtr held = *client.statements.find("s0");
  client.statements.rest(shelf);
  EXPECT_FALSE(held->at_rest);
  EXPECT_EQ(*client.statements.find("s0"), held);
  EXPECT_EQ(shelf.size(), 4u);
}

TEST(StatementsAtRest, TheLatestParseStandsForAllOfOneShape) {
  StatementShelf shelf;
  auto old = statement("SELECT 1", 1), newer = statement("SELECT 1", 2), reshaped = statement("SELECT 1", 3);
  old->version = {10, 77};
  newer->version = {20, 77};
  reshaped->version = {15, 78};
  const StatementPtr shared = shelf.put(newer);
  EXPECT_EQ(shelf.put(old), shared);
  EXPECT_EQ(shared->version.stamp, 20u);
  EXPECT_NE(shelf.put(reshaped), shared);
  auto newest = statement("SELECT 1", 4);
  newest->version = {30, 77};
  EXPECT_EQ(shelf.put(newest), shared);
  EXPECT_EQ(shared->version.stamp, 30u);
}

TEST(StatementsAtRest, OnesThatDifferAreKeptApart) {
  StatementShelf shelf;
  const StatementPtr plain = shelf.put(statement("SELECT 1", 1));
  EXPECT_EQ(shelf.put(statement("SELECT 1", 2)), plain);
  auto typed = statement("SELECT 1", 1), elsewhere = statement("SELECT 1", 1), described = statement("SELECT 1", 1), unnamed = statement("SELECT 1", 1);
  typed->types = {25};
  elsewhere->environment = 4;
  described->described.emplace();
  unnamed->unnamed = true;
  for (const auto& each : {typed, elsewhere, described, unnamed}) EXPECT_EQ(shelf.put(each), each);
}

TEST(StatementsAtRest, TheShelfForgetsWhatNobodyHas) {
  StatementShelf shelf;
  for (int i = 0; i < 10'000; ++i) shelf.put(statement("SELECT " + std::to_string(i), 1));
  EXPECT_LE(shelf.size(), 512u);
}

}  // namespace
}  // namespace pgweir::session
