// Who a client is, after its login. Value type.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "protocol/message_type.h"
#include "proxy/pool/settings.h"

namespace pgweir::session {

struct Identity {
  std::uint64_t id = 0;             // session number, unique in the process
  std::string user, database;       // database: the cluster's name
  std::string address;              // of the client, as text
  std::uint32_t protocol = protocol::kProtocol30;
  bool tls = false;
  std::int32_t cancel_pid = 0;
  std::string cancel_key;
  std::shared_ptr<const void> slot; // its place under the caps on clients (proxy/runtime/client_slots.h)
  pool::SettingsPtr startup = pool::Settings::empty();   // settings of the startup packet
  pool::SettingsPtr parameters = pool::Settings::empty(); // ParameterStatus as sent in the welcome
};

}  // namespace pgweir::session
