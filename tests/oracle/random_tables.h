// The tables of the random statements, with values of their columns in many spellings.
#pragma once

#include <vector>

#include "tests/oracle/random_sql.h"

namespace pgweir::oracle {

const std::vector<RandomTable>& random_tables();

}  // namespace pgweir::oracle
