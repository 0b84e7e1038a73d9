// What routing reads of clients and servers, over any bytes: SQL, values of keys, COPY data, rows to merge. The order of
// `decoders` is that of the seeds' first byte.
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "routing/catalog/custom_settings.h"
#include "routing/copy/copy_out.h"
#include "routing/merge/command_tag.h"
#include "routing/merge/merger.h"
#include "routing/merge/numeric.h"
#include "routing/placement/key_value.h"
#include "routing/plan/array_value.h"
#include "routing/plan/search_path.h"
#include "routing/sql/parse.h"
#include "routing/sql/token.h"
#include "tests/fuzz/selected.h"
#include "tests/unit/routing/copy_fixture.h"

namespace {

using namespace pgweir::routing;
using pgweir::fuzz::require;
using KeyType = pgweir::config::KeyType;

// Takes the first byte of the input.
unsigned take(std::string_view& input) {
  if (input.empty()) return 0;
  const unsigned byte = static_cast<unsigned char>(input.front());
  input.remove_prefix(1);
  return byte;
}

void tokens(std::string_view text) {
  if (const auto found = sql::tokenize(text, 0, text.size(), true)) {
    std::size_t end = 0;
    for (const auto& token : *found) {
      require(token.begin >= end && token.end > token.begin && token.end <= text.size());
      end = token.end;
    }
  }
  (void)sql::comment_hints(text);
}

void statements(std::string_view text) {
  const auto parsed = sql::parse(text);
  require(parsed.error.empty() || parsed.statements.empty());
  for (const auto& statement : parsed.statements) require(statement->begin <= statement->end && statement->end <= text.size());
}

void custom_settings(std::string_view text) {
  CustomSettings found;
  find_custom_settings(text, found);
  require(found.names.size() <= CustomSettings::kMaxNames);
}

void search_path(std::string_view text) { (void)SearchPath::resolve(text, "app", nullptr).key(); }

void key_text(std::string_view input) {
  const auto type = static_cast<KeyType>(take(input) % 11);
  const auto key = key_from_text(type, input, {});
  if (!key) return;
  KeyValue stored = *key;
  (void)store_in_column(stored, 1043, 4 + 3);
}

void key_parameter(std::string_view input) {
  constexpr Oid kTypes[] = {0, 16, 17, 19, 20, 21, 23, 25, 1042, 1043, 1082, 1114, 1184, 1700, 2950};
  const auto type = static_cast<KeyType>(take(input) % 11);
  const unsigned choice = take(input);
  const Parameter parameter{kTypes[choice % 15], choice >= 128, false, input};
  KeyValue kept;
  const auto key = key_from_parameter(type, parameter, {});
  const auto error = read_key_parameter(type, parameter, {}, kept);
  require(key.ok() == !error.has_value() && (!key || *key == kept));
}

void arrays(std::string_view input) {
  std::vector<std::optional<std::string>> elements;
  Oid type = 0;
  const bool good = take(input) % 2 == 0 ? read_array_text(input, elements) : read_array_binary(input, elements, type);
  require(!good || elements.size() <= kMaxArrayElements);
}

void numeric(std::string_view input) {
  Numeric value;
  if (!Numeric::decode(input, value)) return;
  std::string text, bytes;
  value.append_text(text);
  value.append_binary(bytes);
  Numeric again;
  std::string same;
  require(Numeric::decode(bytes, again));
  again.append_text(same);
  require(text == same);
}

CopyOptions copy_options(unsigned choice) {
  CopyOptions options = choice % 3 == 0 ? CopyOptions::text() : choice % 3 == 1 ? CopyOptions::csv() : CopyOptions::binary();
  if (choice % 3 != 2 && choice >= 128) options.header = CopyHeader::Skip;
  return options;
}

// What the router makes of it does not depend on how it was cut.
void copy_in(std::string_view input) {
  const auto plan = testing::plan(copy_options(take(input)));
  std::vector<std::string> pieces;
  for (const char c : input) pieces.emplace_back(1, c);
  const auto whole = testing::route(plan, {std::string(input)});
  const auto cut = testing::route(plan, pieces);
  require(whole.error == cut.error && (!whole.error.empty() || whole.shards == cut.shards));
}

struct Taken : CopyOutSink {
  std::string all;
  void bytes(std::string_view bytes) override { all += bytes; }
};

void copy_out(std::string_view input) {
  const unsigned choice = take(input);
  const auto options = copy_options(choice);
  CopyOutFilter whole(options, choice % 5 < 2, choice % 7 < 3), cut(options, choice % 5 < 2, choice % 7 < 3);
  Taken one, two;
  const bool failed = whole.feed(input, one).has_value();
  bool failed_cut = false;
  for (std::size_t at = 0; at < input.size() && !failed_cut; ++at) failed_cut = cut.feed(input.substr(at, 1), two).has_value();
  require(failed == failed_cut && (failed || one.all == two.all));
}

// Rows of two shards, cut out of the input: a byte of length before each.
void merge(std::string_view input) {
  const unsigned choice = take(input);
  MergePlan plan;
  plan.kind = static_cast<MergePlan::Kind>(choice % 4);
  plan.hidden = 1;
  if (plan.kind == MergePlan::Kind::Ordered) plan.order = {{MergeKey::Source::Hidden, 0, choice >= 128, false, true}};
  if (plan.kind == MergePlan::Kind::Group) plan.aggregates = {{AggregateFunction::Sum, 0, 0, 0, false}}, plan.global_aggregate = true;
  constexpr Oid kTypes[] = {20, 23, 25, 701, 1700};
  const Oid type = kTypes[take(input) % 5];
  const std::vector<MergeColumn> columns = {{1700, -1, false}, {type, -1, true}}, outputs = {{1700, -1, false}};
  auto merger = Merger::create(plan, columns, outputs, 2);
  if (!merger) return;
  std::string out;
  for (unsigned shard = 0; !input.empty(); shard ^= 1) {
    const std::size_t size = std::min<std::size_t>(take(input), input.size());
    if (!(*merger)->push(shard, input.substr(0, size), out)) return;
    input.remove_prefix(size);
  }
  for (unsigned shard : {0u, 1u})
    if (!(*merger)->finish(shard, out)) return;
  while ((*merger)->drain(out, 64)) {
  }
}

void command_tag(std::string_view input) {
  const std::size_t half = input.size() / 2;
  const std::string tags[] = {std::string(input.substr(0, half)), std::string(input.substr(half))};
  require(tag_rows(tags[0]) >= -1);
  (void)merge_command_tags(tags);
  const std::string counted = with_tag_rows(tags[0], 3);
  require(tag_rows(tags[0]) < 0 ? counted == tags[0] : tag_rows(counted) == 3);
}

constexpr pgweir::fuzz::Decoder decoders[] = {tokens, statements,    custom_settings, search_path, key_text, key_parameter,
                                              arrays, numeric, copy_in,         copy_out,    merge,    command_tag};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  return pgweir::fuzz::run_selected(decoders, data, size);
}
