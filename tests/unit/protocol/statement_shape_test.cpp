#include "protocol/statement_shape.h"

#include <gtest/gtest.h>

#include <set>
#include <vector>

namespace pgweir::protocol {
namespace {

constexpr StatementHashKey kKey{1, 2};

// Bodies as a server sends them.
std::string columns(const std::vector<ColumnDescription>& described) {
  std::string message;
  encode_row_description(described, message);
  return message.substr(5);
}
std::uint64_t parameters(const std::vector<Oid>& types, const OidMapper& canonical = {}) {
  std::string message;
  encode_parameter_description(types, message);
  return shape_of_parameters(kKey, *decode_parameter_description(std::string_view(message).substr(5)), canonical);
}
std::uint64_t shape(const std::vector<Oid>& types, const std::vector<ColumnDescription>& described, const OidMapper& canonical = {}) {
  return shape_of_columns(kKey, parameters(types, canonical), columns(described), canonical);
}

const ColumnDescription kNumber{"a", 100, 1, 23, 4, -1, 0}, kText{"b", 100, 2, 25, -1, -1, 0};

TEST(StatementShape, DependsOnParametersNamesTypesModifiersAndOrder) {
  ColumnDescription renamed = kNumber, wider = kNumber, modified = kText;
  renamed.name = "c";
  wider.type_oid = 20;
  modified.typmod = 14;
  const std::set<std::uint64_t> all{shape({}, {kNumber, kText}),      shape({}, {kText, kNumber}),    shape({}, {kNumber}),
                                    shape({23}, {kNumber}),           shape({20}, {kNumber}),         shape({23, 20}, {kNumber}),
                                    shape({20, 23}, {kNumber}),       shape({}, {renamed, kText}),    shape({}, {wider, kText}),
                                    shape({}, {kNumber, modified}),   shape({}, {}),                  shape({}, {kNumber, kText, kText}),
                                    shape_of_columns(kKey, parameters({}), std::nullopt, {})};
  EXPECT_EQ(all.size(), 13u);
  EXPECT_EQ(all.count(0), 0u);
  EXPECT_EQ(shape({23}, {kNumber, kText}), shape({23}, {kNumber, kText}));
}

TEST(StatementShape, DoesNotDependOnTheTableOrTheFormat) {
  ColumnDescription elsewhere = kNumber;
  elsewhere.table_oid = 7;
  elsewhere.attnum = 9;
  elsewhere.format = 1;
  EXPECT_EQ(shape({}, {elsewhere}), shape({}, {kNumber}));
}

TEST(StatementShape, TypesAreThoseThatAllServersKnow) {
  ColumnDescription here = kNumber, there = kNumber;
  here.type_oid = 50'000;
  there.type_oid = 60'000;
  const OidMapper canonical = [](Oid type) { return type == 60'000 ? 50'000 : type; };
  EXPECT_EQ(shape({60'000}, {there}, canonical), shape({50'000}, {here}));
  EXPECT_NE(shape({60'000}, {there}), shape({50'000}, {here}));
}

TEST(StatementShape, PiecesDoNotRunIntoEachOther) {
  ColumnDescription one{"ab", 0, 0, 23, 4, -1, 0}, other{"a", 0, 0, 23, 4, -1, 0}, third{"b", 0, 0, 23, 4, -1, 0};
  EXPECT_NE(shape({}, {one, other}), shape({}, {other, one}));
  EXPECT_NE(shape({}, {one}), shape({}, {other, third}));
}

TEST(StatementShape, ABodyThatIsCutHasSomeShape) {
  const std::string body = columns({kNumber, kText});
  for (std::size_t size = 0; size < body.size(); ++size)
    EXPECT_NE(shape_of_columns(kKey, 0, std::string_view(body).substr(0, size), {}), 0u);
}

}  // namespace
}  // namespace pgweir::protocol
