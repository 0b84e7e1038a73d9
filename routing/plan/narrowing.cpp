#include "routing/plan/narrowing.h"

namespace pgweir::routing {
namespace {

using Kind = KeyPredicate::Kind;

KeyConstraint nothing() {
  KeyConstraint none;
  none.values.emplace();
  return none;
}

// Values that any of the terms can have. Unknown makes it unconstrained; NULL and values that no key equals add
// nothing.
std::optional<std::vector<KeyValue>> values_of(const std::vector<TermValue>& terms, NarrowResult& result) {
  std::vector<KeyValue> values;
  for (const TermValue& t : terms) {
    switch (t.kind) {
      case TermValue::Kind::Unknown:
        return std::nullopt;
      case TermValue::Kind::Error:
        if (!result.error) result.error = t.error;
        return std::nullopt;
      case TermValue::Kind::Null:
      case TermValue::Kind::None:
        break;
      case TermValue::Kind::Value:
        values.push_back(*t.value);
        break;
    }
  }
  return values;
}

}  // namespace

void Narrowing::constrain(const KeyPredicate& p, const TermInput& input, KeyConstraint& constraint,
                          NarrowResult& result) const {
  KeyConstraint own;
  if (p.kind == Kind::Equal) {
    std::vector<TermValue> terms;
    terms.reserve(p.terms.size());
    for (const Term& t : p.terms) terms.push_back(t.evaluate(input));
    own.values = values_of(terms, result);
  } else if (p.kind == Kind::EqualArray) {
    if (const auto terms = p.terms.front().evaluate_array(input)) own.values = values_of(*terms, result);
  } else {
    const TermValue value = p.terms.front().evaluate(input);
    if (value.kind == TermValue::Kind::Null) {
      own = nothing();
    } else if (value.kind == TermValue::Kind::Error && !result.error) {
      result.error = value.error;
    } else if (value.kind == TermValue::Kind::Value) {
      const bool inclusive = p.kind == Kind::LessEqual || p.kind == Kind::GreaterEqual;
      (p.kind == Kind::Less || p.kind == Kind::LessEqual ? own.upper : own.lower) = KeyBound{*value.value, inclusive};
    }
  }
  if (!own.unconstrained()) constraint.intersect(own);
}

void Narrowing::gather(const KeyPredicate& p, std::vector<const KeyPredicate*>& simple,
                       std::vector<const KeyPredicate*>& ors) const {
  switch (p.kind) {
    case Kind::Any:
      return;
    case Kind::And:
      for (const auto& c : p.children) gather(c, simple, ors);
      return;
    case Kind::Or:
      ors.push_back(&p);
      return;
    default:
      simple.push_back(&p);
  }
}

// AND intersects, OR unites: each OR is the union over its branches, each branch together with what is known around it.
ShardSet Narrowing::shards(std::vector<const KeyPredicate*> simple, std::vector<const KeyPredicate*> ors,
                           const TermInput& input, int depth, NarrowResult& result) const {
  std::vector<KeyConstraint> constraints(placement->levels());
  for (const KeyPredicate* p : simple) constrain(*p, input, constraints[p->level], result);
  ShardSet set = placement->shards_for(constraints);
  if (depth == 0) {
    for (const KeyConstraint& c : constraints) {
      result.single.push_back(c.values && c.values->size() == 1 ? std::optional<KeyValue>(c.values->front())
                                                                : std::nullopt);
    }
  }
  if (depth > 4) return set;
  for (const KeyPredicate* p : ors) {
    ShardSet branches;
    for (const KeyPredicate& c : p->children) {
      auto branch_simple = simple;
      std::vector<const KeyPredicate*> branch_ors;
      gather(c, branch_simple, branch_ors);
      branches = branches | shards(std::move(branch_simple), std::move(branch_ors), input, depth + 1, result);
    }
    set = set & branches;
  }
  return set;
}

NarrowResult Narrowing::evaluate(const TermInput& input) const {
  NarrowResult result;
  std::vector<const KeyPredicate*> simple, ors;
  gather(predicate, simple, ors);
  result.shards = shards(std::move(simple), std::move(ors), input, 0, result);
  return result;
}

}  // namespace pgweir::routing
