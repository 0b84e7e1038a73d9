// Errors of the network layer, as values.
#pragma once

#include <string>

#include "protocol/result.h"

namespace pgweir::net {

struct StreamError {
  enum class Kind {
    Eof,      // the peer closed its direction in an orderly way
    Reset,    // the peer, or the network, broke the connection (ECONNRESET, EPIPE, ECONNREFUSED, ...)
    Io,       // any other system error
    Tls,      // handshake, certificate or record failure; text says which
    Timeout,  // connect or resolve deadline passed
    Limit,    // the retained bytes would exceed the stream's limit, or a queue is full
  };
  Kind kind = Kind::Io;
  int sys_errno = 0;  // 0 when no system call failed
  std::string text;   // for logs and for a user's error message; has no trailing newline
  bool operator==(const StreamError&) const = default;
};

template <class T>
using Result = protocol::Result<T, StreamError>;

// Kind and text from an errno: "what: strerror". Thread-safe.
StreamError system_error(int sys_errno, const std::string& what);
const char* to_string(StreamError::Kind);

}  // namespace pgweir::net
