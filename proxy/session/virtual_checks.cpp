// VirtualGroup: Parse and Bind as PostgreSQL answers them, which looks at a statement when it is parsed and begins it when it is
// bound. Mostly their answers wait for the Execute behind them, whose first steps on the shards are the same checks and cost
// nothing more; where something else follows, the shards are asked.
#include <algorithm>
#include <tuple>

#include "protocol/frontend_codec.h"
#include "proxy/session/refusals.h"
#include "proxy/session/virtual_group.h"

namespace pgweir::session {

using protocol::Frame;
using protocol::SqlError;
using routing::StatementKind;

// In a failed block PostgreSQL looks only at what ends it.
bool VirtualGroup::refused_in_failed_block(const routing::Analysis& analysis) const {
  if (!session_.local_failed_ || analysis.statements.empty()) return false;
  const auto kind = analysis.statements.front().kind;
  return kind != StatementKind::Commit && kind != StatementKind::Rollback && kind != StatementKind::RollbackTo;
}

// Whether servers have anything to say of the statement before it is executed.
bool VirtualGroup::waits_for_shards(const Statement& statement) const {
  const auto& all = statement.analysis->statements;
  if (all.size() != 1 || session_.local_failed_ || session_.transaction_control(all.front())) return false;
  switch (all.front().kind) {
    case StatementKind::Select:
    case StatementKind::Insert:
    case StatementKind::Update:
    case StatementKind::Delete:
    case StatementKind::Merge:
    case StatementKind::Unparsable: return true;
    default: return false;
  }
}

bool VirtualGroup::parse(const Frame& frame) {
  std::uint32_t tag = 0;
  StatementPtr statement;
  if (!parsed_.empty()) std::tie(tag, statement) = parsed_.front(), parsed_.pop_front();
  if (!statement) {
    auto decoded = protocol::decode_parse(frame.body());
    tag = session_.next_tag_++;
    auto error = decoded ? session_.define_statement(*decoded, tag) : std::optional<SqlError>(decoded.error());
    if (error) {
      statement_failed(*error);
      return true;
    }
    statement = look_up(decoded->name);
    defined_late_ = true;
  }
  unchecked_ = statement;
  unchecked_tag_ = tag;
  protocol::encode_parse_complete(held_parse_);
  if (statement->analysis->statements.size() > 1) {
    statement_failed({"42601", "cannot insert multiple commands into a prepared statement", {}, {}, {}, {}});
  } else if (refused_in_failed_block(*statement->analysis)) {
    statement_failed(failed_block_error());
  } else if (!waits_for_shards(*statement)) {
    parsed();
  }
  return true;
}

// What the held answers wait for is a part of what this message does.
bool VirtualGroup::goes_on(const Frame& frame) const {
  if (frame.type == 'D') {
    auto describe = protocol::decode_describe(frame.body());
    if (!describe) return false;
    if (unbound_) return describe->kind == 'P' && describe->name == *unbound_;
    return describe->kind == 'S' && meaning(describe->name) == unchecked_;
  }
  if (frame.type == 'E') {
    auto execute = protocol::decode_execute(frame.body());
    return unbound_ && execute && execute->portal == *unbound_;
  }
  if (frame.type != 'B' || unbound_) return false;
  auto bind = protocol::decode_bind(frame.body());
  return bind && meaning(bind->statement) == unchecked_;
}

bool VirtualGroup::check_pending() {
  checking_ = true;
  if (!unbound_) {
    describing_ = unchecked_;
    describe_kind_ = 'S';
    describe_portal_.clear();
    describe_statement(unchecked_);
    return false;
  }
  Portal* portal = find_portal(*unbound_);
  const StatementPtr statement = portal->statement;
  row_limit_ = 0;
  running_portal_ = portal->name;
  running_bind_ = portal->bind;
  auto bind = protocol::decode_bind(running_bind_);
  return run(*statement->analysis, &*bind, statement.get(), false);
}

// The Bind that has not been taken, where its statement will be refused.
std::optional<SqlError> VirtualGroup::unfit_bind(std::size_t parameters) const {
  const Portal* portal = unbound_ ? session_.find_virtual_portal(*unbound_) : nullptr;
  auto bind = portal ? protocol::decode_bind(portal->bind) : protocol::decode_bind({});
  if (!portal || !bind || bind->parameters.size() == parameters) return std::nullopt;
  return parameter_count_error(bind->parameters.size(), bind->statement, parameters);
}

// A server has taken the text.
void VirtualGroup::parsed() {
  if (!std::exchange(unchecked_, nullptr)) return;
  session_.statements_.confirm(unchecked_tag_);
  session_.to_client(held_parse_);
  held_parse_.clear();
}

// The shards have taken the Bind.
void VirtualGroup::bound() {
  parsed();
  unbound_.reset();
  if (held_bind_.empty()) return;
  session_.to_client(held_bind_);
  held_bind_.clear();
}

// An error stands in the place of what is held: it did not happen.
void VirtualGroup::drop_held() {
  if (unchecked_) {
    session_.statements_.undo(unchecked_tag_);
    if (unchecked_->unnamed) session_.statements_.drop("");  // the old one is dropped before a server looks at the new one
    unchecked_.reset();
  }
  if (unbound_) session_.virtual_portals_.erase_if([&](const Portal& p) { return p.name == *unbound_; });
  unbound_.reset();
  held_parse_.clear();
  held_bind_.clear();
}

void VirtualGroup::reply(std::string_view bytes) {
  if (unbound_)
    held_bind_ += bytes;
  else
    session_.to_client(bytes);
}

}  // namespace pgweir::session
