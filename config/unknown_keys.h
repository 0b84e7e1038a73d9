// Rule: every key of the file is one of reference.h, and sections have the shape they must have.
#pragma once

#include "config/document.h"

namespace pgweir::config {

void check_keys(const Document& document, Findings& findings);

}  // namespace pgweir::config
