// One logged-in client: takes its messages, decides where they run, and gives it the answers. Lives on one worker.
//
// Messages are handled strictly in order. A handler that cannot finish now (no server yet, a reply must come first) says
// Later: the message stays in the stream's buffer, reading stops, and the same message is handled again when the session
// is woken. Handlers are therefore written so that running them again from the start is right.
//
// Ways a request takes:
//  - relay: one server answers it; its bytes are forwarded by view (session_query, session_extended, session_relay);
//  - virtual: the proxy itself is the server: several shards, or an answer of our own (virtual_group, gather).
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "protocol/backend_codec.h"
#include "protocol/boxed.h"
#include "protocol/fifo.h"
#include "protocol/frame_reader.h"
#include "protocol/frontend_codec.h"
#include "protocol/thin_vector.h"
#include "proxy/net/stream.h"
#include "proxy/net/timer.h"
#include "proxy/pool/checkout.h"
#include "proxy/session/identity.h"
#include "proxy/session/late_parts.h"
#include "proxy/session/link.h"
#include "proxy/session/meter.h"
#include "proxy/session/notifications.h"
#include "proxy/session/naming.h"
#include "proxy/session/hints.h"
#include "proxy/session/statement.h"
#include "proxy/session/tally.h"
#include "proxy/session/worker_context.h"

namespace pgweir::session {

class VirtualGroup;

class Session final : public net::Disposable, public net::StreamHandler, public LinkSink, public pool::CheckoutOwner {
 public:
  Session(WorkerContext& context, std::unique_ptr<net::Stream> stream, Identity identity);
  ~Session() override;

  const Identity& identity() const { return identity_; }
  void set_hints(RoutingHints hints) { if (!hints.none()) hints_.made().now = std::move(hints); }
  runtime::ClientInfo info() const;
  // A CancelRequest with this session's key came. `told` is released when all has been done about it: what the client
  // sends from then on is not hit.
  void cancel(std::shared_ptr<void> told);
  void drain(bool now, bool servers = false);                // end at the next transaction boundary, or now (57P01)
  // From the listening connection, in the order of its queue: session_notifications.cpp.
  bool subscribes_as(const SubscriberPtr& subscriber) const { return notifications_.or_default().subscriber == subscriber; }
  void on_subscribed(const std::optional<protocol::SqlError>& error);
  void on_notice(const NoticePtr& notice);
  void on_mark(std::int32_t backend, std::uint64_t number);
  void on_notices_overflow();
  void on_listening_lost(const protocol::SqlError& error);
  bool rests();                        // at_rest.cpp

 private:
  friend class VirtualGroup; friend class Gather;

  enum class Step : std::uint8_t { Done, Later };
  enum class Mode : std::uint8_t {
    Open,       // messages are taken
    Checkout,   // waiting for server connections
    Prepare,    // waiting for settings to be applied
    Virtual,    // a virtual group runs
    CopyData,   // a virtual group takes CopyData
    Settle,     // census or catalog refresh behind a finished transaction
    Orphan,     // the client is gone: what was received is being finished
    Closed
  };

  // ---- session.cpp: the client's stream
  std::size_t on_bytes(std::string_view bytes) override;
  void on_drained() override; void on_hangup() override;
  void on_closed(const net::StreamError& error) override;
  Step handle(const protocol::Frame& frame);
  void wake_if_waiting();
  void wake();                                        // Open again: messages are presented again
  void to_client(std::string_view bytes) {
    if (!stream_) return;
    count_sent(bytes.size());
    stream_->send(bytes);
  }
  void count_sent(std::size_t bytes) { context_.cells.bytes_to_clients.add(bytes), tenancy_->cells->sent.add(bytes); }
  void send_error(const protocol::SqlError& error, protocol::Severity severity = protocol::Severity::Error);
  void send_ready(), answer_ready();                  // answer_ready(): to a request that no server has
  void fatal(const protocol::SqlError& error), kill(const protocol::SqlError& error);  // tells the client and ends; its servers too
  void end();                                         // ends without a word
  void orphan(), orphan_step();
  void cancel_work_again();                           // of a client that is gone: session_idle.cpp
  void fail_copy_in(Link& link);
  void on_timer(), cancel_overdue();
  bool retell_overdue(Link& link, const protocol::Frame& frame);   // session_idle.cpp
  bool takes_input() const { return mode_ == Mode::Open || mode_ == Mode::CopyData; }
  bool client_gone() const { return mode_ == Mode::Orphan || mode_ == Mode::Closed; }

