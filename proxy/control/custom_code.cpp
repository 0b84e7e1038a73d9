#include "proxy/control/custom_code.h"

#include "proxy/pool/settings.h"

namespace pgweir::control {
namespace {

// What find_custom_settings() could find anything in; only that is sent.
constexpr std::string_view kMayset = R"(set_config|\mload\M|\mset\M\s*((session|local)\s+)?"?[\w$ ]*"?\s*[.%'])";
// pg_proc.dat: set_config_by_name. A stored tree names functions by OID, and pg_depend does not record built-in ones.
constexpr std::string_view kCallsSetConfig = ":funcid 2078 ";

}  // namespace

std::string custom_code_query(std::string_view which) {
  const std::string condition = "(" + std::string(which) + ")";
  const std::string may_set = pool::quote_literal(kMayset);
  const std::string calls = pool::quote_literal(kCallsSetConfig);
  return
      // C functions show no code. A body in SQL's standard form stands in the tree only.
      "SELECT 'c', x.code FROM (SELECT p.xmin AS row_xmin, p.pronamespace AS schema, CASE WHEN p.prosrc "
      "OPERATOR(pg_catalog.=) '' AND p.prokind OPERATOR(pg_catalog.<>) 'a' THEN pg_catalog.pg_get_functiondef(p.oid) "
      "ELSE p.prosrc END AS code FROM pg_catalog.pg_proc p WHERE p.oid OPERATOR(pg_catalog.>=) 16384 AND p.prolang "
      "OPERATOR(pg_catalog.>) 13) x WHERE " + condition + " AND x.code OPERATOR(pg_catalog.~*) " + may_set +
      " UNION ALL SELECT '" + std::string(kNameOfSetting) + "', pg_catalog.split_part(x.setting, '=', 1) FROM (SELECT "
      "p.xmin AS row_xmin, p.pronamespace AS schema, pg_catalog.unnest(p.proconfig) AS setting FROM pg_catalog.pg_proc p "
      "WHERE p.oid OPERATOR(pg_catalog.>=) 16384) x WHERE " + condition +
      " UNION ALL SELECT 'c', pg_catalog.pg_get_ruledef(x.oid) FROM (SELECT r.oid, r.xmin AS row_xmin, c.relnamespace AS "
      "schema, r.ev_action::pg_catalog.text AS tree FROM pg_catalog.pg_rewrite r JOIN pg_catalog.pg_class c ON c.oid "
      "OPERATOR(pg_catalog.=) r.ev_class WHERE r.oid OPERATOR(pg_catalog.>=) 16384) x WHERE " + condition +
      " AND pg_catalog.strpos(x.tree, " + calls + ") OPERATOR(pg_catalog.>) 0"
      " UNION ALL SELECT 'c', pg_catalog.pg_get_expr(x.adbin, x.adrelid) FROM (SELECT d.adbin, d.adrelid, d.xmin AS row_xmin, "
      "c.relnamespace AS schema FROM pg_catalog.pg_attrdef d JOIN pg_catalog.pg_class c ON c.oid OPERATOR(pg_catalog.=) "
      "d.adrelid) x WHERE " + condition + " AND pg_catalog.strpos(x.adbin::pg_catalog.text, " + calls +
      ") OPERATOR(pg_catalog.>) 0";
}

}  // namespace pgweir::control
