#include <memory>

#include "tests/unit/proxy/net_certificates.h"
#include "tests/unit/proxy/net_support.h"

namespace pgweir::net {
namespace {

std::shared_ptr<const TlsContext> server_context(
    TlsServerOptions::ClientCert client = TlsServerOptions::ClientCert::None) {
  const Certificates& files = certificates();
  auto made = TlsContext::server({files.cert("server"), files.key("server"), files.cert("ca"), client});
  EXPECT_TRUE(made.ok()) << (made.ok() ? "" : made.error().text);
  return *made;
}

std::shared_ptr<const TlsContext> client_context(TlsClientOptions::Verify verify, const std::string& ca = "ca",
                                                 const std::string& cert = "") {
  TlsClientOptions options{verify, certificates().cert(ca), "", ""};
  if (!cert.empty()) options.cert_file = certificates().cert(cert), options.key_file = certificates().key(cert);
  auto made = TlsContext::client(options);
  EXPECT_TRUE(made.ok()) << (made.ok() ? "" : made.error().text);
  return *made;
}

// Both ends are our own streams on one worker.
struct TlsTest : ::testing::Test {
  Worker worker{0};
  Recorder client, server;
  int ready = 0;

  void SetUp() override {
    ASSERT_TRUE(worker.start().ok());
    const auto [a, b] = tcp_pair();
    on(worker, [&, a = a, b = b] {
      client.stream = std::move(Stream::adopt_fd(worker, a, &client).value());
      server.stream = std::move(Stream::adopt_fd(worker, b, &server).value());
    });
  }
  void TearDown() override {
    on(worker, [&] { client.stream.reset(), server.stream.reset(); });
    EXPECT_EQ(on(worker, [&] { return worker.blocks().in_use(); }), 0u);
    worker.stop();
  }
  void start(std::shared_ptr<const TlsContext> server_side, std::shared_ptr<const TlsContext> client_side,
             const std::string& name = "server.test") {
    on(worker, [&] {
      server.stream->start_tls_server(server_side, [&] { ++ready; });
      client.stream->start_tls_client(client_side, name, [&] { ++ready; });
    });
  }
  bool is_ready() { return eventually(worker, [&] { return ready == 2; }); }
};

TEST_F(TlsTest, HandshakeVerifiesAndBothSidesAgree) {
  start(server_context(), client_context(TlsClientOptions::Verify::Full));
  ASSERT_TRUE(is_ready());
  on(worker, [&] {
    const TlsInfo a = client.stream->tls_info(), b = server.stream->tls_info();
    EXPECT_EQ(a.version, "TLSv1.3");
    EXPECT_EQ(a.cipher, b.cipher);
    EXPECT_GE(a.bits, 128);
    EXPECT_EQ(a.alpn, "postgresql");
    EXPECT_EQ(b.alpn, "postgresql");
    EXPECT_EQ(a.peer_cn, "server.test");
    EXPECT_EQ(b.peer_cn, "");
    EXPECT_EQ(a.server_end_point.size(), 32u);
    EXPECT_EQ(a.server_end_point, b.server_end_point);
    client.stream->send("question");
    server.stream->send("answer");
  });
  EXPECT_TRUE(eventually(worker, [&] { return server.received == "question" && client.received == "answer"; }));
}

TEST_F(TlsTest, ClientCertificate) {
  start(server_context(TlsServerOptions::ClientCert::Require),
        client_context(TlsClientOptions::Verify::Ca, "ca", "client"));
  ASSERT_TRUE(is_ready());
  on(worker, [&] {
    EXPECT_EQ(server.stream->tls_info().peer_cn, "alice");
    EXPECT_EQ(server.stream->tls_info().peer_subject, "CN=alice");
  });
}

TEST_F(TlsTest, MissingClientCertificateIsRefused) {
  start(server_context(TlsServerOptions::ClientCert::Require), client_context(TlsClientOptions::Verify::Ca));
  ASSERT_TRUE(eventually(worker, [&] { return server.closed && client.closed; }));
  EXPECT_EQ(server.closed->kind, StreamError::Kind::Tls);
  EXPECT_NE(server.closed->text.find("certificate"), std::string::npos) << server.closed->text;
  EXPECT_NE(client.closed->text.find("certificate required"), std::string::npos) << client.closed->text;
}

TEST_F(TlsTest, WrongAuthority) {
  start(server_context(), client_context(TlsClientOptions::Verify::Ca, "other"));
  ASSERT_TRUE(eventually(worker, [&] { return server.closed && client.closed; }));
  EXPECT_EQ(client.closed->kind, StreamError::Kind::Tls);
  EXPECT_NE(client.closed->text.find("verify failed"), std::string::npos) << client.closed->text;
}

TEST_F(TlsTest, WrongHostName) {
  start(server_context(), client_context(TlsClientOptions::Verify::Full), "elsewhere.test");
  ASSERT_TRUE(eventually(worker, [&] { return client.closed.has_value(); }));
  EXPECT_NE(client.closed->text.find("ostname mismatch"), std::string::npos) << client.closed->text;
}

TEST_F(TlsTest, HostByAddressAndWithoutVerification) {
  start(server_context(), client_context(TlsClientOptions::Verify::Full), "127.0.0.1");
  EXPECT_TRUE(is_ready());
}

TEST_F(TlsTest, VerificationOffAcceptsAnyName) {
  start(server_context(), client_context(TlsClientOptions::Verify::None, "other"), "elsewhere.test");
  EXPECT_TRUE(is_ready());
  EXPECT_EQ(on(worker, [&] { return client.stream->tls_info().peer_cn; }), "") << "nobody verified it";
}

TEST_F(TlsTest, GarbageInsteadOfAHandshake) {
  on(worker, [&] {
    server.stream->start_tls_server(server_context(), [&] { ++ready; });
    client.stream->send("this is no ClientHello at all, far from it");
  });
  ASSERT_TRUE(eventually(worker, [&] { return server.closed.has_value(); }));
  EXPECT_EQ(server.closed->kind, StreamError::Kind::Tls);
  EXPECT_EQ(ready, 0);
}

TEST_F(TlsTest, SentBeforeReadyTravelsEncrypted) {
  on(worker, [&] {
    server.stream->send("S");
    server.stream->start_tls_server(server_context(), [&] { ++ready; });
    server.stream->send("early");
    client.bytes = [&](std::string_view bytes) {
      EXPECT_EQ(bytes, "S");
      client.bytes = nullptr;
      client.stream->start_tls_client(client_context(TlsClientOptions::Verify::Full), "server.test", [&] { ++ready; });
      client.stream->send("hello");
      return std::size_t{1};
    };
  });
  ASSERT_TRUE(is_ready());
  EXPECT_TRUE(eventually(worker, [&] { return server.received == "hello" && client.received == "early"; }));
}

// Direct TLS: the ClientHello was read as plain bytes before anyone knew.
TEST_F(TlsTest, UnconsumedBytesAreTheBeginningOfTls) {
  on(worker, [&] {
    server.bytes = [&](std::string_view bytes) {
      EXPECT_EQ(bytes.front(), 0x16);
      server.bytes = nullptr;
      server.stream->start_tls_server(server_context(), [&] { ++ready; });
      return std::size_t{0};
    };
    client.stream->start_tls_client(client_context(TlsClientOptions::Verify::Full), "server.test", [&] { ++ready; });
    client.stream->send("direct");
  });
  ASSERT_TRUE(is_ready());
  EXPECT_TRUE(eventually(worker, [&] { return server.received == "direct"; }));
}

TEST_F(TlsTest, BulkBothWaysWithPauses) {
  start(server_context(), client_context(TlsClientOptions::Verify::None));
  ASSERT_TRUE(is_ready());
  const std::string there = pattern((3u << 20) * kScale, 1), back = pattern((3u << 20) * kScale, 2);
  on(worker, [&] {
    int count = 0;
    server.bytes = [&, count](std::string_view bytes) mutable {
      const std::size_t used = bytes.size() - bytes.size() % 3;  // leaves tails
      server.received += bytes.substr(0, used);
      if (++count % 5 == 0) {
        server.stream->pause();
        worker.defer([&] { server.stream->resume(); });
      }
      return used;
    };
    client.stream->send(there);
    for (std::size_t at = 0; at < back.size(); at += 1000) server.stream->send(std::string_view(back).substr(at, 1000));
  });
  const std::size_t whole = there.size() - there.size() % 3;
  ASSERT_TRUE(eventually(worker, [&] { return server.received.size() == whole; }));
  ASSERT_TRUE(eventually(worker, [&] { return client.received.size() == back.size(); }));
  EXPECT_TRUE(same(server.received, std::string_view(there).substr(0, whole)));
  EXPECT_TRUE(same(client.received, back));
}

TEST_F(TlsTest, CloseNotifyIsEof) {
  start(server_context(), client_context(TlsClientOptions::Verify::None));
  ASSERT_TRUE(is_ready());
  on(worker, [&] {
    server.stream->send("goodbye");
    Stream::finish(std::move(server.stream));
  });
  ASSERT_TRUE(eventually(worker, [&] { return client.closed.has_value(); }));
  EXPECT_EQ(client.received, "goodbye");
  EXPECT_EQ(client.closed->kind, StreamError::Kind::Eof);
}

TEST(TlsContext, ProblemsNameTheFile) {
  const auto missing = TlsContext::server({"/nowhere/server.crt", "/nowhere/server.key", "", {}});
  ASSERT_FALSE(missing.ok());
  EXPECT_NE(missing.error().text.find("/nowhere/server.crt"), std::string::npos);
  const auto unfit = TlsContext::server({certificates().cert("server"), certificates().key("client"), "", {}});
  ASSERT_FALSE(unfit.ok());
  const auto no_ca = TlsContext::client({TlsClientOptions::Verify::Ca, "/nowhere/ca.crt", "", ""});
  ASSERT_FALSE(no_ca.ok());
  EXPECT_NE(no_ca.error().text.find("/nowhere/ca.crt"), std::string::npos);
}

}  // namespace
}  // namespace pgweir::net
