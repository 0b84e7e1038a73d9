#include "protocol/thin_vector.h"

#include <gtest/gtest.h>

#include <memory>
#include <random>
#include <string>
#include <vector>

#include "protocol/boxed.h"

namespace pgweir::protocol {
namespace {

std::vector<std::string> content(const ThinVector<std::string>& items) { return {items.begin(), items.end()}; }

TEST(ThinVector, BehavesAsAVectorWhateverTheOrderOfCalls) {
  std::mt19937 random(11);
  ThinVector<std::string> items;
  std::vector<std::string> model;
  for (int step = 0; step < 20'000; ++step) {
    const auto at = static_cast<std::ptrdiff_t>(model.empty() ? 0 : random() % model.size());
    const std::string text = "the item of step " + std::to_string(step);
    switch (random() % 8) {
      case 0:
      case 1: items.push_back(text), model.push_back(text); break;
      case 2: items.insert(items.begin() + at, text), model.insert(model.begin() + at, text); break;
      case 3:
        if (!model.empty()) items.emplace_back(items[0]), model.push_back(std::string(model[0]));
        break;
      case 4:
        if (!model.empty()) items.erase(items.begin() + at), model.erase(model.begin() + at);
        break;
      case 5:
        if (step % 50 == 0) items.clear(), model.clear();
        break;
      case 6: items.trim(); break;
      default:
        items.erase_if([](const std::string& each) { return each.back() == '7'; });
        std::erase_if(model, [](const std::string& each) { return each.back() == '7'; });
    }
    ASSERT_EQ(content(items), model) << step;
  }
  const ThinVector<std::string> copy = items;
  ThinVector<std::string> moved = std::move(items);
  EXPECT_EQ(content(copy), model);
  EXPECT_EQ(content(moved), model);
  EXPECT_TRUE(items.empty());  // NOLINT: what is moved from is empty, which the class promises
}

TEST(ThinVector, HoldsNothingWhenItHasNothing) {
  static_assert(sizeof(ThinVector<std::string>) == sizeof(void*));
  ThinVector<std::shared_ptr<int>> items;
  EXPECT_EQ(items.capacity(), 0u);
  const auto value = std::make_shared<int>(1);
  for (int i = 0; i < 5; ++i) items.push_back(value);
  items.trim();
  EXPECT_EQ(items.capacity(), 5u);
  items.pop_back();
  EXPECT_EQ(value.use_count(), 5);
  items.clear();
  EXPECT_EQ(value.use_count(), 1);
  EXPECT_EQ(items.capacity(), 5u);
  items.trim();
  EXPECT_EQ(items.capacity(), 0u);
}

TEST(Boxed, IsAnOptionalValueOfOnePointer) {
  static_assert(sizeof(Boxed<std::string>) == sizeof(void*));
  Boxed<std::string> box;
  EXPECT_FALSE(box.has_value());
  EXPECT_EQ(box.or_default(), "");
  box.made() += "text";
  const Boxed<std::string> copy = box;
  box = std::string("other");
  EXPECT_EQ(*copy, "text");
  EXPECT_EQ(*box, "other");
  box.reset();
  EXPECT_FALSE(box);
}

}  // namespace
}  // namespace pgweir::protocol
