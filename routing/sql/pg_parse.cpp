#include <utility>

#include "routing/sql/parse.h"
#include "routing/sql/pg_convert.h"

extern "C" {
#include <pg_query.h>
#include <pg_query/pg_query_internal.h>
}

namespace pgweir::routing::sql {
namespace {

// libpg_query's parse tree lives in a memory context of this thread, until this ends.
class MemoryScope {
 public:
  MemoryScope() : context_(pg_query_enter_memory_context()) {}
  ~MemoryScope() { pg_query_exit_memory_context(context_); }
  MemoryScope(const MemoryScope&) = delete;
  MemoryScope& operator=(const MemoryScope&) = delete;

 private:
  MemoryContext context_;
};

}  // namespace

ParseResult parse(std::string_view text) {
  ParseResult result;
  if (text.find('\0') != std::string_view::npos) {
    result.error = "invalid byte sequence: 0x00";
    return result;
  }
  const std::string terminated(text);
  const MemoryScope scope;
  PgQueryInternalParsetreeAndError parsed = pg_query_raw_parse(terminated.c_str());
  free(parsed.stderr_buffer);
  if (parsed.error != nullptr) {
    result.error = text_of(parsed.error->message);
    if (result.error.empty()) result.error = "syntax error";
    pg_query_free_error(parsed.error);
    return result;
  }
  PgConverter converter(terminated);
  for (int i = 0; i < list_length(parsed.tree); ++i)
    result.statements.push_back(converter.statement(*nth<RawStmt>(parsed.tree, i)));
  return result;
}

}  // namespace pgweir::routing::sql
