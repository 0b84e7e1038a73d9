// BackendModel: the loop of messages.
#include "tests/model/backend_model.h"

#include "protocol/backend_codec.h"
#include "protocol/byte_io.h"

namespace pgweir::model {

using protocol::load_u32;

namespace {

constexpr std::uint32_t kCancelRequest = 80877102, kSslRequest = 80877103;
constexpr protocol::Oid kText = 25;

}  // namespace

void BackendModel::feed(std::string_view bytes) {
  input_ += bytes;
  std::string_view rest = input_;
  while (!ended_) {
    if (!logged_in_) {
      if (rest.size() < 8 || rest.size() < load_u32(rest, 0)) break;
      const std::size_t size = load_u32(rest, 0);
      start(rest.substr(0, size));
      rest.remove_prefix(size);
      continue;
    }
    if (rest.size() < 5 || rest.size() < load_u32(rest, 1) + std::size_t{1}) break;
    const std::size_t size = load_u32(rest, 1) + std::size_t{1};
    message(rest.front(), rest.substr(5, size - 5));
    rest.remove_prefix(size);
  }
  input_.erase(0, input_.size() - rest.size());
}

void BackendModel::start(std::string_view packet) {
  const std::uint32_t code = load_u32(packet, 4);
  if (code == kSslRequest) {
    output_ += 'N';
    return;
  }
  if (code == kCancelRequest) {
    ended_ = true;
    return;
  }
  logged_in_ = true;
  if (code != protocol::kProtocol30) protocol::encode_negotiate_protocol_version(protocol::kProtocol30, {}, output_);
  output_ += std::string("R\0\0\0\x08\0\0\0\0", 9);
  protocol::encode_parameter_status("server_version", "15.0", output_);
  protocol::encode_parameter_status("client_encoding", "UTF8", output_);
  protocol::encode_parameter_status("standard_conforming_strings", "on", output_);
  for (const auto& name : SettingsModel::reported()) told_[name] = "?";
  std::string key;
  protocol::encode_backend_key_data(pid_, "4711", key);
  for (auto& [name, told] : told_) protocol::encode_parameter_status(name, told = settings_.show(name), output_);
  output_ += key;
  ready();
}

void BackendModel::message(char type, std::string_view body) {
  if (copy_ != Copy::None) return copy_message(type, body);
  if (skipping_ && type != 'S' && type != 'X') return;
  extended_ = std::string_view("PBDECS").find(type) != std::string_view::npos;
  switch (type) {
    case 'Q': return simple_query(protocol::decode_query(body)->text);
    case 'P': return parse(*protocol::decode_parse(body));
    case 'B': return bind(*protocol::decode_bind(body));
    case 'D': return describe(*protocol::decode_describe(body));
    case 'E': return execute(*protocol::decode_execute(body));
    case 'C': return close(*protocol::decode_close(body));
    case 'F': return function_call();
    case 'S': return sync();
    case 'X': ended_ = true; return;
    default: return;  // Flush, and late CopyData, CopyDone, CopyFail
  }
}

void BackendModel::copy_message(char type, std::string_view body) {
  switch (type) {
    case 'd':
      copied_.emplace_back(body.substr(0, body.find('\n')));
      return;
    case 'c': {
      const bool simple = std::exchange(copy_, Copy::None) == Copy::Simple;
      rows_.insert(rows_.end(), copied_.begin(), copied_.end());
      if (simple && todo_.empty()) end_implicit();
      protocol::encode_command_complete("COPY " + std::to_string(copied_.size()), output_);
      if (simple) go_on();
      return;
    }
    case 'f':
      extended_ = std::exchange(copy_, Copy::None) == Copy::Extended;
      error("57014", "COPY from stdin failed: " + std::string(protocol::decode_copy_fail(body)->message));
      if (!extended_) end_query();
      return;
    case 'H':
    case 'S': return;
    case 'X':  // read as an unexpected message: the connection is lost either way
    default: ended_ = true; return;
  }
}

void BackendModel::simple_query(std::string_view text) {
  prepared_.erase("");
  auto statements = parse_model_sql(text);
  several_ = statements.size() > 1;
  todo_.assign(statements.begin(), statements.end());
  if (statements.size() == 1 && statements.front().kind == Statement::Kind::Syntax) {
    error("42601", "syntax error at or near \"" + statements.front().value + "\"");
    return end_query();
  }
  if (statements.empty()) protocol::encode_empty_query_response(output_);
  go_on();
}

void BackendModel::go_on() {
  while (!todo_.empty()) {
    const Statement statement = todo_.front();
    todo_.pop_front();
    if (refused_in_failed_block(statement)) return end_query();
    begin_implicit();
    portals_.erase("");  // each statement of a Query runs in it
    if (meant(statement).kind == Statement::Kind::CopyIn) {
      copy_ = Copy::Simple;
      copied_.clear();
      const std::int16_t formats[] = {0};
      protocol::encode_copy_in_response(protocol::Format::Text, formats, output_);
      return;
    }
    if (meant(statement).returns_rows()) describe_rows(meant(statement));
    std::string tag;
    if (!run(statement, true, "", tag)) return end_query();
    if (todo_.empty()) end_implicit();
    protocol::encode_command_complete(tag, output_);
  }
  end_query();
}

void BackendModel::end_query() {
  todo_.clear();
  several_ = false;
  end_implicit();
  ready();
}

bool BackendModel::refused_in_failed_block(const Statement& statement) {
  if (tx_ != Tx::Failed || statement.ends_transaction()) return false;
  error("25P02", "current transaction is aborted, commands ignored until end of transaction block");
  return true;
}

BackendModel::Prepared* BackendModel::find_prepared(const std::string& name) {
  const auto found = prepared_.find(name);
  if (found != prepared_.end()) return &found->second;
  error("26000", name.empty() ? "unnamed prepared statement does not exist"
                              : "prepared statement \"" + name + "\" does not exist");
  return nullptr;
}

void BackendModel::parse(const protocol::Parse& parse) {
  begin_implicit();
  const std::string name(parse.name);
  if (name.empty()) prepared_.erase("");
  const auto statements = parse_model_sql(parse.query);
  if (statements.size() > 1) {
    error("42601", "cannot insert multiple commands into a prepared statement");
    return;
  }
  Prepared made{std::string(parse.query), {}, false, statements.empty()};
  if (statements.empty()) {
    made.statement.kind = Statement::Kind::Empty;
  } else {
    made.statement = statements.front();
    if (made.statement.kind == Statement::Kind::Syntax) {
      error("42601", "syntax error at or near \"" + made.statement.value + "\"");
      return;
    }
    if (refused_in_failed_block(made.statement)) return;
  }
  if (!name.empty() && prepared_.contains(name)) {
    error("42P05", "prepared statement \"" + name + "\" already exists");
    return;
  }
  prepared_[name] = std::move(made);
  protocol::encode_parse_complete(output_);
}

void BackendModel::bind(const protocol::Bind& bind) {
  begin_implicit();
  Prepared* prepared = find_prepared(std::string(bind.statement));
  if (prepared == nullptr) return;
  const std::size_t wanted = prepared->statement.kind == Statement::Kind::Parameter ? 1 : 0;
  if (bind.parameters.size() != wanted) {
    error("08P01", "bind message supplies " + std::to_string(bind.parameters.size()) +
                       " parameters, but prepared statement \"" + std::string(bind.statement) + "\" requires " +
                       std::to_string(wanted));
    return;
  }
  if (!prepared->empty && refused_in_failed_block(prepared->statement)) return;
  const std::string name(bind.portal);
  if (!name.empty() && portals_.contains(name)) {
    error("42P03", "cursor \"" + name + "\" already exists");
    return;
  }
  Portal portal{*prepared, "", 0, false, savepoints_.size()};
  for (const auto& parameter : bind.parameters) portal.parameter = parameter.value_or("");
  portals_[name] = std::move(portal);
  protocol::encode_bind_complete(output_);
}

void BackendModel::describe(const protocol::Describe& describe) {
  begin_implicit();
  const std::string name(describe.name);
  const Statement* statement = nullptr;
  if (describe.kind == 'S') {
    const Prepared* prepared = find_prepared(name);
    if (prepared == nullptr) return;
    statement = &prepared->statement;
  } else {
    const auto found = portals_.find(name);
    if (found == portals_.end()) {
      error("34000", "portal \"" + name + "\" does not exist");
      return;
    }
    statement = &found->second.prepared.statement;
  }
  if (statement->returns_rows() && refused_in_failed_block(*statement)) return;
  if (describe.kind == 'S') {
    const protocol::Oid types[] = {kText};
    protocol::encode_parameter_description(
        std::span(types, statement->kind == Statement::Kind::Parameter ? 1 : 0), output_);
  }
  if (statement->returns_rows())
    describe_rows(*statement);
  else
    protocol::encode_no_data(output_);
}

void BackendModel::execute(const protocol::Execute& execute) {
  begin_implicit();
  const std::string name(execute.portal);
  const auto found = portals_.find(name);
  if (found == portals_.end()) {
    error("34000", "portal \"" + name + "\" does not exist");
    return;
  }
  Portal& portal = found->second;
  const Statement statement = portal.prepared.statement;
  if (portal.prepared.empty) return protocol::encode_empty_query_response(output_);
  if (refused_in_failed_block(statement)) return;
  if (portal.done && !statement.returns_rows()) {
    error("55000", "portal \"" + name + "\" cannot be run");
    return;
  }
  portal.done = true;
  if (statement.kind == Statement::Kind::CopyIn) {
    copy_ = Copy::Extended;
    copied_.clear();
    const std::int16_t formats[] = {0};
    return protocol::encode_copy_in_response(protocol::Format::Text, formats, output_);
  }
  if (statement.kind == Statement::Kind::Rows || statement.kind == Statement::Kind::Parameter) {
    if (std::exchange(fails_next_, false)) {
      error("XX000", "the server fails");
      return;
    }
    std::size_t count = 0;
    for (; portal.row < statement.rows && (execute.max_rows <= 0 || count < static_cast<std::size_t>(execute.max_rows));
         ++portal.row, ++count)
      row({value(statement, portal.parameter, portal.row)});
    // It is known to be at its end only when a row more was wanted than there is.
    if (execute.max_rows > 0 && count == static_cast<std::size_t>(execute.max_rows))
      return protocol::encode_portal_suspended(output_);
    return protocol::encode_command_complete("SELECT " + std::to_string(count), output_);
  }
  std::string tag;
  const std::string parameter = portal.parameter;
  if (!run(statement, true, parameter, tag)) return;
  if (statement.controls_transaction()) end_implicit();
  protocol::encode_command_complete(tag, output_);
}

void BackendModel::close(const protocol::Close& close) {
  begin_implicit();
  if (close.kind == 'S')
    prepared_.erase(std::string(close.name));
  else
    portals_.erase(std::string(close.name));
  protocol::encode_close_complete(output_);
}

void BackendModel::function_call() {
  if (tx_ == Tx::Failed) {
    error("25P02", "current transaction is aborted, commands ignored until end of transaction block");
  } else {
    output_ += std::string("V\0\0\0\x0a\0\0\0\x02", 9) + "fc";
    end_implicit();
  }
  ready();
}

void BackendModel::sync() {
  skipping_ = false;
  end_implicit();
  ready();
}

}  // namespace pgweir::model