  // ---- session_context.cpp: what decisions depend on
  bool ends_now();
  void refresh_routing();                             // newest snapshot, between transactions only
  const routing::RouteContext& route_context();
  std::shared_ptr<const routing::Analysis> analyze(std::string_view sql);
  void note_route(const routing::Route* route, const protocol::SqlError* refusal);
  const config::Pool& pool_settings() const { return tenancy_->pool; }
  pool::Pool& pool_for(const pool::EndpointId& endpoint);
  bool in_block() const { return tx_ != protocol::TransactionStatus::Idle; }

  // ---- session_links.cpp: server connections
  struct Wanted { routing::ShardId shard; routing::Role role = routing::Role::Primary; };
  // Done: every wanted shard has a link with the session's settings. Later: the session will be woken. An error: refused.
  std::optional<protocol::SqlError> acquire(const std::vector<Wanted>& wanted, Step& step);
  std::optional<protocol::SqlError> acquire_one(const routing::Route& route, Step& step);  // sets relay_
  std::optional<protocol::SqlError> refuse_widening() const;
  std::vector<pool::Pool*> wanted_pools();
  void count_assignment(std::chrono::microseconds waited), transaction_ended();
  void on_checkout(std::vector<pool::Lease> leases) override;
  void on_checkout_failed(const protocol::SqlError& error) override; void on_checkout_slow(const protocol::SqlError& notice) override;
  void add_links(std::vector<pool::Lease> leases);
  void prepare(Link& link);
  void prepared(Link& link, Injected& result);
  void links_prepared(), made_ready(Link& link), finish_late(Link& link);   // session_late.cpp
  void forget_waits(Link& link);
  void discard_link(Link& link);
  bool lost_participant() const;
  static protocol::SqlError lost_participant_error();
  Link* find_link(routing::ShardId shard, routing::Role role);
  bool participates(const Link& link) const;
  void drop_link(Link* link);
  void finish_transaction();                          // at a boundary: census where needed, then release
  void release_links();
  void settled();
  void drop_own_names(Link& link);
  void await_injected(Link& link);
  void census(Link& link);
  std::set<std::string> census_names(Link& link) const;
  bool census_again(Link& link, const Injected& result), read_new_code(Link& link, const Injected& result);
  void on_census(Link& link, Injected& result);
  void tell_parameters(Link& link);
  void inject_begin(Link& link), begun_on(Link& link, const Injected& result), fail_block();
  std::chrono::milliseconds send_overdue_begin(std::chrono::steady_clock::time_point now);   // session_idle.cpp

  // ---- session_query.cpp: simple protocol
  Step on_query(const protocol::Frame& frame), finish_batch(bool follows);
  Step on_single(const protocol::Frame& frame, const std::shared_ptr<const routing::Analysis>& analysis);
  Step on_multi(const protocol::Frame& frame, const std::shared_ptr<const routing::Analysis>& analysis);
  Step relay_query(const protocol::Frame& frame, const routing::Analysis& analysis, const routing::Route& route);
  void forward_query(const protocol::Frame& frame, const routing::Analysis& analysis, const routing::Route& route);
  Step refuse_query(const protocol::SqlError& error);
  // Transaction control that no single server can answer. nullopt: not ours. Else what to say (an error fails the block).
  struct LocalReply { std::string tag; std::optional<protocol::SqlError> error, warning; };
  std::optional<LocalReply> control_locally(const routing::StatementFacts& facts, std::string_view text);
  std::optional<LocalReply> control_failed(const routing::StatementFacts& facts);
  std::optional<LocalReply> deallocate_locally(const routing::StatementFacts& facts);
  std::optional<LocalReply> savepoint_locally(const routing::StatementFacts& facts, std::string_view text);
  LocalReply end_local_block(const routing::StatementFacts& facts, bool failed);
  std::size_t participants() const;
  Step on_function_call(const protocol::Frame& frame);
  Step on_copy_message(const protocol::Frame& frame);
  bool begin_or_throw_away(Link& link, const routing::StatementFacts& facts, std::string_view text, bool any_shard);
  void note_custom_names(Link& link, std::string_view text, const protocol::ValueList* values);
  bool add_custom_name(std::string_view name);  // true: it was new
  bool on_ready(Link& link, char status);
  void arm_query_timeout(), disarm_query_timeout();
  void on_idle_tick();                                // session_idle.cpp
  void note_function_call(Link& link, const protocol::Frame& frame);
  void note_effects(Link& link, const routing::StatementFacts& facts);
  void note_statement(Link& link, const routing::StatementFacts& facts, const routing::Route* route);
  void own_sequences(Link& link, const routing::StatementFacts& facts);
  bool run_in_batch(Link& link, std::string_view sql, char kind);

