#include "tests/model/sequences.h"

#include <array>

#include "protocol/frontend_codec.h"

namespace pgweir::model {
namespace {

const std::array<const char*, 7> kSettings = {"application_name", "DateStyle",         "TimeZone",   "IntervalStyle",
                                              "lock_timeout",     "statement_timeout", "search_path"};
const std::array<std::array<const char*, 3>, 7> kValues = {{{"one", "two", "three"},
                                                            {"DMY", "SQL", "nonsense"},
                                                            {"Europe/Berlin", "UTC", "Asia/Tokyo"},
                                                            {"iso_8601", "postgres", "nonsense"},
                                                            {"5s", "77", "1500ms"},
                                                            {"60s", "90001", "nonsense"},
                                                            {"public", "pg_catalog", "other"}}};

class Writer {
 public:
  Writer(Choices& choices, ClientScript& script) : choices_(choices), script_(script), out_(script.bytes) {}

  void log_in() {
    const std::pair<std::string_view, std::string_view> parameters[] = {{"user", "app"}, {"database", "main"}};
    protocol::encode_startup(protocol::kProtocol30, parameters, out_);
    script_.waits.push_back(out_.size());
  }
  void request() {
    switch (choices_.pick(12)) {
      case 0: case 1: case 2: case 3: simple(1); break;
      case 4: simple(2 + choices_.pick(2)); break;
      case 5: case 6: case 7: case 8: group(1 + choices_.pick(3)); break;
      case 9: copy_in(); break;
      case 10: pieces(); break;
      default: rare();
    }
    if (choices_.pick(4) == 0) script_.waits.push_back(out_.size());
  }
  // A census that fails pins the server to its client until it leaves.
  void end(bool leaves) {
    protocol::encode_query("ROLLBACK", out_);  // else others may wait for its server for ever
    if (choices_.one_in(4) && !leaves) return;
    if (!choices_.one_in(3)) script_.waits.push_back(out_.size());
    protocol::encode_terminate(out_);
  }

 private:
  std::string literal(const char* end = "") { return "'" + script_.tag + "-" + std::to_string(++count_) + end + "'"; }
  std::string name() { return std::string(1, static_cast<char>('p' + choices_.pick(3))); }

  std::string setting() {
    const unsigned at = choices_.pick(kSettings.size());
    const std::string named = kSettings[at];
    switch (choices_.pick(8)) {
      case 0: case 1: case 2: return "SET " + named + " = '" + kValues[at][choices_.pick(3)] + "'";
      case 3: return "SET LOCAL " + named + " = '" + kValues[at][choices_.pick(3)] + "'";
      case 4: return "RESET " + named;
      case 5: return "SET " + named + " TO DEFAULT";
      case 6: return choices_.one_in(3) ? "RESET ALL" : "SHOW " + named;
      default: return "SHOW " + named;
    }
  }
  std::string transaction() {
    static const std::array<const char*, 10> kTexts = {
        "BEGIN", "BEGIN", "BEGIN", "COMMIT", "COMMIT", "ROLLBACK", "SAVEPOINT a", "SAVEPOINT b", "ROLLBACK TO a",
        "RELEASE a"};
    return kTexts[choices_.pick(kTexts.size())];
  }
  std::string names() {
    switch (choices_.pick(5)) {
      case 0: return "PREPARE " + name() + " AS SELECT " + literal();
      case 1: case 2: return "EXECUTE " + name();
      case 3: return "DEALLOCATE " + name();
      default: return choices_.one_in(4) ? "DEALLOCATE ALL" : "PREPARE " + name() + " AS INSERT INTO log VALUES (" + literal() + ")";
    }
  }
  // One that the extended protocol may carry too. `once`: stands in the rows of what runs once only.
  std::string plain(const char* once = "") {
    switch (choices_.pick(12)) {
      case 0: case 1: case 2: return "SELECT " + literal();
      case 3: return "SELECT " + literal() + " || g FROM generate_series(1, " + std::to_string(choices_.pick(5)) + ") g";
      case 4: case 5: return "INSERT INTO log VALUES (" + literal(once) + ")";
      case 6: return "SELECT 1/0";
      case 7: case 8: return setting();
      case 9: case 10: return transaction();
      default: return choices_.one_in(3) ? "selec 1" : "COPY log TO STDOUT";
    }
  }
  std::string any() { return choices_.one_in(5) ? names() : plain("!"); }

  void simple(unsigned statements) {
    std::string text;
    for (unsigned i = 0; i < statements; ++i) text += (i == 0 ? "" : "; ") + any();
    protocol::encode_query(text, out_);
  }
  void parse(std::string_view statement, std::string_view text) { protocol::encode_parse(statement, text, {}, out_); }
  void bind(std::string_view portal, std::string_view statement, bool parameter) {
    const std::string value = script_.tag + "-" + std::to_string(++count_);
    const std::optional<std::string_view> values[] = {value};
    protocol::encode_bind(portal, statement, {}, std::span(values, parameter ? 1 : 0), {}, out_);
  }
  void execute(std::string_view portal) {
    protocol::encode_execute(portal, choices_.one_in(3) ? static_cast<std::int32_t>(1 + choices_.pick(3)) : 0, out_);
  }
  void sync() { protocol::encode_sync(out_); }

