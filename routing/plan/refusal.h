// Every reason for which the router refuses a statement: the machine-readable codes (sent as the ErrorResponse's detail
// of routine "pgweir_refuse"), in one place, with the text and hint a user reads.
#pragma once

#include <string>
#include <string_view>

#include "routing/types.h"

namespace pgweir::routing::reason {

inline constexpr char kUnparsable[] = "unparsable";           // newer grammar or a syntax error, on a sharded cluster
inline constexpr char kNotUnderstood[] = "not_understood";    // a construct the analysis does not cover
inline constexpr char kTooComplex[] = "too_complex";          // nesting or size (54001)
inline constexpr char kCatalogMissing[] = "catalog_missing";  // not loaded yet (57P03)
inline constexpr char kTableUnlisted[] = "table_unlisted";    // named by no configuration
inline constexpr char kTableMissing[] = "table_missing";      // configured, but not in the database (42P01)
inline constexpr char kTableDrifted[] = "table_drifted";      // differs between shards
inline constexpr char kTableView[] = "view";                  // a view may read sharded tables
inline constexpr char kTableInheritance[] = "inheritance";
inline constexpr char kTableRules[] = "rules";
inline constexpr char kTableTriggers[] = "triggers";
inline constexpr char kTableRowSecurity[] = "row_security";
inline constexpr char kTablesApart[] = "tables_apart";          // tables of the statement have no shard in common
inline constexpr char kTempTable[] = "temp_table";              // temp joined with sharded
inline constexpr char kTempShadows[] = "temp_shadows";          // a temp relation named like a table of several shards
inline constexpr char kFunction[] = "function";                 // unknown whether it reads tables
inline constexpr char kFunctionMissing[] = "function_missing";  // 42883
inline constexpr char kFunctionReads[] = "function_reads_tables";
inline constexpr char kOperator[] = "operator";             // user-defined operator
inline constexpr char kNodeDependent[] = "node_dependent";  // value differs between shards
inline constexpr char kNow[] = "now_in_transaction";
inline constexpr char kSystemColumn[] = "system_column";
inline constexpr char kSequence[] = "sequence";
inline constexpr char kJoin[] = "join_not_colocated";
inline constexpr char kOuterJoin[] = "outer_join_reference";
inline constexpr char kSubselect[] = "subselect";
inline constexpr char kWith[] = "with";
inline constexpr char kSetOperation[] = "set_operation";
inline constexpr char kWindow[] = "window";
inline constexpr char kAggregate[] = "aggregate";
inline constexpr char kAggregateExpression[] = "aggregate_expression";
inline constexpr char kHaving[] = "having";
inline constexpr char kDistinctOn[] = "distinct_on";
inline constexpr char kGrouping[] = "grouping_sets";
inline constexpr char kOrderBy[] = "order_by";
inline constexpr char kLimit[] = "limit";
inline constexpr char kLocking[] = "row_lock";
inline constexpr char kCollation[] = "collation";
inline constexpr char kInto[] = "select_into";
inline constexpr char kMerge[] = "merge";
inline constexpr char kKeyMissing[] = "key_missing";  // INSERT without a key column
inline constexpr char kKeyNull[] = "key_null";
inline constexpr char kKeyExpression[] = "key_expression";  // value not known before it runs
inline constexpr char kKeyUnknown[] = "key_undecidable";    // only the server can read the value
inline constexpr char kKeyUpdate[] = "key_update";
inline constexpr char kKeyType[] = "key_type";  // column and placement disagree
inline constexpr char kInsertSelect[] = "insert_select";
inline constexpr char kOnConflict[] = "on_conflict";
inline constexpr char kLocalConstraint[] = "local_constraint";
inline constexpr char kIdentity[] = "identity";
inline constexpr char kReferenceWrite[] = "reference_write";
inline constexpr char kDdl[] = "ddl";
inline constexpr char kDatabase[] = "database_command";
inline constexpr char kCopy[] = "copy";
inline constexpr char kLock[] = "lock_table";
inline constexpr char kExplain[] = "explain";
inline constexpr char kCursor[] = "cursor";
inline constexpr char kPrepare[] = "sql_prepare";
inline constexpr char kTwoPhase[] = "two_phase";
inline constexpr char kProcedure[] = "procedure";
inline constexpr char kUtility[] = "utility";
inline constexpr char kHintUnknown[] = "hint_unknown";
inline constexpr char kHintContradicts[] = "hint_contradicts";

}  // namespace pgweir::routing::reason

namespace pgweir::routing {

// A text key that a hint to narrow by the key is right for.
inline std::string narrow_hint() { return "Compare the table's key columns with constants so that one shard answers."; }

}  // namespace pgweir::routing