  // ---- session_reset.cpp: what RESET goes back to is what the client started with
  struct Restoring { std::vector<std::string> names; std::string sql; };   // startup values that are set again
  void note_reset(const routing::StatementFacts& facts), append_restoring(const routing::StatementFacts& facts, Restoring& restoring) const;
  void restore_in_batch();
  void restore_startup(Link& link), restoring_failed(Link& link, const protocol::SqlError& error);

  // ---- session_pins.cpp: servers that are kept
  std::optional<protocol::SqlError> refuse_pin(Link& link, const routing::StatementFacts& facts, std::string_view text);
  void note_sequences(Link& link, const routing::StatementFacts& facts, std::string_view text);
  bool keeps_sequences(Link& link), keeps_links(), may_use_sequences(const routing::StatementFacts& facts);
  void end_transaction_on_servers();

  // ---- session_names.cpp: SQL PREPARE, EXECUTE, DEALLOCATE. Their names are those of the extended protocol.
  Step on_names(const protocol::Frame& frame, const routing::Analysis& analysis);
  std::optional<Step> on_shown_names(const protocol::Frame& frame, const routing::Analysis& analysis), lend_names(const routing::Analysis& analysis);
  void put_views(const routing::Analysis& analysis), take_back_names(Link& link);
  void put_names(const routing::Analysis& analysis), put_restoring(std::string_view text, const routing::StatementFacts& facts, Naming& naming, std::size_t& copied);
  bool make_targets(const routing::Analysis& analysis);
  StatementPtr make_sql_statement(std::string_view text, const routing::StatementFacts& facts, bool shared);
  void push_stand_in(std::string_view name);
  void push_way_for(const protocol::StatementHash& hash);
  void push_sync();
  bool names_completed(Link& link, const protocol::ReplyTracker::Reply& reply);
  bool retell(Link& link, const protocol::Frame& frame, const protocol::ReplyTracker::Reply& reply);
  bool making_failed(Link& link, const protocol::Frame& frame, const protocol::ReplyTracker::Reply& reply);
  bool append_prepare(std::string_view text, std::uint32_t tag);
  bool refresh_runs(Statement& command);
  routing::StatementFacts bound_effects(const Statement& command);
  void note_bound(const Statement& statement, const routing::StatementFacts& facts, const routing::Route* route);
  void note_naming_portal(NamingPortal portal);
  void bind_command(const protocol::Bind& bind, std::string_view text, NamingPortal portal);
  bool bind_prepare(const protocol::Bind& bind, const StatementPtr& command, const routing::StatementFacts& facts);
  Step execute_naming_portal(const protocol::Frame& frame, std::size_t index);

