// What a client is told whose time is over. The words and codes of the messages are PostgreSQL's (ProcessInterrupts in
// postgres.c); the details name our settings and their values.
#pragma once

#include <chrono>

#include "config/config.h"
#include "protocol/result.h"

namespace pgweir::session {

protocol::SqlError idle_in_transaction(const config::Pool& pool);
protocol::SqlError idle_outside(const config::Pool& pool);
protocol::SqlError half_message(std::chrono::milliseconds bound);
protocol::SqlError overdue_query(const config::Pool& pool);
protocol::SqlError long_transaction(const config::Pool& pool);

}  // namespace pgweir::session
