// Every message decoder over any body (the first byte chooses it): no read out of bounds, and what is decoded is
// encoded again to the same bytes where the format has one form only.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "protocol/backend_codec.h"
#include "protocol/frontend_codec.h"

namespace {

using namespace pgweir::protocol;

void require(bool condition) {
  if (!condition) std::abort();
}

void same(std::string_view body, const std::string& message) {
  require(load_u32(message, 1) + 1 == message.size());
  require(std::string_view(message).substr(kHeaderSize) == body);
}

void backend(char type, std::string_view body) {
  std::string out;
  switch (type) {
    case 'E':
      if (const auto fields = decode_error(body)) {
        require(fields->sqlstate.size() == 5);
        encode_error(to_sql_error(*fields), Severity::Error, out);
        require(decode_error(std::string_view(out).substr(kHeaderSize)).ok());
      }
      break;
    case 'T': {
      const auto columns = decode_row_description(body);
      const auto one_more = [](Oid oid) { return oid + 1; };
      require(columns.ok() == !map_row_description(body, one_more, one_more, out).has_value());
      require(columns.ok() || out.empty());
      out.clear();
      if (!columns) break;
      encode_row_description(*columns, out);
      same(body, out);
      break;
    }
    case 't':
      if (!map_parameter_description(body, [](Oid oid) { return oid; }, out)) same(body, out);
      break;
    case 'D': {
      std::vector<std::optional<std::string_view>> columns;
      const auto values = decode_data_row(body);
      require(values.ok() == !decode_data_row(body, columns).has_value());
      if (!values) break;
      DataRowWriter row(out);
      for (const auto& value : *values) row.column(value);
      row.finish();
      same(body, out);
      break;
    }
    case 'C':
      if (const auto tag = decode_command_complete(body)) (void)split_command_tag(*tag);
      break;
    case 'G': (void)decode_copy_response(body); break;
    case 'A': (void)decode_notification(body); break;
    case 'S': (void)decode_parameter_status(body); break;
    case 'K': (void)decode_backend_key_data(body); break;
    case 'Z': (void)decode_ready_for_query(body); break;
    case 'v': (void)decode_negotiate_protocol_version(body); break;
    default: break;
  }
}

void frontend(char type, std::string_view body) {
  std::string out;
  switch (type) {
    case 'Q':
      if (const auto query = decode_query(body)) {
        encode_query(query->text, out);
        same(body, out);
      }
      break;
    case 'P':
      if (const auto parse = decode_parse(body)) {
        require(rename_parse(body, parse->name, out));
        same(body, out);
      }
      break;
    case 'B':
      if (const auto bind = decode_bind(body)) {
        std::size_t count = 0;
        for (const auto& value : bind->parameters) {
          (void)bind->parameter_formats.of(count++);
          (void)value;
        }
        require(count == bind->parameters.size());
        encode_bind_raw(bind->portal, bind->statement, bind->tail, out);
        same(body, out);
        out.clear();
        require(rename_bind(body, bind->statement, out));
        same(body, out);
      }
      break;
    case 'D':
      if (const auto describe = decode_describe(body)) {
        require(rename_describe(body, describe->name, out));
        same(body, out);
      }
      break;
    case 'C': (void)decode_close(body); break;
    case 'E': (void)decode_execute(body); break;
    case 'F': (void)decode_function_call(body); break;
    case 'f': (void)decode_copy_fail(body); break;
    default: break;
  }
  out.clear();
  (void)rename_head(type, static_cast<std::uint32_t>(body.size()), body, "new name", out);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 1) return 0;
  // The high bit says which side sends it.
  const char type = static_cast<char>(data[0] & 0x7f);
  const std::string_view body(reinterpret_cast<const char*>(data) + 1, size - 1);
  if ((data[0] & 0x80) == 0)
    backend(type, body);
  else
    frontend(type, body);
  return 0;
}
