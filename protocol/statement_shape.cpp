#include "protocol/statement_shape.h"

#include "protocol/byte_io.h"

namespace pgweir::protocol {
namespace {

// One more piece. The key is the process's secret with what came before in it, so that pieces cannot run into each other.
std::uint64_t with_piece(const StatementHashKey& key, std::uint64_t before, std::string_view piece) {
  return siphash128({key.first ^ before, key.second}, piece).low;
}

std::uint64_t with_number(const StatementHashKey& key, std::uint64_t before, std::uint64_t number) {
  char raw[8];
  for (int i = 0; i < 8; ++i) raw[i] = static_cast<char>(number >> 8 * i);
  return with_piece(key, before, std::string_view(raw, 8));
}

}  // namespace

std::uint64_t shape_of_parameters(const StatementHashKey& key, const OidList& types, const OidMapper& canonical) {
  std::uint64_t shape = with_number(key, 0, types.size());
  for (std::size_t i = 0; i < types.size(); ++i) shape = with_number(key, shape, canonical ? canonical(types[i]) : types[i]);
  return shape;
}

std::uint64_t shape_of_columns(const StatementHashKey& key, std::uint64_t parameters, std::optional<std::string_view> body,
                               const OidMapper& canonical) {
  std::uint64_t shape = with_piece(key, parameters, body ? "T" : "n");
  ByteReader reader(body.value_or(std::string_view()));
  const std::uint16_t count = body ? reader.u16() : 0;
  for (std::uint16_t i = 0; i < count && reader.ok(); ++i) {
    shape = with_piece(key, shape, reader.cstring());
    reader.bytes(6);  // table and attribute number: where it comes from
    const Oid type = reader.u32();
    reader.bytes(2);  // the type's length
    const auto typmod = reader.u32();
    reader.bytes(2);  // the format
    shape = with_number(key, shape, std::uint64_t{canonical ? canonical(type) : type} << 32 | typmod);
  }
  return shape == 0 ? 1 : shape;
}

}  // namespace pgweir::protocol
