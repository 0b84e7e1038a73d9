// Runs a case on both sides, in every way a client can send it, and collects what differs.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "tests/oracle/case_file.h"
#include "tests/oracle/compare.h"
#include "tests/oracle/state.h"
#include "tests/oracle/watchdog.h"

namespace pgweir::oracle {

// Simple: a Query message, parameters as literals. Text and Binary: Parse, Bind, Execute with values in text, types
// left to the server, and results in that format. Prepared: named, declared types; values in binary where types are
// declared; what reads runs with every set of values twice, first with text results, then with binary ones.
enum class Mode { Simple, Text, Binary, Prepared };
const char* name_of(Mode mode);
std::vector<Mode> modes_of(const Case& test_case);

struct Refusal {
  std::string reason, hint, message;
  std::string where;  // mode, and the values if any
};

// What became of one statement over all modes and values.
struct Verdict {
  const Statement* statement = nullptr;
  int equal = 0;
  std::vector<Refusal> refusals;
  struct Difference {
    std::string mode, text;
  };
  std::vector<Difference> differences;
};

// The two sides. `expected` is one plain PostgreSQL; the type_name functions look a type's OID up there, and on the
// shard whose OIDs the other side promises.
struct Sides {
  std::function<support::Connection()> open_expected, open_got;
  std::function<std::string(Oid)> expected_type, got_type;
  StateCheck* state = nullptr;
};

// Not thread-safe. Connections are kept from case to case, one pair for each mode, as an application would.
class Runner {
 public:
  explicit Runner(Sides sides);
  // One verdict for each statement. Leaves no transaction open.
  std::vector<Verdict> run(const Case& test_case);

 private:
  struct Pair {
    support::Connection expected, got;
  };
  struct Execution {
    const Case& test_case;
    std::size_t index;  // of the statement
    Mode mode;
    const support::Row* values;  // null: none
    bool binary_result;
    const Statement& statement() const { return test_case.statements[index]; }
  };
  struct Answer {
    support::QueryResult result;
    std::string copied;               // COPY TO STDOUT
    std::vector<Oid> parameter_types;  // Prepared
    PGTransactionStatusType after = PQTRANS_UNKNOWN;
  };

  Pair& pair(Mode mode);
  void run_mode(const Case& test_case, Mode mode, std::vector<Verdict>& verdicts);
  void run_together(const Case& test_case, std::vector<Verdict>& verdicts);
  void run_statement(Pair& both, const Execution& execution, Verdict& verdict);
  void compare_once(Pair& both, const Execution& execution, Verdict& verdict);
  Answer ask(support::Connection& connection, const Execution& execution);
  support::QueryResult ask_prepared(support::Connection& connection, const Execution& execution, Answer& answer);
  std::optional<std::string> difference_of(Pair& both, const Execution& execution, const Answer& expected,
                                           const Answer& got);
  Comparison comparison_of(const Execution& execution) const;
  support::Row binary_values(const Statement& statement, const support::Row& values);
  void end_transactions(const Case& test_case, Mode mode, std::vector<Verdict>& verdicts);

  Sides sides_;
  Watchdog watchdog_;
  std::map<Mode, std::unique_ptr<Pair>> pairs_;
  support::Connection converter_;  // to the expected side: text to binary
  std::map<std::pair<std::string, std::string>, std::string> converted_;
};

// OIDs of the types that case files name; throws std::runtime_error for others.
Oid oid_of(const std::string& type);
// Nothing, or the refusal that this answer is.
std::optional<Refusal> refusal_of(const support::QueryResult& result);

}  // namespace pgweir::oracle
