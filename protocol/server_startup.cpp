#include "protocol/server_startup.h"

namespace pgweir::protocol {

Result<SslAnswer> interpret_ssl_answer(std::string_view received) {
  if (received.empty()) return SslAnswer::NeedMore;
  if (received[0] != 'S' && received[0] != 'N')
    // An ErrorResponse would begin with 'E', but nobody has proven yet that a server wrote it: its text is not shown.
    return SqlError{"08P01", "the server sent an invalid response to the SSL negotiation", {}, {}, {}, {}};
  if (received.size() > 1)
    return SqlError{"08P01", "received unencrypted data after SSL response",
                    "This could be either a server software bug or evidence of an attempted man-in-the-middle attack.",
                    {}, {}, {}};
  return received[0] == 'S' ? SslAnswer::Accepted : SslAnswer::Refused;
}

}  // namespace pgweir::protocol
