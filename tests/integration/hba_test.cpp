// auth.method = "hba": the lines of a pg_hba.conf decide, with PostgreSQL's own words.
#include "tests/integration/proxy_fixture.h"

namespace pgweir::support {
namespace {

using testing::HasSubstr;

class HbaTest : public ProxyTest {
 protected:
  // The proxy with these lines; `tls` is the mode of [tls.client].
  void start_with(const std::string& lines, const std::string& tls = "allow", const std::string& more = "") {
    write_file(file(), lines);
    start(ProxyOptions{.tls_client = tls,
                       .auth = "method = \"hba\"\nhba_file = \"" + file().string() + "\"\n",
                       .extra = more,
                       .metrics = false});
  }
  std::filesystem::path file() const { return temp_.path() / "pg_hba.conf"; }
  static std::string failure(Parameters given) { return Connection::try_open(std::move(given)).second; }
  // What a server or proxy says behind "FATAL:  ".
  static std::string verdict(const Parameters& given) {
    const std::string text = failure(given);
    const auto at = text.find("FATAL:  ");
    return at == std::string::npos ? text : text.substr(at + 8);
  }
  Parameters with_tls(const std::string& user = "app") {
    auto given = parameters(user);
    given["sslmode"] = "require";
    return given;
  }

  TempDir temp_{"hba"};
};

TEST_F(HbaTest, TheFirstLineThatMatchesDecides) {
  NEEDS_PROXY();
  start_with("host fediflow reader 127.0.0.1/32 reject\nhost fediflow all 127.0.0.1/32 scram-sha-256\n");
  EXPECT_EQ(connect().must("SELECT 1").value(), "1");
  EXPECT_THAT(failure(parameters("reader")), HasSubstr("pg_hba.conf rejects connection"));
  auto wrong = parameters();
  wrong["password"] = "guess";
  EXPECT_THAT(failure(wrong), HasSubstr("password authentication failed for user \"app\""));
  // The console is a database like any other.
  EXPECT_THAT(failure(parameters("admin", "pgweir")), HasSubstr("no pg_hba.conf entry for host"));
}

TEST_F(HbaTest, RefusalsReadAsPostgresqls) {
  NEEDS_PROXY();
  const std::vector<std::string> lines = {"local all all trust", "hostssl all reader 127.0.0.1/32 scram-sha-256",
                                          "host fediflow app 127.0.0.1/32 reject"};
  PgCluster strict({.hba = lines});
  start_with(lines[0] + "\n" + lines[1] + "\n" + lines[2] + "\n");
  for (const char* user : {"app", "reader", "nobody"}) {
    for (const char* mode : {"disable", "require"}) {
      for (const char* database : {"fediflow", "postgres"}) {
        auto given = parameters(user, database);
        given["sslmode"] = mode;
        given["password"] = "guess";
        const std::string ours = verdict(given);
        given["port"] = std::to_string(strict.port());
        EXPECT_EQ(ours, verdict(given)) << user << " " << mode << " " << database;
        EXPECT_NE(ours, "");
      }
    }
  }
}

TEST_F(HbaTest, EveryMethodIsAskedFor) {
  NEEDS_PROXY();
  start_with(
      "hostssl all app 127.0.0.1/32 password\n"
      "hostnossl all app 127.0.0.1/32 md5\n"
      "host all reader 127.0.0.1/32 trust\n"
      "host all admin 127.0.0.1/32 scram-sha-256\n");
  EXPECT_EQ(failure(parameters()), "");
  EXPECT_EQ(failure(with_tls()), "");
  auto wrong = with_tls();
  wrong["password"] = "guess";
  EXPECT_THAT(failure(wrong), HasSubstr("password authentication failed"));
  wrong = parameters();
  wrong["password"] = "guess";
  EXPECT_THAT(failure(wrong), HasSubstr("password authentication failed"));
  auto trusted = parameters("reader");
  trusted["password"] = "guess";
  EXPECT_EQ(failure(trusted), "");
  EXPECT_EQ(failure(parameters("admin", "pgweir")), "");
}

TEST_F(HbaTest, CertificatesAreChecked) {
  NEEDS_PROXY();
  start_with(
      "hostssl all app 127.0.0.1/32 cert\n"
      "hostssl all reader 127.0.0.1/32 scram-sha-256 clientcert=verify-ca\n"
      "hostssl all admin 127.0.0.1/32 scram-sha-256 clientcert=verify-full\n");
  EXPECT_THAT(failure(with_tls()), HasSubstr("connection requires a valid client certificate"));
  auto given = with_tls();
  given["sslcert"] = certificates().client_cert;
  given["sslkey"] = certificates().client_key;
  given["password"] = "";
  EXPECT_EQ(failure(given), "");
  // The certificate is app's: it is no proof of another name, but for verify-ca a valid one is enough.
  EXPECT_THAT(failure(with_tls("reader")), HasSubstr("connection requires a valid client certificate"));
  auto other = with_tls("reader");
  other["sslcert"] = given["sslcert"], other["sslkey"] = given["sslkey"];
  EXPECT_EQ(failure(other), "");
  auto admin = with_tls("admin");
  admin["dbname"] = "pgweir";
  admin["sslcert"] = given["sslcert"], admin["sslkey"] = given["sslkey"];
  EXPECT_THAT(failure(admin), HasSubstr("certificate authentication failed for user \"admin\""));
}

TEST_F(HbaTest, UnixSocketsAreLocal) {
  NEEDS_PROXY();
  write_file(file(), "local fediflow app trust\nhost all all all reject\n");
  start(ProxyOptions{.auth = "method = \"hba\"\nhba_file = \"" + file().string() + "\"\n", .metrics = false});
  // The fixture listens on TCP only: a second address is added by hand and the proxy started again.
  std::string text = proxy().config_text();
  const std::string address = "127.0.0.1:" + std::to_string(port()) + "\"";
  text.replace(text.find(address), address.size(), address + ", \"unix:" + temp_.path().string() + "\"");
  write_file(proxy().config_file(), text);
  proxy().kill9();
  proxy().start();
  auto local = parameters();
  local["host"] = temp_.path().string();
  local.erase("password");
  EXPECT_EQ(failure(local), "");
  local["user"] = "reader";
  EXPECT_THAT(failure(local), HasSubstr("no pg_hba.conf entry for host \"[local]\", user \"reader\", database \"fediflow\""));
  EXPECT_THAT(failure(parameters()), HasSubstr("pg_hba.conf rejects connection for host \"127.0.0.1\""));
}

TEST_F(HbaTest, SamehostAndSamenetAreTheMachinesOwn) {
  NEEDS_PROXY();
  start_with("host all app samehost trust\nhost all reader samenet trust\n");
  EXPECT_EQ(failure(parameters()), "");
  EXPECT_EQ(failure(parameters("reader")), "");
}

TEST_F(HbaTest, AReloadReadsItAgainAndABadFileChangesNothing) {
  NEEDS_PROXY();
  start_with("host all all 127.0.0.1/32 scram-sha-256\n");
  EXPECT_EQ(failure(parameters()), "");
  write_file(file(), "host all reader 127.0.0.1/32 scram-sha-256\nhost all all localhost trust\nlocal all all peer\n");
  proxy().reload_file(proxy().config_text());
  ASSERT_TRUE(proxy().wait_for_log("not reloaded"));
  EXPECT_THAT(proxy().log(), HasSubstr("pg_hba.conf:2:14: error: the host name \"localhost\" is not supported"));
  EXPECT_THAT(proxy().log(), HasSubstr("pg_hba.conf:3:15: error: the authentication method \"peer\""));
  EXPECT_EQ(failure(parameters()), "");
  write_file(file(), "host all reader 127.0.0.1/32 scram-sha-256\n");
  proxy().reload_file(proxy().config_text());
  ASSERT_TRUE(proxy().wait_for_log("was reloaded"));
  EXPECT_THAT(failure(parameters()), HasSubstr("no pg_hba.conf entry"));
  EXPECT_EQ(failure(parameters("reader")), "");
}

TEST_F(HbaTest, TheCertificateOfVerifyFullIsTheUsers) {
  NEEDS_PROXY();
  start(ProxyOptions{.tls_client = "verify-full", .metrics = false});
  auto given = with_tls();
  EXPECT_NE(failure(given), "");
  given["sslcert"] = certificates().client_cert;
  given["sslkey"] = certificates().client_key;
  EXPECT_EQ(failure(given), "");
  auto other = with_tls("reader");
  other["sslcert"] = given["sslcert"], other["sslkey"] = given["sslkey"];
  EXPECT_THAT(failure(other), HasSubstr("certificate authentication failed for user \"reader\""));
  start(ProxyOptions{.tls_client = "verify-ca", .metrics = false});
  other["port"] = std::to_string(port());
  EXPECT_EQ(failure(other), "");
}

// As libpq does it: with a root certificate "require" is "verify-ca".
TEST_F(HbaTest, ARequiredServerCertificateIsCheckedWhereAnAuthorityIsNamed) {
  NEEDS_PROXY();
  const std::string other = (temp_.path() / "other.crt").string();
  run({.command = {"openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=other", "-days", "2", "-keyout",
                   (temp_.path() / "other.key").string(), "-out", other}});
  start(ProxyOptions{.tls_server = "require", .metrics = false});
  EXPECT_EQ(connect().must("SELECT 1").value(), "1");
  std::string text = proxy().config_text();
  const auto at = text.find("ca = ", text.find("[tls.server]"));
  text.replace(at, text.find('\n', at) - at, "ca = \"" + other + "\"");
  write_file(proxy().config_file(), text);
  proxy().kill9();
  proxy().start();
  auto [connection, error] = Connection::try_open(parameters());
  const std::string told = connection ? connection->exec("SELECT 1").error.value_or(Report{}).message : error;
  EXPECT_THAT(told, HasSubstr("certificate verify failed"));
}

}  // namespace
}  // namespace pgweir::support
