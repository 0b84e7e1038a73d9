// From the text of a pg_hba.conf to its lines.
#pragma once

#include <string>
#include <string_view>

#include "config/findings.h"
#include "config/hba.h"

namespace pgweir::config {

// Every wrong line is a finding in that file; the result is then of no use. A file without lines is one.
Hba parse_hba(std::string_view text, const std::string& path, Findings& findings);
// The same for a file. `place` (in the configuration) is where it is named, for a file that cannot be read.
Hba read_hba(const std::string& path, Place place, Findings& findings);

}  // namespace pgweir::config
