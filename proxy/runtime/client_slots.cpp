#include "proxy/runtime/client_slots.h"

#include <map>
#include <mutex>

namespace pgweir::runtime {

struct ClientSlots::Counts {
  mutable std::mutex mutex;
  unsigned all = 0;
  using Named = std::map<std::string, unsigned>;  // without those that have none
  Named users, databases;

  static unsigned of(const Named& named, const std::string& name) {
    const auto found = named.find(name);
    return found == named.end() ? 0 : found->second;
  }
  static void remove(Named& named, const std::string& name) {
    const auto found = named.find(name);
    if (--found->second == 0) named.erase(found);
  }
  void give_back(const std::string& user, const std::string& database, bool counted_in_all) {
    const std::lock_guard lock(mutex);
    if (counted_in_all) --all;
    remove(users, user);
    remove(databases, database);
  }
};

namespace {

template <class Counts>
struct Place {
  Place(std::shared_ptr<Counts> counts_in, std::string user_in, std::string database_in, bool counted_in_all_in)
      : counts(std::move(counts_in)), user(std::move(user_in)), database(std::move(database_in)), counted_in_all(counted_in_all_in) {}
  ~Place() { counts->give_back(user, database, counted_in_all); }
  Place(const Place&) = delete;
  Place& operator=(const Place&) = delete;

  const std::shared_ptr<Counts> counts;
  const std::string user, database;
  const bool counted_in_all;
};

}  // namespace

ClientSlots::ClientSlots() : counts_(std::make_shared<Counts>()) {}

protocol::Result<ClientSlots::Slot> ClientSlots::take(const std::string& user, const std::string& database, const Caps& caps) {
  {
    const std::lock_guard lock(counts_->mutex);
    if (caps.count_all && caps.all != 0 && counts_->all >= caps.all) return too_many_clients(caps.all);
    if (caps.database != 0 && Counts::of(counts_->databases, database) >= caps.database)
      return protocol::SqlError{"53300",
                                "too many connections for database \"" + database + "\"",
                                "max_client_connections of this database is " + std::to_string(caps.database) + ".",
                                {}, {}, {}};
    if (caps.user != 0 && Counts::of(counts_->users, user) >= caps.user)
      return protocol::SqlError{"53300",
                                "too many connections for role \"" + user + "\"",
                                "max_client_connections of this user is " + std::to_string(caps.user) + ".",
                                {}, {}, {}};
    ++counts_->users[user];
    ++counts_->databases[database];
    if (caps.count_all) ++counts_->all;
  }
  return Slot(std::make_shared<Place<Counts>>(counts_, user, database, caps.count_all));
}

unsigned ClientSlots::all() const {
  const std::lock_guard lock(counts_->mutex);
  return counts_->all;
}

protocol::SqlError too_many_clients(unsigned max_clients) {
  return {"53300", "sorry, too many clients already", "listen.max_clients is " + std::to_string(max_clients) + ".",
          {}, {}, {}};
}

}  // namespace pgweir::runtime
