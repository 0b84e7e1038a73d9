"""More of session state: what one client sets, by whatever means and in whatever part of a transaction, it finds again, and
nobody else does."""
from client import SYNC, again, bind, execute, once, parse, query
from scenario import scenario

DATE = "select '01/02/2024'::date::text"


def shows(*names):
    return "select " + ", ".join(f"current_setting('{name}', true)" for name in names)


# --- savepoints and ends of transactions ---

@scenario("state", "a SET is taken back by ROLLBACK TO and kept by RELEASE")
def savepoints(side):
    client, other = side.connect(), side.connect()
    yield client.query("begin", "set work_mem = '1MB'", "savepoint a", "set work_mem = '2MB'", "show work_mem",
                       "rollback to a", "show work_mem", "savepoint b", "set work_mem = '3MB'", "release b", "commit")
    yield "other: " + other.query("show work_mem") + client.query("show work_mem")


@scenario("state", "SET LOCAL within a subtransaction hides the SET of the outer one until its end")
def local_over_set(side):
    client, other = side.connect(), side.connect()
    yield client.query("begin", "set work_mem = '1MB'", "savepoint a", "set local work_mem = '2MB'", "release a",
                       "show work_mem", "commit", "show work_mem")
    yield "other: " + other.query("show work_mem") + client.query("show work_mem")
    yield client.query("begin", "set local work_mem = '5MB'", "set work_mem = '6MB'", "commit", "show work_mem")


@scenario("state", "set_config with is_local true ends with its transaction, in a block and outside")
def set_config_local(side):
    client, other = side.connect(), side.connect()
    yield client.query("select set_config('work_mem', '1MB', true)", "show work_mem")
    yield client.query("begin", "select set_config('work_mem', '2MB', true)", "show work_mem", "commit")
    yield "other: " + other.query("show work_mem") + client.query("show work_mem")
    yield client.ask(once("select set_config('work_mem', $1, true)", "3MB"), once("show work_mem"), SYNC)
    yield client.query("show work_mem")


@scenario("state", "SET LOCAL outside of a block warns and does nothing")
def local_outside(side):
    client = side.connect()
    yield client.query("set local work_mem = '1MB'", "show work_mem", "set local datestyle to default")
    yield client.ask(once("set local work_mem = '1MB'"), SYNC) + client.query("show work_mem")
    yield client.ask(once("set local work_mem = '1MB'"), once("show work_mem"), SYNC) + client.query("show work_mem")


@scenario("state", "a SET in front of an error of the same implicit transaction did not happen")
def failed_implicit(side):
    client, other = side.connect(), side.connect()
    yield client.query("set work_mem = '1MB'; select 1/0", "show work_mem")
    yield client.ask(once("set work_mem = '2MB'"), once("select 1/0"), once("set work_mem = '3MB'"), SYNC)
    yield client.query("show work_mem") + " other: " + other.query("show work_mem")


@scenario("state", "COMMIT AND CHAIN keeps a SET, ROLLBACK AND CHAIN takes it back, and both end SET LOCAL")
def chains(side):
    client, other = side.connect(), side.connect()
    yield client.query("begin", "set work_mem = '1MB'", "set local lock_timeout = 77", "commit and chain",
                       "show work_mem", "show lock_timeout", "set work_mem = '2MB'", "rollback and chain", "show work_mem",
                       "commit")
    yield "other: " + other.query("show work_mem") + client.query("show work_mem")
    yield client.query("begin isolation level serializable read only", "commit and chain", "show transaction_isolation",
                       "show transaction_read_only", "commit", "show transaction_isolation")


@scenario("state", "SESSION CHARACTERISTICS are the client's own, and SET TRANSACTION ends with its transaction")
def characteristics(side):
    client, other = side.connect(), side.connect()
    yield client.query("set session characteristics as transaction read only, isolation level repeatable read")
    for each in (other, client):
        yield each.query("begin", "show transaction_read_only", "show transaction_isolation", "commit")
    yield client.query("create table not_made_here (a int)", "set session characteristics as transaction read write")
    yield client.query("begin", "set transaction isolation level serializable", "show transaction_isolation", "commit",
                       "show transaction_isolation", "set transaction read only", "show default_transaction_read_only")


