// Random sequences of messages through the real sessions, links and pools, against a model of the server: each client
// receives exactly what it would receive directly, and leaves nothing behind. PGWEIR_MODEL_SEQUENCES: how many (default
// 1000); PGWEIR_MODEL_SEED: only this one, told by a failure.
#include <gtest/gtest.h>

#include <cstdlib>
#include <random>

#include "tests/model/world.h"

namespace pgweir::model {
namespace {

std::vector<std::uint8_t> bytes_of(unsigned seed) {
  std::mt19937 random(seed);
  std::vector<std::uint8_t> bytes(100 + random() % 1400);
  for (auto& byte : bytes) byte = static_cast<std::uint8_t>(random());
  return bytes;
}

unsigned number(const char* name, unsigned otherwise) {
  const char* text = std::getenv(name);
  return text == nullptr ? otherwise : static_cast<unsigned>(std::strtoul(text, nullptr, 10));
}

TEST(SessionModel, RandomSequencesAreAnsweredAsDirectly) {
  const char* only = std::getenv("PGWEIR_MODEL_SEED");
  const unsigned first = only != nullptr ? number("PGWEIR_MODEL_SEED", 0) : 1;
  const unsigned last = only != nullptr ? first : number("PGWEIR_MODEL_SEQUENCES", 1000);
  unsigned failures = 0;
  for (unsigned seed = first; seed <= last && failures < 5; ++seed) {
    const std::string problem = play(bytes_of(seed));
    if (problem.empty()) continue;
    ++failures;
    ADD_FAILURE() << "PGWEIR_MODEL_SEED=" << seed << ": " << problem;
  }
}

}  // namespace
}  // namespace pgweir::model
