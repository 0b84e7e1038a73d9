// The readers of the configuration over any text: the file itself, hba files, and the small formats in them. The order
// of `decoders` is that of the seeds' first byte.
#include <string>
#include <vector>

#include "config/endpoint.h"
#include "config/findings.h"
#include "config/hba_read.h"
#include "config/identifier.h"
#include "config/ip_address.h"
#include "config/key_literal.h"
#include "config/loader.h"
#include "config/name_pattern.h"
#include "config/secret.h"
#include "config/units.h"
#include "tests/fuzz/selected.h"

namespace {

using namespace pgweir::config;
using pgweir::fuzz::require;

void file(std::string_view text) {
  const LoadResult result = load_text(text, "/nowhere/pgweir.toml");
  bool errors = false;
  for (const auto& finding : result.diagnostics) {
    require(!finding.message.empty() && !finding.to_string().empty());
    errors = errors || finding.severity == Severity::Error;
  }
  require(errors == (result.config == nullptr));
}

void hba(std::string_view text) {
  if (text.find('@') != std::string_view::npos) return;  // names a file
  Findings findings("hba");
  const Hba lines = parse_hba(text, "hba", findings);
  HbaRequest request;
  request.user = "app";
  request.database = "main";
  if (const auto address = parse_ip("10.1.2.3")) request.address = *address;
  for (const auto& line : lines.lines)
    for (const auto* names : {&line.databases, &line.users})
      for (const auto& name : *names)
        if (name.kind == HbaName::Kind::Pattern) return;  // std::regex may take its time
  if (const HbaLine* line = match_hba(lines, request)) require(line >= lines.lines.data());
}

void endpoint(std::string_view text) {
  Endpoint found;
  if (parse_endpoint(text, {}, found).empty()) require(found.port != 0 || found.unix_socket);
  (void)socket_path_length(found);
  (void)is_local(found);
}

void address(std::string_view text) {
  const auto ip = parse_ip(text);
  if (!ip) return;
  for (const unsigned bits : {0u, 1u, 31u, 8 * ip->size()}) require(ip_network(*ip, bits).contains(*ip));
  (void)unmapped(*ip);
}

void units(std::string_view text) {
  if (const auto duration = parse_duration(text)) require(parse_duration(format_duration(*duration)) == duration);
  if (const auto bytes = parse_bytes(text)) require(parse_bytes(format_bytes(*bytes)) == bytes);
}

void identifier(std::string_view text) {
  std::vector<std::string> parts;
  if (!parse_identifier(text, 2, parts).empty()) return;
  require(!parts.empty() && parts.size() <= 2);
  for (const auto& part : parts) {
    std::vector<std::string> again;
    require(parse_identifier(format_identifier(part), 1, again).empty() && again.front() == part);
  }
}

void key(std::string_view text) {
  if (text.empty()) return;
  KeyLiteral literal;
  const auto type = static_cast<KeyType>(static_cast<unsigned char>(text.front()) % 11);
  if (read_key_literal(type, text.substr(1), literal).empty()) require(is_ordered(type) || literal.order == 0);
}

void secret(std::string_view text) {
  require(!(is_md5_verifier(text) && is_scram_verifier(text)));
}

constexpr pgweir::fuzz::Decoder decoders[] = {file, hba, endpoint, address, units, identifier, key, secret};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  return pgweir::fuzz::run_selected(decoders, data, size);
}
