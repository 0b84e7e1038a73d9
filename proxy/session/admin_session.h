// A client of the admin console. Lives on one worker; owned by its WorkerContext.
#pragma once

#include <memory>
#include <string>

#include "protocol/frame_reader.h"
#include "proxy/admin/console.h"
#include "proxy/admin/extended.h"
#include "proxy/net/stream.h"
#include "proxy/session/identity.h"
#include "proxy/session/worker_context.h"

namespace pgweir::session {

class AdminSession final : public net::Disposable, public net::StreamHandler {
 public:
  // Sends the welcome and takes commands until the client leaves.
  static void start(WorkerContext& context, std::unique_ptr<net::Stream> stream, Identity identity, bool may_write);
  ~AdminSession() override;
  void close();

 private:
  AdminSession(WorkerContext& context, std::unique_ptr<net::Stream> stream, Identity identity, bool may_write);
  std::size_t on_bytes(std::string_view bytes) override;
  void on_closed(const net::StreamError& error) override;
  void take(const protocol::Frame& frame);
  void answered(const std::string& replies);
  void end();

  WorkerContext& context_;
  std::unique_ptr<net::Stream> stream_;
  Identity identity_;
  protocol::FrameReader frames_;
  std::unique_ptr<admin::Console> console_;
  std::unique_ptr<admin::Extended> extended_;
  bool busy_ = false;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace pgweir::session
