// One command on each of several links, and one call when all have answered or are lost. Lives on the session's worker.
#pragma once

#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "proxy/session/link.h"

namespace pgweir::session {

class Fanout final : public LinkSink {
 public:
  struct Outcome {
    Link* link = nullptr;
    std::optional<protocol::SqlError> error;
    bool answered = false;
    bool lost = false;       // the connection went before an answer: nobody knows whether the command was carried out
    Injected result;
  };
  using Done = std::function<void(std::vector<Outcome>&)>;

  explicit Fanout(net::Worker& worker) : worker_(worker) {}

  // Sends all commands and calls `done` once, not from within run(). An empty list is done at once (deferred). A run may
  // follow another, also from within `done`.
  void run(std::vector<std::pair<Link*, std::string>> commands, Done done);

  bool on_message(Link&, const protocol::Frame&, const protocol::ReplyTracker::Reply&) override { return false; }
  void relay_bytes(Link&, std::string_view) override {}
  void on_burst_end(Link&) override {}
  void on_skipped(Link&, const protocol::ReplyTracker::Skipped&) override {}
  void on_server_writable(Link&) override {}
  void on_link_closed(Link& link, const protocol::SqlError& error) override;

 private:
  void answered(Link& link, Injected& result);
  void finish();

  net::Worker& worker_;
  std::vector<Outcome> outcomes_;
  std::size_t waiting_ = 0;
  Done done_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);

 public:
  ~Fanout() { *alive_ = false; }
};

}  // namespace pgweir::session
