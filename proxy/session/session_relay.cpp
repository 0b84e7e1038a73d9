// Session: what the relayed server says, on its way to the client.
#include <algorithm>

#include "protocol/report_start.h"
#include "proxy/session/session.h"
#include "proxy/session/virtual_group.h"

namespace pgweir::session {

using protocol::Frame;
using protocol::Request;
using protocol::SqlError;
using protocol::TransactionStatus;
using protocol::ReplyTracker;

namespace {

constexpr unsigned kMaxLostInPrepare = 3;

}  // namespace

bool Session::on_message(Link& link, const Frame& frame, const ReplyTracker::Reply& reply) {
  if (!frame.first) return !client_gone();  // more of what was looked at
  if (reply.action == ReplyTracker::Reply::Action::Swallow) return on_extended_reply(link, frame, reply);
  switch (frame.type) {
    case 'D':
    case 'd': return !client_gone() && !(naming_ && naming_->runs_ours());
    case 'Z': {
      if (frame.body().empty()) return false;
      return on_ready(link, frame.body().front());
    }
    case 'E': on_relay_error(link, frame, reply); return !client_gone() && (!frame.last || !retell(link, frame, reply));
    case 'S': return on_parameter_status(link, frame);
    case 'A': return on_server_notification(link, frame);
    case 'C': {
      const bool ours = naming_ && naming_->runs_ours();
      if ((!naming_ && reply.tag == 0) || !names_completed(link, reply)) watch_tag(link, frame.body());
      return !client_gone() && !ours;
    }
    case 'T':
      if (naming_ && naming_->runs_ours()) return false;
      [[fallthrough]];
    case '1':
    case 'n':
    case 't': return on_extended_reply(link, frame, reply);
    default: return !client_gone();
  }
}

// True: forward unchanged.
bool Session::on_parameter_status(Link& link, const Frame& frame) {
  auto status = protocol::decode_parameter_status(frame.body());
  if (!status || client_gone()) return false;
  link.make_suspect();
  std::string value(status->value);
  // The server goes back to its own default, the client to what it started with, which it gets again before anything runs.
  const auto& startup = identity_.startup->values();
  const auto named = [&](const std::string& name) { return pool::same_setting(name, status->name); };
  const bool own = (resetting_ && std::any_of(startup.begin(), startup.end(), [&](const auto& setting) { return named(setting.first); })) ||
                   (restoring_ && std::any_of(restoring_->names.begin(), restoring_->names.end(), named));
  if (own)
    if (const auto* first = identity_.parameters->find(status->name)) value = *first;
  auto known = told_->values();
  auto& old = known[std::string(status->name)];
  if (old == value) return false;  // it comes of something of ours
  old = value;
  told_ = pool::Settings::intern(std::move(known));
  if (!own) return true;
  std::string message;
  protocol::encode_parameter_status(status->name, value, message);
  link.flush_before(message);
  return false;
}

// True: the server's own ReadyForQuery goes to the client.
bool Session::on_ready(Link& link, char status) {
  confirm_flights();
  boundary_ = true;
  resetting_ = false;
  naming_.reset();
  meter_.request_ends(*tenancy_->cells, context_.worker.now());
  if (!link.quiet()) arm_query_timeout();
  const bool failed = std::exchange(error_seen_, false);
  if (!deferred_begin_.empty() && (throwaway_ || !link.in_transaction)) {
    // The block has no server yet: this was answered beside it.
    if (failed) local_failed_ = true;
    else deferred_begin_ += throwaway_setting_.or_default() + (restoring_ ? ";" + restoring_->sql : "");
    throwaway_setting_.reset();
    restoring_.reset();
    if (std::exchange(throwaway_, false)) {
      link.in_transaction = link.wrote = false;
      link.inject("ROLLBACK", [this](Link&, Injected&) {
        if (mode_ == Mode::Orphan) return orphan_step();
        if (participants() == 0 && mode_ == Mode::Open && !group_.relayed && pinned_.empty() && relay_ && relay_->open() && relay_->idle() && !listens()) release_links();
        wake_if_waiting();
      });
    }
    std::string ready;
    protocol::encode_ready_for_query(local_failed_ ? TransactionStatus::Failed : TransactionStatus::InTransaction, ready);
    link.flush_before(ready);
    return false;
  }
  link.in_transaction = status != 'I';
  if (!link.in_transaction) link.wrote = false, transaction_ended();
  tx_ = static_cast<TransactionStatus>(status);
  if (!link.in_transaction) deferred_begin_.clear();
  if (local_failed_ && tx_ == TransactionStatus::InTransaction) {
    std::string ready;
    protocol::encode_ready_for_query(TransactionStatus::Failed, ready);
    link.flush_before(ready);
    return false;
  }
  if (tx_ != TransactionStatus::Failed && !failed) restore_startup(link);
  restoring_.reset();
  if (tx_ == TransactionStatus::Idle) local_failed_ = false;
  if (tx_ == TransactionStatus::Failed && participants() > 1) fail_block();  // the whole block, not only its part there
  return !holds_ready(link) && !client_gone();
}

// What analysis did not foresee (a function that sets, a rule that deallocates) shows in the command's tag.
void Session::watch_tag(Link& link, std::string_view tag) {
  static constexpr std::string_view kChanging[] = {"SET", "RESET", "DISCARD", "PREPARE", "LISTEN", "UNLISTEN", "LOAD", "DEALLOCATE"};
  for (auto verb : kChanging)
    if (tag.substr(0, verb.size()) == verb) link.make_suspect();
  if (tag.substr(0, 6) == "LISTEN") link.listening = true;
  if (tag.substr(0, 4) == "LOAD") link.loaded = true;
  if (tag.substr(0, 11) == "DISCARD ALL" || tag.substr(0, 14) == "DEALLOCATE ALL") {
    link.server().statements.clear();
    forget_named_statements();
  }
}

// Parse, Describe and what was put in between. True: forward unchanged.
bool Session::on_extended_reply(Link& link, const Frame& frame, const ReplyTracker::Reply& reply) {
  const bool swallowed = reply.action == ReplyTracker::Reply::Action::Swallow;
  if (reply.error) {
    if (!swallowed) return !client_gone();
    if (!poisons_.empty() && poisons_.front().tag == reply.tag) {
      error_seen_ = true;
      send_error(poisons_.front().error);
      poisons_.pop_front();
      return false;
    }
    // A Parse of ours failed (a table is gone, say): the client's own request fails with it.
    if (making_) return making_failed(link, frame, reply);
    on_relay_error(link, frame, reply);
    if (!frame.last) send_error(protocol::to_sql_error(*protocol::decode_report_start(frame.body())));
    else if (!retell(link, frame, reply)) to_client(frame.bytes);
    return false;
  }
  if (reply.request == Request::DescribeStatement) learn_shape(link, frame, reply.tag);
  if (swallowed) return false;
  if (frame.type == '1' || frame.type == 'n') return !client_gone();
  if (map_description(link, frame)) return false;
  return !client_gone();
}

// Types and tables have other OIDs on each shard: the client sees those of the catalog shard. True when it was sent mapped.
bool Session::map_description(Link& link, const Frame& frame) {
  if (!routing_->catalog || client_gone()) return false;
  const auto& maps = routing_->catalog->oid_maps;
  if (link.shard().value >= maps.size() || maps[link.shard().value].identity) return false;
  const auto& map = maps[link.shard().value];
  auto canonical = [&map](protocol::Oid oid) { return map.canonical(oid); };
  std::string mapped;
  const auto error = frame.type == 'T' ? protocol::map_row_description(frame.body(), canonical, canonical, mapped)
                                       : protocol::map_parameter_description(frame.body(), canonical, mapped);
  if (error) return false;
  // Order: what is gathered so far in this burst has been flushed only if we ask for it, so mapped frames end the run.
  link.flush_before(mapped);
  return true;
}

void Session::on_relay_error(Link& link, const Frame& frame, const ReplyTracker::Reply& reply) {
  auto fields = frame.last ? protocol::decode_error(frame.body()) : protocol::decode_report_start(frame.body());
  if (!fields) return;
  context_.cells.count_error(fields->sqlstate);
  tenancy_->cells->errors.add();
  error_seen_ = true;
  link.fatal_told = fields->fatal();
  auto* flight = reply.tag != 0 ? find_flight(reply.tag) : nullptr;
  if (reply.request == Request::Parse) {
    // The Parse itself failed: nobody has the statement.
    // The server has dropped the old unnamed statement before it looked at the new one. (A Query behind may have dropped both.)
    const bool drops = flight && flight->kind == 'U' && statements_.pending_before("", flight->tag + 1);
    if (flight) undo_flight(link, *flight);
    if (drops) statements_.drop("");
  } else if (reply.request == Request::Execute && flight) {
    undo_flight(link, *flight);
  } else if (fields->sqlstate == "26000" && (reply.request == Request::Bind || reply.request == Request::DescribeStatement ||
                                             (naming_ && !naming_->executed.empty()))) {
    // The server lost what it had prepared (DEALLOCATE ALL within a function, say): it gets everything anew.
    link.server().statements.clear();
  }
}

void Session::relay_bytes(Link& link, std::string_view bytes) {
  if (!stream_) return;
  count_sent(bytes.size());
  stream_->send(bytes);
  if (stream_->above_high_water()) link.pause();
}

void Session::on_burst_end(Link& link) {
  if (boundary_ && copy_partial_ && mode_ != Mode::Orphan) {
    boundary_ = false;
    boundary_waits_ = true;  // half a CopyData is on its way: the link is not given back before its end
  }
  if (boundary_) {
    boundary_ = false;
    const bool ended = group_.relayed && !group_.failed && group_.pending.empty() && &link == relay_ && link.open() && link.idle();
    if (ended) group_ = Group{};  // a Query behind the batch has ended it
    if (tx_ == TransactionStatus::Idle && link.open() && link.idle() && !group_.relayed) return finish_transaction();
    if (in_block() && participants() == 0 && link.open() && link.idle() && !group_.relayed && pinned_.empty() && !listens()) return release_links(), wake_if_waiting();
    if (in_block() && mode_ == Mode::Open) {
      const auto bound = pool_settings().idle_in_transaction_timeout;
      timer_.cancel();
      if (bound.count() > 0 && link.open() && link.quiet()) timer_.arm(context_.worker, bound), idle_armed_ = true;
    }
  }
  if (mode_ == Mode::Orphan) return orphan_step();
  if (input_waits_ && mode_ == Mode::Open && link.open() && link.tracker().outstanding() < 4096 &&
      (link.quiet() || pipelines_freely() || group_.relayed))
    wake();
}

void Session::wake_if_waiting() {
  if (mode_ == Mode::Orphan) return orphan_step();
  if (input_waits_ && mode_ == Mode::Open) wake();
}

void Session::on_skipped(Link& link, const ReplyTracker::Skipped& skipped) {
  if (skipped.request == Request::Sync) ++syncs_done_;  // COPY FROM STDIN ate it
  if (skipped.tag == 0 || skipped.why == ReplyTracker::Skipped::Why::CopyIn || skipped.request == Request::Bind) return;
  poisons_.erase_if([&](const Poison& poison) { return poison.tag == skipped.tag; });
  if (auto* flight = find_flight(skipped.tag)) undo_flight(link, *flight);
}

// The request did not happen. What a later request in flight says of the same statement stands.
void Session::undo_flight(Link& link, const Flight& flight) {
  auto& server = link.server();
  const bool of_server = flight.kind == 'P' || flight.kind == 'i' || flight.kind == 'x';
  const bool last_word = of_server && std::none_of(flights_.begin(), flights_.end(), [&](const Flight& other) {
    return other.tag > flight.tag && other.hash == flight.hash && (other.kind == 'P' || other.kind == 'i' || other.kind == 'x');
  });
  if (last_word && flight.kind == 'x') server.statements.insert(flight.hash, 0);  // nobody relies on what it is
  if (last_word && flight.kind != 'x') server.statements.erase(flight.hash);
  if (flight.kind == 'U' || flight.kind == 'u') server.unnamed.reset();
  if (flight.kind == 'q') server.sequence_user = pool::ServerConnection::kSequencesUnknown;
  if (flight.kind == 'P' || flight.kind == 'U' || flight.kind == 'C') statements_.undo(flight.tag);
}

void Session::on_server_writable(Link&) {
  if (input_waits_ && mode_ == Mode::Open) wake();
}

void Session::on_link_closed(Link& link, const SqlError& error) {
  if (mode_ == Mode::Closed) return;
  const bool preparing = link.preparing != 0;
  forget_waits(link);
  if (preparing && mode_ == Mode::Prepare && !link.in_transaction) {
    // Nothing of the client's has been sent there: another server will do.
    if (++lost_in_prepare_ > kMaxLostInPrepare) acquire_error_ = error;
    return links_prepared();
  }
  if (mode_ == Mode::Orphan) {
    context_.worker.defer([&context = context_, id = identity_.id] {
      if (auto found = context.sessions.find(id); found != context.sessions.end()) found->second->orphan_step();
    });
    return;
  }
  if (&link == relay_) relay_ = nullptr;
  // The client's session ends with its server, as it would on a direct connection; an idle pooled one never gets here.
  if (link.fatal_told) return orphan();
  SqlError told = error;
  if (told.sqlstate == "08006") {
    told.hint = "The statement may or may not have been carried out.";
  }
  fatal(told);
}

}  // namespace pgweir::session
