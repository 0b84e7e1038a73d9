// Gather: COPY over several shards.
#include <algorithm>

#include "protocol/frontend_codec.h"
#include "proxy/session/gather.h"
#include "proxy/session/session.h"

namespace pgweir::session {

using protocol::Frame;
using protocol::SqlError;

namespace {

class ToClient final : public routing::CopyOutSink {
 public:
  explicit ToClient(std::string& out) : out_(out) {}
  void bytes(std::string_view bytes) override { protocol::encode_copy_data(bytes, out_); }

 private:
  std::string& out_;
};

}  // namespace

class Gather::CopySinkImpl final : public routing::CopySink {
 public:
  explicit CopySinkImpl(Gather& gather) : gather_(gather) {}
  void rows(routing::ShardId shard, std::string_view rows) override {
    for (auto& stream : gather_.streams_)
      if (stream.link->shard() == shard && stream.link->open()) {
        buffer_.clear();
        protocol::encode_copy_data(rows, buffer_);
        stream.link->send(buffer_);
        stream.link->wrote = true;
      }
  }

 private:
  Gather& gather_;
  std::string buffer_;
};

// COPY TO: shard after shard, so that one shard's data stay together; the others wait unread.
void Gather::on_copy_out(Stream& stream, const Frame& frame) {
  const auto index = static_cast<std::size_t>(&stream - streams_.data());
  if (frame.type == 'H') {
    if (index == 0) session_.to_client(frame.bytes);
    if (index != copy_out_at_) stream.link->pause();
    const bool binary = !frame.body().empty() && frame.body().front() == 1;
    auto options = request_.route.copy ? request_.route.copy->options : (binary ? routing::CopyOptions::binary() : routing::CopyOptions::text());
    stream.filter.emplace(options, index == 0, index + 1 == streams_.size());
    return;
  }
  if (frame.type == 'c' || !stream.filter) return;
  if (!frame.last || !frame.first) {
    // A piece of a large CopyData: collected, for the filter sees whole messages.
    if (stream.large_row.size() + frame.bytes.size() > (64u << 20)) return fail({"54000", "a row is too large for COPY TO over several shards", {}, {}, {}, {}});
    stream.large_row.append(frame.bytes);
    if (!frame.last) return;
  }
  std::string_view body = stream.large_row.empty() ? frame.body() : std::string_view(stream.large_row).substr(protocol::kHeaderSize);
  // Shards behind the one being written are held: bounded by one read burst each, since they are paused.
  if (index > copy_out_at_ && !error_) stream.link->pause();
  ToClient sink(index == copy_out_at_ ? out_ : stream.held);
  if (auto error = stream.filter->feed(body, sink)) return fail(*error);
  stream.large_row.clear();
  if (index == copy_out_at_ && out_.size() >= 32 * 1024) {
    session_.to_client(out_);
    out_.clear();
    if (session_.stream_ && session_.stream_->above_high_water()) stream.link->pause();
  }
}

void Gather::advance_copy_out() {
  if (!out_.empty()) {
    session_.to_client(out_);
    out_.clear();
  }
  while (copy_out_at_ < streams_.size() && streams_[copy_out_at_].ready) {
    ++copy_out_at_;
    if (copy_out_at_ == streams_.size()) break;
    Stream& next = streams_[copy_out_at_];
    session_.to_client(next.held);
    next.held.clear();
    if (next.link->open()) next.link->resume();
  }
  if (copy_out_at_ == streams_.size() && !error_) {
    std::string done;
    protocol::encode_copy_done(done);
    session_.to_client(done);
  }
}

void Gather::all_copy_ready() {
  copying_ = copy_started_ = true;
  const auto& plan = request_.route.copy;
  if (!plan) {  // a reference table: every shard gets what the client sends
    for (auto& stream : streams_) stream.link->wrote = true;
    session_.to_client(copy_response_);
    return session_.accept_copy_data();
  }
  copy_router_ = std::make_unique<routing::CopyRouter>(plan, session_.route_context().literals);
  const auto format = plan->options.format == routing::CopyFormat::Binary ? protocol::Format::Binary : protocol::Format::Text;
  const std::vector<std::int16_t> formats(plan->columns.size(), static_cast<std::int16_t>(format));
  std::string out;
  protocol::encode_copy_in_response(format, formats, out);
  session_.to_client(out);
  const auto prologue = routing::copy_prologue(plan->options.format);
  if (!prologue.empty())
    for (auto& stream : streams_) {
      out.clear();
      protocol::encode_copy_data(prologue, out);
      stream.link->send(out);
    }
  session_.accept_copy_data();
}

void Gather::send_copy_data(std::string_view data) {
  std::string message;
  protocol::encode_copy_data(data, message);
  for (auto& stream : streams_)
    if (stream.link->open()) stream.link->send(message);
}

void Gather::on_copy_message(const Frame& frame) {
  if (!copying_) return;
  CopySinkImpl sink(*this);
  if (frame.type == 'd') {
    const std::string_view data = frame.first ? frame.bytes.substr(std::min<std::size_t>(frame.bytes.size(), protocol::kHeaderSize)) : frame.bytes;
    if (!copy_router_)
      send_copy_data(data);
    else if (auto error = copy_router_->feed(data, sink))
      return fail(*error);
    for (auto& stream : streams_)
      if (stream.link->open() && stream.link->server().stream().above_high_water()) session_.hold_copy_data();
    return;
  }
  if (frame.type == 'f') {
    auto reason = protocol::decode_copy_fail(frame.body());
    return fail({"57014", "COPY from stdin failed: " + std::string(reason ? reason->message : ""), {}, {}, {}, {}});
  }
  if (copy_router_)
    if (auto error = copy_router_->finish(sink)) return fail(*error);
  copying_ = false;
  const auto epilogue = copy_router_ ? routing::copy_epilogue(request_.route.copy->options.format) : std::string_view();
  for (auto& stream : streams_) {
    if (!stream.link->open()) continue;
    std::string out;
    if (!epilogue.empty()) protocol::encode_copy_data(epilogue, out);
    protocol::encode_copy_done(out);
    stream.link->tracker().push_copy_end();
    stream.link->send(out);
  }
}

void Gather::on_server_writable(Link&) {
  for (auto& stream : streams_)
    if (stream.link->open() && stream.link->server().stream().above_high_water()) return;
  session_.resume_copy_data();
}

}  // namespace pgweir::session
