// Order and equality of PostgreSQL's binary values, as sort keys: a value is encoded into bytes such that memcmp of two
// encodings is the order of the type's default btree operator class and equality of bytes is the type's own equality
// (1.0 = 1.00, -0 = 0, NaN = NaN, '1 day' = '24:00', trailing blanks of bpchar). Encodings are self-delimiting, so
// those of several keys are concatenated. One encoding serves merging, grouping, sorting and min/max. Binary formats:
// the *send functions of PostgreSQL 15; float8_cmp_internal, interval_cmp_value, network_cmp and bpcharcmp describe the
// orders.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "routing/merge/merge_types.h"
#include "routing/types.h"

namespace pgweir::routing {

// Encoder of one type. Immutable; copies share the enum's label table.
class KeyType {
 public:
  // A refusal "merge_type" for a type without an exact order here; "merge_collation" for a collatable type (text,
  // varchar, bpchar, name) unless `bytewise`: for an order the collation must sort bytewise, for equality be
  // deterministic.
  static Result<KeyType> create(Oid type, bool bytewise, const MergeTypes& types);

  // Appends the encoding of one non-null binary value. False if the bytes are no value of the type (nothing is
  // appended).
  [[nodiscard]] bool encode(std::string_view binary, std::string& out) const;

 private:
  enum class Format : std::uint8_t {
    Signed,
    Bytes,
    Float4,
    Float8,
    Numeric,
    TimeTz,
    Interval,
    Text,
    Blanks,
    Enum,
    Network
  };
  struct BuiltIn;  // format and size of a built-in type
  static const BuiltIn* built_in(Oid type);

  using LabelOrder = std::map<std::string, std::uint32_t, std::less<>>;
  Format format_ = Format::Bytes;
  std::uint8_t size_ = 0;  // of Signed and Bytes
  std::shared_ptr<const LabelOrder> labels_;
};

// The types whose order depends on a collation: text, varchar, bpchar, name.
bool is_collatable(Oid type);

// One component of a sort key: a nullable value with its direction.
struct KeyOrder {
  bool descending = false;
  bool nulls_first = false;  // absolute, as in MergeKey
};

// Appends a component made of an already encoded value, or of a null.
void append_component(KeyOrder order, std::string_view encoded, bool null, std::string& out);

// Appends a component made of a binary value. False if malformed.
[[nodiscard]] bool append_component(const KeyType& type, KeyOrder order, std::string_view binary, bool null,
                                    std::string& out);

// Compares two values of a type: < 0, 0, > 0. Precondition: both are well-formed. For tests and rare paths.
int compare_values(const KeyType& type, KeyOrder order, const std::string* left, const std::string* right);

}  // namespace pgweir::routing
