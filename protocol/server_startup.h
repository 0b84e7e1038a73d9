// TLS negotiation towards servers: what a server's answer to our SSLRequest (encode_ssl_request) means.
#pragma once

#include <cstdint>
#include <string_view>

#include "protocol/result.h"

namespace pgweir::protocol {

enum class SslAnswer : std::uint8_t {
  NeedMore,  // nothing came yet
  Accepted,  // 'S': shake hands
  Refused,   // 'N': the server has no TLS; whether to go on in plain text is the caller's policy
};

// received: everything that has come since the SSLRequest was sent. An error (08P01) means close: a server that answers
// with anything else, or with bytes behind the answer, which somebody on the way may have put there to be read as if
// they had come through TLS.
Result<SslAnswer> interpret_ssl_answer(std::string_view received);

}  // namespace pgweir::protocol
