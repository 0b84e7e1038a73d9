#include "tests/support/process.h"

#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <stdexcept>
#include <utility>

#include "tests/support/temp_dir.h"

extern char** environ;

namespace pgweir::support {
namespace {

std::vector<std::string> child_environment(const ProcessOptions& options) {
  std::map<std::string, std::string> variables;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::string text = *entry;
    const auto equals = text.find('=');
    if (equals != std::string::npos) variables[text.substr(0, equals)] = text.substr(equals + 1);
  }
  for (const auto& name : options.unset) variables.erase(name);
  for (const auto& [name, value] : options.environment) variables[name] = value;
  std::vector<std::string> lines;
  for (const auto& [name, value] : variables) lines.push_back(name + "=" + value);
  return lines;
}

std::vector<char*> pointers(std::vector<std::string>& strings) {
  std::vector<char*> result;
  for (auto& text : strings) result.push_back(text.data());
  result.push_back(nullptr);
  return result;
}

// What the child needs, worked out before fork: between fork and exec only async-signal-safe calls are allowed, because
// other threads of the test may hold locks.
struct Plan {
  std::vector<std::string> command, environment;
  std::string output, directory;
  bool drop_root = false;
  uid_t uid = 0;
  gid_t gid = 0;
  int death_signal = 0;
  pid_t parent = 0;
};

[[noreturn]] void become(const Plan& plan, char* const* argv, char* const* envp) {
  const int in = ::open("/dev/null", O_RDONLY);
  const int out = ::open(plan.output.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0644);
  if (in < 0 || out < 0) ::_exit(126);
  ::dup2(in, 0);
  ::dup2(out, 1);
  ::dup2(out, 2);
  ::close_range(3, ~0U, 0);
  if (!plan.directory.empty() && ::chdir(plan.directory.c_str()) != 0) ::_exit(126);
  ::setpgid(0, 0);  // a Ctrl-C at the terminal reaches the test, which then stops its servers in order
  if (plan.drop_root && (::setgroups(0, nullptr) != 0 || ::setgid(plan.gid) != 0 || ::setuid(plan.uid) != 0))
    ::_exit(126);
  // After the change of user, which clears it.
  ::prctl(PR_SET_PDEATHSIG, plan.death_signal);
  if (::getppid() != plan.parent) ::_exit(126);
  // Test frameworks block or ignore signals; a child must start with the defaults.
  sigset_t none;
  ::sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  ::signal(SIGPIPE, SIG_DFL);
  ::execvpe(argv[0], argv, envp);
  ::_exit(127);
}

}  // namespace

Process::Process(const ProcessOptions& options) {
  Plan plan{.command = options.command,
            .environment = child_environment(options),
            .output = options.output.empty() ? "/dev/null" : options.output.string(),
            .directory = options.directory.string(),
            .death_signal = options.death_signal,
            .parent = ::getpid()};
  if (options.as_postgres && ::getuid() == 0) {
    const char* name = std::getenv("PGWEIR_PG_USER");
    const passwd* user = ::getpwnam(name != nullptr ? name : "postgres");
    if (user == nullptr) throw std::runtime_error("no user `postgres` to run PostgreSQL as");
    plan.drop_root = true;
    plan.uid = user->pw_uid;
    plan.gid = user->pw_gid;
  }
  std::vector<char*> argv = pointers(plan.command);
  std::vector<char*> envp = pointers(plan.environment);
  pid_ = ::fork();
  if (pid_ == 0) become(plan, argv.data(), envp.data());
  if (pid_ < 0) throw std::runtime_error("fork failed");
}

Process::~Process() {
  if (running()) kill9();
}

Process::Process(Process&& other) noexcept
    : pid_(std::exchange(other.pid_, -1)), exit_code_(std::exchange(other.exit_code_, std::nullopt)) {}

Process& Process::operator=(Process&& other) noexcept {
  if (this != &other) {
    if (running()) kill9();
    pid_ = std::exchange(other.pid_, -1);
    exit_code_ = std::exchange(other.exit_code_, std::nullopt);
  }
  return *this;
}

bool Process::running() {
  if (pid_ < 0 || exit_code_) return false;
  int status = 0;
  const pid_t reaped = ::waitpid(pid_, &status, WNOHANG);
  if (reaped == 0) return true;
  exit_code_ = reaped < 0 ? -1 : WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
  return false;
}

void Process::signal(int number) const {
  if (pid_ > 0 && !exit_code_) ::kill(pid_, number);
}

std::optional<int> Process::wait(Milliseconds deadline) {
  if (pid_ < 0) return std::nullopt;
  if (!wait_until([this] { return !running(); }, deadline)) return std::nullopt;
  return exit_code_;
}

void Process::kill9() {
  if (!running()) return;
  // Stopped first, so that no child is born between looking and killing.
  ::kill(pid_, SIGSTOP);
  const std::vector<pid_t> children = children_of(pid_);
  ::kill(pid_, SIGKILL);
  for (const pid_t child : children) ::kill(child, SIGKILL);
  (void)wait(Milliseconds{10'000});
  (void)wait_until([&] {
    return std::none_of(children.begin(), children.end(), [](pid_t child) { return ::kill(child, 0) == 0; });
  });
}

std::string run(ProcessOptions options, Milliseconds deadline) {
  const TempDir scratch("run");
  options.output = scratch.path() / "output";
  Process process(options);
  const auto code = process.wait(deadline);
  const std::string output = read_file(options.output);
  if (code != 0) {
    throw std::runtime_error(options.command.at(0) +
                             (code ? " failed with " + std::to_string(*code) : " took too long") + ":\n" + output);
  }
  return output;
}

std::vector<pid_t> children_of(pid_t pid) {
  std::vector<pid_t> children;
  const std::string id = std::to_string(pid);
  std::ifstream in("/proc/" + id + "/task/" + id + "/children");
  for (pid_t child = 0; in >> child;) children.push_back(child);
  return children;
}

}  // namespace pgweir::support