  // ---- session_extended.cpp: extended protocol
  // Requests about statements whose replies are due. kind: 'P' the client's Parse, 'i' injected Parse, 'q' injected DISCARD,
  // 'r' other injected SQL, 'U' and 'u' as P and i for the unnamed statement, 'x' injected Close, 'D' Describe of a statement,
  // 'C' what takes a name from the client (Close, DEALLOCATE), 'N' Execute of another named command. batch: its group's Sync.
  // parameters, shape: what a Describe of the tag has told (protocol/statement_shape.h); 0: nothing yet.
  struct Flight { std::uint32_t tag; char kind; StatementPtr statement; protocol::StatementHash hash; std::uint64_t batch, parameters = 0, shape = 0; };
  struct Group {                    // from the first message to its Sync
    std::string pending;            // messages that wait for a decision
    bool open = false;
    bool failed = false;            // an error of ours: everything up to Sync is dropped
    bool relayed = false;           // messages went to relay_
    bool executed = false;          // a Bind went to relay_: the group cannot move any more
    bool decided = false;           // a Bind has chosen the server
    bool flushed = false;           // a Flush of ours is behind its last message
    bool leaving = false;           // a Sync of ours ends the group's part on a server that it has to leave
    bool is_virtual = false;        // the proxy answers it: messages are kept until Sync or Flush
    protocol::Fifo<std::pair<std::uint32_t, StatementPtr>> parsed;  // Parse messages in `pending`, already in statements_
    // What Bind and Describe messages in `pending` meant when they came: a later Parse may have taken the name since.
    protocol::Fifo<StatementPtr> resolved;
    StatementPtr last_parsed;
    std::uint32_t first_tag = 0;    // tags of earlier batches are below
    std::uint32_t awaited = 0;      // the copy that is being made for the next message, which waits for its shape; 0: none
  };
  // An error of ours that stands among the server's replies: the answer to a Parse that is made to fail there.
  struct Poison { std::uint32_t tag; protocol::SqlError error; };
  Step on_extended(const protocol::Frame& frame), on_sync(const protocol::Frame& frame), on_flush(const protocol::Frame& frame);
  Step pend(const protocol::Frame& frame);
  Step decide_by_bind(const protocol::Frame& frame);
  Step decide_by_default();
  bool transaction_control(const routing::StatementFacts& facts) const;
  bool isolated_by_default() const;
  bool for_all_participants(const routing::StatementFacts& facts) const;
  std::optional<protocol::SqlError> refuse_change_on_one(const routing::StatementFacts& facts, const routing::Route& route) const;
  bool pipelines_freely() const, resets_in_front(const routing::Analysis& analysis) const;
  Flight* find_flight(std::uint32_t tag);
  void undo_flight(Link& link, const Flight& flight), confirm_flights();
  Step relay_pending(), relay_rest();
  Step relay_extended(const protocol::Frame& frame);
  Step relay_parse(const protocol::Frame& frame), relay_bind(const protocol::Frame& frame);
  Step refuse_parse(const protocol::Parse& parse, const protocol::SqlError& error), relay_unnamed_parse(const StatementPtr& statement, std::uint32_t tag);
  protocol::SqlError bind_error(const protocol::SqlError& error, const protocol::Frame& frame);
  bool bind_deallocate(const protocol::Bind& bind, const StatementPtr& command, const routing::StatementFacts& facts);
  Step relay_describe(const protocol::Frame& frame), relay_close(const protocol::Frame& frame);
  enum class Check : std::uint8_t { Stay, Failed, Elsewhere };
  Check check_bind(const protocol::Bind& bind, Statement& statement);
  StatementPtr resolve(std::string_view name); void resolved();
  VirtualPortal* find_virtual_portal(std::string_view name);
  std::optional<protocol::SqlError> define_statement(const protocol::Parse& parse, std::uint32_t tag);
  const protocol::StatementHash& statement_hash(Statement& statement);
  std::uint64_t environment();
  void hash_statement(Statement& statement);
  bool undecided(std::string_view name);
  bool ensure_on_server(Statement& statement);
  bool send_parse(Statement& statement, protocol::Disposition disposition, std::uint32_t tag);
  bool push_close(const protocol::StatementHash& hash);
  void append_parse(const Statement& statement, std::string_view name, std::string& out), forget_named_statements();
  Step leave_server();
  std::string name_on_server(Statement& statement);

  // ---- session_shapes.cpp: copies that give what the client's own statement would
  protocol::StatementVersion* copy_for(Statement& statement);
  std::uint32_t make_copy(Statement& statement);
  Step settle_shape(Statement& used, bool describes = false); void flush_simulated();
  void learn_shape(Link& link, const protocol::Frame& frame, std::uint32_t tag), make_target(Statement& statement);
  bool changed_target(const routing::Analysis& analysis);

  // ---- session_large.cpp: messages that are not held, and what is done when memory is short
  Step meet_large(const protocol::Frame& frame, std::string_view rest);
  std::optional<Step> start_bind(std::string_view rest, std::size_t size); void widen_bind();
  Step forward_bind(const protocol::Frame& frame);
  Step refuse_message(char type, protocol::SqlError error);
  bool lacks_memory(const protocol::Frame& frame) const;
  std::optional<protocol::SqlError> refuse_statement(bool named, std::size_t weight) const;
  protocol::SqlError memory_error() const;
  void note_memory();
  protocol::Result<routing::Route> route_bind(const protocol::Bind& bind, Statement& statement);
  void fail_group(const protocol::SqlError& error);
  Step fail_behind_pending(const protocol::SqlError& error);
  void drop_pending();

