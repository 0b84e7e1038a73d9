// The process's log: one line per event on standard error, as text or JSON, written by one write() so that lines of
// several threads never mix. Thread-safe. Never pass a password, key or verifier: nothing is redacted here.
// Control characters in messages are escaped, so that what a peer sends cannot forge lines.
#pragma once

#include <string>
#include <string_view>
#include <utility>

#include <fmt/format.h>

#include "config/config.h"

namespace pgweir::log {

using Level = config::LogLevel;

// May be called again at any time (reload). Before the first call: info, text.
void configure(Level level, config::LogFormat format);
bool enabled(Level level);
// Writes whether enabled or not; the functions below ask first.
void write(Level level, std::string_view message);
// The line as it is written, with its newline; `microseconds` since 1970-01-01 UTC. Pure.
std::string format_line(config::LogFormat format, Level level, std::int64_t microseconds, std::string_view message);

template <class... Args>
void log(Level level, fmt::format_string<Args...> text, Args&&... args) {
  if (enabled(level)) write(level, fmt::format(text, std::forward<Args>(args)...));
}
template <class... Args>
void debug(fmt::format_string<Args...> text, Args&&... args) {
  log(Level::Debug, text, std::forward<Args>(args)...);
}
template <class... Args>
void info(fmt::format_string<Args...> text, Args&&... args) {
  log(Level::Info, text, std::forward<Args>(args)...);
}
template <class... Args>
void warning(fmt::format_string<Args...> text, Args&&... args) {
  log(Level::Warning, text, std::forward<Args>(args)...);
}
template <class... Args>
void error(fmt::format_string<Args...> text, Args&&... args) {
  log(Level::Error, text, std::forward<Args>(args)...);
}

}  // namespace pgweir::log
