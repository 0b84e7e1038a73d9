// ReadyForQuery's status letter.
#pragma once

namespace pgweir::protocol {

enum class TransactionStatus : char { Idle = 'I', InTransaction = 'T', Failed = 'E' };

constexpr bool is_transaction_status(char letter) { return letter == 'I' || letter == 'T' || letter == 'E'; }

}  // namespace pgweir::protocol
