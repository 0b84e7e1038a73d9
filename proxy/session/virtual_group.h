// A Query, or a group of extended messages up to Sync or Flush, that the proxy answers itself: statements on several
// shards, transaction control over several servers, settings of its own. Messages are taken one after the other; each may
// wait for servers. Lives on the session's worker, while the session is in Mode::Virtual.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "protocol/frame_reader.h"
#include "proxy/session/distributed.h"
#include "proxy/session/fanout.h"
#include "proxy/session/gather.h"
#include "proxy/session/session.h"

namespace pgweir::session {

class VirtualGroup {
 public:
  // A simple Query of one statement.
  VirtualGroup(Session& session, std::string_view sql, std::shared_ptr<const routing::Analysis> analysis);
  // Whole extended messages; `parsed` are the statements of its Parse messages, already in the client's map.
  VirtualGroup(Session& session, std::string messages, protocol::Fifo<std::pair<std::uint32_t, StatementPtr>> parsed,
               protocol::Fifo<StatementPtr> resolved);
  ~VirtualGroup();

  void start();
  void on_links_ready();
  void on_client_drained();
  void on_client_gone();
  void on_copy_message(const protocol::Frame& frame);
  bool takes_copy_data() const { return gather_ && gather_->takes_copy_data(); }
  void take_back_links();                    // what servers say goes to the session again
  std::size_t held_bytes() const { return messages_.size() + sql_.size() + running_sql_.size() + running_bind_.size(); }
  bool read_only() const { return running_ && !running_->write; }

 private:
  using Portal = VirtualPortal;

  void step();                               // the next message
  bool step_message(const protocol::Frame& frame);  // false: it goes on later
  bool parse(const protocol::Frame& frame);
  bool bind(const protocol::Frame& frame);
  bool describe(const protocol::Frame& frame);
  bool execute(const protocol::Frame& frame);
  void give_rows(Portal& portal, std::int32_t max_rows);
  bool execute_simple();
  bool run(const routing::Analysis& analysis, const protocol::Bind* bind, const Statement* statement, bool simple);
  void prepare_request(routing::Route route, const routing::Analysis& analysis, const protocol::Bind* bind,
                       const Statement* statement, bool simple);
  bool run_control(const routing::StatementFacts& facts, std::string_view text);
  bool run_everywhere(const routing::StatementFacts& facts, std::string_view text);
  // ---- virtual_names.cpp: SQL PREPARE, EXECUTE, DEALLOCATE
  static constexpr std::size_t kMaxResultFormats = 1664;  // MaxTupleAttributeNumber (src/include/access/htup_details.h)
  struct Names {
    std::string name, types, arguments;
    StatementPtr made, target;               // by PREPARE; of EXECUTE
    routing::StatementFacts facts;
    bool simple = false;
    std::size_t before = 0;                  // characters of the client's text up to the name's end
    std::vector<std::int16_t> result_formats;
  };
  bool of_names(const routing::StatementFacts& facts) const;
  bool run_names(const routing::Analysis& analysis, const protocol::Bind* bind, bool simple);
  bool prepare_name(std::string_view text, const routing::StatementFacts& facts);
  void ask_one_server(void (VirtualGroup::*then)());
  void read_types();
  void close_stand_in(Link& link, const std::string& name, std::string_view parse);
  protocol::SqlError names_error(const Fanout::Outcome& outcome, const std::string& name, std::size_t begin) const;
  void names_described();
  bool evaluate_arguments();
  void ask_for_values();
  bool run_executed(const std::vector<std::optional<std::string>>& values);
  const routing::OidMap* oid_map(const Link& link) const;
  bool more_work_behind() const;
  std::optional<protocol::SqlError> refuse_several_snapshots(const routing::Route& route) const;
  bool run_local(const routing::LocalAction& action, bool simple);
  bool end_block(bool commit, bool chain);
  void tell_end(const DistributedCommit::Result& outcome);
  void begin_route();                        // links are there: BEGIN, locks, then the gather
  void lock_next(std::size_t index);
  void gather();
  void gathered(const Gather::Result& result);
  void statement_done(const std::string& tag);
  void statement_failed(const protocol::SqlError& error);
  void describe_statement(const StatementPtr& statement);
  void described();
  routing::ShardId home_shard() const;
  bool refuse_after_check(const protocol::SqlError& refusal, const std::string& sql, const Statement* statement);
  void send_description(const Statement& statement);
  Portal* find_portal(std::string_view name);
  StatementPtr resolve(std::string_view name);
  StatementPtr meaning(std::string_view name) const;
  StatementPtr look_up(std::string_view name) const;
  // ---- virtual_checks.cpp: Parse and Bind are answered when a server has taken them
  bool pending() const { return unchecked_ || unbound_; }
  bool goes_on(const protocol::Frame& frame) const;
  bool check_pending();                      // false: it goes on later
  void parsed();
  void bound();
  void drop_held();
  void reply(std::string_view bytes);
  bool waits_for_shards(const Statement& statement) const;
  std::optional<protocol::SqlError> unfit_bind(std::size_t parameters) const;
  bool refused_in_failed_block(const routing::Analysis& analysis) const;
  std::vector<Link*> links_for(const routing::ShardSet& shards, routing::Role role);
  std::vector<Link*> participants();
  void finish();

  Session& session_;
  bool simple_ = false;
  std::string sql_;
  std::shared_ptr<const routing::Analysis> analysis_;
  std::string messages_;
  std::string_view rest_;
  protocol::FrameReader reader_;
  protocol::Fifo<std::pair<std::uint32_t, StatementPtr>> parsed_;
  protocol::Fifo<StatementPtr> resolved_;
  // A Parse that no server has seen and a Bind that the shards have not taken, and the answers that wait for that. At most one
  // of each: before anything else happens they are checked.
  StatementPtr unchecked_;
  std::uint32_t unchecked_tag_ = 0;
  std::optional<std::string> unbound_;       // the portal
  std::string held_parse_, held_bind_;       // bounded: a few answers, a description
  bool defined_late_ = false;                // a Parse of the group could not be taken into the client's map when it came
  bool checking_ = false;                    // described for that, or (with unbound_) bound
  bool failed_ = false;
  bool synced_ = false;
  bool wrote_ = false;                       // a write has run in this group
  bool implicit_block_ = false;              // BEGIN is ours: the statement's own transaction
  bool finished_ = false;
  unsigned executed_ = 0;

  // the statement that runs
  std::optional<routing::Route> running_;
  GatherRequest request_;
  routing::StatementFacts running_facts_;
  std::string running_sql_;
  std::string running_bind_;
  std::string running_portal_;
  std::int32_t row_limit_ = 0;              // of the Execute that runs; its rows are kept in the portal
  std::vector<Link*> running_links_;
  std::unique_ptr<Names> names_;            // of the command with a name that runs
  void (VirtualGroup::*links_ready_)() = nullptr;  // instead of the description or the statement
  StatementPtr describing_;
  std::optional<std::size_t> describe_begin_ = 0;  // characters of the client's text in front of it
  bool hide_parameters_ = false;            // it is described as what an EXECUTE runs
  std::optional<protocol::SqlError> refusal_;  // told unless PostgreSQL itself rejects the statement
  char describe_kind_ = 'S';
  std::string describe_portal_;
  std::unique_ptr<Gather> gather_;
  std::unique_ptr<DistributedCommit> commit_;
  Fanout fanout_;
  std::string out_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace pgweir::session
