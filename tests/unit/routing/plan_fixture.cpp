#include "plan_fixture.h"

#include <sstream>

namespace pgweir::routing {
namespace {

using config::Branch;
using config::TableKind;

