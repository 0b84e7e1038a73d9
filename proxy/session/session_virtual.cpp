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
  meter_.request_ends(*tenancy_->cells, context_.worker.now());
  if (tx_ == TransactionStatus::Idle) transaction_ended();
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

// Data behind a group that has not been run yet: it may be a COPY, and PostgreSQL would have begun it. True: the group runs now.
bool Session::copy_data_first(char type) {
  if ((type != 'd' && type != 'c' && type != 'f') || virtual_ || group_.failed || group_.pending.empty() || frames_.streaming()) return false;
  input_waits_ = true;
  start_virtual_group();
  return true;
}

// As PostgreSQL says it (CopyGetData in copyfromparse.c, PostgresMain): what is out of place within COPY data ends the session.
void Session::lost_in_copy_in(char type) {
  constexpr char kDigits[] = "0123456789ABCDEF";
  const auto code = static_cast<unsigned char>(type);
  send_error({"08P01", std::string("unexpected message type 0x") + kDigits[code >> 4] + kDigits[code & 15] + " during COPY from stdin", {}, {}, {}, {}});
  fatal({"08P01", "terminating connection because protocol synchronization was lost", {}, {}, {}, {}});
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
