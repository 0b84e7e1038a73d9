#include "config/endpoint.h"

#include <charconv>

namespace pgweir::config {
namespace {

bool parse_port(std::string_view text, std::uint16_t& port) {
  const auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), port);
  return failed == std::errc{} && end == text.data() + text.size();
}

std::string take_port(std::string_view text, bool any_port, Endpoint& endpoint) {
  if (!parse_port(text, endpoint.port) || (endpoint.port == 0 && !any_port)) {
    return "\"" + std::string(text) + "\" is not a port: they are " + (any_port ? "0" : "1") + " to 65535";
  }
  return {};
}

std::string parse_unix(std::string_view text, const EndpointRules& rules, Endpoint& endpoint) {
  if (!rules.unix_allowed) return "a unix socket is not possible here";
  endpoint.unix_socket = true;
  const std::size_t colon = text.rfind(':');
  endpoint.host = std::string(text.substr(0, colon));
  if (endpoint.host.empty()) return "the directory of the unix socket is missing";
  if (colon != std::string_view::npos) return take_port(text.substr(colon + 1), false, endpoint);
  if (rules.unix_port_required) return "the port is missing: it names the socket file .s.PGSQL.<port>";
  return {};
}

// Letters, digits, '-', '_' and '.': host names and IPv4; and for [v6] hex digits, ':' and a zone.
bool plausible_host(std::string_view host, bool v6) {
  if (host.empty() || host.size() > 253) return false;
  for (const char c : host) {
    const bool alnum = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    const bool punctuation = c == '.' || c == '-' || c == '_' || (v6 && (c == ':' || c == '%'));
    if (!alnum && !punctuation) return false;
  }
  return !v6 || host.find(':') != std::string_view::npos;
}

}  // namespace

std::string parse_endpoint(std::string_view text, const EndpointRules& rules, Endpoint& endpoint) {
  endpoint = {};
  if (text.starts_with("unix:")) return parse_unix(text.substr(5), rules, endpoint);
  if (text.starts_with("/")) return "a unix socket is written \"unix:" + std::string(text) + "\"";
  const bool v6 = text.starts_with("[");
  const std::size_t close = v6 ? text.find(']') : std::string_view::npos;
  if (v6 && close == std::string_view::npos) return "the ] after the IPv6 address is missing";
  const std::size_t colon = v6 ? close + 1 : text.find(':');
  if (colon >= text.size()) return "the port is missing";
  if (text[colon] != ':') return "a : and the port must follow the address";
  const std::string_view host = v6 ? text.substr(1, close - 1) : text.substr(0, colon);
  const std::string_view port = text.substr(colon + 1);
  if (!v6 && port.find(':') != std::string_view::npos) return "an IPv6 address stands in brackets: \"[::1]:6432\"";
  if (host == "*") return "\"*\" is not an address; every address is \"0.0.0.0\" or \"[::]\"";
  if (!plausible_host(host, v6)) return "\"" + std::string(host) + "\" is not a host name or address";
  endpoint.host = std::string(host);
  return take_port(port, rules.any_port, endpoint);
}

std::size_t socket_path_length(const Endpoint& endpoint) {
  return endpoint.host.size() + std::string_view("/.s.PGSQL.").size() + std::to_string(endpoint.port).size();
}

bool is_local(const Endpoint& endpoint) {
  return endpoint.unix_socket || endpoint.host == "localhost" || endpoint.host == "::1" ||
         endpoint.host.starts_with("127.");
}

}  // namespace pgweir::config
