#include "proxy/admin/extended.h"

#include <algorithm>
#include <utility>

#include "protocol/backend_codec.h"
#include "protocol/frontend_codec.h"
#include "proxy/admin/lexer.h"

namespace pgweir::admin {

using protocol::SqlError;

void Extended::take(char type, std::string_view body, Reply done) {
  if (type == 'S') {
    skipping_ = false;
    portals_.clear();  // the end of the implicit transaction
    std::string out;
    protocol::encode_ready_for_query(protocol::TransactionStatus::Idle, out);
    return done(std::move(out));
  }
  if (skipping_ || type == 'H') return done({});  // everything is sent at once
  switch (type) {
    case 'P': return parse(body, std::move(done));
    case 'B': return bind(body, std::move(done));
    case 'D': return describe(body, std::move(done));
    case 'E': return execute(body, std::move(done));
    case 'C': return close(body, std::move(done));
    default: return fail({"0A000", "the console does not take this message", {}, {}, {}, {}}, done);
  }
}

void Extended::fail(const SqlError& error, const Reply& done) {
  skipping_ = true;
  std::string out;
  protocol::encode_error(error, protocol::Severity::Error, out);
  done(std::move(out));
}

void Extended::parse(std::string_view body, Reply done) {
  const auto message = protocol::decode_parse(body);
  if (!message) return fail(message.error(), done);
  const auto parts = split_statements(message->query);
  if (parts.size() > 1)
    return fail({"42601", "cannot insert multiple commands into a prepared statement", {}, {}, {}, {}}, done);
  if (!message->name.empty() && statements_.contains(message->name))
    return fail({"42P05", "prepared statement \"" + std::string(message->name) + "\" already exists", {}, {}, {}, {}}, done);
  if (statements_.size() >= kMaxEntries)
    return fail({"54000", "too many prepared statements on the console", {}, {}, {}, {}}, done);
  statements_[std::string(message->name)] = parts.empty() ? std::string() : std::string(parts.front());
  std::string out;
  protocol::encode_parse_complete(out);
  done(std::move(out));
}

void Extended::bind(std::string_view body, Reply done) {
  const auto message = protocol::decode_bind(body);
  if (!message) return fail(message.error(), done);
  const auto statement = statements_.find(message->statement);
  if (statement == statements_.end())
    return fail({"26000", "prepared statement \"" + std::string(message->statement) + "\" does not exist", {}, {}, {}, {}}, done);
  if (message->parameters.size() != 0)
    return fail({"08P01", "bind message supplies " + std::to_string(message->parameters.size()) +
                              " parameters, but the console's statements take none", {}, {}, {}, {}}, done);
  for (std::size_t i = 0; i < message->result_formats.count(); ++i)
    if (const auto code = message->result_formats.of(i); code != 0 && code != 1)
      return fail({"22023", "unsupported format code: " + std::to_string(code), {}, {}, {}, {}}, done);
  if (!message->portal.empty() && portals_.contains(message->portal))
    return fail({"42P03", "cursor \"" + std::string(message->portal) + "\" already exists", {}, {}, {}, {}}, done);
  if (portals_.size() >= kMaxEntries)
    return fail({"54000", "too many portals on the console", {}, {}, {}, {}}, done);
  portals_[std::string(message->portal)] = {statement->second, std::string(message->result_formats.raw()), std::nullopt, 0};
  std::string out;
  protocol::encode_bind_complete(out);
  done(std::move(out));
}

Extended::Portal* Extended::find_portal(std::string_view name) {
  const auto found = portals_.find(name);
  return found == portals_.end() ? nullptr : &found->second;
}

void Extended::describe(std::string_view body, Reply done) {
  const auto message = protocol::decode_describe(body);
  if (!message) return fail(message.error(), done);
  std::string text;
  Portal* portal = nullptr;
  std::string out;
  if (message->kind == 'S') {
    const auto statement = statements_.find(message->name);
    if (statement == statements_.end())
      return fail({"26000", "prepared statement \"" + std::string(message->name) + "\" does not exist", {}, {}, {}, {}}, done);
    text = statement->second;
    protocol::encode_parameter_description({}, out);
  } else {
    portal = find_portal(message->name);
    if (!portal) return fail({"34000", "portal \"" + std::string(message->name) + "\" does not exist", {}, {}, {}, {}}, done);
    text = portal->text;
  }
  if (!Console::only_shows(text)) {
    protocol::encode_no_data(out);
    return done(std::move(out));
  }
  // What a portal's Describe has shown is what its Execute sends. Nothing else is taken meanwhile: `portal` stays.
  console_.run(text, [this, portal, out = std::move(out), done = std::move(done)](Answer answer) mutable {
    if (!answer) return fail(answer.error(), done);
    encode_columns(*answer, protocol::FormatCodes(portal ? portal->formats : std::string_view()), out);
    if (portal) portal->answer = std::move(*answer);
    done(std::move(out));
  });
}

void Extended::send_rows(Portal& portal, std::int32_t limit, std::string& out) {
  const Table& table = *portal.answer;
  const std::size_t left = table.rows.size() - portal.next;
  const std::size_t count = limit > 0 ? std::min(left, static_cast<std::size_t>(limit)) : left;
  encode_rows(table, protocol::FormatCodes(portal.formats), portal.next, count, out);
  portal.next += count;
  // As PostgreSQL: suspended when the limit was reached, also at the last row.
  if (limit > 0 && count == static_cast<std::size_t>(limit))
    protocol::encode_portal_suspended(out);
  else
    protocol::encode_command_complete(table.tag, out);
}

void Extended::execute(std::string_view body, Reply done) {
  const auto message = protocol::decode_execute(body);
  if (!message) return fail(message.error(), done);
  Portal* portal = find_portal(message->portal);
  if (!portal) return fail({"34000", "portal \"" + std::string(message->portal) + "\" does not exist", {}, {}, {}, {}}, done);
  std::string out;
  if (portal->text.empty()) {
    protocol::encode_empty_query_response(out);
    return done(std::move(out));
  }
  if (portal->answer) {
    send_rows(*portal, message->max_rows, out);
    return done(std::move(out));
  }
  console_.run(portal->text, [this, portal, limit = message->max_rows, done = std::move(done)](Answer answer) {
    if (!answer) return fail(answer.error(), done);
    portal->answer = std::move(*answer);
    std::string rows;
    send_rows(*portal, limit, rows);
    done(std::move(rows));
  });
}

void Extended::close(std::string_view body, Reply done) {
  const auto message = protocol::decode_close(body);
  if (!message) return fail(message.error(), done);
  if (message->kind == 'S') {
    if (const auto found = statements_.find(message->name); found != statements_.end()) statements_.erase(found);
  } else if (const auto found = portals_.find(message->name); found != portals_.end()) {
    portals_.erase(found);
  }
  std::string out;
  protocol::encode_close_complete(out);
  done(std::move(out));
}

}  // namespace pgweir::admin
