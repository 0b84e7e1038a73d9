#include "config/names.h"

namespace pgweir::config {
namespace {

constexpr Name<TlsMode> kTlsModes[] = {
    {"disable", TlsMode::Disable}, {"allow", TlsMode::Allow},        {"prefer", TlsMode::Prefer},
    {"require", TlsMode::Require}, {"verify-ca", TlsMode::VerifyCa}, {"verify-full", TlsMode::VerifyFull}};
constexpr Name<LogLevel> kLogLevels[] = {
    {"debug", LogLevel::Debug}, {"info", LogLevel::Info}, {"warning", LogLevel::Warning}, {"error", LogLevel::Error}};
constexpr Name<LogFormat> kLogFormats[] = {{"text", LogFormat::Text}, {"json", LogFormat::Json}};
constexpr Name<AuthMethod> kAuthMethods[] = {
    {"trust", AuthMethod::Trust}, {"plain", AuthMethod::Plain}, {"md5", AuthMethod::Md5},
    {"scram-sha-256", AuthMethod::ScramSha256}, {"cert", AuthMethod::Cert}, {"hba", AuthMethod::Hba}};
constexpr Name<PoolMode> kPoolModes[] = {
    {"session", PoolMode::Session}, {"transaction", PoolMode::Transaction}, {"statement", PoolMode::Statement}};
constexpr Name<Reads> kReads[] = {{"primary", Reads::Primary}, {"replica", Reads::Replica}};
constexpr Name<PlacementType> kPlacementTypes[] = {
    {"hash", PlacementType::Hash}, {"list", PlacementType::List}, {"range", PlacementType::Range}};
constexpr Name<KeyType> kKeyTypes[] = {
    {"smallint", KeyType::SmallInt}, {"int", KeyType::Int}, {"bigint", KeyType::BigInt}, {"uuid", KeyType::Uuid},
    {"text", KeyType::Text}, {"bytea", KeyType::Bytea}, {"numeric", KeyType::Numeric}, {"date", KeyType::Date},
    {"timestamp", KeyType::Timestamp}, {"timestamptz", KeyType::TimestampTz}, {"bool", KeyType::Bool},
    // PostgreSQL's other names for the same types.
    {"int2", KeyType::SmallInt}, {"int4", KeyType::Int}, {"integer", KeyType::Int}, {"int8", KeyType::BigInt},
    {"varchar", KeyType::Text}, {"boolean", KeyType::Bool}};
constexpr Name<HashKind> kHashKinds[] = {{"postgres", HashKind::Postgres}, {"xxh64", HashKind::Xxh64}};
constexpr Name<TableKind> kTableKinds[] = {
    {"sharded", TableKind::Sharded}, {"reference", TableKind::Reference}, {"local", TableKind::Local}};
constexpr Name<FunctionReads> kFunctionReads[] = {{"none", FunctionReads::None}, {"shard", FunctionReads::Shard}};

}  // namespace

template <> std::span<const Name<TlsMode>> names() { return kTlsModes; }
template <> std::span<const Name<LogLevel>> names() { return kLogLevels; }
template <> std::span<const Name<LogFormat>> names() { return kLogFormats; }
template <> std::span<const Name<AuthMethod>> names() { return kAuthMethods; }
template <> std::span<const Name<PoolMode>> names() { return kPoolModes; }
template <> std::span<const Name<Reads>> names() { return kReads; }
template <> std::span<const Name<PlacementType>> names() { return kPlacementTypes; }
template <> std::span<const Name<KeyType>> names() { return kKeyTypes; }
template <> std::span<const Name<HashKind>> names() { return kHashKinds; }
template <> std::span<const Name<TableKind>> names() { return kTableKinds; }
template <> std::span<const Name<FunctionReads>> names() { return kFunctionReads; }

}  // namespace pgweir::config
