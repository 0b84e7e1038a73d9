#include "proxy/session/gather.h"

#include <algorithm>

#include "protocol/frontend_codec.h"
#include "protocol/report_start.h"
#include "proxy/session/cancel.h"
#include "proxy/session/session.h"
#include "routing/merge/command_tag.h"

namespace pgweir::session {

using protocol::Disposition;
using protocol::Frame;
using protocol::Request;
using protocol::SqlError;
using routing::Route;

namespace {

// A row that does not fit into this is not merged: every shard may hold one.
constexpr std::size_t kMaxMergedRow = 64u << 20;

}  // namespace

Gather::Gather(Session& session, GatherRequest request, std::vector<Link*> links, Done done)
    : session_(session), request_(std::move(request)), done_(std::move(done)), memory_(session.context_.worker.memory()) {
  streams_.resize(links.size());
  for (std::size_t i = 0; i < links.size(); ++i) {
    streams_[i].link = links[i];
    links[i]->set_sink(*this);
  }
  const Route& route = request_.route;
  returns_rows_ = route.kind == Route::Kind::Scatter || route.kind == Route::Kind::OneShard || route.returning;
}

Gather::~Gather() { *alive_ = false; }

Gather::Stream& Gather::stream_of(Link& link) {
  return *std::find_if(streams_.begin(), streams_.end(), [&](const Stream& s) { return s.link == &link; });
}

const std::string& Gather::sql_for(std::size_t index) const {
  const Route& route = request_.route;
  if (route.kind == Route::Kind::Split)
    for (const auto& statement : route.statements)
      if (statement.shard == streams_[index].link->shard()) return statement.sql;
  return route.pushed_sql.empty() ? request_.sql : route.pushed_sql;
}

void Gather::start() {
  const Route& route = request_.route;
  if (lost_before_start()) return;
  if (route.kind == Route::Kind::CopyIn || route.kind == Route::Kind::CopyOut) {
    phase_ = Phase::Copy;
    all_bound();  // a utility command: what is wrong with it shows when it runs
    for (std::size_t i = 0; i < streams_.size(); ++i) send_query(i);
    return;
  }
  phase_ = Phase::Describe;
  for (std::size_t i = 0; i < streams_.size(); ++i) send_describe(i);
}

// A server may have died since its link was chosen: nothing is sent to any.
bool Gather::lost_before_start() {
  if (std::all_of(streams_.begin(), streams_.end(), [](const Stream& s) { return s.link->open(); })) return false;
  error_ = SqlError{"08006", "a server connection was lost", {}, {}, {}, {}};
  for (auto& stream : streams_) stream.ready = true;
  phase_ = Phase::Execute;
  all_ready();
  return true;
}

void Gather::start_describe(
    std::function<void(std::optional<SqlError>, std::vector<protocol::Oid>, std::vector<protocol::ColumnDescription>)> described) {
  described_ = std::move(described);
  if (lost_before_start()) return;
  phase_ = Phase::Describe;
  send_describe(0);
  for (std::size_t i = 1; i < streams_.size(); ++i) streams_[i].ready = true;
}

std::vector<protocol::Oid> Gather::local_types(std::size_t index) const {
  std::vector<protocol::Oid> types = request_.types;
  if (request_.route.kind == Route::Kind::Split)
    for (const auto& statement : request_.route.statements)
      if (statement.shard == streams_[index].link->shard()) {
        types.clear();
        for (auto source : statement.parameters) types.push_back(source < request_.types.size() ? request_.types[source] : 0);
      }
  const auto& catalog = session_.routing_->catalog;
  const auto shard = streams_[index].link->shard().value;
  if (catalog && shard < catalog->oid_maps.size() && !catalog->oid_maps[shard].identity)
    for (auto& type : types) type = catalog->oid_maps[shard].local(type);
  return types;
}

void Gather::send_describe(std::size_t index) {
  Link& link = *streams_[index].link;
  std::string out;
  link.server().unnamed.reset();
  protocol::encode_parse("", sql_for(index), local_types(index), out);
  protocol::encode_describe('S', "", out);
  protocol::encode_sync(out);
  session_.tenancy_->cells->server_parses.add();
  link.tracker().push(Request::Parse, Disposition::Forward);
  link.tracker().push(Request::DescribeStatement, Disposition::Forward);
  link.tracker().push(Request::Sync, Disposition::Forward);
  link.send(out);
}

void Gather::send_query(std::size_t index) {
  Link& link = *streams_[index].link;
  const Route& route = request_.route;
  std::string out;
  protocol::encode_query(route.kind == Route::Kind::CopyIn && route.copy ? route.copy->shard_statement : sql_for(index), out);
  link.tracker().push(Request::Query, Disposition::Forward);
  link.send(out);
}

bool Gather::on_message(Link& link, const Frame& frame, const protocol::ReplyTracker::Reply&) {
  Stream& stream = stream_of(link);
  switch (frame.type) {
    case 'D':
      if (frame.kind == Frame::Kind::Message) {
        on_row(stream, frame.body());
      } else if (stream.large_row.size() + frame.bytes.size() > kMaxMergedRow) {
        fail({"54000", "a row is too large to be merged (more than 64 MiB)", {}, "Read it from one shard.", {}, {}});
      } else {
        stream.large_row.append(frame.bytes);
        if (frame.last) {
          on_row(stream, std::string_view(stream.large_row).substr(protocol::kHeaderSize));
          stream.large_row.clear();
        }
      }
      break;
    case 't':
      if (auto types = protocol::decode_parameter_description(frame.body()); types && parameter_types_.empty())
        for (std::size_t i = 0; i < types->size(); ++i) parameter_types_.push_back(canonical(link, (*types)[i]));
      break;
    case 'T':
      described_rows_ = true;
      if (auto columns = protocol::decode_row_description(frame.body())) stream.columns = std::move(*columns);
      break;
    case 'C':
      if (auto tag = protocol::decode_command_complete(frame.body())) stream.tag = std::string(*tag);
      break;
    case 'E':
      if (!frame.first) break;
      if (stream.bound && !bound_ && !error_) all_bound();  // it was running already
      if (auto fields = frame.last ? protocol::decode_error(frame.body()) : protocol::decode_report_start(frame.body())) fail_by(stream, *fields);
      break;
    case 'N':
      // A notice of every shard would be repeated: the first shard's stand for all.
      // One that comes in pieces would stand among the rows of others.
      if (&stream != &streams_.front() || frame.kind != Frame::Kind::Message) break;
      if (stream.bound && !bound_) early_.append(frame.bytes);
      else session_.to_client(frame.bytes);
      break;
    case '2':
      stream.bound = true;
      bind_taken();
      break;
    case 'G':
      stream.copy_ready = true;
      if (&stream == &streams_.front()) copy_response_.assign(frame.bytes);
      break;
    case 'H':
    case 'd':
    case 'c': on_copy_out(stream, frame); break;
    case 'Z':
      stream.ready = true;
      if (!frame.body().empty()) link.in_transaction = frame.body().front() != 'I';
      break;
    case 'S': link.make_suspect(); break;
    default: break;
  }
  return false;
}

void Gather::on_burst_end(Link& link) {
  if (finished_) return;
  hold_memory();
  Stream& stream = stream_of(link);
  if (phase_ == Phase::Execute && merger_ && !error_) flush_rows();
  if (phase_ == Phase::Copy && request_.route.kind == Route::Kind::CopyIn && !copy_started_ && !error_ &&
      std::all_of(streams_.begin(), streams_.end(), [](const Stream& s) { return s.copy_ready; }))
    return all_copy_ready();
  if (phase_ == Phase::Copy && request_.route.kind == Route::Kind::CopyOut && stream.ready) advance_copy_out();
  if (phase_ == Phase::Execute) execute_next();
  if (std::all_of(streams_.begin(), streams_.end(), [](const Stream& s) { return s.ready; })) all_ready();
}

void Gather::all_ready() {
  if (described_) {
    finished_ = true;
    auto described = std::move(described_);
    session_.context_.worker.defer([this, alive = alive_, described] {
      if (!*alive) return;
      auto columns = canonical_columns();
      if (request_.route.merge) columns.resize(columns.size() - std::min<std::size_t>(columns.size(), request_.route.merge->hidden));
      described(error_, parameter_types_, std::move(columns));
    });
    return;
  }
  if (error_ || phase_ != Phase::Describe) return complete();
  all_described();
}

void Gather::on_client_drained() {
  if (finished_) return;
  if (phase_ == Phase::Copy) {
    const bool out = request_.route.kind == Route::Kind::CopyOut;
    for (std::size_t i = 0; i < streams_.size(); ++i) {
      if (!streams_[i].link->open()) continue;
      if (out && !error_ && i > copy_out_at_) streams_[i].link->pause();  // its turn has not come
      else streams_[i].link->resume();
    }
    return;
  }
  flush_rows();
  if (phase_ == Phase::Execute && std::all_of(streams_.begin(), streams_.end(), [](const Stream& s) { return s.ready; })) all_ready();
}

void Gather::on_client_gone() {
  if (copying_) {
    fail({"08006", "client connection lost", {}, {}, {}, {}});
    return;
  }
  on_client_drained();
}

void Gather::on_link_closed(Link& link, const SqlError& error) {
  Stream& stream = stream_of(link);
  stream.ready = true;
  stream.waits = false;
  fail(error);
  if (!finished_ && std::all_of(streams_.begin(), streams_.end(), [](const Stream& s) { return s.ready; })) {
    phase_ = Phase::Execute;
    all_ready();
  }
}

void Gather::fail(const SqlError& error) {
  if (error_) return;
  error_ = error;
  cancel_others();
  update_reading();
}

// What the server says of places in its text is told only where it is true of the client's text.
void Gather::fail_by(const Stream& stream, const protocol::ErrorFields& fields) {
  SqlError error = protocol::to_sql_error(fields);
  const bool own_text = sql_for(static_cast<std::size_t>(&stream - streams_.data())) == request_.sql;
  protocol::move_position(error, own_text ? request_.sql_begin : std::nullopt);
  if (request_.route.kind == Route::Kind::CopyIn) protocol::drop_context(error);  // it counts the lines of one shard
  fail(error);
}

// One shard's error is the answer: what the others still do is not wanted any more.
void Gather::cancel_others() {
  for (auto& stream : streams_) {
    if (!stream.link->open() || stream.ready) continue;
    if (std::exchange(stream.waits, false)) {
      stream.ready = true;  // nothing has been sent to it
      continue;
    }
    if (stream.link->tracker().in_copy_in()) {
      std::string out;
      protocol::encode_copy_fail("another shard failed", out);
      stream.link->tracker().push_copy_end();
      stream.link->send(out);
    } else if (streams_.size() > 1 && phase_ != Phase::Describe) {
      send_cancel(session_.context_, stream.link->server());
    }
    stream.link->resume();
  }
  copying_ = false;
}

std::string Gather::merged_tag() const {
  std::vector<std::string> tags;
  for (const auto& stream : streams_)
    if (!stream.tag.empty()) tags.push_back(stream.tag);
  if (tags.empty()) return {};
  if (request_.route.kind == Route::Kind::Scatter && merger_) return routing::with_tag_rows(tags.front(), merger_->rows());
  if (request_.route.count == Route::Count::First) return tags.front();
  return routing::merge_command_tags(tags);
}

void Gather::complete() {
  if (finished_) return;
  if (merger_ && !error_) {
    flush_rows();
    // Rows are still due: the client is slow. on_client_drained() comes back here.
    if (!error_ && session_.stream_ && !merger_->done() && session_.stream_->above_high_water()) return;
  }
  finished_ = true;
  if (!error_)
    for (auto& row : ordered_rows_) give(row);
  Result result{error_, merged_tag(), merger_ != nullptr && !columns_.empty(), copy_started_, std::move(kept_rows_)};
  session_.context_.worker.defer([this, alive = alive_, result = std::make_shared<Result>(std::move(result))] {
    if (!*alive) return;
    for (auto& stream : streams_)
      if (stream.link->open()) stream.link->resume();
    tell_when_cancels_ended(*result);
  });
}

// A cancel of ours that is still under way would hit the next command on that server.
void Gather::tell_when_cancels_ended(const Result& result) {
  for (auto& stream : streams_) {
    if (!stream.link->open() || stream.link->server().cancels->in_flight == 0) continue;
    when_cancels_ended(stream.link->server(), [this, alive = alive_, kept = result] {
      if (*alive) tell_when_cancels_ended(kept);
    });
    return;
  }
  auto done = std::move(done_);
  done(result);
}

}  // namespace pgweir::session
