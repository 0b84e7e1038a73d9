// pg_hba.conf: what its lines say, what is refused with its place, and which line decides.
#include <sstream>

#include "config/hba_read.h"
#include "config_support.h"

namespace pgweir::config {
namespace {

std::vector<std::string> findings_in(const std::string& text, const std::string& path = "hba") {
  Findings findings("pgweir.toml");
  (void)parse_hba(text, path, findings);
  std::vector<std::string> lines;
  for (const Diagnostic& diagnostic : findings.take()) lines.push_back(diagnostic.to_string());
  return lines;
}

Hba sound(const std::string& text, const std::string& path = "hba") {
  Findings findings("pgweir.toml");
  Hba hba = parse_hba(text, path, findings);
  for (const Diagnostic& diagnostic : findings.take()) {
    if (diagnostic.severity == Severity::Error) ADD_FAILURE() << diagnostic.to_string();
  }
  return hba;
}

// A client, as the tables write it: "host 10.0.0.1 user database", "ssl ...", "local user database"; the word
// "replication" behind it makes it a physical replication connection.
unsigned deciding_line(const Hba& hba, const std::string& client, std::vector<IpNetwork> own = {}) {
  std::vector<std::string> words;
  std::istringstream in(client);
  for (std::string word; in >> word;) words.push_back(word);
  HbaRequest request;
  request.local = words.at(0) == "local";
  request.tls = words.at(0) == "ssl";
  request.own_networks = own;
  std::size_t at = 1;
  if (!request.local) {
    const auto address = parse_ip(words.at(at++));
    if (!address) throw std::runtime_error("no address in " + client);
    request.address = *address;
  }
  request.user = words.at(at);
  request.database = words.at(at + 1);
  request.replication = words.size() > at + 2;
  const HbaLine* line = match_hba(hba, request);
  return line ? line->line : 0;
}

TEST(Ip, ReadsAddresses) {
  EXPECT_EQ(parse_ip("192.0.2.1")->bytes[3], 1);
  for (const char* text : {"::", "::1", "1::", "2001:db8::1", "1:2:3:4:5:6:7:8", "::ffff:192.0.2.1", "1:2:3:4:5:6:7::"})
    EXPECT_TRUE(parse_ip(text) && parse_ip(text)->v6) << text;
  for (const char* text : {"", "1.2.3", "1.2.3.4.5", "1.2.3.256", "1.2.3.", ".1.2.3", "1.2.3.4a", "1..2.3", "0x1.2.3.4",
                           "1.2.3.0004", ":", ":::", "1:2:3:4:5:6:7", "1:2:3:4:5:6:7:8:9", "1::2::3", "12345::",
                           "1:2:3:4:5:6:7:8::", "fe80::1%eth0", "::1.2.3", "1.2.3.4::", "::1:", ":1::", "[::1]"})
    EXPECT_FALSE(parse_ip(text)) << text;
  EXPECT_EQ(unmapped(*parse_ip("::ffff:10.1.2.3")), *parse_ip("10.1.2.3"));
  EXPECT_EQ(unmapped(*parse_ip("::fffe:10.1.2.3")), *parse_ip("::fffe:10.1.2.3"));
  EXPECT_EQ(*parse_ip("::ffff:1.2.3.4"), *parse_ip("0:0:0:0:0:FFFF:102:304"));
}

TEST(Hba, ReadsEveryPartOfALine) {
  const Hba hba = sound(
      "# comment\n\n"
      "hostssl  shop,\"odd, name\", crm  app,/^r_[0-9]+$  10.0.0.0/8  scram-sha-256 clientcert=verify-ca # end\n"
      "local all \"all\" trust\n"
      "host all all 192.168.0.0 255.255.0.0 md5\n");
  ASSERT_EQ(hba.lines.size(), 3u);
  const HbaLine& first = hba.lines[0];
  EXPECT_EQ(first.line, 3u);
  EXPECT_EQ(first.connection, HbaConnection::HostSsl);
  ASSERT_EQ(first.databases.size(), 3u);
  EXPECT_EQ(first.databases[1].text, "odd, name");
  EXPECT_EQ(first.databases[2].text, "crm");
  ASSERT_EQ(first.users.size(), 2u);
  EXPECT_EQ(first.users[1].kind, HbaName::Kind::Pattern);
  EXPECT_EQ(first.method, HbaMethod::ScramSha256);
  EXPECT_EQ(first.client_cert, HbaClientCert::VerifyCa);
  EXPECT_EQ(hba.lines[1].users[0].kind, HbaName::Kind::Exact);  // quoted: a user of that name
  EXPECT_EQ(hba.lines[2].network, ip_network(*parse_ip("192.168.0.0"), 16));
}

struct Decision {
  const char* text;
  const char* client;
  unsigned line;
};

constexpr Decision kDecisions[] = {
    {"host all all all trust\nhost all all all reject", "host 1.2.3.4 u d", 1},
    {"host all all 10.0.0.0/8 reject\nhost all all all trust", "host 10.9.9.9 u d", 1},
    {"host all all 10.0.0.0/8 reject\nhost all all all trust", "host 11.0.0.1 u d", 2},
    {"host all all 10.0.0.0/8 trust", "host 11.0.0.1 u d", 0},
    {"host all all 10.0.0.5 255.0.0.255 trust", "host 10.7.7.5 u d", 1},
    {"host all all 10.0.0.5 255.0.0.255 trust", "host 10.7.7.6 u d", 0},
    {"host all all 10.0.0.7/9 trust", "host 10.127.0.1 u d", 1},
    {"host all all 10.0.0.7/9 trust", "host 10.128.0.1 u d", 0},
    {"host all all 0.0.0.0/0 trust", "host ::1 u d", 0},
    {"host all all ::/0 trust", "host 1.2.3.4 u d", 0},
    {"host all all ::/0 trust", "host ::1 u d", 1},
    {"host all all 2001:db8::/33 trust", "host 2001:db8:7fff::1 u d", 1},
    {"host all all 2001:db8::/33 trust", "host 2001:db8:8000::1 u d", 0},
    {"host all all 127.0.0.1/32 trust", "host ::ffff:127.0.0.1 u d", 1},
    // Kinds of connections.
    {"local all all trust", "host 127.0.0.1 u d", 0},
    {"local all all trust", "local u d", 1},
    {"host all all all trust", "local u d", 0},
    {"host all all all trust", "ssl 1.2.3.4 u d", 1},
    {"hostssl all all all trust", "host 1.2.3.4 u d", 0},
    {"hostssl all all all trust", "ssl 1.2.3.4 u d", 1},
    {"hostnossl all all all trust", "ssl 1.2.3.4 u d", 0},
    {"hostnossl all all all trust", "host 1.2.3.4 u d", 1},
    {"hostgssenc all all all trust", "ssl 1.2.3.4 u d", 0},
    {"hostgssenc all all all trust", "host 1.2.3.4 u d", 0},
    {"hostnogssenc all all all trust", "host 1.2.3.4 u d", 1},
    {"hostnogssenc all all all trust", "local u d", 0},
    // Databases.
    {"local d all trust", "local u d", 1},
    {"local D all trust", "local u d", 0},
    {"local a,b,d all trust", "local u d", 1},
    {"local sameuser all trust", "local u d", 0},
    {"local sameuser all trust", "local u u", 1},
    {"local \"sameuser\" all trust", "local u u", 0},
    {"local \"sameuser\" all trust", "local u sameuser", 1},
    {"local replication all trust", "local u replication", 0},
    {"local \"replication\" all trust", "local u replication", 1},
    {"local replication all trust", "local u d physical", 1},
    {"local all all trust", "local u d physical", 0},
    {"local all,replication all trust", "local u d physical", 1},
    {"local /^d all trust", "local u data", 1},
    {"local /^d$ all trust", "local u data", 0},
    {"local /at all trust", "local u data", 1},
    {"local \"/a{1,2}t\" all trust", "local u data", 1},
    // Users.
    {"local all u trust", "local u d", 1},
    {"local all v trust", "local u d", 0},
    {"local all x,u trust", "local u d", 1},
    {"local all \"+u\" trust", "local +u d", 1},
    {"local all /^app_[0-9]+$ reject\nlocal all all trust", "local app_12 d", 1},
    {"local all /^app_[0-9]+$ reject\nlocal all all trust", "local app_1x d", 2},
    {"local all /^(?:a|b).$ trust", "local bx d", 1},
    {"local all /^\\w\\.\\d$ trust", "local a.7 d", 1},
    {"local all /^\\w\\.\\d$ trust", "local ab7 d", 0},
    {"local all /^[[:alpha:]_]+$ trust", "local a_b d", 1},
    // Continued lines keep the number of their first.
    {"\nlocal all \\\n  u \\\r\n trust", "local u d", 2},
    {"local all \"a\"\"b\" trust", "local a\"b d", 1},
    {"local all a\" \"b trust\nlocal all all reject", "local u d", 2},
};
TEST(Hba, TheFirstLineThatMatchesDecides) {
  for (const Decision& test : kDecisions) {
    EXPECT_EQ(deciding_line(sound(test.text), test.client), test.line) << test.text << "\n" << test.client;
  }
}

TEST(Hba, KnowsTheMachinesOwnNetworks) {
  const Hba host = sound("host all all samehost trust"), net = sound("host all all samenet trust");
  const Hba other = sound("host all samenet all trust");
  EXPECT_TRUE(host.uses_own_networks());
  EXPECT_FALSE(other.uses_own_networks());
  const std::vector<IpNetwork> own = {ip_network(*parse_ip("10.1.0.5"), 16), ip_network(*parse_ip("fd00::5"), 64)};
  EXPECT_EQ(deciding_line(host, "host 10.1.0.5 u d", own), 1u);
  EXPECT_EQ(deciding_line(host, "host 10.1.0.6 u d", own), 0u);
  EXPECT_EQ(deciding_line(net, "host 10.1.9.6 u d", own), 1u);
  EXPECT_EQ(deciding_line(net, "host 10.2.9.6 u d", own), 0u);
  EXPECT_EQ(deciding_line(net, "host fd00::77 u d", own), 1u);
  EXPECT_EQ(deciding_line(net, "host 10.1.0.6 u d"), 0u);
}

TEST(Hba, LongNamesMatchNothing) {
  const Hba hba = sound("local all all trust");
  EXPECT_EQ(deciding_line(hba, "local " + std::string(63, 'u') + " d"), 1u);
  EXPECT_EQ(deciding_line(hba, "local " + std::string(64, 'u') + " d"), 0u);
  EXPECT_EQ(deciding_line(hba, "local u " + std::string(64, 'd')), 0u);
}

struct Mistake {
  const char* text;
  const char* finding;  // null: any
};
constexpr Mistake kMistakes[] = {
    {"", "hba: error: the file has no entries: nobody could log in"},
    {"# only this\n", "hba: error: the file has no entries: nobody could log in"},
    {"hots all all all trust", "hba:1:1: error: invalid connection type \"hots\"\n  hint: did you mean \"host\"?"},
    {"local all all", "hba:1:1: error: the line ends before the authentication method"},
    {"local all", "hba:1:1: error: the line ends before the user names"},
    {"local", "hba:1:1: error: the line ends before the database names"},
    {"\n  host all all", "hba:2:3: error: the line ends before the address"},
    {"host all all 10.0.0.1", "hba:1:1: error: the line ends before the netmask"},
    {"host all all 10.0.0.1 trust", "hba:1:23: error: invalid IP mask \"trust\"\n  hint: write the network as "
                                    "10.0.0.0/8, or a netmask behind the address"},
    {"host all all 10.0.0.1 ffff:: trust", "hba:1:23: error: IP address and mask do not match"},
    {"host all all 10.0.0.1/33 trust", "hba:1:14: error: invalid CIDR mask in address \"10.0.0.1/33\""},
    {"host all all 10.0.0.1/ trust", "hba:1:14: error: invalid CIDR mask in address \"10.0.0.1/\""},
    {"host all all ::/129 trust", "hba:1:14: error: invalid CIDR mask in address \"::/129\""},
    {"host all all 10.0.0.300/8 trust", "hba:1:14: error: invalid IP address \"10.0.0.300/8\""},
    {"host all all db.example.com trust",
     "hba:1:14: error: the host name \"db.example.com\" is not supported: addresses must be numeric\n  hint: write the "
     "address or network, as in 10.0.0.0/8"},
    {"host all all 10.0.0.1/8,10.1.0.0/16 trust", "hba:1:25: error: there is more than one address"},
    {"local all all peer",
     "hba:1:15: error: the authentication method \"peer\" is not supported by pgweir\n  hint: known: trust, reject, "
     "scram-sha-256, md5, password, cert"},
    {"local all all thrust", "hba:1:15: error: invalid authentication method \"thrust\"\n  hint: did you mean \"trust\"?"},
    {"local all all cert", "hba:1:15: error: cert authentication is only supported on hostssl connections"},
    {"host all all all cert", "hba:1:18: error: cert authentication is only supported on hostssl connections"},
    {"hostssl all all all cert clientcert=verify-ca",
     "hba:1:26: error: clientcert only accepts \"verify-full\" when using \"cert\" authentication"},
    {"host all all all trust clientcert=verify-ca",
     "hba:1:24: error: clientcert can only be configured for \"hostssl\" rows"},
    {"hostssl all all all trust clientcert=1", "hba:1:27: error: invalid value for clientcert: \"1\""},
    {"hostssl all all all cert map=m",
     "hba:1:26: error: the authentication option \"map=m\" is not supported by pgweir\n  hint: known: clientcert, "
     "clientname=CN"},
    {"local all all trust x", "hba:1:21: error: authentication option not in name=value format: x"},
    {"local samerole all trust",
     "hba:1:7: error: \"samerole\" is not supported: the members of roles are not known here"},
    {"local all +dba trust",
     "hba:1:11: error: \"+dba\" is not supported: the members of roles are not known here\n  hint: list the users, or "
     "name a file of them: @file"},
    {"include other.conf", "hba:1:1: error: \"include\" is not supported\n  hint: write the lines into this file"},
    {"local all @/nonexistent trust", "hba:1:11: error: the file \"/nonexistent\": it does not exist"},
    {"local all \"app trust", "hba:1:11: error: the closing quote is missing"},
    {"local all a,,b trust", "hba:1:13: error: there is nothing before this comma"},
    {"local all /( trust", nullptr},
    {"local all / trust", "hba:1:11: error: invalid regular expression \"\": it is empty"},
    {"local all /a\\y trust",
     "hba:1:11: error: invalid regular expression \"a\\y\": the escape \"\\y\" is not supported"},
    {"local all /(?i)a trust",
     "hba:1:11: error: invalid regular expression \"(?i)a\": options and look-around in (?...) are not supported"},
    {"local all /(a)\\1 trust",
     "hba:1:11: error: invalid regular expression \"(a)\\1\": the escape \"\\1\" is not supported"},
};

TEST(Hba, RefusesEveryWrongLineWithItsPlace) {
  for (const Mistake& test : kMistakes) {
    const auto found = findings_in(test.text);
    ASSERT_FALSE(found.empty()) << test.text;
    if (test.finding) {
      EXPECT_EQ(found.front(), test.finding) << test.text;
    }
  }
}

TEST(Hba, TellsAllWrongLinesAtOnce) {
  EXPECT_EQ(findings_in("hots a b c d\nlocal all all trust\nlocal all all pam\nhost all all x trust").size(), 3u);
}

TEST(Hba, AnExpressionCannotRunAway) {
  const Hba hba = sound("local all /^(a|a)*(a|a)*(a|a)*b$ trust\nlocal all all reject");
  EXPECT_EQ(deciding_line(hba, "local " + std::string(63, 'a') + " d"), 2u);
}

TEST(Hba, NamesComeFromFiles) {
  const Folder folder;
  folder.write("users", "# people\nalice, bob\n\"carol d\"\n@more\n");
  folder.write("more", "dora\n");
  folder.write("loop", "@loop\n");
  folder.write("none", "# nobody\n");
  const Hba hba = sound("local all @users trust\nlocal all all reject\n", folder / "hba");
  ASSERT_EQ(hba.lines.at(0).users.size(), 4u);
  EXPECT_EQ(hba.lines[0].users[2].text, "carol d");
  EXPECT_EQ(deciding_line(hba, "local bob d"), 1u);
  EXPECT_EQ(deciding_line(hba, "local dora d"), 1u);
  EXPECT_EQ(deciding_line(hba, "local eve d"), 2u);
  EXPECT_THAT(findings_in("local all @loop trust", folder / "hba").at(0), testing::HasSubstr("nested too deeply"));
  EXPECT_THAT(findings_in("local all @none trust", folder / "hba").at(0), testing::HasSubstr("has no names"));
  // A wrong name is told where it stands.
  folder.write("groups", "alice\n +dba\n");
  EXPECT_THAT(findings_in("local all @groups trust", folder / "hba").at(0), testing::StartsWith((folder / "groups") + ":2:2: error"));
}

TEST(Hba, IsPartOfTheConfiguration) {
  const Folder folder;
  folder.write("pg_hba.conf", "host all all 127.0.0.1/32 scram-sha-256\nhost all all all reject\n");
  const std::string text = kBase + "[auth]\nmethod = \"hba\"\nhba_file = \"pg_hba.conf\"\n";
  const LoadResult loaded = load_text(text, folder / "pgweir.toml");
  ASSERT_TRUE(loaded.config) << all_of(loaded);
  EXPECT_EQ(loaded.config->auth.hba.lines.size(), 2u);

  folder.write("pg_hba.conf", "host all all 127.0.0.1/32 scram\nhost all all localhost trust\n");
  const LoadResult broken = load_text(text, folder / "pgweir.toml");
  EXPECT_FALSE(broken.config);
  ASSERT_EQ(broken.diagnostics.size(), 2u) << all_of(broken);
  EXPECT_EQ(broken.diagnostics[0].file, folder / "pg_hba.conf");
  EXPECT_EQ(broken.diagnostics[1].line, 2u);
}

TEST(Hba, CertificatesMustBeAskedFor) {
  const Folder folder;
  folder.write("pg_hba.conf", "\nhostssl all all all cert\n");
  const std::string auth = "[auth]\nmethod = \"hba\"\nhba_file = \"pg_hba.conf\"\n";
  EXPECT_THAT(all_of(load_text(kBase + auth, folder / "t")),
              testing::HasSubstr((folder / "pg_hba.conf") + ":2:0: error: certificates are not asked for"));
  folder.write("pem", "");
  const std::string tls = "[tls.client]\nmode = \"allow\"\ncert = \"pem\"\nkey = \"pem\"\n";
  EXPECT_THAT(all_of(load_text(kBase + auth + tls, folder / "t")), testing::HasSubstr("certificates are not asked for"));
  EXPECT_EQ(all_of(load_text(kBase + auth + tls + "ca = \"pem\"\n", folder / "t")), "");
}

TEST(Hba, LinesThatCannotMatchAreTold) {
  const Folder folder;
  folder.write("pg_hba.conf", "hostssl all all all scram-sha-256\nhostgssenc all all all reject\n");
  const std::string auth = "[auth]\nmethod = \"hba\"\nhba_file = \"pg_hba.conf\"\n";
  const std::string told = all_of(load_text(kBase + auth, folder / "t"));
  EXPECT_THAT(told, testing::HasSubstr("pg_hba.conf:1:0: warning: this line matches nobody: TLS is off"));
  EXPECT_THAT(told, testing::HasSubstr("pg_hba.conf:2:1: warning: this line matches nobody: GSS encryption"));
  const std::string unused = "[auth]\nhba_file = \"pg_hba.conf\"\n";
  EXPECT_THAT(all_of(load_text(kBase + unused, folder / "t")),
              testing::HasSubstr("13:12: warning: \"hba_file\" has no effect without method = \"hba\""));
}

}  // namespace
}  // namespace pgweir::config
