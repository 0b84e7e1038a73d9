#include "proxy/log/log.h"

#include <unistd.h>

#include <atomic>
#include <chrono>
#include <ctime>

namespace pgweir::log {
namespace {

std::atomic<Level> threshold{Level::Info};
std::atomic<config::LogFormat> line_format{config::LogFormat::Text};

constexpr std::string_view name(Level level) {
  switch (level) {
    case Level::Debug:
      return "debug";
    case Level::Info:
      return "info";
    case Level::Warning:
      return "warning";
    case Level::Error:
      break;
  }
  return "error";
}

// Backslashes, quotes (JSON only) and control characters escaped as JSON does.
void append_escaped(std::string& out, std::string_view text, bool quotes) {
  for (const char c : text) {
    if (quotes && (c == '"' || c == '\\'))
      out += '\\', out += c;
    else if (c == '\n')
      out += quotes ? "\\n" : " ";
    else if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f)
      out += fmt::format("\\u{:04x}", static_cast<unsigned char>(c));
    else
      out += c;
  }
}

std::string timestamp(std::int64_t microseconds) {
  const std::time_t seconds = static_cast<std::time_t>(microseconds / 1'000'000);
  std::tm parts{};
  gmtime_r(&seconds, &parts);
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z", parts.tm_year + 1900, parts.tm_mon + 1,
                     parts.tm_mday, parts.tm_hour, parts.tm_min, parts.tm_sec, microseconds % 1'000'000 / 1000);
}

}  // namespace

void configure(Level level, config::LogFormat format) {
  threshold.store(level, std::memory_order_relaxed);
  line_format.store(format, std::memory_order_relaxed);
}

bool enabled(Level level) { return level >= threshold.load(std::memory_order_relaxed); }

std::string format_line(config::LogFormat format, Level level, std::int64_t microseconds, std::string_view message) {
  std::string line;
  line.reserve(message.size() + 64);
  if (format == config::LogFormat::Json) {
    line += fmt::format(R"({{"time":"{}","level":"{}","message":")", timestamp(microseconds), name(level));
    append_escaped(line, message, true);
    line += "\"}\n";
  } else {
    line += fmt::format("{} {:<7} ", timestamp(microseconds), name(level));
    append_escaped(line, message, false);
    line += '\n';
  }
  return line;
}

void write(Level level, std::string_view message) {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  const std::string line = format_line(line_format.load(std::memory_order_relaxed), level,
                                       std::chrono::duration_cast<std::chrono::microseconds>(now).count(), message);
  // Nothing sensible is left to do when standard error does not take it.
  [[maybe_unused]] const auto written = ::write(STDERR_FILENO, line.data(), line.size());
}

}  // namespace pgweir::log
