// Runs one statement on one or more links and makes one answer of theirs: scatter reads through a Merger, writes on
// several shards with their counts summed, COPY in both directions. The transaction around it is the caller's.
// Back-pressure: a shard is read only while its window has room and the client takes what it is given.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "protocol/backend_codec.h"
#include "proxy/session/link.h"
#include "proxy/session/statement.h"
#include "routing/copy/copy_out.h"
#include "routing/copy/copy_router.h"
#include "routing/merge/merger.h"
#include "routing/plan/route.h"

namespace pgweir::session {

class Session;

struct GatherRequest {
  routing::Route route;
  std::string sql;                             // the client's text of this statement
  std::optional<std::size_t> sql_begin = 0;    // characters of the client's whole text in front of it; nullopt: not known
  std::vector<protocol::Oid> types;            // parameter types, canonical OIDs; 0: not declared
  protocol::FormatCodes parameter_formats;     // views into storage that outlives the gather
  protocol::ValueList parameters;
  protocol::FormatCodes result_formats;
  bool send_row_description = false;           // simple protocol
  bool keep_rows = false;                      // Execute with a row limit: rows go into Result::rows, up to kMaxKeptRows
  bool bind_only = false;                      // the shards check the Bind and run nothing
  std::shared_ptr<const Statement> statement;  // a prepared one: what the client was told of its columns must be so; null: none
  std::optional<std::string> bound_name;       // of the statement whose Bind this is, for errors; nullopt: a simple Query
  // Called before anything of the answer goes to the client: when all shards have taken the text, and its Bind.
  std::function<void()> on_described, on_bound;
};

class Gather final : public LinkSink {
 public:
  struct Result {
    std::optional<protocol::SqlError> error;
    std::string tag;
    bool returned_rows = false;
    bool took_copy_data = false;               // COPY FROM STDIN had begun
    std::string rows;                          // whole DataRow messages, when they were to be kept
  };
  using Done = std::function<void(const Result&)>;

  // `links`: one per shard of the route, ascending. `done` is called once, not from within start().
  Gather(Session& session, GatherRequest request, std::vector<Link*> links, Done done);
  ~Gather();

  void start();
  // Only asks for the description of the answer (Describe of a statement or portal).
  void start_describe(std::function<void(std::optional<protocol::SqlError>, std::vector<protocol::Oid>, std::vector<protocol::ColumnDescription>)> described);

  void on_client_drained();
  void on_client_gone();
  bool takes_copy_data() const { return copying_; }
  void on_copy_message(const protocol::Frame& frame);

  bool on_message(Link& link, const protocol::Frame& frame, const protocol::ReplyTracker::Reply& reply) override;
  void relay_bytes(Link&, std::string_view) override {}
  void on_burst_end(Link& link) override;
  void on_skipped(Link&, const protocol::ReplyTracker::Skipped&) override {}
  void on_server_writable(Link& link) override;
  void on_link_closed(Link& link, const protocol::SqlError& error) override;

 private:
  enum class Phase { Describe, Execute, Copy, Done };
  struct Stream {
    Link* link = nullptr;
    bool finished = false;      // its rows have ended (or it failed)
    bool ready = false;         // its Z has come
    bool waits = false;         // its turn to execute has not come
    bool bound = false;         // it has taken the Bind
    bool copy_ready = false;
    std::string tag;
    std::string large_row;      // a DataRow or CopyData that came in chunks
    std::size_t rows = 0;       // rows given so far
    std::string held;           // COPY TO: output of a shard whose turn has not come
    std::vector<protocol::ColumnDescription> columns;
    std::optional<routing::CopyOutFilter> filter;
  };
  class CopySinkImpl;
  friend class CopySinkImpl;

  Stream& stream_of(Link& link);
  const std::string& sql_for(std::size_t index) const;
  void send_describe(std::size_t index);
  void send_execute(std::size_t index, std::size_t visible);
  void execute_next();
  void send_query(std::size_t index);
  void append_bind(std::size_t index, std::size_t visible, std::string& out);
  std::vector<protocol::Oid> local_types(std::size_t index) const;
  void all_described();
  std::optional<protocol::SqlError> bind_mismatch(std::size_t columns) const;
  void bind_taken();
  void all_bound();
  protocol::Oid canonical(const Link& link, protocol::Oid oid) const;
  std::vector<protocol::ColumnDescription> canonical_columns() const;
  bool changed_columns(const std::vector<protocol::ColumnDescription>& columns, std::size_t visible) const;
  bool same_columns(const std::vector<protocol::ColumnDescription>& columns) const;
  void all_ready();
  void on_row(Stream& stream, std::string_view body);
  void hold_memory();
  bool keep_in_values_order(Stream& stream, std::string_view body);
  void on_copy_out(Stream& stream, const protocol::Frame& frame);
  void advance_copy_out();
  void all_copy_ready();
  void send_copy_data(std::string_view data);
  void fail(const protocol::SqlError& error);
  void fail_by(const Stream& stream, const protocol::ErrorFields& fields);
  void cancel_others();
  bool lost_before_start();
  void tell_when_cancels_ended(const Result& result);
  void flush_rows();
  void give(std::string& rows);
  void update_reading();
  std::string merged_tag() const;
  void complete();

  Session& session_;
  GatherRequest request_;
  std::vector<Stream> streams_;
  Done done_;
  std::function<void(std::optional<protocol::SqlError>, std::vector<protocol::Oid>, std::vector<protocol::ColumnDescription>)> described_;
  Phase phase_ = Phase::Describe;
  bool returns_rows_ = false, described_rows_ = false;   // by its kind, and by what the shards say
  bool finished_ = false;
  bool bound_ = false;                      // all_bound() was called: the client may be given rows
  std::string early_;                       // notices of a shard that came before that
  std::vector<protocol::Oid> parameter_types_;
  std::vector<protocol::ColumnDescription> columns_;   // as the client sees them
  std::unique_ptr<routing::Merger> merger_;
  std::optional<protocol::SqlError> error_;
  std::string kept_rows_;
  std::vector<std::string> ordered_rows_;   // RETURNING in the order of VALUES: bounded by the statement's own size
  std::size_t ordered_bytes_ = 0;
  net::MemoryCharge memory_;    // rows held here: see hold_memory()
  std::string out_;
  std::size_t copy_out_at_ = 0;
  std::size_t visible_ = 0;     // columns that the client sees
  std::unique_ptr<routing::CopyRouter> copy_router_;
  bool copying_ = false, copy_started_ = false;
  std::string copy_response_;   // the first shard's CopyInResponse
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace pgweir::session
