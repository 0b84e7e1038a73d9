// One whole statement: a query, a change of rows, or a utility command with what routing needs of it. Immutable after
// parse(); thread-safe to read.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "routing/sql/ast.h"

namespace pgweir::routing::sql {

enum class Command : std::uint8_t {
  Select,
  Insert,
  Update,
  Delete,
  Merge,
  Copy,
  Transaction,
  Set,
  Show,
  Discard,
  Prepare,
  Execute,
  Deallocate,
  Listen,
  Unlisten,
  Notify,
  Declare,
  Fetch,
  CloseCursor,
  Lock,
  Explain,
  Vacuum,
  Reindex,
  Cluster,
  Do,
  Call,
  Load,
  Truncate,
  CreateTableAs,
  Ddl,
  SetConstraints,
  Checkpoint,
  RefreshView,
  Other
};

enum class TransactionVerb : std::uint8_t {
  Begin,
  Commit,
  Rollback,
  Savepoint,
  Release,
  RollbackTo,
  Prepare,
  CommitPrepared,
  RollbackPrepared
};

enum class SetForm : std::uint8_t { Value, Default, Current, Multi /* SET TRANSACTION ... */, Reset, ResetAll };

// What a DDL statement is about: decides which shards get it.
enum class DdlObject : std::uint8_t {
  Relation,       // belongs to the relations named (tables, indexes on them, triggers, policies, grants on tables ...)
  NewTable,       // CREATE TABLE: relations[0] is created, the others are referenced
  View,           // CREATE VIEW: relations[0] is created
  Sequence,       // sequences live at home
  DropRelations,  // DROP TABLE / VIEW / FOREIGN TABLE: relations, each of any kind
  DropIndex,      // DROP INDEX: the names are indexes
  Everywhere,     // types, functions, schemas, roles, extensions, ...: every shard
  Database,       // CREATE / DROP DATABASE, TABLESPACE, ALTER SYSTEM: refused on a sharded cluster
  Unknown         // refused on a sharded cluster
};

struct Statement {
  Command command = Command::Other;
  std::size_t begin = 0, end = 0;  // byte range in the text, without the semicolon
  SelectPtr select;                // Select; CreateTableAs, View, Declare: in `inner`
  std::unique_ptr<Modify> modify;
  std::unique_ptr<Statement> inner;  // Explain, Prepare, Declare, Copy (query), CreateTableAs, View
  bool opaque = false;               // something in it was not understood
  bool too_deep = false;             // nesting or size beyond the converter's limits

  TransactionVerb verb = TransactionVerb::Begin;
  SetForm set_form = SetForm::Value;
  DdlObject object = DdlObject::Unknown;
  std::vector<RelationName> relations;
  std::vector<ExprPtr> expressions;  // expressions inside utility statements (EXECUTE arguments, CALL)
  std::vector<Option> options;
  std::string name;                 // setting, prepared statement, cursor, channel, savepoint, gid
  std::vector<std::string> values;  // SET: the values as text
  bool local = false;               // SET LOCAL
  bool creates = false;             // relations[0] is made by it: CREATE TABLE, TABLE AS, VIEW, SEQUENCE
  bool chain = false, concurrently = false, cascade = false, if_exists = false;
  bool hold = false;                                 // DECLARE ... WITH HOLD
  bool from = false, program = false, file = false;  // COPY
  ExprPtr where;                                     // COPY FROM ... WHERE
  std::vector<std::string> columns;                  // COPY column list
};

}  // namespace pgweir::routing::sql
