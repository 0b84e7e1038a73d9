#include "tests/oracle/random_tables.h"

namespace pgweir::oracle {
namespace {

using Type = RandomColumn::Type;

const std::vector<std::string> kBigints{"0", "1", "7", "42", "-1", "1000000", "4294967296", "9223372036854775807",
                                        "(-9223372036854775808)", "'7'", "' 42 '", "7::int2", "7::bigint",
                                            "42::numeric",
                                        "7.0", "1.5", "42::float8", "9223372036854775808", "1e2", "NULL", "3 + 4",
                                        "NULL::bigint", "'1000000'::bigint", "-(-7)", "+7", "'-1'", "7::oid"};
const std::vector<std::string> kInts{"-5", "0",  "7",   "8",    "9",         "10",      "2147483647", "-2147483648",
    "'7'",
                                     "8.0", "NULL", "7.4", "7::bigint", "2147483648", "'9'::int", "1e1", "5 + 2",
                                     "7::float4", "'10'", "9::numeric(3,1)", "0::smallint"};
const std::vector<std::string> kSmalls{"-32768", "-11", "-10", "-1", "0", "9", "10", "32767", "32768", "-10.5", "9.5",
    "'10'",
                                       "NULL", "'-11'::smallint", "-10::int", "10::bigint", "9.999", "100000", "-1e2"};
const std::vector<std::string> kTexts{"''", "'a'", "'A'", "'Ä'", "'it''s'", "E'back\\\\slash'", "' a'", "'a '",
    "'日本'", "NULL",
                                      "'a'::text", "'a'::varchar", "'a '::char(4)", "'a'::name", "'b'", "$$a$$",
                                          "U&'\\00C4'",
                                      "'a' 'b'", "E'\\x61'", "lower('A')", "'it''s'::varchar(2)", "'A' COLLATE \"C\""};
const std::vector<std::string> kBytes{"'\\x'", "'\\x00'", "'\\x0001'", "'\\xff'", "'\\x616263'", "'abc'",
    "'\\xDEADBEEF'", "NULL",
                                      "'\\x616263'::bytea", "'abc'::bytea", "E'\\\\000'", "'\\xDE AD BE EF'"};
const std::vector<std::string> kNumerics{"0", "1", "-1", "10", "100", "1e19", "12345", "1.0", "1.00", "'10.000'",
    "10.4", "'1e2'",
                                         "NULL", "'NaN'", "1::float8", "100::bigint", "-1::int2", "0.0", "-0.0",
                                             "'Infinity'",
                                         "10000000000000000000", "10::numeric(20,0)", "'1e1'::numeric"};
const std::vector<std::string> kDates{"'2024-02-29'", "'2024-12-31'", "'2025-01-01'", "'2025-06-30'", "'2025-07-01'",
                                      "'2025-12-31'", "'1999-01-01'", "DATE '2025-01-01'", "'2025-01-01'::date",
                                      "'2025-01-01 00:00:00'::timestamp", "'2024-12-31 23:59:59'::timestamp",
                                      "'2025-01-01 00:00:00+00'::timestamptz", "NULL", "'20250701'", "'Jan 1, 2025'",
                                      "'2025-07-01 12:00'", "DATE '2024-12-31' + 1", "'infinity'", "'-infinity'::date",
                                      "'2025-1-1'", "'2024-12-31 22:00-05'::timestamptz", "'2026-01-01'"};
const std::vector<std::string> kTimestamps{"'2025-06-01 11:59:59.999999'", "'2025-06-01 12:00:00'", "'2020-01-01'",
                                           "'2030-01-01 00:00'", "'infinity'", "'-infinity'", "NULL",
                                               "'2025-06-01'::date",
                                           "'2025-06-01 12:00:00+02'::timestamptz", "TIMESTAMP '2025-06-01 12:00'",
                                           "'2025-06-01 12:00:00+05'", "'2025-06-01 11:59:59.9999999'",
                                           "'2020-01-01T00:00:00'", "'2025-06-01 12:00:00'::timestamp(0)",
                                           "'2030-01-01'::date", "'2025-06-01 12:00:00.0000001'"};
const std::vector<std::string> kBools{"true", "false", "'t'", "'off'", "NULL", "'yes'::bool", "1::bool", "NOT true",
    "1 = 1", "'1'"};
const std::vector<std::string> kUuids{"'0b9c1c1e-0000-4000-8000-000000000001'",
    "'910a2dec-8902-4cc1-aeeb-8da1658eec67'",
                                      "'f893a2ee-fb32-455e-a1c1-8690ee42c90b'",
                                          "'71bb54d8-d101-45b9-a34d-0bff90150280'",
                                      "'71BB54D8-D101-45B9-A34D-0BFF90150280'",
                                          "'{71bb54d8d10145b9a34d0bff90150280}'::uuid",
                                      "'910a2dec89024cc1aeeb8da1658eec67'::uuid", "NULL",
                                      "'00000000-0000-4000-8000-00000000dead'"};
const std::vector<std::string> kRegions{"'eu'", "'us'", "'asia'", "''", "'EU'", "NULL", "'us'::varchar", "'de'",
    "lower('EU')", "'eu '"};
const std::vector<std::string> kDays{"'2024-01-01'", "'2025-01-01'", "'2024-12-31'", "'2024-06-01'", "'2025-06-01'",
    "NULL",
                                     "DATE '2025-01-01'", "'2025-01-01 10:00'::timestamp", "'2024-12-31'::date"};
const std::vector<std::string> kCounts{"0", "1", "2", "3", "5", "10", "-1", "NULL", "2.5", "100", "'2'", "1::bigint"};
const std::vector<std::string> kIntervals{"'1 day'", "'24:00'", "'1 mon'", "'30 days'", "'-1 hour'", "'2 years'",
    "'0'", "NULL"};
const std::vector<std::string> kTimes{"'10:00'", "'11:00'", "'23:59:59.5'", "'00:00'", "'24:00'", "NULL"};
const std::vector<std::string> kMoments{"'2024-06-01 00:00:00+00'", "'2025-01-01 00:00:00+00'", "'2025-01-01'::date",
                                        "'2024-12-31 23:59:59.999999+00'", "'2025-01-01 00:00:00'", "NULL",
                                        "'2024-12-31 19:00:00-05'", "'2025-06-15'::timestamp",
                                            "'2024-12-31 22:00:00 -02:00'",
                                        "TIMESTAMPTZ '2025-03-01 00:00Z'", "'2025-01-01 00:00:00 UTC'"};
const std::vector<std::string> kShort{"'a'", "'b '", "''", "NULL", "'ab'", "'abcd'", "'x'::char(4)"};
const std::vector<std::string> kWords{"'a'", "'b'", "'x'", "''", "NULL", "'one'", "'%a%'", "'active'", "'done'",
    "'like'"};

}  // namespace

const std::vector<RandomTable>& random_tables() {
  static const std::vector<RandomTable> tables{
      {"by_bigint", "bigint", 1, {{"k", Type::Number, kBigints}, {"v", Type::Text, kWords}}, "k", true},
      {"by_int", "int", 1, {{"k", Type::Number, kInts}, {"n", Type::Number, kCounts}, {"v", Type::Number, kNumerics,
          true}}, "k, n", true},
      {"by_smallint", "smallint", 1, {{"k", Type::Number, kSmalls}, {"v", Type::Number, kCounts}}, "k", true},
      {"by_text", "text", 1, {{"k", Type::Text, kTexts}, {"v", Type::Text, kWords}, {"c", Type::Text, kShort}},
          "k COLLATE \"C\"", true},
      {"by_bytea", "bytea", 1, {{"k", Type::Bytes, kBytes}, {"v", Type::Number, kCounts}}, "k", true},
      {"by_numeric", "numeric", 1, {{"k", Type::Number, kNumerics}, {"v", Type::Float, kNumerics, true}}, "k", true},
      {"by_date", "date", 1, {{"k", Type::Time, kDates}, {"id", Type::Number, kCounts}, {"v", Type::Interval,
          kIntervals, true}}, "k, id", true},
      {"by_timestamp", "timestamp", 1, {{"k", Type::Time, kTimestamps}, {"v", Type::Time, kTimes}}, "k", true},
      {"by_bool", "bool", 1, {{"k", Type::Bool, kBools}, {"id", Type::Number, kCounts}, {"v", Type::Text, kWords}},
          "k, id", true},
      {"by_place", "place", 3,
       {{"region", Type::Text, kRegions}, {"tenant_id", Type::Uuid, kUuids}, {"day", Type::Time, kDays}, {"n",
           Type::Number, kCounts}},
       "region COLLATE \"C\", tenant_id, day", true},
      {"courses", "tenant", 1,
       {{"tenant_id", Type::Uuid, kUuids}, {"level", Type::Number, kCounts}, {"price", Type::Number, kNumerics},
        {"starts_on", Type::Time, kDates}, {"capacity", Type::Number, kCounts}}, "tenant_id, id"},
      {"enrollments", "tenant", 1,
       {{"tenant_id", Type::Uuid, kUuids}, {"grade", Type::Number, kCounts}, {"enrolled_at", Type::Time, kMoments}},
       "tenant_id, course_id, user_id"},
      {"activities", "time", 2,
       {{"published_at", Type::Time, kMoments}, {"tenant_id", Type::Uuid, kUuids}, {"kind", Type::Text, kWords},
        {"likes", Type::Number, kCounts}, {"score", Type::Number, kCounts}}, "published_at, tenant_id, id"},
      {"content", "region", 1,
       {{"region", Type::Text, kRegions}, {"id", Type::Number, kBigints}, {"status", Type::Text, kWords},
        {"views", Type::Number, kBigints}, {"rating", Type::Number, kCounts}, {"published_on", Type::Time, kDates}},
            "region COLLATE \"C\", id"},
      {"tenants", "", 0,
       {{"id", Type::Uuid, kUuids}, {"region", Type::Text, kRegions}, {"plan", Type::Text, kWords}, {"seats",
           Type::Number, kCounts}}, "id"},
      {"jobs", "", 0, {{"id", Type::Number, kCounts}, {"state", Type::Text, kWords}, {"run_at", Type::Time,
          kMoments}}, "id"},
  };
  return tables;
}

}  // namespace pgweir::oracle
