#include "proxy/control/session_code.h"

namespace pgweir::control {
namespace {

// Functions. The body's words are those of functions_query(). Aggregates call what their own volatility does not tell.
constexpr char kFunctions[] = R"(
code AS MATERIALIZED (SELECT p.oid FROM pg_proc p WHERE CASE
  WHEN p.oid < 16384 AND p.pronamespace = 11 THEN p.proname ~ ('^(set_config|setseed|nextval|setval|currval|lastval'
    '|pg_sequence_last_value|pg_(try_)?advisory_(lock|unlock).*|pg_create_(logical|physical)_replication_slot|pg_notify'
    '|(query|table|schema|database|cursor)_to_xml.*|ts_stat|ts_rewrite)$')
  ELSE p.prokind <> 'a' AND (p.provolatile = 'v' AND NOT EXISTS (SELECT 1 FROM pg_depend d JOIN pg_extension e ON e.oid = d.refobjid
      WHERE d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.refclassid = 'pg_extension'::regclass AND d.deptype = 'e'
      AND e.extname IN ('uuid-ossp', 'pgcrypto'))
    OR p.prolang > 13 AND coalesce(nullif(p.prosrc, ''), pg_get_functiondef(p.oid)) ~* 'set_config|advisory|nextval|setval|execute|\mload\M') END),
functions AS MATERIALIZED (SELECT oid FROM code UNION SELECT a.aggfnoid::oid FROM pg_aggregate a JOIN code c ON c.oid IN (a.aggtransfn::oid,
  a.aggfinalfn::oid, a.aggcombinefn::oid, a.aggmtransfn::oid, a.aggminvtransfn::oid, a.aggmfinalfn::oid)),)";

// Stored trees (outfuncs.c): pg_depend does not record built-in functions. nextval() (1574) in a default is known otherwise.
constexpr char kTrees[] = R"(
trees(kind, oid, tree) AS MATERIALIZED (
  SELECT 'w', d.adrelid, d.adbin::text FROM pg_attrdef d
  UNION ALL SELECT 'w', c.conrelid, c.conbin::text FROM pg_constraint c WHERE c.conrelid <> 0 AND c.conbin IS NOT NULL
  UNION ALL SELECT 'w', i.indrelid, concat(i.indexprs::text, i.indpred::text) FROM pg_index i WHERE i.indexrelid >= 16384
    AND (i.indexprs IS NOT NULL OR i.indpred IS NOT NULL)
  UNION ALL SELECT 'w', p.partrelid, p.partexprs::text FROM pg_partitioned_table p WHERE p.partexprs IS NOT NULL
  UNION ALL SELECT 'p', p.polrelid, concat(p.polqual::text, p.polwithcheck::text) FROM pg_policy p
  UNION ALL SELECT 'v', r.ev_class, r.ev_action::text FROM pg_rewrite r WHERE r.oid >= 16384 AND r.rulename = '_RETURN'
  UNION ALL SELECT 'd', c.contypid, c.conbin::text FROM pg_constraint c WHERE c.contypid >= 16384
  UNION ALL SELECT 'd', t.oid, t.typdefaultbin::text FROM pg_type t WHERE t.oid >= 16384 AND t.typdefaultbin IS NOT NULL),
calling(kind, oid) AS MATERIALIZED (SELECT DISTINCT t.kind, t.oid FROM trees t WHERE
  EXISTS (SELECT 1 FROM regexp_matches(t.tree, ':(?:funcid|opfuncid|aggfnoid|winfnoid) (\d+)', 'g') m JOIN functions f
    ON f.oid = m[1]::oid WHERE f.oid <> 1574 OR t.kind IN ('p', 'v'))
  OR EXISTS (SELECT 1 FROM regexp_matches(t.tree, ':opno (\d+) :opfuncid 0 ', 'g') m JOIN pg_operator o ON o.oid = m[1]::oid
    JOIN functions f ON f.oid = o.oprcode)),)";

// What contains it: arrays, ranges and rows of a domain; parents of a table, and tables whose keys' actions write it; views of views.
constexpr char kClosures[] = R"(
types(oid) AS (SELECT oid FROM calling WHERE kind = 'd'
  UNION SELECT t.oid FROM types b JOIN pg_type t ON t.typbasetype = b.oid OR t.typelem = b.oid
    OR EXISTS (SELECT 1 FROM pg_range r WHERE r.rngtypid = t.oid AND r.rngsubtype = b.oid)
    OR t.typrelid <> 0 AND EXISTS (SELECT 1 FROM pg_attribute a WHERE a.attrelid = t.typrelid AND a.atttypid = b.oid AND NOT a.attisdropped)),