@scenario("state", "COMMIT of a failed block takes its SET back")
def commit_of_a_failed_block(side):
    client, other = side.connect(), side.connect()
    yield client.query("begin", "set datestyle = 'German'", "selec", "set datestyle = 'SQL'", "commit", DATE)
    yield "other: " + other.query(DATE) + str(client.parameters["DateStyle"])


@scenario("state", "PREPARE TRANSACTION keeps a SET as COMMIT does", ("one", "two", "session"))
def prepare_transaction(side):
    client, other = side.connect(), side.connect()
    yield client.query("begin", "set work_mem = '1MB'", "select 1", "prepare transaction 'state_2pc'", "show work_mem")
    yield "other: " + other.query("show work_mem") + client.query("rollback prepared 'state_2pc'", "show work_mem")


# --- RESET and defaults ---

@scenario("state", "RESET, TO DEFAULT and RESET ALL in a block go back to the startup value, and are rolled back with it")
def resets_in_blocks(side):
    client, other = side.connect(DateStyle="ISO, DMY", options="-c work_mem=3MB"), side.connect()
    for reset in ("reset work_mem", "set work_mem to default", "reset all", "set session work_mem = default"):
        yield client.query("set work_mem = '9MB'", "begin", reset, "show work_mem", "rollback", "show work_mem")
        yield client.query("begin", reset, "show work_mem", "commit", "show work_mem") + " other: " + other.query("show work_mem")
    yield client.query("begin", "set local work_mem = '5MB'", "set local work_mem to default", "show work_mem", "commit",
                       "show work_mem")
    yield client.query("begin", "savepoint a", "reset all", DATE, "rollback to a", "reset datestyle", DATE, "commit", DATE)
    yield str(sorted(client.parameters.items()))


@scenario("state", "so they do in the extended protocol, and ParameterStatus says so")
def resets_in_batches(side):
    client = side.connect(DateStyle="ISO, DMY", options="-c work_mem=3MB")
    yield client.query("set datestyle = 'German'", "set work_mem = '9MB'")
    yield client.ask(once("begin"), once("reset datestyle"), once(DATE), SYNC) + client.query(DATE, "rollback", DATE)
    yield client.ask(once("reset work_mem"), once("show work_mem"), SYNC) + client.query("show work_mem")
    yield client.ask(once("reset all"), once(DATE), once("set datestyle = 'SQL'"), once(DATE), SYNC) + client.query(DATE)
    yield client.ask(parse("r", "reset datestyle"), SYNC) + client.query("begin") + client.ask(again("r"), SYNC)
    yield client.query(DATE, "commit", DATE) + str(client.parameters["DateStyle"])


@scenario("state", "a RESET in a block that fails afterwards, or before")
def resets_in_failed_blocks(side):
    client = side.connect(DateStyle="ISO, DMY")
    yield client.query("set datestyle = 'German'", "begin", "reset datestyle", "select 1/0", "reset datestyle", "rollback", DATE)
    yield client.query("begin", "reset no_such_setting", "commit", DATE, "reset no_such_setting", DATE)


@scenario("state", "a RESET of a setting without a startup value goes to the server's default")
def resets_to_the_server(side):
    client = side.connect()
    yield client.query("set work_mem = '9MB'", "begin", "reset work_mem", "show work_mem", "commit", "show work_mem")
    yield client.query("set search_path = pg_catalog", "reset search_path", "show search_path", "reset timezone",
                       "reset session authorization", "select current_user")


@scenario("state", "DISCARD ALL gives back the startup values; in a block it is refused")
def discard_all(side):
    client, other = side.connect(options="-c work_mem=3MB", DateStyle="German"), side.connect()
    yield client.query("set work_mem = '9MB'", "set role reader", "begin", "discard all", "rollback", "discard all",
                       "show work_mem", "select current_user", DATE)
    yield "other: " + other.query("show work_mem", "select current_user", DATE)
    yield client.query("discard plans", "discard sequences", "discard temp", "show work_mem")
    yield client.ask(once("discard all"), SYNC) + client.query(DATE)


# --- startup ---

@scenario("state", "startup options with escaped blanks and backslashes")
def startup_escapes(side):
    client = side.connect(options="-c search_path=a\\ b,\\\\c -cwork_mem=2MB --lock_timeout=77 --enable-seqscan=off")
    other = side.connect()
    for each in (client, other, client):
        yield each.query(shows("search_path", "work_mem", "lock_timeout", "enable_seqscan"))