  // As drivers do it: statements, one Sync.
  void group(unsigned statements) {
    for (unsigned i = 0; i < statements; ++i) {
      const bool named = choices_.one_in(3), parameter = choices_.one_in(4);
      const std::string statement = named ? name() : "", portal = choices_.one_in(5) ? "c" : "";
      if (named && choices_.one_in(3)) protocol::encode_close('S', statement, out_);
      if (!named || !choices_.one_in(3)) parse(statement, parameter ? "SELECT $1::text" : plain());
      if (choices_.one_in(4)) protocol::encode_describe('S', statement, out_);
      bind(portal, statement, parameter);
      if (choices_.one_in(3)) protocol::encode_describe('P', portal, out_);
      execute(portal);
      if (choices_.one_in(6)) execute(portal);
      if (choices_.one_in(6)) protocol::encode_flush(out_);
      if (!portal.empty() && choices_.one_in(2)) protocol::encode_close('P', portal, out_);
    }
    sync();
  }
  // Messages in any order.
  void pieces() {
    for (unsigned left = 2 + choices_.pick(6); left > 0; --left) {
      const std::string statement = choices_.one_in(2) ? name() : "", portal = choices_.one_in(3) ? "c" : "";
      switch (choices_.pick(9)) {
        case 0: case 1: parse(statement, plain()); break;
        case 2: case 3: bind(portal, statement, choices_.one_in(5)); break;
        case 4: execute(portal); break;
        case 5: protocol::encode_describe(choices_.one_in(2) ? 'S' : 'P', choices_.one_in(2) ? statement : portal, out_); break;
        case 6: protocol::encode_close(choices_.one_in(2) ? 'S' : 'P', choices_.one_in(2) ? statement : portal, out_); break;
        case 7: protocol::encode_flush(out_); break;
        default: sync();
      }
    }
    sync();
  }
  void copy_in() {
    const bool extended = choices_.one_in(2);
    if (extended) {
      parse("", "COPY log FROM STDIN");
      bind("", "", false);
      execute("");
      if (choices_.one_in(3)) protocol::encode_flush(out_);
      if (choices_.one_in(3)) sync();
    } else {
      protocol::encode_query("COPY log FROM STDIN", out_);
    }
    for (unsigned rows = choices_.pick(4); rows > 0; --rows)
      protocol::encode_copy_data(script_.tag + "-" + std::to_string(++count_) + "\n", out_);
    if (choices_.one_in(3))
      protocol::encode_copy_fail("the client gives up", out_);
    else
      protocol::encode_copy_done(out_);
    if (choices_.one_in(8)) protocol::encode_copy_data("late\n", out_);
    if (choices_.one_in(8)) protocol::encode_copy_done(out_);
    if (!extended) return;
    sync();
    protocol::encode_close('S', "", out_);  // not to be run again where no data follow
    sync();
  }
  void rare() {
    switch (choices_.pick(4)) {
      case 0: protocol::encode_query("DISCARD ALL", out_); break;
      case 1: protocol::encode_query(" ", out_); break;
      case 2: out_ += std::string("F\0\0\0\x0e\0\0\x04\xd2\0\0\0\0\0\0", 15); break;  // function 1234 without arguments
      default: protocol::encode_copy_data("nobody asked\n", out_);
    }
  }

  Choices& choices_;
  ClientScript& script_;
  std::string& out_;
  unsigned count_ = 0;
};

}  // namespace

Sequence draw_sequence(Choices& choices) {
  Sequence sequence;
  sequence.pool_size = 1 + choices.pick(2);
  sequence.max_prepared = choices.one_in(3) ? 2 : 200;
  sequence.session_mode = choices.one_in(6);
  sequence.faults = choices.one_in(3);
  sequence.notices = choices.one_in(3);
  // In session mode a client keeps its server.
  const unsigned count = sequence.session_mode ? sequence.pool_size : 1 + choices.pick(3);
  for (unsigned i = 0; i < count; ++i) {
    ClientScript script;
    script.tag = "client" + std::to_string(i);
    Writer writer(choices, script);
    writer.log_in();
    for (unsigned left = 1 + choices.pick(10); left > 0; --left) writer.request();
    writer.end(sequence.faults);
    if (choices.one_in(4)) {
      script.vanishes = true;
      const std::size_t back = choices.pick(256);
      if (choices.one_in(2) && script.bytes.size() > back) script.bytes.resize(script.bytes.size() - back);
    }
    sequence.clients.push_back(std::move(script));
  }
  return sequence;
}

ClientScript auditor_script() {
  ClientScript script;
  script.tag = "auditor";
  const std::pair<std::string_view, std::string_view> parameters[] = {{"user", "app"}, {"database", "main"}};
  protocol::encode_startup(protocol::kProtocol30, parameters, script.bytes);
  for (const char* name : kSettings) protocol::encode_query("SHOW " + std::string(name), script.bytes);
  for (const char* name : {"", "p", "q", "r"}) {
    protocol::encode_describe('S', name, script.bytes);
    protocol::encode_sync(script.bytes);
  }
  protocol::encode_query("EXECUTE p", script.bytes);
  protocol::encode_execute("c", 0, script.bytes);
  protocol::encode_sync(script.bytes);
  protocol::encode_query("SAVEPOINT a", script.bytes);
  protocol::encode_query("INSERT INTO log VALUES ('auditor-1')", script.bytes);
  script.waits.push_back(script.bytes.size());
  protocol::encode_terminate(script.bytes);
  return script;
}

}  // namespace pgweir::model