used(kind, oid) AS (SELECT kind, oid FROM calling UNION
  SELECT t.kind, t.oid FROM trees t WHERE strpos(t.tree, '{COERCETODOMAIN ') > 0 AND EXISTS (SELECT 1 FROM types)),
edges(child, parent) AS (SELECT conrelid, confrelid FROM pg_constraint WHERE contype = 'f' AND (confdeltype IN ('c', 'n', 'd')
    OR confupdtype IN ('c', 'n', 'd')) UNION ALL SELECT inhrelid, inhparent FROM pg_inherits),
written(oid) AS (SELECT oid FROM (SELECT oid FROM used WHERE kind IN ('w', 'p')
    UNION SELECT a.attrelid FROM pg_attribute a JOIN types b ON a.atttypid = b.oid WHERE NOT a.attisdropped
    UNION SELECT tgrelid FROM pg_trigger WHERE NOT tgisinternal
    UNION SELECT oid FROM pg_class WHERE relkind = 'f') x
  UNION SELECT e.parent FROM written w JOIN edges e ON e.child = w.oid),
seen(child, parent) AS (SELECT d.refobjid, r.ev_class FROM pg_depend d JOIN pg_rewrite r ON r.oid = d.objid AND r.rulename = '_RETURN'
    WHERE d.classid = 'pg_rewrite'::regclass AND d.refclassid = 'pg_class'::regclass AND d.refobjid <> r.ev_class
  UNION ALL SELECT d.refobjid, p.polrelid FROM pg_depend d JOIN pg_policy p ON p.oid = d.objid
    WHERE d.classid = 'pg_policy'::regclass AND d.refclassid = 'pg_class'::regclass AND d.refobjid <> p.polrelid),
read(oid) AS (SELECT oid FROM used WHERE kind IN ('v', 'p') UNION SELECT s.parent FROM read b JOIN seen s ON s.child = b.oid))";

constexpr char kRows[] = R"(
SELECT 'w', n.nspname, c.relname FROM written w JOIN pg_class c ON c.oid = w.oid JOIN pg_namespace n ON n.oid = c.relnamespace
UNION ALL SELECT 'r', n.nspname, c.relname FROM read r JOIN pg_class c ON c.oid = r.oid JOIN pg_namespace n ON n.oid = c.relnamespace
  WHERE c.relkind <> 'm'
UNION ALL SELECT 't', n.nspname, t.typname FROM types x JOIN pg_type t ON t.oid = x.oid JOIN pg_namespace n ON n.oid = t.typnamespace
UNION ALL SELECT 'o', n.nspname, o.oprname FROM pg_operator o JOIN functions f ON f.oid = o.oprcode JOIN pg_namespace n ON n.oid = o.oprnamespace
  WHERE o.oid >= 16384
UNION ALL SELECT 'f', n.nspname, p.proname FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace WHERE p.oid >= 16384 AND (p.prokind = 'a'
  AND p.oid IN (SELECT oid FROM functions) OR array_to_string(p.proconfig, ' ') ~ '(^| )[^ =]+\.'
  OR EXISTS (SELECT 1 FROM types x WHERE x.oid = ANY (p.proargtypes)))
UNION ALL SELECT 'a', '', '' WHERE EXISTS (SELECT 1 FROM pg_cast c JOIN functions f ON f.oid = c.castfunc WHERE c.oid >= 16384)
  OR EXISTS (SELECT 1 FROM pg_amproc a JOIN functions f ON f.oid = a.amproc WHERE a.oid >= 16384)
ORDER BY 1, 2, 3)";

}  // namespace

std::string session_code_query() { return std::string("WITH RECURSIVE ") + kFunctions + kTrees + kClosures + kRows; }

void read_session_code(const RowSet& rows, routing::SessionCode& code) {
  for (std::size_t i = 0; i < rows.rows(); ++i) {
    std::string name = rows.text(i, 1) + "." + rows.text(i, 2);
    switch (rows.letter(i, 0)) {
      case 'w': code.written.insert(std::move(name)); break;
      case 'r': code.read.insert(std::move(name)); break;
      case 't': code.types.insert(rows.text(i, 2)); break;
      case 'o': code.operators.insert(rows.text(i, 2)); break;
      case 'f': code.functions.insert(std::move(name)); break;
      default: code.anywhere = true;
    }
  }
}

}  // namespace pgweir::control
