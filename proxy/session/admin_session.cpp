#include "proxy/session/admin_session.h"

#include "protocol/backend_codec.h"
#include "protocol/frontend_codec.h"

namespace pgweir::session {

using protocol::Frame;

namespace {

constexpr std::uint32_t kMaxCommand = 1u << 20;

}  // namespace

void AdminSession::start(WorkerContext& context, std::unique_ptr<net::Stream> stream, Identity identity, bool may_write) {
  const auto id = identity.id;
  std::unique_ptr<AdminSession> made(new AdminSession(context, std::move(stream), std::move(identity), may_write));
  AdminSession& session = *made;
  context.consoles.emplace(id, std::move(made));
  std::string message;
  for (const auto& [name, value] : {std::pair<std::string_view, std::string_view>{"server_version", PGWEIR_VERSION "/pgweir"},
                                    {"client_encoding", "UTF8"},
                                    {"server_encoding", "UTF8"},
                                    {"DateStyle", "ISO, MDY"},
                                    {"TimeZone", "UTC"},
                                    {"standard_conforming_strings", "on"},
                                    {"integer_datetimes", "on"}})
    protocol::encode_parameter_status(name, value, message);
  protocol::encode_backend_key_data(1, std::string_view("\0\0\0\0", 4), message);
  protocol::encode_ready_for_query(protocol::TransactionStatus::Idle, message);
  session.stream_->send(message);
  session.stream_->set_handler(&session);
  session.stream_->resume();
}

AdminSession::AdminSession(WorkerContext& context, std::unique_ptr<net::Stream> stream, Identity identity, bool may_write)
    : context_(context),
      stream_(std::move(stream)),
      identity_(std::move(identity)),
      frames_(protocol::frontend_limits(kMaxCommand)),
      console_(std::make_unique<admin::Console>(context.runtime, context.worker, identity_.user, may_write, admin::console_sources())),
      extended_(std::make_unique<admin::Extended>(*console_)) {}

AdminSession::~AdminSession() {
  *alive_ = false;
  context_.worker.add_load(-1);
}

std::size_t AdminSession::on_bytes(std::string_view bytes) {
  std::string_view rest = bytes;
  while (!busy_ && stream_ && !rest.empty()) {
    const Frame frame = frames_.next(rest);
    if (frame.kind == Frame::Kind::NeedMore) break;
    if (frame.kind != Frame::Kind::Message || frame.type == 'X') {
      end();
      return bytes.size();
    }
    take(frame);
  }
  return stream_ ? bytes.size() - rest.size() : bytes.size();
}

void AdminSession::take(const Frame& frame) {
  std::string_view text;
  if (frame.type == 'Q') {
    const auto query = protocol::decode_query(frame.body());
    if (!query) return end();
    text = query->text;
  }
  busy_ = true;
  stream_->pause();
  auto done = [this, alive = alive_](const std::string& replies) {
    if (*alive) answered(replies);
  };
  if (frame.type == 'Q')
    console_->execute(text, std::move(done));
  else
    extended_->take(frame.type, frame.body(), std::move(done));
}

void AdminSession::answered(const std::string& replies) {
  if (!stream_) return;
  busy_ = false;
  if (!replies.empty()) stream_->send(replies);
  stream_->resume();
}

void AdminSession::on_closed(const net::StreamError&) { end(); }

void AdminSession::close() {
  std::string message;
  protocol::encode_error({"57P01", "terminating connection due to administrator command", {}, {}, {}, {}}, protocol::Severity::Fatal, message);
  if (stream_) stream_->send(message);
  end();
}

void AdminSession::end() {
  if (stream_) {
    stream_->set_handler(nullptr);
    net::Stream::finish(std::move(stream_));
  }
  auto found = context_.consoles.find(identity_.id);
  if (found == context_.consoles.end()) return;
  context_.worker.dispose(std::move(found->second));
  context_.consoles.erase(found);
}

}  // namespace pgweir::session
