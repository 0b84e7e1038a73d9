#include "config/units.h"

#include <array>
#include <charconv>
#include <limits>

namespace pgweir::config {
namespace {

struct Unit {
  std::string_view name;
  std::uint64_t factor;
};

// Largest first: formatting takes the first that divides.
constexpr std::array<Unit, 5> kDurations{
    {{"d", 86'400'000}, {"h", 3'600'000}, {"m", 60'000}, {"s", 1'000}, {"ms", 1}}};
constexpr std::array<Unit, 9> kSizes{{{"TiB", 1ull << 40},
                                      {"GiB", 1ull << 30},
                                      {"MiB", 1ull << 20},
                                      {"KiB", 1ull << 10},
                                      {"B", 1},
                                      {"TB", 1'000'000'000'000},
                                      {"GB", 1'000'000'000},
                                      {"MB", 1'000'000},
                                      {"kB", 1'000}}};
constexpr std::uint64_t kLongest = 10ull * 365 * 86'400'000;

template <std::size_t N>
std::optional<std::uint64_t> parse(std::string_view text, const std::array<Unit, N>& units) {
  std::uint64_t number = 0;
  const auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (failed != std::errc{}) return std::nullopt;
  std::string_view rest = text.substr(static_cast<std::size_t>(end - text.data()));
  if (rest.empty()) return number == 0 ? std::optional<std::uint64_t>(0) : std::nullopt;
  if (rest.front() == ' ') rest.remove_prefix(1);
  for (const Unit& unit : units) {
    if (unit.name != rest) continue;
    if (number > std::numeric_limits<std::uint64_t>::max() / unit.factor) return std::nullopt;
    return number * unit.factor;
  }
  return std::nullopt;
}

template <std::size_t N>
std::string format(std::uint64_t value, const std::array<Unit, N>& units, std::string_view zero) {
  if (value == 0) return std::string(zero);
  for (const Unit& unit : units) {
    if (value % unit.factor == 0) return std::to_string(value / unit.factor) + std::string(unit.name);
  }
  return {};  // unreachable: both tables have a unit of one
}

}  // namespace

std::optional<Duration> parse_duration(std::string_view text) {
  const auto milliseconds = parse(text, kDurations);
  if (!milliseconds || *milliseconds > kLongest) return std::nullopt;
  return Duration(static_cast<Duration::rep>(*milliseconds));
}

std::optional<Bytes> parse_bytes(std::string_view text) { return parse(text, kSizes); }

std::string format_duration(Duration value) {
  return format(static_cast<std::uint64_t>(value.count()), kDurations, "0s");
}

std::string format_bytes(Bytes value) { return format(value, kSizes, "0B"); }

}  // namespace pgweir::config
