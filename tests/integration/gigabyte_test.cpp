// The largest messages that PostgreSQL takes, under a memory budget of 64 MiB: a Bind, a row and a COPY of 1,000,000,000 bytes
// (PostgreSQL's own bound on a message or a value is 2^30 - 1) arrive unchanged, and the proxy's resident memory grows by less
// than the budget. With PGWEIR_LONG=1, and 6 GB of free memory for the server; by default they are an eighth of that.
#include <openssl/evp.h>

#include <cstdio>
#include <cstdlib>
#include <fstream>

#include "tests/integration/proxy_fixture.h"
#include "tests/integration/raw_client.h"

namespace pgweir::support {
namespace {

using testing::HasSubstr;

const std::size_t kSize = std::getenv("PGWEIR_LONG") != nullptr ? 1'000'000'000 : 125'000'000;
constexpr long kBudget = 64 * 1024;  // in KiB
constexpr std::size_t kPiece = 1'000'000;

class Sha256 {
 public:
  Sha256() { EVP_DigestInit_ex(context_, EVP_sha256(), nullptr); }
  ~Sha256() { EVP_MD_CTX_free(context_); }
  Sha256(const Sha256&) = delete;
  Sha256& operator=(const Sha256&) = delete;
  void add(std::string_view bytes) {
    size_ += bytes.size();
    EVP_DigestUpdate(context_, bytes.data(), bytes.size());
  }
  std::size_t size() const { return size_; }
  std::string hex() {
    unsigned char digest[32];
    unsigned length = 0;
    EVP_DigestFinal_ex(context_, digest, &length);
    std::string text;
    for (const unsigned char byte : digest) text += {"0123456789abcdef"[byte >> 4], "0123456789abcdef"[byte & 15]};
    return text;
  }

 private:
  EVP_MD_CTX* context_ = EVP_MD_CTX_new();
  std::size_t size_ = 0;
};

// The next piece of a sequence that repeats itself nowhere near. Lines: letters with a newline now and then, for COPY.
class Content {
 public:
  std::string bytes(std::size_t size) {
    std::string piece(size, '\0');
    for (std::size_t i = 0; i < size; i += 8) {
      const std::uint64_t word = next();
      piece.replace(i, std::min<std::size_t>(8, size - i), reinterpret_cast<const char*>(&word), std::min<std::size_t>(8, size - i));
    }
    return piece;
  }
  std::string lines(std::size_t size) {
    std::string piece = bytes(size);
    for (auto& c : piece) c = static_cast<char>('a' + (static_cast<unsigned char>(c) & 15));
    for (std::size_t i = 499; i < size; i += 500) piece[i] = '\n';
    return piece;
  }

 private:
  std::uint64_t next() {  // xorshift64 (Marsaglia, "Xorshift RNGs", 2003)
    state_ ^= state_ << 13;
    state_ ^= state_ >> 7;
    return state_ ^= state_ << 17;
  }
  std::uint64_t state_ = 88172645463325252ULL;
};

class GigabyteTest : public ProxyTest {
 protected:
  void SetUp() override {
    if (direct()) return;
    start(ProxyOptions{.listen_extra = "memory_budget = \"64MiB\"", .auth = "method = \"trust\"", .pool = "size = 2"});
    client_.emplace(port(), 120);
    client_->log_in();
    client_->query("SELECT 1");
    before_ = status("VmRSS");
  }
  // A line of /proc/<pid>/status in KiB.
  long status(const std::string& name) {
    std::ifstream file("/proc/" + std::to_string(proxy().pid()) + "/status");
    for (std::string line; std::getline(file, line);)
      if (line.starts_with(name + ":")) return std::stol(line.substr(name.size() + 1));
    return 0;
  }
  void expect_little_growth(const std::string& what) {
    const long grown = status("VmHWM") - before_;
    std::printf("%s of %zu bytes: resident memory of the proxy grew by %ld KiB at most\n", what.c_str(), kSize, grown);
    EXPECT_LT(grown, kBudget);
  }
  // Parse, a Bind whose one binary value is `size` bytes with this hash, Execute (results in binary format), Sync.
  void send_bind(const std::string& sql, Sha256& hash) {
    const std::string head = raw_text("") + raw_text("") + raw_int16(1) + raw_int16(1) + raw_int16(1) + raw_int32(static_cast<std::uint32_t>(kSize));
    const std::string tail = raw_int16(1) + raw_int16(1);
    client_->send(raw_parse("", sql));
    ASSERT_TRUE(client_->send("B" + raw_int32(static_cast<std::uint32_t>(4 + head.size() + kSize + tail.size())) + head));
    Content content;
    for (std::size_t sent = 0; sent < kSize; sent += kPiece) {
      const std::string piece = content.bytes(kPiece);
      hash.add(piece);
      ASSERT_TRUE(client_->send(piece));
    }
    ASSERT_TRUE(client_->send(tail + raw_execute("") + raw_sync()));
  }

  std::optional<RawClient> client_;
  long before_ = 0;
};

TEST_F(GigabyteTest, ABindArrivesUnchanged) {
  NEEDS_PROXY();
  Sha256 sent;
  send_bind("SELECT encode(sha256($1::bytea), 'hex')", sent);
  const auto answer = client_->receive_until('Z');
  EXPECT_EQ(raw_types(answer), "12DCZ");
  EXPECT_THAT(raw_find(answer, 'D').body, HasSubstr(sent.hex()));
  expect_little_growth("a Bind");
}

TEST_F(GigabyteTest, ARowArrivesUnchanged) {
  NEEDS_PROXY();
  Sha256 sent, came;
  send_bind("SELECT $1::bytea", sent);
  std::string types;
  for (bool ready = false; !ready;) {
    std::size_t skip = 6;  // the number of columns and the length of the value
    const auto type = client_->receive_pieces([&](std::string_view piece) {
      const std::size_t head = std::min(skip, piece.size());
      skip -= head;
      if (types == "12") came.add(piece.substr(head));
    });
    ASSERT_TRUE(type.has_value());
    types += *type;
    ready = *type == 'Z';
  }
  EXPECT_EQ(types, "12DCZ");
  EXPECT_EQ(came.size(), kSize);
  EXPECT_EQ(came.hex(), sent.hex());
  expect_little_growth("a Bind and a row");
}

TEST_F(GigabyteTest, ACopyArrivesUnchangedBothWays) {
  NEEDS_PROXY();
  table("gigabyte", "line text");
  client_->send(raw_query("COPY gigabyte FROM STDIN"));
  client_->receive_until('G');
  Sha256 sent, came;
  Content content;
  // The first half is one message.
  ASSERT_TRUE(client_->send("d" + raw_int32(static_cast<std::uint32_t>(kSize / 2 + 4))));
  for (std::size_t done = 0; done < kSize; done += kPiece / 2) {
    const std::string piece = content.lines(kPiece / 2);
    sent.add(piece);
    ASSERT_TRUE(client_->send(done < kSize / 2 ? piece : raw_message('d', piece)));
  }
  client_->send(raw_message('c', ""));
  EXPECT_EQ(raw_find(client_->receive_until('Z'), 'C').body, raw_text("COPY " + std::to_string(kSize / 500)));
  client_->send(raw_query("COPY gigabyte TO STDOUT"));
  for (std::optional<RawMessage> message; (message = client_->receive()) && message->type != 'Z';)
    if (message->type == 'd') came.add(message->body);
  EXPECT_EQ(came.size(), kSize);
  EXPECT_EQ(came.hex(), sent.hex());
  expect_little_growth("a COPY");
  client_->query("DROP TABLE gigabyte");
}

}  // namespace
}  // namespace pgweir::support
