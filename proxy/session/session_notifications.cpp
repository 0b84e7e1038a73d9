// Session: LISTEN without a server of its own.
//
// LISTEN and UNLISTEN run on the client's server, so that tags, errors and transactions are PostgreSQL's. When the
// transaction has ended the census tells the channels; the listening connection (listening.h) takes them over, the server
// forgets them (UNLISTEN *) and sends a mark through the queue of notifications. Only then the client gets its
// ReadyForQuery: everything before the mark has been received, its own notifications too. A session that listens brings
// its channels along to each server that it gets, so that pg_listening_channels() and UNLISTEN mean what they should.
#include <openssl/rand.h>

#include <algorithm>

#include "proxy/session/cancel.h"
#include "proxy/session/notifications.h"
#include "proxy/session/session.h"

namespace pgweir::session {

using protocol::Frame;
using protocol::SqlError;
using protocol::TransactionStatus;
using routing::StatementKind;
using Stage = Notifications::Stage;

namespace {

bool says(std::string_view text, std::string_view word) {
  return std::search(text.begin(), text.end(), word.begin(), word.end(), [](char a, char b) {
           return (a >= 'A' && a <= 'Z' ? static_cast<char>(a + 32) : a) == b;
         }) != text.end();
}

}  // namespace

bool Session::listens() const { return notifications_ && notifications_->subscriber && !notifications_->channels.empty(); }

// Notices come in the servers' encoding, so the client's must be the same; in session mode all is PostgreSQL's own.
bool Session::may_share_listening() const {
  if (pool_settings().mode == config::PoolMode::Session) return false;
  const auto* client = told_->find("client_encoding");
  const auto* server = told_->find("server_encoding");
  return client && server && *client == *server;
}

// Since LISTEN the client may have asked for another encoding: nothing here converts, but ASCII is the same in all.
bool Session::can_tell(const Notice& notice) const {
  const auto ascii = [](std::string_view text) { return std::all_of(text.begin(), text.end(), [](char c) { return (c & 0x80) == 0; }); };
  return (ascii(notice.payload) && ascii(notice.channel)) || may_share_listening();
}

bool Session::at_home(const Link& link) const {
  const auto& cluster = *routing_->cluster;
  return link.role() == routing::Role::Primary && cluster.shards[link.shard().value].name == cluster.home;
}

// Before a statement gets its server. Behind a plain SELECT nobody has to wait for a mark.
void Session::note_light(const routing::Analysis& analysis) {
  const auto& all = analysis.statements;
  light_ = all.size() == 1 && all.front().kind == StatementKind::Select && all.front().read_only && !in_block() &&
           !says(analysis.text, "pg_listening_channels");
}

// The channels of this session, for a server that is being made ready for it; empty: there is nothing to do.
std::string Session::mirror_sql(Link& link) {
  if (!listens() || light_ || link.mirrored || !at_home(link)) return {};
  std::string sql;
  for (const auto& channel : notifications_->channels) sql += "LISTEN " + pool::quote_identifier(channel) + ";";
  link.mirrored = link.listening = true;
  return sql + Listening::mark_sql(*notifications_->pool, identity_.id, 'b', 0);
}

// For who gets the notifications of others: the client whose statement a backend ran last.
void Session::note_notifier(Link& link, const routing::StatementFacts& facts) {
  if (facts.kind == StatementKind::Listen) barrier_ = true;
  if (!Listening::wanted() || facts.read_only || !at_home(link)) return;
  if (facts.kind == StatementKind::Notify || facts.kind == StatementKind::Select || facts.runs_code)
    Listening::note_notifier(link.server().target().endpoint, link.server().backend_pid(), identity_.cancel_pid);
}

// A transaction has ended. True: its ReadyForQuery waits for settle_notifications(). Else notices go out before it.
bool Session::holds_ready(Link& link) {
  if (tx_ != TransactionStatus::Idle || client_gone()) return false;
  const bool first = link.listening && !link.mirrored && link.pinned.empty() && may_share_listening() && at_home(link);
  const bool mirrored = std::any_of(links_.begin(), links_.end(), [](const auto& l) { return l->open() && l->mirrored; });
  if ((first || (mirrored && !light_)) && link.idle() && !group_.relayed) return ready_held_ = true;
  if (!notifications_.or_default().queue.empty()) link.flush_before(take_notices(Listening::kMaxWaiting));
  return false;
}

bool Session::holds_virtual_ready() {
  if (tx_ != TransactionStatus::Idle || local_failed_) return false;
  return ready_held_ = std::any_of(links_.begin(), links_.end(), [](const auto& l) { return l->open() && l->mirrored; });
}

void Session::tell_held_ready() {
  if (!std::exchange(ready_held_, false) || client_gone()) return;
  send_ready();
}

// What the census found. False: the server is kept for them.
bool Session::adopts_channels(const Link& link, bool pinned_otherwise) const {
  return link.mirrored || (ready_held_ && link.pinned.empty() && !pinned_otherwise && at_home(link));
}

// Called when all else behind a transaction is done. True: settled() will be called again.
bool Session::settle_notifications() {
  const bool light = std::exchange(light_, false);
  if (client_gone()) return false;
  if (const auto stage = notifications_.or_default().stage; stage != Stage::None) {
    if (stage == Stage::Done) notifications_->stage = Stage::None;
    return stage != Stage::Done;
  }
  Link* home = nullptr;
  for (auto& link : links_)
    if (link->open() && link->listening && (link->adopted || (link->mirrored && !light))) home = link.get();
  if (!home) return false;
  auto& state = notifications_.made();
  state.next = std::exchange(home->adopted, false) ? std::move(home->channels) : state.channels;
  home->channels.clear();
  if (state.next == state.channels) {
    if (!state.next.empty()) mark(*home);
    else home->listening = false;
    return !state.next.empty();
  }
  state.queue.erase_if([&](const NoticePtr& notice) {  // PostgreSQL, too, looks at what is listened to when it gives them
    if (state.next.contains(notice->channel)) return false;
    state.subscriber->waiting.fetch_sub(notice->weight(), std::memory_order_relaxed);
    return true;
  });
  if (mode_ != Mode::Orphan) mode_ = Mode::Settle;
  if (state.next.empty()) {
    forget_channels();
    mark(*home);
    return true;
  }
  if (!state.subscriber) state.subscriber = std::make_shared<Subscriber>(context_, identity_.id, identity_.cancel_pid);
  state.pool = &pool_for({home->shard(), -1});
  state.stage = Stage::Subscribe;
  ++settling_;
  Listening::update(*state.pool, state.subscriber, state.next);
  return true;
}

void Session::forget_channels() {
  if (!notifications_) return;
  auto& state = *notifications_;
  if (state.subscriber) Listening::leave(*state.pool, std::exchange(state.subscriber, nullptr));
  state.channels.clear();
  state.next.clear();
  state.queue.clear();
}

// The listening connection has every channel of this session, or could not be had.
void Session::on_subscribed(const std::optional<SqlError>& error) {
  auto& state = notifications_.made();
  if (state.stage != Stage::Subscribe) return;
  --settling_;
  state.stage = Stage::None;
  Link* home = nullptr;
  for (auto& link : links_)
    if (link->open() && link->listening) home = link.get();
  if (!home) return;  // lost: the session ends with it
  if (error && !state.channels.empty()) return fatal(*error);
  if (error) {  // as ever: the client keeps the server that listens for it
    forget_channels();
    home->pinned = "listen";
    pinned_ = "listen";
    state.stage = Stage::Done;
    return settled();
  }
  mark(*home);
}

// The server forgets the channels, unless it is kept, and says that all of this transaction is in the queue.
void Session::mark(Link& home) {
  auto& state = notifications_.made();
  if (mode_ != Mode::Orphan) mode_ = Mode::Settle;
  // One that is kept for its sequences may still be released: settled() makes it ready again if it is not.
  const bool kept = !pinned_.empty() && pinned_ != "sequence";
  std::string sql = kept ? "" : "UNLISTEN *;";
  if (!state.next.empty()) {
    RAND_bytes(reinterpret_cast<unsigned char*>(&state.mark), sizeof state.mark);
    state.marker = home.server().backend_pid();
    sql += Listening::mark_sql(*state.pool, identity_.id, kept ? 'k' : 'e', state.mark);
    state.mark_awaited = true;
    ++settling_;
  }
  state.stage = Stage::Mark;
  ++settling_;
  ++home.settling;
  // A cancel that is under way, and too late for its statement, would end this one, and with it the session.
  when_cancels_ended(home.server(), [&context = context_, id = identity_.id, server = home.server().id(), sql = sql.empty() ? std::string(";") : sql, kept] {
    const auto found = context.sessions.find(id);
    if (found == context.sessions.end()) return;
    for (auto& link : found->second->links_)
      if (link->open() && link->server().id() == server && link->settling != 0) return found->second->send_mark(*link, sql, kept);
  });
}

void Session::send_mark(Link& home, const std::string& sql, bool kept) {
  context_.cells.injected_commands.add();
  home.inject(sql, [this, kept](Link& link, Injected& result) {
    --settling_;
    --link.settling;
    if (result.error || result.skipped) {
      discard_link(link);
      if (!client_gone()) return fatal({"08006", "the server connection with this session's subscriptions had to be closed", result.error ? result.error->message : "", {}, {}, {}});
    } else if (!kept) {
      link.mirrored = link.listening = false;
    } else {
      link.mirrored = !notifications_->next.empty();
    }
    marked();
  });
}

void Session::on_mark(std::int32_t backend, std::uint64_t number) {
  auto& state = notifications_.made();
  if (!state.mark_awaited || number != state.mark || backend != state.marker) return;
  state.mark_awaited = false;
  --settling_;
  marked();
}

void Session::marked() {
  auto& state = notifications_.made();
  if (settling_ != 0) return;
  if (state.stage == Stage::Mark) {
    state.channels = std::move(state.next);
    state.next.clear();
    state.stage = Stage::Done;
  }
  settled();
}

void Session::on_listening_lost(const SqlError& error) {
  auto& state = notifications_.made();
  if (client_gone() || !state.subscriber) return;
  if (state.stage == Stage::Subscribe && state.channels.empty()) return on_subscribed(error);
  fatal({"57P01", "terminating connection because the connection that listens for its notifications was lost", error.message,
         "Notifications may have been missed. Connect and LISTEN again.", {}, {}});
}

void Session::on_notices_overflow() {
  fatal({"53200", "too many notifications wait for this client",
         "More than " + std::to_string(Listening::kMaxWaiting >> 20) + " MiB have not been read.", {}, {}, {}});
}

void Session::on_notice(const NoticePtr& notice) {
  auto& state = notifications_.made();
  if (client_gone() || !state.subscriber) return;
  const bool changing = state.stage == Stage::Subscribe || state.stage == Stage::Mark;
  if (!state.channels.contains(notice->channel) || (changing && !state.next.contains(notice->channel))) {
    state.subscriber->waiting.fetch_sub(notice->weight(), std::memory_order_relaxed);
    return;
  }
  if (!can_tell(*notice)) {
    return fatal({"22P05", "a notification cannot be told in this client's encoding", "Channel \"" + notice->channel + "\".",
                  "Set client_encoding before the first LISTEN.", {}, {}});
  }
  state.queue.push_back(notice);
  deliver_notices();
}

// Between the client's requests: at once. Else they go in front of the next ReadyForQuery that ends a transaction.
void Session::deliver_notices() {
  if (notifications_.or_default().queue.empty()) return;
  const bool busy = mode_ != Mode::Open || !stream_ || in_block() || group_.open || virtual_ ||
                    std::any_of(links_.begin(), links_.end(), [](const auto& l) { return l->open() && !l->idle(); });
  constexpr std::size_t kAtOnce = 64u << 10;
  while (!busy && !notifications_->queue.empty() && !stream_->above_high_water()) to_client(take_notices(kAtOnce));  // the rest in on_drained()
}

std::string Session::take_notices(std::size_t about) {
  std::string out;  // precondition: there are some
  auto& queue = notifications_->queue;
  while (!queue.empty() && out.size() < about) {
    const NoticePtr notice = std::move(queue.front());
    queue.pop_front();
    notifications_->subscriber->waiting.fetch_sub(notice->weight(), std::memory_order_relaxed);
    protocol::encode_notification(notice->pid, notice->channel, notice->payload, out);
    context_.cells.notifications.add();
  }
  return out;
}

// NotificationResponse of the client's own server. The listening connection gives those of channels that it has.
bool Session::on_server_notification(Link& link, const Frame& frame) {
  const auto told = protocol::decode_notification(frame.body());
  if (!told || client_gone() || ready_held_ || notifications_.or_default().stage != Stage::None) return false;
  if (link.mirrored && listens() && notifications_->channels.contains(std::string(told->channel))) return false;
  const bool own = told->pid == link.server().backend_pid();
  std::string message;
  protocol::encode_notification(own ? identity_.cancel_pid : Listening::notifier(link.server().target().endpoint, told->pid), told->channel,
                                told->payload, message);
  link.flush_before(message);
  context_.cells.notifications.add();
  return false;
}

// The client has gone, or is told to.
void Session::leave_listening() {
  ready_held_ = false;
  if (!notifications_) return;
  auto& state = *notifications_;
  if (state.stage == Stage::Subscribe) --settling_;
  if (std::exchange(state.mark_awaited, false)) --settling_;
  state.stage = Stage::None;
  forget_channels();
}

}  // namespace pgweir::session
