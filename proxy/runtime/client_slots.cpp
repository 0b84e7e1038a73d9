#include "proxy/runtime/client_slots.h"

#include <map>
#include <mutex>

namespace pgweir::runtime {

struct ClientSlots::Counts {
  mutable std::mutex mutex;
  unsigned all = 0;
  std::map<std::string, unsigned> users;  // without those that have none

  void give_back(const std::string& user, bool counted_in_all) {
    const std::lock_guard lock(mutex);
    if (counted_in_all) --all;
    const auto found = users.find(user);
    if (--found->second == 0) users.erase(found);
  }
};

namespace {

template <class Counts>
struct Place {
  Place(std::shared_ptr<Counts> counts_in, std::string user_in, bool counted_in_all_in)
      : counts(std::move(counts_in)), user(std::move(user_in)), counted_in_all(counted_in_all_in) {}
  ~Place() { counts->give_back(user, counted_in_all); }
  Place(const Place&) = delete;
  Place& operator=(const Place&) = delete;

  const std::shared_ptr<Counts> counts;
  const std::string user;
  const bool counted_in_all;
};

}  // namespace

ClientSlots::ClientSlots() : counts_(std::make_shared<Counts>()) {}

protocol::Result<ClientSlots::Slot> ClientSlots::take(const std::string& user, const Caps& caps) {
  {
    const std::lock_guard lock(counts_->mutex);
    if (caps.count_all && caps.all != 0 && counts_->all >= caps.all) return too_many_clients(caps.all);
    const auto found = counts_->users.find(user);
    if (caps.user != 0 && found != counts_->users.end() && found->second >= caps.user)
      return protocol::SqlError{"53300",
                                "too many connections for role \"" + user + "\"",
                                "max_client_connections of this user is " + std::to_string(caps.user) + ".",
                                {}, {}, {}};
    ++counts_->users[user];
    if (caps.count_all) ++counts_->all;
  }
  return Slot(std::make_shared<Place<Counts>>(counts_, user, caps.count_all));
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
