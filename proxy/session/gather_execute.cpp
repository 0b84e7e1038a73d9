// Gather: from the shards' descriptions of a statement to its execution on all of them.
#include <algorithm>

#include "protocol/frontend_codec.h"
#include "proxy/session/gather.h"
#include "proxy/session/refusals.h"
#include "proxy/session/session.h"

namespace pgweir::session {

using protocol::Disposition;
using protocol::Request;
using protocol::SqlError;
using routing::Route;

namespace {

const routing::MergePlan& concat_plan() {
  static const routing::MergePlan plan;
  return plan;
}

}  // namespace

// The client's Bind with the shard's own parameters, and result formats: the client's for what it sees, binary behind.
void Gather::append_bind(std::size_t index, std::size_t visible, std::string& out) {
  std::vector<std::optional<std::string_view>> values;
  std::vector<std::int16_t> formats;
  const auto take = [&](std::size_t source, const std::optional<std::string_view>& value) {
    values.push_back(value);
    formats.push_back(request_.parameter_formats.of(source));
  };
  const routing::ShardStatement* split = nullptr;
  if (request_.route.kind == Route::Kind::Split)
    for (const auto& statement : request_.route.statements)
      if (statement.shard == streams_[index].link->shard()) split = &statement;
  if (split) {
    for (auto source : split->parameters) take(source, request_.parameters.at(source));
  } else {
    std::size_t source = 0;
    for (const auto value : request_.parameters) take(source++, value);
  }
  std::vector<std::int16_t> results;
  for (std::size_t c = 0; c < visible; ++c) results.push_back(request_.result_formats.of(c));
  if (request_.route.merge) results.insert(results.end(), request_.route.merge->hidden, std::int16_t{1});
  protocol::encode_bind("", "", formats, values, results, out);
}

void Gather::send_execute(std::size_t index, std::size_t visible) {
  Stream& stream = streams_[index];
  stream.ready = false;
  std::string out;
  append_bind(index, visible, out);
  if (!request_.bind_only) protocol::encode_execute("", 0, out);
  protocol::encode_sync(out);
  stream.link->tracker().push(Request::Bind, Disposition::Forward);
  if (!request_.bind_only) stream.link->tracker().push(Request::Execute, Disposition::Forward);
  stream.link->tracker().push(Request::Sync, Disposition::Forward);
  stream.link->send(out);
}

// What the catalog shard calls a type or a table of the link's shard.
protocol::Oid Gather::canonical(const Link& link, protocol::Oid oid) const {
  const auto& catalog = session_.routing_->catalog;
  const auto shard = link.shard().value;
  return catalog && shard < catalog->oid_maps.size() ? catalog->oid_maps[shard].canonical(oid) : oid;
}

// As the first shard has described them.
std::vector<protocol::ColumnDescription> Gather::canonical_columns() const {
  auto columns = streams_.front().columns;
  for (auto& column : columns) {
    column.type_oid = canonical(*streams_.front().link, column.type_oid);
    column.table_oid = canonical(*streams_.front().link, column.table_oid);
  }
  return columns;
}

// Two shards that describe a statement differently must not be merged: int8 read as timestamp would go unnoticed.
bool Gather::same_columns(const std::vector<protocol::ColumnDescription>& columns) const {
  for (const auto& stream : streams_) {
    if (stream.columns.size() != columns.size()) return false;
    for (std::size_t i = 0; i < columns.size(); ++i)
      if (canonical(*stream.link, stream.columns[i].type_oid) != columns[i].type_oid) return false;
  }
  return true;
}

void Gather::all_described() {
  phase_ = Phase::Execute;
  const Route& route = request_.route;
  const routing::MergePlan& plan = route.merge ? *route.merge : concat_plan();
  auto columns = canonical_columns();
  if (!same_columns(columns))
      return fail({"XX000", "the shards describe the statement differently", {}, "Compare the tables' definitions on the shards.", {}, {}}), complete();
  const std::size_t visible = columns.size() - std::min<std::size_t>(columns.size(), plan.hidden);
  std::vector<routing::MergeColumn> inputs, outputs;
  for (std::size_t i = 0; i < columns.size(); ++i) {
    const bool binary = i >= visible || request_.result_formats.of(i) == 1;
    inputs.push_back({columns[i].type_oid, columns[i].typmod, binary});
    if (i < visible) outputs.push_back(inputs.back());
  }
  if (request_.on_described) request_.on_described();
  if (auto mismatch = changed_columns(columns, visible) ? std::optional(changed_result_error()) : bind_mismatch(visible)) {
    error_ = std::move(mismatch);
    return complete();
  }
  columns.resize(visible);
  for (std::size_t i = 0; i < visible; ++i) columns[i].format = request_.result_formats.of(i);
  columns_ = std::move(columns);
  if (returns_rows_ && described_rows_ && !request_.bind_only) {
    routing::MergeLimits limits;
    if (const auto* digits = session_.settings_->find("extra_float_digits")) limits.extra_float_digits = std::atoi(digits->c_str());
    const routing::CatalogMergeTypes* types = nullptr;
    std::optional<routing::CatalogMergeTypes> from_catalog;
    if (session_.routing_->catalog) types = &from_catalog.emplace(*session_.routing_->catalog);
    auto merger = types ? routing::Merger::create(plan, inputs, outputs, streams_.size(), limits, *types)
                        : routing::Merger::create(plan, inputs, outputs, streams_.size(), limits);
    if (!merger) {
      error_ = merger.error();
      return complete();
    }
    merger_ = std::move(*merger);
  }
  // Two writers that lock rows of several shards in different orders would wait for each other for ever: everybody takes the
  // shards one after the other in their order.
  visible_ = visible;
  const bool in_turn = route.write && route.kind == Route::Kind::Broadcast;
  for (std::size_t i = 0; i < streams_.size(); ++i) {
    streams_[i].ready = false;
    streams_[i].waits = in_turn && i > 0;
  }
  for (std::size_t i = 0; i < streams_.size(); ++i)
    if (!streams_[i].waits) send_execute(i, visible);
}

// Whether the statement was described to the client with others.
bool Gather::changed_columns(const std::vector<protocol::ColumnDescription>& columns, std::size_t visible) const {
  if (!request_.statement || !request_.statement->described || !described_rows_) return false;
  const auto& told = request_.statement->described->columns;
  if (told.size() != visible) return true;
  for (std::size_t i = 0; i < visible; ++i)
    if (told[i].type_oid != columns[i].type_oid) return true;
  return false;
}

// What PostgreSQL says of a Bind that does not fit its statement (exec_bind_message, PortalSetResultFormat).
std::optional<SqlError> Gather::bind_mismatch(std::size_t columns) const {
  if (!request_.bound_name) return std::nullopt;
  if (request_.route.kind != Route::Kind::Split && request_.parameters.size() != parameter_types_.size())
    return parameter_count_error(request_.parameters.size(), *request_.bound_name, parameter_types_.size());
  if (const auto formats = request_.result_formats.count(); formats > 1 && formats != columns && columns != 0)
    return SqlError{"08P01", "bind message has " + std::to_string(formats) + " result formats but query has " + std::to_string(columns) + " columns", {}, {}, {}, {}};
  return std::nullopt;
}

void Gather::bind_taken() {
  if (!bound_ && !error_ && std::all_of(streams_.begin(), streams_.end(), [](const Stream& s) { return s.bound || s.waits; })) all_bound();
}

// No shard has anything against the Bind any more.
void Gather::all_bound() {
  bound_ = true;
  if (request_.on_bound) request_.on_bound();
  if (request_.send_row_description && merger_) {
    std::string out;
    protocol::encode_row_description(columns_, out);
    session_.to_client(out);
  }
  session_.to_client(early_);
  early_.clear();
}

// The shard before it has done its part.
void Gather::execute_next() {
  for (std::size_t i = 0; i < streams_.size(); ++i) {
    if (!streams_[i].ready) return;
    if (i + 1 == streams_.size() || !streams_[i + 1].waits) continue;
    Stream& next = streams_[i + 1];
    next.waits = false;
    if (next.link->open() && !error_) return send_execute(i + 1, visible_);
    next.ready = true;
  }
}

}  // namespace pgweir::session
