#include "routing/copy/copy_router.h"

#include <algorithm>
#include <numeric>

#include "routing/copy/copy_errors.h"
#include "routing/copy/line_fields.h"

namespace pgweir::routing {
namespace {

// How much of the input is put behind a held row at a time: rows are short, chunks are long.
constexpr std::size_t kTopUpBytes = 4096;

SqlError bad_format(std::string message) { return {kBadCopyFileFormat, std::move(message), {}, {}, {}, {}}; }
SqlError unterminated_quote() { return bad_format("unterminated CSV quoted field"); }

}  // namespace

std::string_view copy_prologue(CopyFormat format) {
  return format == CopyFormat::Binary ? binary_copy_header() : std::string_view{};
}
std::string_view copy_epilogue(CopyFormat format) {
  return format == CopyFormat::Binary ? binary_copy_trailer() : std::string_view{};
}

CopyRouter::CopyRouter(std::shared_ptr<const CopyPlan> plan, const LiteralContext& literals, CopyLimits limits)
    : plan_(std::move(plan)),
      timezone_(literals.timezone),
      datestyle_(literals.datestyle),
      literals_{timezone_, datestyle_},
      limits_(limits),
      lines_(plan_->options),
      tuples_(plan_->columns.size(), plan_->key),
      key_order_(plan_->key.size()),
      key_(plan_->key.size()),
      header_pending_(plan_->options.header != CopyHeader::None && plan_->options.format != CopyFormat::Binary) {
  std::iota(key_order_.begin(), key_order_.end(), std::size_t{0});
  std::sort(key_order_.begin(), key_order_.end(),
            [&](std::size_t a, std::size_t b) { return plan_->key[a].position < plan_->key[b].position; });
}

std::optional<SqlError> CopyRouter::feed(std::string_view bytes, CopySink& sink) {
  if (failed_) return failed_;
  std::optional<SqlError> error;
  // A text or csv input has ended with its marker, whatever still comes; a binary one must not go on.
  while (!error && !bytes.empty() && (!ended_ || binary())) {
    error = held_.empty() ? feed_direct(bytes, sink) : feed_held(bytes, sink);
  }
  flush(sink);
  return error;
}

std::optional<SqlError> CopyRouter::finish(CopySink& sink) {
  if (failed_) return failed_;
  while (!ended_) {
    const SplitStatus status = split(held_.data(), held_.data() + held_.size(), true);
    if (status == SplitStatus::Error) return fail(split_error());
    if (status == SplitStatus::End || status == SplitStatus::NeedMore) break;
    if (status == SplitStatus::LastRow) ended_ = true;
    if (auto error = take(held_.data(), sink)) return error;
    flush(sink);
    held_.erase(0, binary() ? tuples_.row_bytes() : lines_.row_bytes());
  }
  ended_ = true;
  held_.clear();
  if (header_pending_) return take_header({});  // no line at all is an empty header
  return std::nullopt;
}

// Completes the held row with the next bytes.
std::optional<SqlError> CopyRouter::feed_held(std::string_view& bytes, CopySink& sink) {
  const std::size_t before = held_.size();
  held_.append(bytes.substr(0, kTopUpBytes));
  const SplitStatus status = split(held_.data(), held_.data() + held_.size(), false);
  if (status == SplitStatus::Error) return fail(split_error());
  if (status == SplitStatus::NeedMore) {
    bytes.remove_prefix(held_.size() - before);
    return check_length(held_.size());
  }
  const std::size_t row = binary() ? tuples_.row_bytes() : lines_.row_bytes();
  if (status == SplitStatus::End) {
    ended_ = true;
    bytes.remove_prefix(binary() ? row - before : bytes.size());
    held_.clear();
    return std::nullopt;
  }
  ended_ = ended_ || status == SplitStatus::LastRow;
  if (auto error = take(held_.data(), sink)) return error;
  flush(sink);
  held_.clear();
  // Not less than zero: what was held before was no complete row, but a CR whose LF might have come.
  bytes.remove_prefix(std::max(row, before) - before);
  return std::nullopt;
}

// Rows that stand whole in `bytes`, handed out from there; the rest is held.
std::optional<SqlError> CopyRouter::feed_direct(std::string_view& bytes, CopySink& sink) {
  const char* at = bytes.data();
  const char* const end = at + bytes.size();
  while (at != end) {
    const SplitStatus status = split(at, end, false);
    if (status == SplitStatus::Error) {
      flush(sink);
      return fail(split_error());
    }
    if (status == SplitStatus::NeedMore) break;
    if (status == SplitStatus::End) {
      ended_ = true;
      at = binary() ? at + tuples_.row_bytes() : end;
      break;
    }
    if (auto error = take(at, sink)) return error;
    at += binary() ? tuples_.row_bytes() : lines_.row_bytes();
    if (status == SplitStatus::LastRow) {
      ended_ = true;
      at = end;
    }
  }
  flush(sink);
  bytes.remove_prefix(static_cast<std::size_t>(at - bytes.data()));
  if (bytes.empty() || ended_) return std::nullopt;
  held_.assign(bytes);
  bytes = {};
  return check_length(held_.size());
}

SplitStatus CopyRouter::split(const char* begin, const char* end, bool at_end) {
  return binary() ? tuples_.scan(begin, end, at_end) : lines_.scan(begin, end, at_end);
}

// A whole piece was found at `begin`: routes it, or swallows it if it is the header.
std::optional<SqlError> CopyRouter::take(const char* begin, CopySink& sink) {
  const std::size_t size = binary() ? tuples_.row_bytes() : lines_.row_bytes();
  const std::size_t content = binary() ? size : lines_.content_bytes();
  if (auto error = check_length(content)) return error;
  if (binary() && tuples_.header()) return std::nullopt;
  if (header_pending_) {
    header_pending_ = false;
    flush(sink);
    return take_header({begin, content});
  }
  auto error = read_keys({begin, content});
  if (error) {
    flush(sink);
    return fail(std::move(*error));
  }
  const auto shard = plan_->placement->shard_for(key_);
  if (!shard.ok()) {
    flush(sink);
    return fail(null_key(shard.error()));
  }
  if (run_.begin == nullptr || run_.end != begin || run_.shard != *shard) {
    flush(sink);
    run_ = Run{begin, begin, *shard};
  }
  run_.end = begin + size;
  remember(*shard);
  ++rows_;
  return std::nullopt;
}

void CopyRouter::flush(CopySink& sink) {
  if (run_.begin == nullptr) return;
  sink.rows(run_.shard, {run_.begin, static_cast<std::size_t>(run_.end - run_.begin)});
  run_ = {};
}

// Where the current row stands in the input and in its shard's data.
void CopyRouter::remember(ShardId shard) {
  if (shard_lines_.size() <= shard.value) shard_lines_.resize(shard.value + std::size_t{1});
  ShardLines& known = shard_lines_[shard.value];
  // Inside quotes a server counts the newlines of the style that it has seen: in its first row none yet.
  const bool first = known.lines == 0;
  known.lines += 1 + (binary() ? 0 : first ? lines_.returns_inside() : lines_.lines_inside());
  const std::uint64_t line = binary() ? tuples_.line() : lines_.line();
  if (!first && line - known.runs.back().input_line == known.lines - known.runs.back().shard_line) return;
  known.runs.push_back({known.lines, line});
  if (known.runs.size() > limits_.line_map_runs) known.runs.pop_front();
}

std::optional<std::uint64_t> CopyRouter::input_line(ShardId shard, std::uint64_t shard_line) const {
  if (shard.value >= shard_lines_.size()) return std::nullopt;
  const ShardLines& known = shard_lines_[shard.value];
  if (shard_line > known.lines) return std::nullopt;
  auto after = std::upper_bound(known.runs.begin(), known.runs.end(), shard_line,
                                [](std::uint64_t line, const LineRun& run) { return line < run.shard_line; });
  if (after == known.runs.begin()) return std::nullopt;
  --after;
  return after->input_line + (shard_line - after->shard_line);
}

std::optional<SqlError> CopyRouter::take_header(std::string_view row) {
  if (plan_->options.header != CopyHeader::Match) return std::nullopt;
  const auto& columns = plan_->columns;
  LineFields counter(plan_->options, row);
  auto status = LineFields::Status::Field;
  while (status == LineFields::Status::Field) status = counter.skip();
  if (status == LineFields::Status::UnterminatedQuote) return fail(unterminated_quote());
  if (counter.fields_seen() != columns.size()) {
    return fail(bad_format("wrong number of fields in header line: got " + std::to_string(counter.fields_seen()) +
                           ", expected " + std::to_string(columns.size())));
  }
  LineFields fields(plan_->options, row);
  for (std::size_t i = 0; i < columns.size(); ++i) {
    std::string_view name;
    bool null = false;
    fields.read(field_, name, null);
    if (!null && name == columns[i]) continue;
    std::string got = null ? "null value (\"" + plan_->options.null_string + "\")" : "\"" + std::string(name) + "\"";
    return fail(bad_format("column name mismatch in header line field " + std::to_string(i + 1) + ": got " + got +
                           ", expected \"" + columns[i] + "\""));
  }
  return std::nullopt;
}

// The key columns of a row into key_.
std::optional<SqlError> CopyRouter::read_keys(std::string_view row) {
  if (binary()) {
    for (std::size_t level = 0; level < key_.size(); ++level) {
      const auto& field = tuples_.key()[level];
      if (auto error = read_key(level, row.substr(field.offset, field.bytes), field.null)) return error;
    }
    return std::nullopt;
  }
  LineFields fields(plan_->options, row);
  for (const std::size_t level : key_order_) {
    auto status = LineFields::Status::Field;
    const std::size_t position = plan_->key[level].position;
    while (status == LineFields::Status::Field && fields.fields_seen() < position) status = fields.skip();
    std::string_view value;
    bool null = false;
    if (status == LineFields::Status::Field) status = fields.read(field_, value, null);
    if (status == LineFields::Status::UnterminatedQuote) return unterminated_quote();
    if (status == LineFields::Status::NoMoreFields) {
      return bad_format("missing data for column \"" + plan_->columns[fields.fields_seen()] + "\"");
    }
    if (auto error = read_key(level, value, null)) return error;
  }
  return std::nullopt;
}

std::optional<SqlError> CopyRouter::read_key(std::size_t level, std::string_view value, bool null) {
  const CopyKeyColumn& column = plan_->key[level];
  const config::KeyType type = plan_->placement->key_type(level);
  auto error = read_key_parameter(type, Parameter{column.type, binary(), null, value}, literals_, key_[level]);
  if (!error) {
    error = store_in_column(key_[level], column.type, column.typmod, plan_->utf8);
    if (error == KeyError::Invalid) return store_error(type);
  }
  if (!error) return std::nullopt;
  return key_failure(*error, type, plan_->columns[column.position], value, binary());
}

SqlError CopyRouter::fail(SqlError error) {
  const std::uint64_t line = binary() ? tuples_.line() : lines_.line();
  failed_ = at_copy_line(std::move(error), plan_->table, std::max<std::uint64_t>(line, 1));
  held_ = {};
  return *failed_;
}

// A row without its key has no shard that could say what PostgreSQL says of it.
SqlError CopyRouter::null_key(const SqlError& unplaced) const {
  if (unplaced.reason != "key_null") return unplaced;
  for (const std::size_t level : key_order_) {
    if (key_[level].null) return null_failure(plan_->columns[plan_->key[level].position], plan_->table);
  }
  return unplaced;
}

SqlError CopyRouter::split_error() {
  if (binary()) return split_failure(tuples_.error(), CopyFormat::Binary, tuples_.field_count(), plan_->columns.size());
  return split_failure(lines_.error(), plan_->options.format, 0, 0);
}

std::optional<SqlError> CopyRouter::check_length(std::size_t bytes) {
  if (bytes <= limits_.row_bytes) return std::nullopt;
  return fail({"54000", "a row of COPY is longer than " + std::to_string(limits_.row_bytes) + " bytes", {},
               "Rows are held until they are complete; raise the limit or shorten the row.", {}, {}});
}

}  // namespace pgweir::routing