@scenario("state", "a custom setting and a role of the startup options")
def startup_custom(side):
    client, other = side.connect(options="-c app.started=yes -c role=reader"), side.connect()
    for each in (client, other, client):
        yield each.query(shows("app.started", "role"), "select current_user")
    yield client.query("set role app", "reset role", "select current_user", "set app.started = 'no'", "reset app.started",
                       shows("app.started"))


@scenario("state", "a startup value that PostgreSQL refuses")
def startup_errors(side):
    for startup in ({"work_mem": "x"}, {"no_such_setting": "1"}, {"options": "-c datestyle=nonsense"}, {"TimeZone": "Mars/Base"}):
        try:
            yield side.connect(**startup).query("select 1")
        except (ConnectionError, OSError, ValueError) as error:
            yield f"{type(error).__name__}"
    yield side.connect().query("select 1")


@scenario("state", "an encoding, a time zone and a date style of the startup packet")
def startup_parameters(side):
    client = side.connect(client_encoding="latin1", TimeZone="Asia/Tokyo", DateStyle="SQL, DMY", IntervalStyle="iso_8601")
    other = side.connect()
    for each in (client, other, client):
        yield each.query(shows("client_encoding", "timezone", "datestyle", "intervalstyle"), "select interval '1 day 2 hours'")
        yield str(sorted(each.parameters.items()))


# --- forms of SET ---

@scenario("state", "SET NAMES is SET client_encoding")
def set_names(side):
    client, other = side.connect(), side.connect()
    yield client.query("set names 'LATIN1'", "show client_encoding", "select octet_length('x')")
    yield "other: " + other.query("show client_encoding", "select 'ä'")
    yield client.query("show client_encoding", "set names default", "show client_encoding", "set names 'none'")
    yield str(client.parameters["client_encoding"])


@scenario("state", "every form of SET TIME ZONE")
def time_zones(side):
    client, other = side.connect(), side.connect()
    for zone in ("'Europe/Berlin'", "-7", "7.5", "interval '-08:00' hour to minute", "'PST8PDT'", "local", "default", "'UTC'"):
        yield client.query(f"set time zone {zone}")
        yield "other: " + other.query("show timezone") + client.query("select '2024-07-01 00:00+00'::timestamptz", "show timezone")
        yield str(client.parameters["TimeZone"])


@scenario("state", "lists, quotes and units are read back as they were meant")
def values_with_quotes(side):
    client, other = side.connect(), side.connect()
    for change, name in (("set search_path = 'a''b', \"C\"\"D\", public", "search_path"), ("set application_name = E'q\\'\\\\x'", "application_name"),
                         ("set work_mem = 1048576", "work_mem"), ("set statement_timeout = '1min'", "statement_timeout"),
                         ("set app.weird = E'a\\nb''c\\\\'", "app.weird"), ("set search_path = ''", "search_path")):
        yield client.query(change) + " other: " + other.query(f"select current_setting('{name}', true)")
        yield client.query(f"select current_setting('{name}', true)")


@scenario("state", "settings that cannot be changed here say so and change nothing")
def refused_settings(side):
    client = side.connect()
    yield client.query("set fsync = off", "set shared_buffers = '1MB'", "set server_version = '1'", "set log_statement = 'all'",
                       "set ignore_system_indexes = on", "set work_mem = '-5'", "set is_superuser = on", "select 1")


@scenario("state", "SET XML OPTION, SEED and other spellings")
def other_spellings(side):
    client, other = side.connect(), side.connect()
    yield client.query("set xml option document", "show xmloption", "set schema 'pg_catalog'", "show search_path",
                       "set session work_mem to '2MB'", "show work_mem")
    yield "other: " + other.query("show xmloption", "show search_path", "show work_mem")
    yield client.query("show xmloption", "show search_path", "show work_mem", "set \"Work_Mem\" = '3MB'", "show WORK_MEM")


@scenario("state", "application_name is told, shown and the client's own")
def application_name(side):
    client, other = side.connect(application_name="first"), side.connect(application_name="second")
    for each in (client, other):
        yield each.query("show application_name", "select application_name from pg_stat_activity where pid = pg_backend_pid()")
    yield client.query("set application_name = 'changed'") + str(client.parameters["application_name"])
    yield other.query("show application_name") + client.query("show application_name", "reset application_name",
                                                              "show application_name")


# --- roles ---

