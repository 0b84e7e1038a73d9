// ErrorResponse and NoticeResponse of which only the beginning is there. Pure function; thread-safe.
#pragma once

#include "protocol/backend_codec.h"

namespace pgweir::protocol {

// As decode_error(), of the beginning of a body: the fields in it, the last one as far as it goes. PostgreSQL sends severity and
// SQLSTATE first (send_message_to_frontend).
Result<ErrorFields> decode_report_start(std::string_view start);

}  // namespace pgweir::protocol
