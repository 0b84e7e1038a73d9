#include "protocol/report_start.h"

#include <algorithm>

namespace pgweir::protocol {

Result<ErrorFields> decode_report_start(std::string_view start) {
  ErrorFields fields;
  while (!start.empty() && start.front() != '\0') {
    const char code = start.front();
    const std::string_view value = start.substr(1, std::min(start.find('\0', 1), start.size()) - 1);
    switch (code) {
      case 'S': fields.severity = value; break;
      case 'V': fields.severity_unlocalized = value; break;
      case 'C': fields.sqlstate = value; break;
      case 'M': fields.message = value; break;
      default: break;
    }
    start.remove_prefix(std::min(start.size(), value.size() + 2));
  }
  if (fields.severity_unlocalized.empty()) fields.severity_unlocalized = fields.severity;
  if (fields.sqlstate.size() != 5) fields.sqlstate = "XX000";
  return fields;
}

}  // namespace pgweir::protocol
