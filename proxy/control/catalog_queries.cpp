#include "proxy/control/catalog_queries.h"

namespace pgweir::control {
namespace {

// Temporary and TOAST schemas come and go with sessions and are nobody else's business.
constexpr char kLastingSchema[] = "n.nspname !~ '^pg_(toast|temp_|toast_temp_)'";

// A default may hold more than constants and immutable functions: an expression node outside of the list, or a function
// that is not immutable, or one that is not recorded (opfuncid 0). Reads the stored tree's text (outfuncs.c), because
// pg_depend does not record built-in functions.
constexpr char kVolatileTree[] =
    "(EXISTS (SELECT 1 FROM regexp_matches(x.tree, '\\{([A-Z_]+) ', 'g') m WHERE m[1] NOT IN ('CONST', 'FUNCEXPR', "
    "'OPEXPR', "
    "'DISTINCTEXPR', 'NULLIFEXPR', 'SCALARARRAYOPEXPR', 'RELABELTYPE', 'BOOLEXPR', 'ARRAY', 'ARRAYEXPR', 'NULLTEST', "
    "'BOOLEANTEST', "
    "'CASE', 'CASEEXPR', 'WHEN', 'CASEWHEN', 'COALESCE', 'COALESCEEXPR', 'COLLATE', 'COLLATEEXPR'))"
    " OR EXISTS (SELECT 1 FROM regexp_matches(x.tree, ':(?:funcid|opfuncid) (\\d+)', 'g') f LEFT JOIN pg_proc p ON "
    "p.oid = f[1]::oid "
    "WHERE p.provolatile IS DISTINCT FROM 'i'))";

// Names of the columns `keys` (an int2 array) of relation `relation`, as an array in text form.
std::string names_of(const std::string& relation, const std::string& keys) {
  return "(SELECT array_agg(coalesce(a.attname::text, '') ORDER BY k.n) FROM unnest(" + keys +
         ") WITH ORDINALITY k(attnum, n) LEFT JOIN pg_attribute a ON a.attrelid = " + relation +
         " AND a.attnum = k.attnum)";
}

// The sum of 64-bit hashes of each row's identity and version.
std::string token_part(const std::string& from, const std::string& key) {
  return "(SELECT count(*)::text || '/' || coalesce(sum(hashtextextended(" + key + ", 0)), 0)::text FROM " + from + ")";
}

}  // namespace

std::string server_query() {
  return "SELECT current_setting('server_version'), current_setting('server_version_num'), "
         "pg_encoding_to_char(d.encoding), "
         // Provider 'b' (PostgreSQL 17) compares code points, which in UTF8 is the order of the bytes.
         "coalesce(to_jsonb(d)->>'datlocprovider', 'c') = 'b' OR "
         "(coalesce(to_jsonb(d)->>'datlocprovider', 'c') = 'c' AND d.datcollate IN ('C', 'POSIX')), "
         "current_setting('max_prepared_transactions') FROM pg_database d WHERE d.datname = current_database()";
}

std::string change_token_query() {
  const std::string lasting = std::string(" JOIN pg_namespace n ON ") + kLastingSchema + " AND n.oid = ";
  const std::string relation = " JOIN pg_class c ON c.relpersistence <> 't' AND c.relkind <> 't' AND c.oid = ";
  const auto own = [](const char* alias) {
    return std::string(alias) + ".oid::text || ':' || " + alias + ".xmin::text";
  };
  std::string sql =
      "SELECT concat_ws(' ', current_setting('server_version'), current_setting('max_prepared_transactions')";
  const auto add = [&sql](const std::string& part) { sql += ", " + part; };
  add(token_part("pg_namespace n WHERE " + std::string(kLastingSchema), own("n")));
  add(token_part("pg_class c WHERE c.relpersistence <> 't' AND c.relkind <> 't'", own("c")));
  add(token_part("pg_attribute a" + relation + "a.attrelid WHERE a.attrelid >= 16384 AND a.attnum > 0",
                 "a.attrelid::text || ':' || a.attnum::text || ':' || a.xmin::text"));
  add(token_part("pg_attrdef t" + relation + "t.adrelid", own("t")));
  add(token_part("pg_index i" + relation + "i.indrelid WHERE i.indexrelid >= 16384",
                 "i.indexrelid::text || ':' || i.xmin::text"));
  add(
      token_part("pg_constraint t WHERE t.conrelid = 0 OR EXISTS (SELECT 1 FROM pg_class c WHERE c.oid = t.conrelid "
                 "AND c.relpersistence <> 't')",
                 own("t")));
  add(token_part("pg_type t" + lasting + "t.typnamespace WHERE t.oid >= 16384", own("t")));
  add(token_part("pg_enum t", own("t")));
  add(token_part("pg_proc t" + lasting + "t.pronamespace WHERE t.oid >= 16384", own("t")));
  add(token_part("pg_operator t WHERE t.oid >= 16384", own("t")));
  add(token_part("pg_collation t", own("t")));
  add(token_part("pg_trigger t" + relation + "t.tgrelid WHERE NOT t.tgisinternal", own("t")));
  add(token_part("pg_rewrite t" + relation + "t.ev_class WHERE t.oid >= 16384", own("t")));
  add(token_part("pg_policy t", own("t")));
  add(token_part("pg_cast t WHERE t.oid >= 16384", own("t")));
  add(token_part("pg_amproc t WHERE t.oid >= 16384", own("t")));
  add(token_part("pg_inherits t", "t.inhrelid::text || ':' || t.inhparent::text"));
  return sql + "), pg_catalog.txid_snapshot_xmin(pg_catalog.txid_current_snapshot())";
}

std::string schemas_query() {
  return std::string("SELECT n.nspname FROM pg_namespace n WHERE ") + kLastingSchema + " ORDER BY 1";
}

std::string relations_query() {
  return std::string(
             "SELECT c.oid, n.nspname, c.relname, c.relkind, "
             "EXISTS (SELECT 1 FROM pg_trigger t WHERE t.tgrelid = c.oid AND NOT t.tgisinternal), "
             "EXISTS (SELECT 1 FROM pg_rewrite r WHERE r.ev_class = c.oid AND r.rulename <> '_RETURN'), "
             "c.relrowsecurity OR c.relforcerowsecurity, "
             "c.relkind = 'p' OR c.relispartition OR EXISTS (SELECT 1 FROM pg_inherits i WHERE i.inhrelid = c.oid OR "
             "i.inhparent = c.oid) "
             "FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace "
             "WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S') AND c.relpersistence <> 't' AND ") +
         kLastingSchema + " ORDER BY n.nspname, c.relname";
}

std::string columns_query() {
  // A column without a default of its own takes that of its domain.
  return std::string(
             "SELECT a.attrelid, a.attname, a.atttypid, a.atttypmod, a.attcollation, a.attnotnull, a.attgenerated <> "
             "'', a.attidentity <> '', "
             "CASE WHEN a.attgenerated = '' THEN x.expr END, coalesce(x.tree ~ ':funcid 1574 |\\{NEXTVALUEEXPR ', "
             "false), x.tree IS NOT NULL AND ") +
         kVolatileTree +
         " FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace "
         "LEFT JOIN pg_attrdef d ON a.atthasdef AND d.adrelid = a.attrelid AND d.adnum = a.attnum "
         "LEFT JOIN pg_type t ON NOT a.atthasdef AND t.oid = a.atttypid AND t.typtype = 'd', "
         "LATERAL (SELECT coalesce(d.adbin, t.typdefaultbin)::text AS tree, pg_get_expr(coalesce(d.adbin, "
         "t.typdefaultbin), a.attrelid) AS expr) x "
         "WHERE a.attnum > 0 AND NOT a.attisdropped AND c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S') AND "
         "c.relpersistence <> 't' AND " +
         kLastingSchema + " ORDER BY a.attrelid, a.attnum";
}

std::string unique_indexes_query() {
  return "SELECT i.indrelid, c.relname, " +
         names_of("i.indrelid", "(string_to_array(i.indkey::text, ' ')::int2[])[1:i.indnkeyatts]") +
         ", i.indpred IS NOT NULL, i.indisexclusion FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid "
         "WHERE (i.indisunique OR i.indisexclusion) AND i.indislive AND c.relpersistence <> 't' AND i.indrelid >= "
         "16384 ORDER BY c.relname, i.indexrelid";
}

std::string foreign_keys_query() {
  return "SELECT o.conrelid, o.conname, " + names_of("o.conrelid", "o.conkey") + ", n.nspname, c.relname, " +
         names_of("o.confrelid", "o.confkey") +
         " FROM pg_constraint o JOIN pg_class c ON c.oid = o.confrelid JOIN pg_namespace n ON n.oid = c.relnamespace "
         "WHERE o.contype = 'f' AND c.relpersistence <> 't' ORDER BY o.conname, o.oid";
}

std::string functions_query(bool built_in) {
  const std::string which =
      built_in ? "p.oid < 16384 AND n.nspname = 'pg_catalog'" : "NOT (p.oid < 16384 AND n.nspname = 'pg_catalog')";
  return "SELECT p.oid, n.nspname, p.proname, p.prorettype, p.proargtypes::text, p.pronargdefaults, p.provariadic <> "
         "0, p.proretset, p.prokind, "
         "p.provolatile, l.lanname, p.oid >= 16384 AND p.prolang > 13 AND coalesce(nullif(p.prosrc, ''), CASE WHEN "
         "p.prokind <> 'a' THEN pg_get_functiondef(p.oid) END, '') ~* 'set_config|advisory|nextval|setval|execute' FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace JOIN pg_language l ON "
         "l.oid = p.prolang "
         "WHERE " +
         which + " AND " + kLastingSchema + " ORDER BY p.oid";
}

std::string operators_query() {
  return std::string(
             "SELECT DISTINCT n.nspname, o.oprname FROM pg_operator o JOIN pg_namespace n ON n.oid = o.oprnamespace "
             "WHERE (o.oid >= 16384 OR n.nspname <> 'pg_catalog') AND ") +
         kLastingSchema + " ORDER BY 1, 2";
}

std::string types_query() {
  return std::string(
             "SELECT t.oid, n.nspname, t.typname, CASE WHEN t.typcategory = 'A' THEN t.typelem ELSE 0 END, t.typarray, "
             "t.typbasetype, "
             "t.typrelid, t.typtype, t.typlen FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace WHERE ") +
         kLastingSchema + " ORDER BY t.oid";
}

std::string enum_labels_query() {
  return "SELECT e.enumtypid, e.oid, e.enumlabel FROM pg_enum e ORDER BY e.enumtypid, e.enumsortorder";
}

std::string collations_query() {
  return "SELECT c.oid, CASE WHEN n.nspname = 'pg_catalog' THEN '' ELSE n.nspname || '.' END || c.collname, "
         "c.collprovider = 'b' OR (c.collprovider = 'c' AND c.collcollate IN ('C', 'POSIX')), c.collisdeterministic "
         "FROM pg_collation c JOIN pg_namespace n ON n.oid = c.collnamespace WHERE c.oid <> 100 ORDER BY c.oid";
}

std::string fingerprints_query() {
  // Columns in order; then definitions that writes depend on, in the order of their text because names may differ.
  return std::string(
             "SELECT n.nspname, c.relname, hashtextextended(concat_ws(E'\\x01', c.relkind, c.relrowsecurity, "
             "c.relforcerowsecurity, "
             "CASE WHEN c.relkind IN ('v', 'm') THEN pg_get_viewdef(c.oid) END, "
             "(SELECT string_agg(concat_ws(E'\\x02', a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull, "
             "a.attidentity, a.attgenerated, "
             "coalesce(pg_get_expr(d.adbin, d.adrelid), '-'), (SELECT quote_ident(cn.nspname) || '.' || "
             "quote_ident(co.collname) FROM pg_collation co "
             "JOIN pg_namespace cn ON cn.oid = co.collnamespace WHERE co.oid = a.attcollation)), E'\\x03' ORDER BY "
             "a.attnum) "
             "FROM pg_attribute a LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum "
             "WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped), "
             "(SELECT string_agg(x.def, E'\\x03' ORDER BY x.def COLLATE \"C\") FROM (SELECT "
             "pg_get_constraintdef(o.oid) AS def FROM pg_constraint o "
             "WHERE o.conrelid = c.oid AND o.contype IN ('c', 'f', 'u', 'p', 'x') UNION ALL "
             "SELECT regexp_replace(pg_get_indexdef(i.indexrelid), '^CREATE UNIQUE INDEX .*? ON (ONLY )?', '') FROM "
             "pg_index i "
             "WHERE i.indrelid = c.oid AND i.indisunique AND i.indislive UNION ALL "
             "SELECT regexp_replace(pg_get_triggerdef(t.oid), '^CREATE (CONSTRAINT )?TRIGGER \\S+ ', '') FROM "
             "pg_trigger t "
             "WHERE t.tgrelid = c.oid AND NOT t.tgisinternal UNION ALL "
             "SELECT pg_get_ruledef(r.oid) FROM pg_rewrite r WHERE r.ev_class = c.oid AND r.rulename <> '_RETURN') x), "
             "c.relispartition, EXISTS (SELECT 1 FROM pg_inherits i WHERE i.inhrelid = c.oid OR i.inhparent = c.oid)), "
             "0) "
             "FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind IN ('r', 'p', 'v', 'm', "
             "'f') "
             "AND c.relpersistence <> 't' AND c.oid >= 16384 AND ") +
         kLastingSchema + " ORDER BY 1, 2";
}

std::string indexes_query() {
  return std::string(
             "SELECT n.nspname, c.relname, t.relname FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid JOIN "
             "pg_class t ON t.oid = i.indrelid JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.oid >= 16384 AND "
             "c.relpersistence <> 't' AND ") +
         kLastingSchema + " ORDER BY 1, 2";
}

std::string oids_query() {
  return std::string(
             "SELECT 'r', c.oid, n.nspname, c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace "
             "WHERE c.oid >= 16384 AND c.relpersistence <> 't' AND c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S', 'c') "
             "AND ") +
         kLastingSchema +
         " UNION ALL SELECT 't', t.oid, n.nspname, t.typname FROM pg_type t JOIN pg_namespace n ON n.oid = "
         "t.typnamespace WHERE t.oid >= 16384 AND " +
         kLastingSchema + " ORDER BY 1, 3, 4";
}

}  // namespace pgweir::control
