// Session: a shard that had not finished a COMMIT of this session does so before it is used again.
#include "proxy/session/session.h"

namespace pgweir::session {

using protocol::SqlError;

namespace {

constexpr std::string_view kUndefinedObject = "42704";  // recovery has finished it
constexpr std::string_view kNotInPrerequisiteState = "55000", kObjectInUse = "55006";  // somebody is about to

}  // namespace

// The link has the client's settings.
void Session::made_ready(Link& link) {
  tell_parameters(link);
  if (link.role() == routing::Role::Primary && late_.of(link.shard())) finish_late(link);
}

void Session::finish_late(Link& link) {
  ++preparing_;
  ++link.preparing;
  context_.cells.injected_commands.add();
  link.inject("COMMIT PREPARED " + pool::quote_literal(late_.of(link.shard())->gid), [this](Link& finishing, Injected& result) {
    --preparing_;
    --finishing.preparing;
    LatePart* part = late_.of(finishing.shard());
    const std::string_view state = result.error ? std::string_view(result.error->sqlstate) : std::string_view();
    if (!part || !result.error || state == kUndefinedObject) {
      late_.finished(finishing.shard());
      if (late_.of(finishing.shard())) finish_late(finishing);
    } else if ((state == kObjectInUse || state == kNotInPrerequisiteState) && part->tries++ < LateParts::kMaxTries) {
      finishing.inject(LateParts::kPauseSql, {});
      finish_late(finishing);
    } else {
      part->tries = 0;
      acquire_error_ = routing::refuse("late_shard", "shard \"" + routing_->cluster->shards[finishing.shard().value].name +
                                       "\" has not finished the last transaction of this session: " + result.error->message,
                                       "The transaction is committed and will be finished; try again.");
      discard_link(finishing);
    }
    links_prepared();
  });
}

}  // namespace pgweir::session
