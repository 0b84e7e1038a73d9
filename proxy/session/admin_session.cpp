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
      console_(std::make_unique<admin::Console>(context.runtime, context.worker, identity_.user, may_write, admin::console_sources())) {}

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
    if (frame.type == 'Q') {
      auto query = protocol::decode_query(frame.body());
      if (!query) {
        end();
        return bytes.size();
      }
      busy_ = true;
      stream_->pause();
      console_->execute(query->text, [this, alive = alive_](std::string replies) {
        if (!*alive || !stream_) return;
        busy_ = false;
        stream_->send(replies);
        stream_->resume();
      });
    } else if (frame.type == 'S') {
      std::string message;
      protocol::encode_ready_for_query(protocol::TransactionStatus::Idle, message);
      stream_->send(message);
      skipping_ = false;
    } else if (!skipping_) {
      std::string message;
      protocol::encode_error({"0A000", "the console speaks the simple query protocol only", {}, {}, {}, {}}, protocol::Severity::Error, message);
      stream_->send(message);
      skipping_ = true;
    }
  }
  return stream_ ? bytes.size() - rest.size() : bytes.size();
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
