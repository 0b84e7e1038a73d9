// The proxy's sessions, links and pools on one worker, between clients that follow scripts and servers that are models.
// Everything happens on the calling thread, in an order that the choices decide: the same choices give the same run.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "config/config.h"
#include "proxy/net/worker.h"
#include "proxy/runtime/runtime.h"
#include "tests/model/backend_model.h"
#include "tests/model/sequences.h"

namespace pgweir::model {

class World {
 public:
  // Call on a thread of its own: what is thread-local to a worker goes with the thread.
  World(const Sequence& sequence, Choices& choices);
  ~World();
  // Plays it to the end, and then a client that looks whether anything is left. Empty, or what was wrong.
  std::string play();

 private:
  struct Server;
  struct Client;

  std::string play_clients();
  void add_client(const ClientScript& script, bool exact);
  bool accept_servers();
  bool step(Server& server);
  bool step(Client& client);
  bool send_some(Client& client);
  bool receive(Client& client);
  void disturb(Server& server);
  bool settled();
  std::string describe_stall() const;
  std::string check(Client& client);
  std::string check_rows() const;
  std::string check_servers();

  const Sequence& sequence_;
  Choices& choices_;
  std::unique_ptr<net::Worker> worker_;
  std::unique_ptr<runtime::Runtime> runtime_;
  std::vector<std::unique_ptr<Server>> servers_;
  std::vector<std::unique_ptr<Client>> clients_;
  std::vector<std::string> committed_;   // by all servers
};

// Draws a sequence from the bytes and plays it. Empty, or what was wrong.
std::string play(std::span<const std::uint8_t> bytes);

}  // namespace pgweir::model
