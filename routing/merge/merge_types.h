// What a merge must know of types and collations beyond their OIDs. All OIDs are canonical ones (those of
// catalog_shard).
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "routing/catalog/catalog.h"
#include "routing/types.h"

namespace pgweir::routing {

// The default knows the built-in collations only and no enum. Implementations must be thread-safe to read and outlive
// only the call of Merger::create (what a merger needs of it is copied there).
class MergeTypes {
 public:
  using EnumLabels = std::vector<std::pair<Oid, std::string>>;
  static constexpr Oid kDefaultCollation = 100, kCCollation = 950, kPosixCollation = 951;  // pg_collation.dat

  virtual ~MergeTypes() = default;
  // True if the collation is known to sort bytewise on every shard.
  virtual bool sorts_bytewise(Oid collation) const { return collation == kCCollation || collation == kPosixCollation; }
  // True if equality under the collation is known to be equality of bytes.
  virtual bool deterministic(Oid collation) const {
    return collation == kDefaultCollation || sorts_bytewise(collation);
  }
  // Labels of an enum type in sort order; nullptr if the type is no enum.
  virtual const EnumLabels* enum_labels(Oid /*type*/) const { return nullptr; }
};

// The view of a catalog snapshot. The catalog must outlive this object.
class CatalogMergeTypes final : public MergeTypes {
 public:
  explicit CatalogMergeTypes(const Catalog& catalog) : catalog_(catalog) {}
  bool sorts_bytewise(Oid collation) const override {
    if (collation == kDefaultCollation) return catalog_.database_collation_c;
    auto known = catalog_.collation_is_c.find(collation);
    return known != catalog_.collation_is_c.end() ? known->second : MergeTypes::sorts_bytewise(collation);
  }
  bool deterministic(Oid collation) const override {
    auto known = catalog_.collation_deterministic.find(collation);
    return known != catalog_.collation_deterministic.end() ? known->second : MergeTypes::deterministic(collation);
  }
  const EnumLabels* enum_labels(Oid type) const override {
    auto known = catalog_.types.find(type);
    if (known == catalog_.types.end() || known->second.type != 'e') return nullptr;
    return &known->second.enum_labels;
  }

 private:
  const Catalog& catalog_;
};

}  // namespace pgweir::routing
