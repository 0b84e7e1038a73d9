// Child processes of a test: started without a shell, ended by their pid.
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "tests/support/wait.h"

namespace pgweir::support {

struct ProcessOptions {
  std::vector<std::string> command;                // command[0] is a path or is looked up in PATH
  std::map<std::string, std::string> environment;  // added to ours
  std::vector<std::string> unset;                  // names removed from ours
  std::filesystem::path output;                    // stdout and stderr are appended here; empty: /dev/null
  std::filesystem::path directory;                 // working directory; empty: ours
  bool as_postgres = false;                        // as the unprivileged user `postgres` when we are root
  int death_signal = 9;                            // what the kernel sends when the thread that started it ends
};

// One child process. Destruction kills it (SIGKILL) and reaps it, so that a failing test leaves nothing behind; should
// the test process itself die, the kernel sends `death_signal`. That signal hangs on the starting THREAD: start
// long-lived processes on the main thread. Not thread-safe.
class Process {
 public:
  Process() = default;
  explicit Process(const ProcessOptions& options);  // throws std::runtime_error when it cannot be started
  ~Process();
  Process(Process&& other) noexcept;
  Process& operator=(Process&& other) noexcept;
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;

  pid_t pid() const { return pid_; }
  bool running();  // reaps it when it has ended
  void signal(int number) const;
  // The wait status' exit code (128 + signal number when a signal ended it), nothing when the deadline passed first.
  std::optional<int> wait(Milliseconds deadline);
  // SIGKILL to it, then to the children it had (PostgreSQL's backends), and waits until all are gone.
  void kill9();

 private:
  pid_t pid_ = -1;
  std::optional<int> exit_code_;
};

// Runs a command to its end; throws std::runtime_error with its output when it fails or takes longer than the deadline.
// Returns what it printed.
std::string run(ProcessOptions options, Milliseconds deadline = Milliseconds{60'000});

// Ids of the direct children of a process (PostgreSQL's backends and helpers).
std::vector<pid_t> children_of(pid_t pid);

}  // namespace pgweir::support
