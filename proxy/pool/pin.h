// Server connections that a client keeps beyond its transactions: counted by reason in their pool, under its mutex, so that
// PoolLimits::max_pinned is exact across workers. Value types; Pool's members about pins are thread-safe.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace pgweir::pool {

class Pool;

enum class PinReason : std::uint8_t {
  TempTables, TempObjects, HoldableCursor, AdvisoryLock, Listen, SqlPrepare, CustomSetting, Library, Sequence, kCount
};
inline constexpr std::size_t kPinReasons = static_cast<std::size_t>(PinReason::kCount);

// As SHOW CLIENTS and the metrics' label `reason` have it: "temp_tables". Constants.
std::string_view pin_reason_name(PinReason reason);
std::optional<PinReason> find_pin_reason(std::string_view name);

struct PinCounts {
  std::array<unsigned, kPinReasons> now{};         // connections that are kept, or that a running statement may make so
  std::array<std::uint64_t, kPinReasons> total{};  // connections that were kept behind a transaction, since the start
  std::uint64_t refused = 0;                       // statements
  unsigned all() const;
};

// A place among the pinned connections of a pool. Move is not needed: it lives in what holds the lease.
class Pin {
 public:
  Pin() = default;
  Pin(const Pin&) = delete;
  Pin& operator=(const Pin&) = delete;
  ~Pin() { drop(); }

  // True: taken, or changed to this reason where one is held. False: `limit` connections are pinned already.
  bool take(Pool& pool, PinReason reason, unsigned limit);
  // The transaction has ended and the connection stays. Counted once for each reason.
  void kept();
  void drop();
  bool held() const { return pool_ != nullptr; }
  PinReason reason() const { return reason_; }  // while held

 private:
  Pool* pool_ = nullptr;
  PinReason reason_ = PinReason::TempTables;
  bool counted_ = false;
};

}  // namespace pgweir::pool
