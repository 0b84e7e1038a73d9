#include "proxy/net/error.h"

#include <cerrno>
#include <system_error>

namespace pgweir::net {

StreamError system_error(int sys_errno, const std::string& what) {
  StreamError error{StreamError::Kind::Io, sys_errno, what + ": " + std::generic_category().message(sys_errno)};
  switch (sys_errno) {
    case ECONNRESET:
    case ECONNREFUSED:
    case ECONNABORTED:
    case EPIPE:
      error.kind = StreamError::Kind::Reset;
      break;
    case ETIMEDOUT:
      error.kind = StreamError::Kind::Timeout;
      break;
    default:
      break;
  }
  return error;
}

const char* to_string(StreamError::Kind kind) {
  switch (kind) {
    case StreamError::Kind::Eof: return "eof";
    case StreamError::Kind::Reset: return "reset";
    case StreamError::Kind::Io: return "io";
    case StreamError::Kind::Tls: return "tls";
    case StreamError::Kind::Timeout: return "timeout";
    case StreamError::Kind::Limit: return "limit";
  }
  return "unknown";
}

}  // namespace pgweir::net
