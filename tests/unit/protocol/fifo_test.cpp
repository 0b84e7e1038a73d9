#include "protocol/fifo.h"

#include <gtest/gtest.h>

#include <deque>
#include <memory>
#include <random>

namespace pgweir::protocol {
namespace {

TEST(Fifo, BehavesAsADequeWhateverTheOrderOfCalls) {
  std::mt19937 random(7);
  Fifo<int> fifo;
  std::deque<int> model;
  for (int step = 0; step < 100'000; ++step) {
    const auto choice = random() % 100;
    if (choice < 52 || model.empty()) {
      fifo.push_back(step);
      model.push_back(step);
    } else if (choice < 97) {
      ASSERT_EQ(fifo.front(), model.front());
      fifo.pop_front();
      model.pop_front();
    } else if (choice < 99) {
      const auto at = random() % model.size();
      fifo.erase_at(at);
      model.erase(model.begin() + static_cast<std::ptrdiff_t>(at));
    } else {
      fifo.erase_if([](int v) { return v % 7 == 0; });
      std::erase_if(model, [](int v) { return v % 7 == 0; });
    }
    ASSERT_EQ(fifo.size(), model.size());
    if (!model.empty()) {
      ASSERT_EQ(fifo[model.size() / 2], model[model.size() / 2]);
    }
  }
  ASSERT_TRUE(std::equal(fifo.begin(), fifo.end(), model.begin(), model.end()));
}

TEST(Fifo, ReleasesAnElementWhenItIsPopped) {
  Fifo<std::shared_ptr<int>> fifo;
  const auto value = std::make_shared<int>(1);
  fifo.push_back(value);
  fifo.push_back(nullptr);
  EXPECT_EQ(value.use_count(), 2);
  fifo.pop_front();
  EXPECT_EQ(value.use_count(), 1);
}

}  // namespace
}  // namespace pgweir::protocol
