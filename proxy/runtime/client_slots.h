// How many clients are logged in, counted over all workers, against listen.max_clients and each user's
// and each database's max_client_connections. A place is taken in one step with its check and given back when the last copy of its slot
// goes, however the session ends. Counts outlive reloads: a lower cap holds for the next client. Thread-safe.
#pragma once

#include <memory>
#include <string>

#include "protocol/result.h"

namespace pgweir::runtime {

class ClientSlots {
 public:
  using Slot = std::shared_ptr<const void>;  // may outlive the ClientSlots

  struct Caps {
    unsigned all = 0;        // of all users together; 0: none
    unsigned user = 0;       // of this user; 0: none
    unsigned database = 0;   // of this database; 0: none
    bool count_all = true;   // false for the console: it must be reachable when the proxy is full
  };
  // A place, or the refusal (53300).
  protocol::Result<Slot> take(const std::string& user, const std::string& database, const Caps& caps);
  unsigned all() const;

  ClientSlots();

 private:
  struct Counts;
  std::shared_ptr<Counts> counts_;
};

// What a client is told that finds listen.max_clients reached.
protocol::SqlError too_many_clients(unsigned max_clients);

}  // namespace pgweir::runtime
