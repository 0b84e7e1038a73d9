#include "proxy/session/tally.h"

namespace pgweir::session {

void Tally::kept(std::optional<pool::PinReason> reason) {
  ++kept_;
  if (!reason) return;
  if (!reasons_) reasons_ = std::make_unique<Reasons>();
  ++(*reasons_)[static_cast<std::size_t>(*reason)];
}

std::string Tally::text() const {
  std::string pins;
  for (std::size_t i = 0; reasons_ && i < reasons_->size(); ++i) {
    if ((*reasons_)[i] == 0) continue;
    if (!pins.empty()) pins += ',';
    (pins += pool::pin_reason_name(static_cast<pool::PinReason>(i))) += ':' + std::to_string((*reasons_)[i]);
  }
  return "released=" + std::to_string(released_) + " kept=" + std::to_string(kept_) + " servers=" + std::to_string(servers()) + " pins=" + pins;
}

}  // namespace pgweir::session
