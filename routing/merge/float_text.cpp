#include "routing/merge/float_text.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <string_view>

namespace pgweir::routing {
namespace {

// A type that holds the midpoint of two neighbouring values exactly, and reads decimals into it.
template <class Float>
struct Wider;
template <>
struct Wider<float> {
  using Type = double;
  static Type read(const char* text) { return std::strtod(text, nullptr); }
};
template <>
struct Wider<double> {
  static_assert(std::numeric_limits<long double>::digits > std::numeric_limits<double>::digits);
  using Type = long double;
  static Type read(const char* text) { return std::strtold(text, nullptr); }
};

// True if the decimal (digits[.digits]e+-nn) may lie on a rounding boundary of `value` (> 0, finite), or outside.
// Reading the decimal rounds it, so one that is merely next to a boundary is taken as on it: on_boundary decides.
template <class Float>
bool near_boundary(Float value, const char* decimal, typename Wider<Float>::Type& boundary) {
  using Wide = typename Wider<Float>::Type;
  auto read = Wider<Float>::read(decimal);
  Wide above = std::nextafter(value, std::numeric_limits<Float>::infinity());
  Wide below = std::nextafter(value, Float{0});
  if (std::isinf(above)) above = Wide{value} + (Wide{value} - below);
  Wide upper = Wide{value} + (above - Wide{value}) / 2;
  Wide lower = below + (Wide{value} - below) / 2;
  boundary = read >= value ? upper : lower;
  return read >= value ? read >= upper : read <= lower;
}

// Digits and exponent of a number in scientific form, without the point and trailing zeros.
struct Decimal {
  std::string digits;
  int exponent = 0;  // of the first digit
};

Decimal parse(std::string_view text) {
  Decimal result;
  auto e = text.find('e');
  for (char c : text.substr(0, e))
    if (c != '.') result.digits.push_back(c);
  result.exponent = std::atoi(std::string(text.substr(e + 1)).c_str());
  while (result.digits.size() > 1 && result.digits.back() == '0') result.digits.pop_back();
  return result;
}

// The exact decimal expansion of a boundary is printed and compared; values that get here are very rare.
template <class Wide>
bool equals_exactly(Wide boundary, const Decimal& decimal) {
  char text[1300];
  std::snprintf(text, sizeof text, "%.1200Le", static_cast<long double>(boundary));
  auto exact = parse(text);
  return exact.exponent == decimal.exponent && exact.digits == decimal.digits;
}

// The decimal is read to the nearest wide value; outside means beyond the boundary or exactly on it.
template <class Float>
bool outside(Float value, const char* text) {
  typename Wider<Float>::Type boundary = 0;
  if (!near_boundary(value, text, boundary)) return false;
  if (Wider<Float>::read(text) != boundary) return true;
  return equals_exactly(boundary, parse(text));
}

template <class Float>
Decimal shortest(Float value) {
  char text[64];
  auto end = std::to_chars(text, text + sizeof text - 1, value, std::chars_format::scientific);
  *end.ptr = '\0';
  auto decimal = parse(text);
  if (!outside(value, text)) return decimal;
  for (auto digits = static_cast<int>(decimal.digits.size()); digits < std::numeric_limits<Float>::max_digits10;
       ++digits) {
    std::snprintf(text, sizeof text, "%.*e", digits - 1, static_cast<double>(value));
    if (static_cast<Float>(std::strtod(text, nullptr)) == value && !outside(value, text)) return parse(text);
  }
  std::snprintf(text, sizeof text, "%.*e", std::numeric_limits<Float>::max_digits10 - 1, static_cast<double>(value));
  return parse(text);
}

// Fixed notation while the exponent is in [-4, limit), else d.ddde+XX.
void append_decimal(const Decimal& decimal, int limit, std::string& out) {
  const auto& digits = decimal.digits;
  auto count = static_cast<int>(digits.size());
  auto exponent = decimal.exponent;
  if (exponent < -4 || exponent >= limit) {
    out.push_back(digits[0]);
    if (count > 1) out.append(".").append(digits, 1);
    char text[16];
    std::snprintf(text, sizeof text, "e%c%02d", exponent < 0 ? '-' : '+', std::abs(exponent));
    out.append(text);
  } else if (exponent < 0) {
    out.append("0.").append(static_cast<std::size_t>(-exponent - 1), '0').append(digits);
  } else if (count <= exponent + 1) {
    out.append(digits).append(static_cast<std::size_t>(exponent + 1 - count), '0');
  } else {
    auto whole = static_cast<std::size_t>(exponent) + 1;
    out.append(digits, 0, whole).append(".").append(digits, whole);
  }
}

template <class Float>
void append_float(Float value, int extra_float_digits, std::string& out) {
  constexpr int kDigits = std::numeric_limits<Float>::digits10;
  if (std::isnan(value)) {
    out += "NaN";
  } else if (std::isinf(value)) {
    out += value < 0 ? "-Infinity" : "Infinity";
  } else if (extra_float_digits <= 0) {
    char text[64];
    std::snprintf(text, sizeof text, "%.*g", std::max(1, kDigits + extra_float_digits), static_cast<double>(value));
    out += text;
  } else {
    if (std::signbit(value)) out.push_back('-');
    if (value == 0)
      out.push_back('0');
    else
      append_decimal(shortest(std::abs(value)), kDigits, out);
  }
}

}  // namespace

void append_float4_text(float value, int extra_float_digits, std::string& out) {
  append_float(value, extra_float_digits, out);
}

void append_float8_text(double value, int extra_float_digits, std::string& out) {
  append_float(value, extra_float_digits, out);
}

}  // namespace pgweir::routing
