// Session: virtual groups from the session's side.
#include "proxy/session/session.h"
#include "proxy/session/virtual_group.h"

namespace pgweir::session {

using protocol::SqlError;
using protocol::TransactionStatus;

void Session::virtual_finished(bool ready, bool failed) {
  // The group's own functions are still on the stack.
  context_.worker.defer([group = std::shared_ptr<VirtualGroup>(std::move(virtual_))] {});
  if (mode_ == Mode::Closed) return;
  note_memory();
  if (mode_ != Mode::Orphan) mode_ = Mode::Open;
  if (!ready) {
    group_.is_virtual = true;
    group_.failed = failed;
    return wake();
  }
  group_ = Group{};
  if (!client_gone() && !holds_virtual_ready()) send_ready();
  if (tx_ == TransactionStatus::Idle) {
    finish_transaction();
    if (mode_ == Mode::Open) wake();
    return;
  }
  wake();
}

void Session::accept_copy_data() {
  if (mode_ == Mode::Orphan) return virtual_->on_client_gone();
  mode_ = Mode::CopyData;
  input_waits_ = false;
  if (stream_) stream_->resume();
}

void Session::resume_copy_data() {
  if (mode_ != Mode::CopyData || !input_waits_) return;
  input_waits_ = false;
  if (stream_) stream_->resume();
}

void Session::send_warning(const SqlError& warning) {
  std::string notice;
  protocol::encode_notice(warning, protocol::Severity::Warning, notice);
  to_client(notice);
}

std::string Session::explain(std::string_view sql) {
  const auto analysis = analyze(sql);
  if (analysis->statements.size() != 1) return "Refused: EXPLAIN (ROUTE) takes one statement";
  routing::RouteContext context = route_context();
  context.want_explanation = true;
  auto route = context_.router.route(*routing_, *analysis, 0, {}, context);
  if (!route) return "Refused: " + route.error().message + "\nReason: " + route.error().reason + "\nHint: " + route.error().hint;
  return route->explanation;
}

}  // namespace pgweir::session
