#include <utility>

#include "routing/sql/pg_convert.h"

namespace pgweir::routing::sql {

void PgConverter::add_relation(const RangeVar* node, Statement& s) {
  if (node == nullptr) {
    opaque_ = true;
    return;
  }
  s.relations.push_back(relation(node));
}

void PgConverter::add_relations(const List* list, Statement& s) {
  for (int i = 0; i < list_length(list); ++i) {
    const Node* node = nth<Node>(list, i);
    if (nodeTag(node) == T_RangeVar)
      add_relation(&as<RangeVar>(node), s);
    else
      opaque_ = true;  // the grammar takes more than PostgreSQL does: CREATE STATISTICS ... FROM a JOIN b
  }
}

// A relation named by a list of strings; the last `drop_last` parts name something inside it (column, trigger, ...).
void PgConverter::add_relation(const List* names, std::size_t drop_last, Statement& s) {
  auto parts = name_parts(names);
  if (parts.size() <= drop_last || parts.size() - drop_last > 3) {
    opaque_ = true;
    return;
  }
  parts.resize(parts.size() - drop_last);
  RelationName name;
  name.name = parts.back();
  if (parts.size() > 1) name.schema = parts[parts.size() - 2];
  if (parts.size() > 2) name.catalog = parts[0];
  s.relations.push_back(std::move(name));
}

void PgConverter::constraint(const Constraint& node, Statement& s) {
  if (node.pktable != nullptr) add_relation(node.pktable, s);
  if (node.raw_expr != nullptr) s.expressions.push_back(expr(node.raw_expr));
  if (node.contype == CONSTR_IDENTITY) s.options.push_back(Option{"identity", {}, {}, false, false, false});
}

void PgConverter::table_element(const Node* node, Statement& s) {
  if (IsA(node, ColumnDef)) {
    const auto& column = as<ColumnDef>(node);
    if (column.typeName != nullptr) {
      const auto type = name_parts(column.typeName->names);
      if (!type.empty() && type.back().find("serial") != std::string::npos)
        s.options.push_back(Option{"identity", {}, {}, false, false, false});
    }
    if (column.raw_default != nullptr) s.expressions.push_back(expr(column.raw_default));
    for (int i = 0; i < list_length(column.constraints); ++i) constraint(*nth<Constraint>(column.constraints, i), s);
  } else if (IsA(node, Constraint)) {
    constraint(as<Constraint>(node), s);
  } else if (IsA(node, TableLikeClause)) {
    add_relation(as<TableLikeClause>(node).relation, s);
  } else {
    opaque_ = true;
  }
}

void PgConverter::create_table(const CreateStmt& node, Statement& s) {
  s.object = DdlObject::NewTable;
  s.creates = true;
  add_relation(node.relation, s);
  add_relations(node.inhRelations, s);
  if (node.inhRelations != nullptr) s.options.push_back(Option{"inherits", {}, {}, false, false, false});
  for (int i = 0; i < list_length(node.tableElts); ++i) table_element(nth<Node>(node.tableElts, i), s);
  for (int i = 0; i < list_length(node.constraints); ++i) table_element(nth<Node>(node.constraints, i), s);
  s.if_exists = node.if_not_exists;
}

void PgConverter::alter_table(const AlterTableStmt& node, Statement& s) {
  switch (node.objtype) {
    case OBJECT_TABLE:
    case OBJECT_FOREIGN_TABLE:
      s.object = DdlObject::Relation;
      break;
    case OBJECT_INDEX:
      s.object = DdlObject::DropIndex;
      break;
    case OBJECT_SEQUENCE:
      s.object = DdlObject::Sequence;
      break;
    case OBJECT_VIEW:
    case OBJECT_MATVIEW:
      s.object = DdlObject::View;
      break;
    case OBJECT_TYPE:
      s.object = DdlObject::Everywhere;
      return;
    default:
      s.object = DdlObject::Unknown;
      return;
  }
  add_relation(node.relation, s);
  for (int i = 0; i < list_length(node.cmds); ++i) {
    const auto* command = nth<AlterTableCmd>(node.cmds, i);
    if (command->def == nullptr) continue;
    if (IsA(command->def, ColumnDef) || IsA(command->def, Constraint)) {
      table_element(command->def, s);
    } else if (IsA(command->def, PartitionCmd)) {
      add_relation(as<PartitionCmd>(command->def).name, s);
      s.concurrently |= as<PartitionCmd>(command->def).concurrent;
    } else if (IsA(command->def, RangeVar)) {
      add_relation(&as<RangeVar>(command->def), s);
    } else if (command->subtype == AT_ColumnDefault) {
      s.expressions.push_back(expr(command->def));
    }
  }
}

// Statements about a relation, by the RangeVar or by a list of names, else about an object that is everywhere.
void PgConverter::object_statement(ObjectType type, const RangeVar* range, const Node* object, Statement& s) {
  const List* names = object != nullptr && IsA(object, List) ? reinterpret_cast<const List*>(object) : nullptr;
  switch (type) {
    case OBJECT_TABLE:
    case OBJECT_FOREIGN_TABLE:
      s.object = DdlObject::Relation;
      break;
    case OBJECT_COLUMN:
    case OBJECT_TABCONSTRAINT:
    case OBJECT_TRIGGER:
    case OBJECT_RULE:
    case OBJECT_POLICY: {
      s.object = DdlObject::Relation;
      if (range != nullptr) return add_relation(range, s);
      return names != nullptr ? add_relation(names, 1, s) : static_cast<void>(opaque_ = true);
    }
    case OBJECT_VIEW:
    case OBJECT_MATVIEW:
      s.object = DdlObject::View;
      break;
    case OBJECT_INDEX:
      s.object = DdlObject::DropIndex;
      break;
    case OBJECT_SEQUENCE:
      s.object = DdlObject::Sequence;
      break;
    case OBJECT_DATABASE:
    case OBJECT_TABLESPACE:
      s.object = DdlObject::Database;
      return;
    case OBJECT_EVENT_TRIGGER:
    case OBJECT_PUBLICATION:
    case OBJECT_SUBSCRIPTION:
    case OBJECT_LARGEOBJECT:
    case OBJECT_STATISTIC_EXT:
      s.object = DdlObject::Unknown;
      return;
    default:
      s.object = DdlObject::Everywhere;
      return;
  }
  if (range != nullptr) {
    add_relation(range, s);
  } else if (names != nullptr) {
    add_relation(names, 0, s);
  } else {
    opaque_ = true;
  }
}

void PgConverter::drop(const DropStmt& node, Statement& s) {
  s.cascade = node.behavior == DROP_CASCADE;
  s.concurrently = node.concurrent;
  s.if_exists = node.missing_ok;
  for (int i = 0; i < list_length(node.objects); ++i)
    object_statement(node.removeType, nullptr, nth<Node>(node.objects, i), s);
  if (node.removeType == OBJECT_TABLE || node.removeType == OBJECT_FOREIGN_TABLE || node.removeType == OBJECT_VIEW ||
      node.removeType == OBJECT_MATVIEW) {
    s.object = DdlObject::DropRelations;
  }
}

void PgConverter::grant(const GrantStmt& node, Statement& s) {
  if (node.objtype == OBJECT_TABLE && node.targtype == ACL_TARGET_OBJECT) {
    s.object = DdlObject::Relation;
    add_relations(node.objects, s);
  } else if (node.objtype == OBJECT_SEQUENCE && node.targtype == ACL_TARGET_OBJECT) {
    s.object = DdlObject::Sequence;
    add_relations(node.objects, s);
  } else if (node.objtype == OBJECT_DATABASE || node.objtype == OBJECT_TABLESPACE ||
             node.objtype == OBJECT_LARGEOBJECT) {
    s.object = DdlObject::Unknown;
  } else {
    s.object = DdlObject::Everywhere;
  }
}

bool PgConverter::table_ddl(const Node* node, Statement& s) {
  s.object = DdlObject::Relation;
  switch (nodeTag(node)) {
    case T_CreateStmt:
      create_table(as<CreateStmt>(node), s);
      return true;
    case T_AlterTableStmt:
      alter_table(as<AlterTableStmt>(node), s);
      return true;
    case T_IndexStmt:
      add_relation(as<IndexStmt>(node).relation, s);
      s.concurrently = as<IndexStmt>(node).concurrent;
      s.name = text_of(as<IndexStmt>(node).idxname);
      return true;
    case T_CreateTrigStmt:
      add_relation(as<CreateTrigStmt>(node).relation, s);
      if (as<CreateTrigStmt>(node).constrrel != nullptr) add_relation(as<CreateTrigStmt>(node).constrrel, s);
      return true;
    case T_RuleStmt:
      add_relation(as<RuleStmt>(node).relation, s);
      return true;
    case T_CreatePolicyStmt:
      add_relation(as<CreatePolicyStmt>(node).table, s);
      return true;
    case T_AlterPolicyStmt:
      add_relation(as<AlterPolicyStmt>(node).table, s);
      return true;
    case T_CreateStatsStmt:
      add_relations(as<CreateStatsStmt>(node).relations, s);
      return true;
    case T_ViewStmt:
      s.object = DdlObject::View;
      s.creates = true;
      add_relation(as<ViewStmt>(node).view, s);
      s.inner = inner(as<ViewStmt>(node).query);
      return true;
    case T_CreateSeqStmt:
      s.object = DdlObject::Sequence;
      s.creates = true;
      add_relation(as<CreateSeqStmt>(node).sequence, s);
      return true;
    case T_AlterSeqStmt:
      s.object = DdlObject::Sequence;
      add_relation(as<AlterSeqStmt>(node).sequence, s);
      return true;
    case T_DropStmt:
      drop(as<DropStmt>(node), s);
      return true;
    case T_GrantStmt:
      grant(as<GrantStmt>(node), s);
      return true;
    default:
      return false;
  }
}

bool PgConverter::object_ddl(const Node* node, Statement& s) {
  switch (nodeTag(node)) {
    case T_CommentStmt:
      object_statement(as<CommentStmt>(node).objtype, nullptr, as<CommentStmt>(node).object, s);
      return true;
    case T_RenameStmt: {
      const auto& rename = as<RenameStmt>(node);
      // RENAME COLUMN and ATTRIBUTE carry the relation's kind beside.
      const bool part = rename.renameType == OBJECT_COLUMN || rename.renameType == OBJECT_ATTRIBUTE;
      const bool attached = rename.renameType == OBJECT_TABCONSTRAINT || rename.renameType == OBJECT_TRIGGER ||
                            rename.renameType == OBJECT_RULE || rename.renameType == OBJECT_POLICY;
      object_statement(part ? rename.relationType : rename.renameType, rename.relation, rename.object, s);
      s.options.push_back(Option{part || attached ? "rename_part" : "rename", text_of(rename.newname), {}, true, false, false});
      if (part && rename.subname != nullptr)
        s.options.push_back(Option{"renamed_column", text_of(rename.subname), {}, true, false, false});
      return true;
    }
    case T_AlterObjectSchemaStmt:
      object_statement(as<AlterObjectSchemaStmt>(node).objectType, as<AlterObjectSchemaStmt>(node).relation,
                       as<AlterObjectSchemaStmt>(node).object, s);
      s.options.push_back(Option{"new_schema", text_of(as<AlterObjectSchemaStmt>(node).newschema), {}, true, false, false});
      return true;
    case T_AlterOwnerStmt:
      object_statement(as<AlterOwnerStmt>(node).objectType, as<AlterOwnerStmt>(node).relation,
                       as<AlterOwnerStmt>(node).object, s);
      return true;
    default:
      return false;
  }
}

bool PgConverter::everywhere_ddl(const Node* node, Statement& s) {
  s.object = DdlObject::Everywhere;
  switch (nodeTag(node)) {
    case T_CreateSchemaStmt:
      opaque_ |= as<CreateSchemaStmt>(node).schemaElts != nullptr;
      return true;
    case T_CreateEnumStmt:
    case T_CompositeTypeStmt:
    case T_CreateDomainStmt:
    case T_AlterDomainStmt:
    case T_AlterEnumStmt:
    case T_CreateRangeStmt:
    case T_DefineStmt:
    case T_CreateFunctionStmt:
    case T_AlterFunctionStmt:
    case T_CreateExtensionStmt:
    case T_AlterExtensionStmt:
    case T_AlterExtensionContentsStmt:
    case T_CreateCastStmt:
    case T_CreateRoleStmt:
    case T_AlterRoleStmt:
    case T_AlterRoleSetStmt:
    case T_DropRoleStmt:
    case T_GrantRoleStmt:
    case T_AlterDefaultPrivilegesStmt:
    case T_CreateOpClassStmt:
    case T_CreateOpFamilyStmt:
    case T_AlterOpFamilyStmt:
    case T_CreateConversionStmt:
    case T_AlterOperatorStmt:
    case T_AlterTypeStmt:
    case T_AlterCollationStmt:
    case T_AlterTSDictionaryStmt:
    case T_AlterTSConfigurationStmt:
    case T_CreateTransformStmt:
      return true;
    case T_CreatedbStmt:
    case T_DropdbStmt:
    case T_AlterDatabaseStmt:
    case T_AlterDatabaseSetStmt:
    case T_AlterDatabaseRefreshCollStmt:
    case T_CreateTableSpaceStmt:
    case T_DropTableSpaceStmt:
    case T_AlterSystemStmt:
      s.object = DdlObject::Database;
      return true;
    default:
      return false;
  }
}

}  // namespace pgweir::routing::sql
