#include "proxy/admin/console.h"

#include <vector>

#include "protocol/backend_codec.h"
#include "proxy/admin/command.h"

namespace pgweir::admin {
namespace {

using protocol::SqlError;

// More than every table of a full proxy together; a text that repeats commands must not fill the memory.
constexpr std::size_t kMaxReplies = 64u << 20;

SqlError syntax_error(std::string_view near) {
  std::string known;
  for (const Command& command : commands()) {
    if (!known.empty()) known += ", ";
    known += command.words;
  }
  const std::string shown(near.substr(0, 64));
  return {"42601", "syntax error at or near \"" + shown + "\"", {}, "commands: " + known, {}, {}};
}

// What drivers greet with is taken and means nothing here; the proxy's own settings are those of its file.
Answer answer_set(const std::vector<Token>& tokens) {
  constexpr std::string_view kOfSessions[] = {
      "application_name", "bytea_output", "client_encoding", "client_min_messages", "datestyle", "extra_float_digits",
      "idle_in_transaction_session_timeout", "intervalstyle", "lock_timeout", "names", "search_path", "session",
      "standard_conforming_strings", "statement_timeout", "time", "timezone"};
  if (tokens.size() > 1)
    for (const std::string_view name : kOfSessions)
      if (same_word(name_of(tokens[1]), name)) return completed("SET");
  return SqlError{"0A000", "no setting can be changed on the console", {},
                  "Change the configuration file, then RELOAD. SHOW CONFIG lists the settings.", {}, {}};
}

}  // namespace

ConsoleSources& console_sources() {
  static ConsoleSources sources;
  return sources;
}

bool is_console_database(const config::Config& config, std::string_view database) {
  return database == config.admin.database || database == "pgbouncer";
}

// Lives until the last command's answer has come, also when the Console went before.
struct Console::State : std::enable_shared_from_this<State> {
  State(runtime::Runtime& runtime_in, net::Worker& worker_in, std::string user_in, bool may_write_in,
        ConsoleSources sources_in)
      : runtime(runtime_in), worker(worker_in), user(std::move(user_in)), may_write(may_write_in),
        sources(std::move(sources_in)) {}

  void advance();
  void run(std::string_view statement, Done then);
  void take(Answer answer);
  void finish();

  runtime::Runtime& runtime;
  net::Worker& worker;
  const std::string user;
  const bool may_write;
  const ConsoleSources sources;
  bool closed = false;
  std::shared_ptr<void> pending;  // of the command that runs

  std::string text;
  std::vector<std::string_view> statements;  // into `text`
  std::size_t next = 0;
  std::string replies;
  std::function<void(std::string)> done;
};

// A loop, because commands mostly answer before run() returns: a long text must not nest.
void Console::State::advance() {
  const auto self = shared_from_this();
  while (!closed && next < statements.size()) {
    struct Step { bool answered = false, returned = false; };
    const auto step = std::make_shared<Step>();
    run(statements[next++], [self, step](Answer answer) {
      step->answered = true;
      if (self->closed) return;
      self->take(std::move(answer));
      if (step->returned) self->advance();
    });
    step->returned = true;
    if (!step->answered) return;
  }
  if (!closed) finish();
}

void Console::State::run(std::string_view statement, Done then) {
  const std::vector<Token> tokens = tokenize(statement, 3);  // the longest command has two words
  const Token& first = tokens.front();
  if (first.kind == Token::Kind::Word && same_word(first.text, "SET")) return then(answer_set(tokens));
  const Command* command = find_command(tokens);
  if (!command) {
    const bool show = first.kind == Token::Kind::Word && same_word(first.text, "SHOW") && tokens.size() > 1;
    return then(syntax_error(show ? tokens[1].text : first.text));
  }
  if (command->writes && !may_write)
    return then(SqlError{"42501", "user \"" + user + "\" may not run " + std::string(command->words), {},
                         "Users listed in users of [admin] may.", {}, {}});
  const std::size_t words = word_count(*command);
  if (command->arguments.empty() && tokens.size() > words) return then(syntax_error(tokens[words].text));
  command->run(Invocation{runtime, worker, sources, statement, pending, tokens[words - 1].end()}, std::move(then));
}

void Console::State::take(Answer answer) {
  if (answer) {
    const std::size_t before = replies.size();
    encode_table(*answer, replies);
    if (replies.size() <= kMaxReplies) return;
    replies.resize(before);
    answer = SqlError{"54000", "the answers to one text are larger than " + std::to_string(kMaxReplies) + " bytes", {},
                      "Send fewer commands at once.", {}, {}};
  }
  protocol::encode_error(answer.error(), protocol::Severity::Error, replies);
  next = statements.size();
}

void Console::State::finish() {
  if (statements.empty()) protocol::encode_empty_query_response(replies);
  protocol::encode_ready_for_query(protocol::TransactionStatus::Idle, replies);
  std::exchange(done, nullptr)(std::exchange(replies, {}));  // may end the Console
}

Console::Console(runtime::Runtime& runtime, net::Worker& worker, std::string user, bool may_write,
                 ConsoleSources sources)
    : state_(std::make_shared<State>(runtime, worker, std::move(user), may_write, std::move(sources))) {}

Console::~Console() {
  state_->closed = true;
  state_->pending.reset();
}

void Console::execute(std::string_view sql, std::function<void(std::string replies)> done) {
  state_->text = sql;
  state_->statements = split_statements(state_->text);
  state_->next = 0;
  state_->replies.clear();
  state_->done = std::move(done);
  state_->advance();
}

void Console::run(std::string_view statement, Done done) {
  state_->text = statement;
  state_->run(state_->text, [state = state_, done = std::move(done)](Answer answer) {
    if (!state->closed) done(std::move(answer));
  });
}

bool Console::only_shows(std::string_view statement) {
  const Command* command = find_command(tokenize(statement, 3));
  return command && !command->writes;
}

}  // namespace pgweir::admin
