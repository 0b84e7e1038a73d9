// Durations ("500ms", "30s", "5m", "1h", "7d") and sizes ("512B", "16KiB", "64MiB", "1GiB", "16kB" = 16,000).
// A plain "0" is accepted for both; other numbers need their unit.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "config/config.h"

namespace pgweir::config {

// Empty on anything else, on overflow and on more than 10 years.
std::optional<Duration> parse_duration(std::string_view text);
std::optional<Bytes> parse_bytes(std::string_view text);

// The shortest form that parses back to the same value: "90s", "1h", "0s", "16MiB".
std::string format_duration(Duration value);
std::string format_bytes(Bytes value);

}  // namespace pgweir::config
