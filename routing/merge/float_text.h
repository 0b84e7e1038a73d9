// Text of float4 and float8 values as PostgreSQL prints them. Pure functions.
#pragma once

#include <string>

namespace pgweir::routing {

// extra_float_digits > 0: the shortest decimal strictly between the value's two rounding boundaries (PostgreSQL does
// not accept a decimal that lies on a boundary, so that readers with another rounding mode agree); else %.*g with 6 or
// 15 plus extra_float_digits digits (at least 1).
void append_float4_text(float value, int extra_float_digits, std::string& out);
void append_float8_text(double value, int extra_float_digits, std::string& out);

}  // namespace pgweir::routing
