// What a COPY ... FROM STDIN into a sharded table needs to know, decided once by the planner: the statement that every
// shard gets, the form of the input and where the key stands in a row. Immutable once built; thread-safe to read.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "config/config.h"
#include "routing/placement/placement.h"
#include "routing/types.h"

namespace pgweir::routing {

enum class CopyFormat : std::uint8_t { Text, Csv, Binary };
enum class CopyHeader : std::uint8_t { None, Skip, Match };  // HEADER true, HEADER match

// Options of the client's COPY with PostgreSQL's defaults of the format filled in (see text() and csv()). The input's
// encoding must be the server's: only there no byte of a multi-byte character looks like a delimiter.
struct CopyOptions {
  CopyFormat format = CopyFormat::Text;
  char delimiter = '\t';
  std::string null_string = "\\N";
  char quote = '"';   // csv only
  char escape = '"';  // csv only
  CopyHeader header = CopyHeader::None;
  std::vector<bool> force_null;      // csv only; by position in the row; empty: none
  std::vector<bool> force_not_null;  // csv only; by position in the row; empty: none

  static CopyOptions text() { return {}; }
  static CopyOptions csv() {
    CopyOptions options;
    options.format = CopyFormat::Csv;
    options.delimiter = ',';
    options.null_string.clear();
    return options;
  }
  static CopyOptions binary() {
    CopyOptions options;
    options.format = CopyFormat::Binary;
    return options;
  }
};

// One key column of the table, as it stands in the rows.
struct CopyKeyColumn {
  std::size_t position = 0;   // in a row of the COPY, 0-based
  // the column's type (char(n): trailing blanks do not count); 0: as the placement's key type
  Oid type = 0;
  std::int32_t typmod = -1;   // the column's: what is stored may differ from what is written (varchar(n), timestamp(p))
};

class CopyPlan {
 public:
  std::string table;                   // unqualified, as PostgreSQL's error context names it
  std::vector<std::string> columns;    // of one row, in order; never empty
  // COPY schema.table (columns...) FROM STDIN WITH (...), the same for every shard and always without HEADER: the
  // router takes the header line away.
  std::string shard_statement;
  CopyOptions options;
  bool utf8 = true;                    // the server encoding is UTF8 (how lengths of varchar(n) keys count)
  std::vector<CopyKeyColumn> key;      // one per level of the placement, outermost first
  std::shared_ptr<const Placement> placement;
};

}  // namespace pgweir::routing
