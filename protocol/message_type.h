// Message types over their wire letter, protocol versions and request codes. Source: PostgreSQL documentation, chapter
// "Frontend/Backend Protocol", sections "Message Formats" and "Message Flow".
#pragma once

#include <cstdint>

namespace pgweir::protocol {

using Oid = std::uint32_t;

enum class FrontendMessage : char {
  Bind = 'B',
  Close = 'C',
  CopyData = 'd',
  CopyDone = 'c',
  CopyFail = 'f',
  Describe = 'D',
  Execute = 'E',
  Flush = 'H',
  FunctionCall = 'F',
  Parse = 'P',
  Password = 'p',  // also SASLInitialResponse, SASLResponse and GSSResponse
  Query = 'Q',
  Sync = 'S',
  Terminate = 'X',
};

enum class BackendMessage : char {
  Authentication = 'R',
  BackendKeyData = 'K',
  BindComplete = '2',
  CloseComplete = '3',
  CommandComplete = 'C',
  CopyBothResponse = 'W',
  CopyData = 'd',
  CopyDone = 'c',
  CopyInResponse = 'G',
  CopyOutResponse = 'H',
  DataRow = 'D',
  EmptyQueryResponse = 'I',
  ErrorResponse = 'E',
  FunctionCallResponse = 'V',
  NegotiateProtocolVersion = 'v',
  NoData = 'n',
  NoticeResponse = 'N',
  NotificationResponse = 'A',
  ParameterDescription = 't',
  ParameterStatus = 'S',
  ParseComplete = '1',
  PortalSuspended = 's',
  ReadyForQuery = 'Z',
  RowDescription = 'T',
};

// Versions and request codes of the startup family: major in the high 16 bits, minor in the low.
constexpr std::uint32_t kProtocol30 = 3u << 16;
constexpr std::uint32_t kProtocol32 = 3u << 16 | 2u;
constexpr std::uint32_t kCancelRequestCode = 1234u << 16 | 5678u;
constexpr std::uint32_t kSslRequestCode = 1234u << 16 | 5679u;
constexpr std::uint32_t kGssEncRequestCode = 1234u << 16 | 5680u;

// Bytes. A typed header is the type and a length that counts itself and the body.
constexpr std::uint32_t kHeaderSize = 5;
// PostgreSQL's MAX_STARTUP_PACKET_LENGTH: the startup packet's bytes without its length field.
constexpr std::uint32_t kMaxStartupPacket = 10'000;
// PostgreSQL's PQ_SMALL_MESSAGE_LIMIT and PQ_LARGE_MESSAGE_LIMIT (MaxAllocSize - 1): bytes of a body.
constexpr std::uint32_t kSmallMessageLimit = 10'000;
constexpr std::uint32_t kLargeMessageLimit = 0x3ffffffe;
// BackendKeyData's secret: 4 bytes in 3.0, 4 to 256 in 3.2.
constexpr std::uint32_t kMinCancelKey = 4;
constexpr std::uint32_t kMaxCancelKey = 256;

}  // namespace pgweir::protocol