@scenario("state", "a role with RESET ROLE, SET ROLE NONE and DISCARD ALL")
def roles(side):
    client, other = side.connect(), side.connect()
    who = "select current_user, session_user"
    for change in ("set role reader", "reset role", "set role 'reader'", "set role none", "set local role reader",
                   "set session role reader", "discard all"):
        yield client.query(change) + " other: " + other.query(who) + client.query(who)
    yield client.query("begin", "set local role reader", who, "commit", who, "set role no_such_role", who)


@scenario("state", "a role that is dropped while its client uses it")
def dropped_role(side):
    side.prepare("drop role if exists state_dropped", "create role state_dropped", "grant state_dropped to app")
    client, other = side.connect(), side.connect()
    yield client.query("set role state_dropped", "select current_user") + " other: " + other.query("select current_user")
    yield client.query("reset role")
    side.prepare("drop role state_dropped")
    yield client.query("set role state_dropped", "select current_user") + " other: " + other.query("select current_user")


@scenario("state", "a role decides what is allowed, for its client only")
def privileges_of_a_role(side):
    side.table("state_secret", "a int")
    side.prepare("grant select on state_secret to reader")
    client, other = side.connect(), side.connect()
    yield client.query("set role reader", "insert into state_secret values (1)")
    yield "other: " + other.query("insert into state_secret values (2)")
    yield client.query("insert into state_secret values (3)", "reset role", "insert into state_secret values (4)",
                       "select * from state_secret order by a")


@scenario("state", "row policies see the client's own setting")
def policies(side):
    side.table("state_rows", "tenant text, a int")
    side.prepare("insert into state_rows values ('x', 1), ('y', 2)", "alter table state_rows enable row level security",
                 "alter table state_rows force row level security",
                 "create policy p on state_rows using (tenant = current_setting('app.state_tenant', true))")
    first, second, third = side.connect(), side.connect(), side.connect()
    yield first.query("set app.state_tenant = 'x'") + second.query("set app.state_tenant = 'y'")
    for each in (first, second, third, first):
        yield each.query("select a from state_rows", "insert into state_rows values ('z', 1)")


@scenario("state", "$user in search_path follows the role")
def dollar_user(side):
    side.prepare("drop schema if exists reader cascade", "create schema reader", "create table reader.state_mine (a int)",
                 "insert into reader.state_mine values (1)", "grant all on schema reader to reader, app",
                 "grant all on reader.state_mine to reader, app")
    client, other = side.connect(), side.connect()
    yield client.query("select * from state_mine", "set role reader", "select * from state_mine", "select current_schemas(false)")
    yield "other: " + other.query("select * from state_mine", "select current_schemas(false)")
    yield client.query("select * from state_mine", "reset role", "select * from state_mine")
    side.prepare("drop schema reader cascade")


@scenario("state", "session_replication_role is the superuser's own")
def replication_role(side):
    client, other = side.connect("postgres"), side.connect("postgres")
    yield client.query("set session_replication_role = replica") + " other: " + other.query("show session_replication_role")
    yield client.query("show session_replication_role", "reset session_replication_role", "show session_replication_role")
    yield side.connect().query("set session_replication_role = replica")


# --- the parse environment ---

@scenario("state", "statements of the same text under another standard_conforming_strings")
def conforming_strings(side):
    client, other = side.connect(), side.connect()
    text = r"select 'a\\b' as state_strings"
    yield client.query("set escape_string_warning = off", "set standard_conforming_strings = off")
    for each in (client, other, client):
        yield each.ask(parse("s", text), again("s"), SYNC) + each.query(text)
        yield each.ask(again("s"), SYNC) + str(each.parameters["standard_conforming_strings"])
        yield each.ask(parse("", "close all"), bind(), execute(), SYNC) + each.query("deallocate s")


@scenario("state", "statements of the same text under another search_path")
def paths_of_statements(side):
    side.prepare("drop schema if exists state_a, state_b cascade", "create schema state_a", "create schema state_b",
                 "create table state_a.here as select 'a' as v", "create table state_b.here as select 'b' as v",
                 "grant usage on schema state_a, state_b to public", "grant select on state_a.here, state_b.here to public")
    first, second = side.connect(), side.connect()
    yield first.query("set search_path = state_a") + second.query("set search_path = state_b")
    for each in (first, second, first):
        yield each.ask(parse("", "select v from here"), bind(), execute(), SYNC) + each.query("select v from here")
    yield first.ask(parse("h", "select v from here"), again("h"), SYNC) + second.ask(parse("h", "select v from here"), again("h"), SYNC)
    yield first.query("set search_path = state_b") + first.ask(again("h"), SYNC)
    side.prepare("drop schema state_a, state_b cascade")


