// The queue of OpenSSL's errors as text. Not for users of the stream.
#pragma once

#include <string>

namespace pgweir::net {

// ": first error; second error", emptying this thread's queue; "" when it is empty.
std::string openssl_errors();

}  // namespace pgweir::net
