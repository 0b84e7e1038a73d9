// Session: messages that are not held because they are too large, and what is done when memory is short.
#include "protocol/byte_io.h"
#include "proxy/session/session.h"
#include "proxy/session/virtual_group.h"

namespace pgweir::session {

using protocol::Frame;
using protocol::SqlError;

namespace {

// A Bind beyond this is passed on as it comes where one server gets it whatever it holds.
constexpr std::size_t kStreamedBind = 1u << 20;
constexpr std::size_t kMaxNames = 64u << 10;  // of a Bind's portal and statement
constexpr std::size_t kLongestName = 64;      // of a statement on servers, and more
constexpr std::size_t kKeptScratch = 1u << 20;
constexpr std::size_t kEmptyTail = 6;         // of a Bind without parameters: three counts
// Prepared statements stay for long: they may not take what running statements need.
constexpr unsigned kEighthsForNamed = 7;

std::string mebibytes(std::size_t bytes) { return std::to_string((bytes + (1u << 19)) >> 20) + " MiB"; }

}  // namespace

SqlError Session::memory_error() const {
  const auto& memory = context_.worker.memory();
  context_.cells.memory_refusals.add();
  return {"53200", "the proxy's memory budget is exhausted",
          "Buffers hold " + mebibytes(memory.charged()) + " of listen.memory_budget = " + mebibytes(memory.limit()) + ".",
          "Try again, read results faster, send less at once, or raise listen.memory_budget.", {}, {}};
}

// Whether this message would begin something that there is no memory for. What runs already goes on, and what ends a
// block is taken.
bool Session::lacks_memory(const Frame& frame) const {
  const bool begins = frame.type == 'Q' || frame.type == 'P' || frame.type == 'B' || frame.type == 'F';
  if (!begins || mode_ != Mode::Open || group_.failed) return false;
  if (group_.open) return !group_.relayed;  // it is being collected
  return !in_block() && (!relay_ || !relay_->open() || relay_->quiet());
}

std::optional<SqlError> Session::refuse_statement(bool named, std::size_t weight) const {
  if (context_.worker.memory().fits(weight, named ? kEighthsForNamed : 8)) return std::nullopt;
  return memory_error();
}

void Session::note_memory() {
  std::size_t held = statements_.bytes() + group_.pending.size();
  if (virtual_) held += virtual_->held_bytes();
  for (const auto& portal : virtual_portals_) held += portal.rows.size() + portal.bind.size();
  memory_.set(held);
  if (out_.capacity() > kKeptScratch) std::string().swap(out_);
}

// `rest` begins with a message that is not wholly there (NeedMore), or that is beyond listen.max_statement_size. Done: it
// will be given in pieces. Later: not now.
Session::Step Session::meet_large(const Frame& frame, std::string_view rest) {
  const bool too_large = frame.kind == Frame::Kind::Error;
  const std::size_t size = std::size_t{protocol::load_u32(rest, 1)} + 1;
  const bool fits = context_.worker.memory().fits(size);
  meter_.meets(*tenancy_->cells, frame.type);
  if (frame.type == 'B' && mode_ == Mode::Open && !group_.failed && pipelines_freely() &&
      (too_large || !fits || size > kStreamedBind)) {
    if (const auto step = start_bind(rest, size)) {
      if (*step == Step::Done) {
        meter_.taken();
        too_large ? (void)frames_.allow_large() : frames_.stream_incomplete();
      }
      return *step;
    }
  }
  if (!too_large && fits) {
    if (stream_) stream_->want(frame.needed);
    return Step::Later;
  }
  SqlError error = too_large ? frames_.error() : SqlError{};
  if (too_large) error.hint = "Raise listen.max_statement_size, or send large values by COPY.";
  if (refuse_message(frame.type, too_large ? error : memory_error()) == Step::Later) {
    input_waits_ = true;
    return Step::Later;
  }
  meter_.taken();
  too_large ? (void)frames_.allow_large() : frames_.stream_incomplete();
  oversized_ = true;
  return Step::Done;
}

// Handles the Bind by its names alone; its values follow by forward_bind(). nullopt: that cannot be done with this one.
std::optional<Session::Step> Session::start_bind(std::string_view rest, std::size_t size) {
  if (size + kLongestName > protocol::kLargeMessageLimit || (relay_ && relay_->open() && relay_->tracker().in_copy_in()))
    return std::nullopt;
  const std::string_view body = rest.substr(protocol::kHeaderSize);
  const auto portal = body.find('\0');
  const auto statement = portal == std::string_view::npos ? portal : body.find('\0', portal + 1);
  if (statement == std::string_view::npos) {
    if (rest.size() >= kMaxNames) return std::nullopt;
    if (stream_) stream_->want(rest.size() + 1);
    return Step::Later;
  }
  std::string names;
  protocol::encode_bind(body.substr(0, portal), body.substr(portal + 1, statement - portal - 1), {}, {}, {}, names);
  bind_head_ = protocol::kHeaderSize + statement + 1;
  bind_size_ = size;
  bind_sent_ = false;
  const Step step = handle(Frame{Frame::Kind::Message, 'B', true, true, static_cast<std::uint32_t>(names.size()), 0, names});
  if (step == Step::Done && bind_sent_) {
    if (relay_ && relay_->suspect) relay_->unknown_settings = true;  // its values may name some
    copy_partial_ = true;
    return step;
  }
  bind_head_ = 0;
  if (step == Step::Later) input_waits_ = true;
  if (step == Step::Done) oversized_ = true;  // an error was told, or the server skips to the Sync
  return step;
}

// out_ is a Bind as it goes to the server, its tail empty: makes it the beginning of the client's large one.
void Session::widen_bind() {
  if (bind_head_ == 0) return;
  out_.resize(out_.size() - kEmptyTail);
  std::string length;
  protocol::ByteWriter(length).u32(static_cast<std::uint32_t>(out_.size() - 1 + bind_size_ - bind_head_));
  out_.replace(1, length.size(), length);
  bind_sent_ = true;
}

// A piece of a large Bind. Later: the server has to take what it was given first.
Session::Step Session::forward_bind(const Frame& frame) {
  std::string_view bytes = frame.bytes;
  if (frame.first) bytes.remove_prefix(std::min(bind_head_, bytes.size()));
  if (!relay_ || !relay_->open()) return Step::Done;  // the session has ended with its server
  relay_->send(bytes);
  copy_partial_ = !frame.last;
  if (frame.last) {
    bind_head_ = 0;
    if (std::exchange(boundary_waits_, false)) {
      boundary_ = true;
      on_burst_end(*relay_);
    }
    return Step::Done;
  }
  if (!relay_->server().stream().above_high_water()) return Step::Done;
  input_waits_ = true;  // on_server_writable() wakes us
  return Step::Later;
}

// A message that is not held is refused in its place among the replies, and dropped as it comes. The session goes on.
Session::Step Session::refuse_message(char type, SqlError error) {
  if (group_.failed || mode_ == Mode::CopyData) return Step::Done;  // dropped whatever it says
  const bool in_batch = group_.relayed && relay_ && relay_->open();
  if (in_batch && relay_->tracker().skipping_until_sync()) return Step::Done;
  if (in_batch && relay_->tracker().outstanding() >= 8192) return Step::Later;
  if (relay_ && relay_->open() && relay_->tracker().in_copy_in()) {
    error.sqlstate = "08P01";  // PostgreSQL, too, loses the protocol's thread over a message out of place
    fatal(error);
    return Step::Done;
  }
  if (!in_batch && relay_ && relay_->open() && !relay_->quiet()) return Step::Later;
  const bool ends_batch = type == 'Q' || type == 'F';
  if (ends_batch && !group_.open) return refuse_query(error);
  if (ends_batch && !in_batch && !group_.pending.empty() && decide_by_default() == Step::Later) return Step::Later;
  if (group_.failed) return Step::Done;
  group_.open = true;
  fail_group(error);
  if (!ends_batch) return Step::Done;
  // What stands before a Query or FunctionCall fails with it, and its ReadyForQuery is the batch's.
  std::string sync;
  protocol::encode_sync(sync);
  return on_sync(Frame{Frame::Kind::Message, 'S', true, true, static_cast<std::uint32_t>(sync.size()), 0, sync});
}

}  // namespace pgweir::session
