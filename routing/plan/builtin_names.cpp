#include "routing/plan/builtin_names.h"

#include <algorithm>
#include <array>

namespace pgweir::routing {
namespace {

// Both in the order of their bytes.
constexpr std::array<std::string_view, 74> kOperators{
    "!!", "!~", "!~*", "!~~", "!~~*", "#", "##", "#-", "#>", "#>>", "%", "&", "&&", "&<", "&<|", "&>", "*",
    "*<", "*<=", "*<>", "*=", "*>", "*>=", "+", "-", "->", "->>", "-|-", "/", "<", "<->", "<<", "<<=", "<<|",
    "<=", "<>", "<@", "<^", "=", ">", ">=", ">>", ">>=", ">^", "?", "?#", "?&", "?-", "?-|", "?|", "?||", "@",
    "@-@", "@>", "@?", "@@", "@@@", "^", "^@", "|", "|&>", "|/", "|>>", "||", "||/", "~", "~*", "~<=~", "~<~",
    "~=", "~>=~", "~>~", "~~", "~~*"};
constexpr std::array<std::string_view, 46> kTypes{
    "bit",         "bool",        "box",       "bpchar",    "bytea",     "char",         "cidr",        "circle",
    "date",        "daterange",   "float4",    "float8",    "inet",      "int2",         "int4",        "int4range",
    "int8",        "int8range",   "interval",  "json",      "jsonb",     "jsonpath",     "line",        "lseg",
    "macaddr",     "money",       "name",      "numeric",   "numrange",  "oid",          "path",        "pg_lsn",
    "point",       "regclass",    "regproc",   "regtype",   "text",      "time",         "timestamp",   "timestamptz",
    "timetz",      "tsquery",     "tsvector",  "uuid",      "varchar",   "xml"};
static_assert(std::is_sorted(kOperators.begin(), kOperators.end()) && std::is_sorted(kTypes.begin(), kTypes.end()));

}  // namespace

bool is_builtin_operator(std::string_view name) { return std::binary_search(kOperators.begin(), kOperators.end(), name); }
bool is_everyday_type(std::string_view name) { return std::binary_search(kTypes.begin(), kTypes.end(), name); }

}  // namespace pgweir::routing