  // ---- session_relay.cpp: what the relayed server says
  bool on_message(Link& link, const protocol::Frame& frame, const protocol::ReplyTracker::Reply& reply) override;
  void relay_bytes(Link& link, std::string_view bytes) override;
  void on_burst_end(Link& link) override;
  void on_skipped(Link& link, const protocol::ReplyTracker::Skipped& skipped) override;
  void on_server_writable(Link& link) override;
  void on_link_closed(Link& link, const protocol::SqlError& error) override;
  bool on_extended_reply(Link& link, const protocol::Frame& frame, const protocol::ReplyTracker::Reply& reply);
  void on_relay_error(Link& link, const protocol::Frame& frame, const protocol::ReplyTracker::Reply& reply);
  bool on_parameter_status(Link& link, const protocol::Frame& frame);
  void watch_tag(Link& link, std::string_view tag);
  bool map_description(Link& link, const protocol::Frame& frame);

  // ---- session_notifications.cpp: LISTEN and NOTIFY
  bool listens() const, may_share_listening() const, can_tell(const Notice& notice) const, at_home(const Link& link) const;
  void note_light(const routing::Analysis& analysis), note_notifier(Link& link, const routing::StatementFacts& facts);
  std::string mirror_sql(Link& link), take_notices(std::size_t about);
  bool holds_ready(Link& link), holds_virtual_ready(), adopts_channels(const Link& link, bool pinned_otherwise) const;
  bool settle_notifications(), on_server_notification(Link& link, const protocol::Frame& frame);
  void tell_held_ready(), forget_channels(), mark(Link& home), send_mark(Link& home, const std::string& sql, bool kept), marked(), deliver_notices(), leave_listening();

  // ---- virtual groups
  void start_virtual_query(std::string_view sql, const std::shared_ptr<const routing::Analysis>& analysis);
  Step start_virtual_group();
  // The virtual group has ended: with its Sync (or Query) answered, or in the middle of an extended group.
  void virtual_finished(bool ready, bool failed);
  void accept_copy_data();
  void hold_copy_data() { input_waits_ = true; }
  void resume_copy_data(), lost_in_copy_in(char type);
  bool copy_data_first(char type);
  std::string explain(std::string_view sql);
  void send_warning(const protocol::SqlError& warning);

  WorkerContext& context_;
  std::unique_ptr<net::Stream> stream_;
  Identity identity_;
  protocol::FrameReader frames_;
  Mode mode_ = Mode::Open;
  bool input_waits_ = false, hung_up_ = false, leaving_ = false;   // the stream is paused because a handler said Later; the client has hung up; a Terminate waits behind answers
  bool oversized_ = false;           // inside a message that is too large: it is read and dropped
  // Of the large Bind that is being passed on: its bytes up to the values (0: none), all; did its beginning go to the server?
  std::size_t bind_head_ = 0, bind_size_ = 0;
  bool bind_sent_ = false;
  net::MemoryCharge memory_{context_.worker.memory()};   // what is held beyond the streams: see note_memory()
  bool ending_ = false, presenting_ = false;   // drain(): end at the next boundary; inside on_bytes: wake() need not resume
  net::Timer timer_;                 // idle in transaction, query timeout, orphan bound
  net::Timer idle_timer_;            // looks whether the client has gone silent: session_idle.cpp
  std::uint32_t bursts_ = 0, seen_bursts_ = 0, rest_bursts_ = 0, seen_transactions_ = 0;  // at the last looks
  bool awake_ = false;               // the worker looks when this session rests: at_rest.cpp
  std::chrono::steady_clock::time_point silent_since_ = std::chrono::steady_clock::now(), since_ = silent_since_, transaction_since_ = since_, message_since_ = since_;

