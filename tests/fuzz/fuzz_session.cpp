// The session's states: sequences of messages of several clients, drawn from the input, against a model of the server. Each
// client receives what it would receive directly, and nothing is left for the next one. tests/model plays random ones.
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>

#include "tests/model/world.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string problem = pgweir::model::play({data, size});
  if (problem.empty()) return 0;
  std::fprintf(stderr, "%s\n", problem.c_str());
  std::abort();
}