@scenario("state", "two clients that differ in everything, with prepared statements of the same text")
def two_that_differ(side):
    first = side.connect(client_encoding="LATIN1", DateStyle="SQL, DMY", TimeZone="Asia/Tokyo", options="-c app.who=first")
    second = side.connect(client_encoding="UTF8", DateStyle="German", TimeZone="America/New_York", options="-c app.who=second")
    yield first.query("set search_path = pg_catalog", "set role reader", "set standard_conforming_strings = off")
    yield second.query("set search_path = public, information_schema", "set escape_string_warning = off")
    texts = {"date": "select '01/02/2024'::date::text, '2024-07-01 00:00+00'::timestamptz::text",
             "who": "select current_user::text, current_setting('app.who'), current_schema()::text",
             "string": r"select 'a\\b', octet_length(current_setting('client_encoding'))"}
    for each in (first, second):
        for name, text in texts.items():
            yield each.ask(parse(name, text), SYNC)
    for _ in range(3):
        for name in texts:
            for each in (first, second):
                yield each.ask(again(name), SYNC)
        yield first.query("begin", "set local datestyle = 'ISO'", texts["date"], "commit") + second.query(texts["who"])
    yield str(sorted(first.parameters.items())) + str(sorted(second.parameters.items()))


@scenario("state", "float digits, bytea and interval formats are each client's")
def output_formats(side):
    first, second = side.connect(), side.connect()
    yield first.query("set extra_float_digits = -5", "set bytea_output = 'escape'", "set intervalstyle = 'sql_standard'")
    for each in (first, second, first):
        yield each.query("select 1.0::float8/3, '\\x01ff'::bytea, interval '1 year 2 days'")
        yield each.ask(parse("", "select 1.0::float8/3, '\\x01ff'::bytea"), bind(), execute(), SYNC)


# --- several at once ---

@scenario("state", "SETs that are pipelined in front of and behind others' statements")
def pipelined(side):
    client, other = side.connect(), side.connect()
    client.send(query("set work_mem = '1MB'"), query("show work_mem"), query("set work_mem = '2MB'"), query("show work_mem"))
    yield "other: " + other.query("show work_mem") + client.until("Z", 4)
    yield client.ask(query("begin"), query("set work_mem = '4MB'"), query("rollback"), query("show work_mem"), ready=4)


@scenario("state", "what a client set is gone when it leaves, whatever it was")
def leaving(side):
    for change in ("set work_mem = '9MB'", "set role reader", "set datestyle = 'German'", "set search_path = nowhere",
                   "begin; set work_mem = '9MB'", "select set_config('work_mem', '9MB', false)", "set statement_timeout = 1",
                   "set default_transaction_read_only = on", "set client_encoding = 'LATIN1'"):
        client = side.connect()
        yield client.query(change)
        client.vanish()
        side.wait_settled()
        yield side.connect().query(shows("work_mem", "role", "datestyle", "search_path", "statement_timeout",
                                         "default_transaction_read_only", "client_encoding"))
        side.end_clients()


@scenario("state", "a statement_timeout of one client does not end another's statement")
def timeouts(side):
    client, other = side.connect(), side.connect()
    yield client.query("set statement_timeout = 30", "select pg_sleep(5)")
    yield "other: " + other.query("select pg_sleep(0.1)") + client.query("show statement_timeout", "select 1")
    yield client.query("begin", "set local statement_timeout = 0", "select pg_sleep(0.1)", "commit", "select pg_sleep(5)")


@scenario("state", "default_transaction settings hold for the client's implicit transactions")
def transaction_defaults(side):
    side.table("state_defaults", "a int")
    client, other = side.connect(), side.connect()
    yield client.query("set default_transaction_read_only = on", "insert into state_defaults values (1)")
    yield "other: " + other.query("insert into state_defaults values (2)")
    yield client.ask(once("insert into state_defaults values (3)"), SYNC)
    yield client.query("begin read write", "insert into state_defaults values (4)", "commit", "select * from state_defaults order by a")
