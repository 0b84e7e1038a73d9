// The console's side of the extended query protocol: statements and portals of one client, so that drivers that know no
// simple Query can ask it, too. Statements take no parameters. What a statement shows is known only by running it, so
// Describe runs a command that only shows; the others say NoData. Used on one worker's thread; one message at a time.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "proxy/admin/console.h"

namespace pgweir::admin {

class Extended {
 public:
  static constexpr std::size_t kMaxEntries = 1000;  // statements, and portals

  // The console outlives this, or goes with it.
  explicit Extended(Console& console) : console_(console) {}

  // Takes one frontend message of the extended protocol (P, B, D, E, C, H, S, or another: refused). `done` is called once,
  // before it returns or later, with the complete messages of the answer. Not while another one is under way.
  void take(char type, std::string_view body, std::function<void(std::string replies)> done);

 private:
  using Reply = std::function<void(std::string)>;
  struct Portal {
    std::string text;
    std::string formats;          // FormatCodes as in Bind
    std::optional<Table> answer;  // once it has run
    std::size_t next = 0;         // the row to send next
  };

  void parse(std::string_view body, Reply done);
  void bind(std::string_view body, Reply done);
  void describe(std::string_view body, Reply done);
  void execute(std::string_view body, Reply done);
  void close(std::string_view body, Reply done);
  void fail(const protocol::SqlError& error, const Reply& done);
  void send_rows(Portal& portal, std::int32_t limit, std::string& out);
  Portal* find_portal(std::string_view name);

  Console& console_;
  std::map<std::string, std::string, std::less<>> statements_;
  std::map<std::string, Portal, std::less<>> portals_;
  bool skipping_ = false;  // after an error: all until Sync
};

}  // namespace pgweir::admin