  runtime::SnapshotPtr snapshot_;
  std::shared_ptr<const routing::ClusterRouting> routing_;
  TenancyPtr tenancy_;
  pool::SettingsPtr settings_;       // the client's own, to be in force on its servers
  pool::SettingsPtr told_;           // ParameterStatus as the client knows it
  protocol::Boxed<routing::CustomSettings> custom_;   // names of custom settings that this session may have set
  protocol::ThinVector<std::string> temp_tables_;
  protocol::Boxed<Hints> hints_;

  protocol::TransactionStatus tx_ = protocol::TransactionStatus::Idle;  // as the client was told
  std::string deferred_begin_;       // BEGIN that no server has seen yet, and SAVEPOINTs behind it
  protocol::ThinVector<std::string> deferred_savepoints_;   // established by deferred_begin_, innermost last
  bool local_failed_ = false, savepoint_seen_ = false;   // failed by a refusal of ours, servers may not know; may be taken back
  bool read_only_block_ = false, isolated_block_ = false;   // isolated: REPEATABLE READ or SERIALIZABLE: one snapshot, hence one shard
  bool resetting_ = false;           // RESET or DISCARD runs, outside a block and with nothing beside it
  protocol::Boxed<Restoring> restoring_;   // behind the RESET that runs
  // An error went out since the last ReadyForQuery; all that runs now is provably read-only, outside a block.
  bool error_seen_ = false, in_flight_read_only_ = false;
  // A block without a server runs this statement in a block of its own that is rolled back: any server gives the answer.
  bool throwaway_ = false, last_any_shard_ = false;   // last_any_shard_: of the Bind that check_bind() looked at last
  protocol::Boxed<std::string> throwaway_setting_;    // SET LOCAL that goes behind the deferred BEGIN when it was accepted

  protocol::ThinVector<std::unique_ptr<Link>> links_;
  Link* relay_ = nullptr;            // one of links_: the server that relayed requests go to
  std::shared_ptr<std::vector<std::shared_ptr<void>>> again_;   // cancels that wait for one under way: session_cancel.cpp
  std::unique_ptr<pool::Checkout> checkout_;   // null before the first since the session rested
  protocol::ThinVector<Wanted> wanted_;
  unsigned preparing_ = 0, settling_ = 0, lost_in_prepare_ = 0;   // the last: servers that were lost while they were prepared, in a row
  LateParts late_;                   // of its own transactions
  protocol::Boxed<protocol::SqlError> acquire_error_;
  std::string_view pinned_;          // why links_ are kept between transactions; empty: not pinned
  Tally tally_; Meter meter_;
  bool reads_sequences_ = false, used_sequences_ = false, wants_sequences_ = false;  // asked for currval(); any use; by what asks for a server
  unsigned probation_ = 0;           // transactions after which a server was kept in case that it does
  bool ddl_seen_ = false, overdue_ = false, copy_forward_ = false, idle_armed_ = false;   // overdue_: query_timeout has cancelled what runs; idle_armed_: timer_ ends an idle transaction; copy_forward_: the CopyData being received goes to relay_
  bool copy_partial_ = false, boundary_ = false, boundary_waits_ = false;   // only a part of it was sent; a Z came in this burst; ... meanwhile
  protocol::Boxed<Notifications> notifications_;
  bool light_ = false;               // the statement at work can neither listen nor notify: its server is taken as it is
  bool ready_held_ = false;          // a ReadyForQuery waits for what settle_notifications() does

  Group group_;
  StatementMap statements_;
  std::uint32_t next_tag_ = 1;
  protocol::Fifo<Flight> flights_;
  std::uint64_t syncs_sent_ = 0, syncs_done_ = 0;
  protocol::ThinVector<VirtualPortal> virtual_portals_;
  protocol::Fifo<Poison> poisons_;
  protocol::ThinVector<NamingPortal> naming_portals_;   // bounded
  std::unique_ptr<Naming> naming_;   // the Query with names that is under way; usually null
  protocol::Boxed<Making> making_;     // what it EXECUTEs is being made on its server
  std::uint64_t sequence_server_ = 0;   // id of the server connection that has the newest sequence values; 0: none
  bool barrier_ = false;             // what was sent last changes the client's names: the next batch waits for its reply
  std::unique_ptr<VirtualGroup> virtual_;
  std::string& out_ = context_.out;  // scratch for messages being built
  std::vector<routing::Parameter>& parameters_ = context_.parameters;   // scratch
};

}  // namespace pgweir::session
