"""Settings: what SET, RESET, startup options and functions do is the client's own and nobody else's."""
from client import SYNC, FLUSH, again, bind, execute, once, parse, query
from scenario import POOLED, PLAIN, gate, scenario

DATE = "select '01/02/2024'::date::text"


# --- the parse environment of prepared statements ---

@scenario("settings", "a statement parsed under SET LOCAL is not the one that another client's same text means")
def set_local_is_not_shared(side):
    first, text = side.connect(), DATE + " as shared"
    yield first.query("begin", "set local datestyle = 'ISO, DMY'")
    yield first.ask(parse("x", text), again("x"), SYNC) + first.query("commit")
    first.vanish()
    yield side.connect().ask(parse("y", text), again("y"), SYNC)


@scenario("settings", "nor the one that the client itself parsed before, or parses later")
def set_local_makes_a_new_statement(side):
    client, text = side.connect(), DATE + " as own"
    yield client.ask(parse("x", text), again("x"), SYNC)
    yield client.query("begin", "set local datestyle = 'ISO, DMY'")
    yield client.ask(parse("x2", text), again("x2"), SYNC) + client.query("commit")
    yield client.ask(parse("x3", text), again("x3"), SYNC)


@scenario("settings", "a SET earlier in the same pipeline counts for a Parse behind it")
def set_in_the_same_pipeline(side):
    client, text = side.connect(), DATE + " as piped"
    yield client.ask(parse("x", text), again("x"), SYNC)
    yield client.ask(query("set datestyle = 'ISO, DMY'"), parse("x2", text), again("x2"), SYNC, ready=2)
    yield client.ask(once("set datestyle = 'ISO, MDY'"), parse("x3", text), again("x3"), SYNC)
    yield client.query(DATE)


@scenario("settings", "SET LOCAL ROLE counts for a Parse behind it")
def role_in_a_block(side):
    client, text = side.connect(), "select current_user::text as role_in_a_block"
    yield client.ask(parse("r", text), again("r"), SYNC)
    yield client.query("begin", "set local role reader") + client.ask(parse("r1", text), again("r1"), SYNC)
    yield client.query("commit") + client.ask(parse("r2", text), again("r2"), SYNC)


@scenario("settings", "the first statement of a block may be SET LOCAL: results and ParameterStatus agree")
def set_local_first_in_a_block(side):
    client = side.connect()
    yield client.query("begin", "set local datestyle = 'ISO, DMY'", DATE, "show datestyle", DATE, "commit", DATE)
    yield client.query("begin", "set local datestyle = 'ISO, DMY'")
    yield client.ask(parse("x", DATE + " as first"), again("x"), SYNC) + client.query("commit", "select 1")
    yield str(client.parameters["DateStyle"])


# --- SET, RESET, startup options ---

@scenario("settings", "SET of every kind, with another client in between", PLAIN)
def set_and_show(side):
    client, other = side.connect(), side.connect()
    for change, shown in (("set client_encoding = 'LATIN1'", "show client_encoding"),
                          ('set search_path = a, "B c"', "show search_path"),
                          ("set app.set_and_show = 'x'", "select current_setting('app.set_and_show', true)"),
                          ("set time zone 'Europe/Paris'", "select '2024-01-01 00:00'::timestamptz"),
                          ("set time zone interval '-08:00' hour to minute", "select '2024-01-01 00:00'::timestamptz"),
                          ("set session characteristics as transaction isolation level serializable",
                           "show transaction_isolation"),
                          ("SET App.CaseX = 'v'", "select current_setting('app.casex', true)"),
                          ("update pg_settings set setting = 'app1' where name = 'search_path'", "show search_path")):
        yield client.query(change)
        yield "other: " + other.query(shown)
        yield client.query(shown)
    yield client.query("reset all", "show search_path", "show timezone")


@scenario("settings", "SET in a block that is rolled back, fails, or is LOCAL without a block")
def set_in_blocks(side):
    client = side.connect()
    yield client.query("begin", "set statement_timeout = 7777", "rollback", "show statement_timeout")
    yield client.query("begin", "set statement_timeout = 7777", "select 1/0", "commit", "show statement_timeout")
    yield client.query("begin", "set work_mem = 777", "show work_mem", "select 1", "commit", "show work_mem")
    yield client.query("set local work_mem = 100", "set work_mem = 'bad'", "show work_mem", "set constraints all deferred")
    yield client.query("set lock_timeout = 55; select 1", "show lock_timeout", "set lock_timeout = 66; select 1/0",
                       "show lock_timeout")


@scenario("settings", "SET ROLE stays with its client, and comes to an end with RESET ROLE")
def set_role(side):
    client, other = side.connect(), side.connect()
    yield client.query("set role reader", "select current_user, session_user")
    yield "other: " + other.query("select current_user, session_user")
    yield client.query("select current_user", "reset role", "select current_user")


@scenario("settings", "SET SESSION AUTHORIZATION likewise")
def set_session_authorization(side):
    client, other = side.connect("postgres"), side.connect("postgres")
    yield client.query("set session authorization reader", "select current_user, session_user")
    yield "other: " + other.query("select current_user, session_user")
    yield client.query("select current_user, session_user", "reset session authorization",
                       "select current_user, session_user")


@scenario("settings", "options of the startup packet are what RESET and DISCARD ALL go back to")
def startup_options(side):
    client = side.connect(options="-c work_mem=2MB -c statement_timeout=50s", DateStyle="SQL, DMY", application_name="xx")
    other = side.connect()
    for name in ("work_mem", "statement_timeout", "datestyle", "application_name"):
        yield client.query(f"show {name}") + " other: " + other.query(f"show {name}")
    yield client.query("set work_mem = '9MB'", "reset work_mem", "show work_mem")
    yield client.query("set datestyle to default", "show datestyle", "discard all", "show datestyle", "show work_mem")
    yield str(sorted(client.parameters.items()))


@scenario("settings", "DISCARD ALL tells only the settings that change")
def parameters_do_not_flap(side):
    client = side.connect(DateStyle="SQL, DMY", application_name="xx")
    yield client.query("discard all")
    yield client.query("set datestyle = 'ISO'", "discard all")


@scenario("settings", "RESET and RESET ALL within a block go back to the client's own startup values")
def reset_in_a_block(side):
    client = side.connect(DateStyle="ISO, DMY")
    yield client.query("begin", "reset datestyle", DATE, "commit", DATE)
    yield client.query("set datestyle = 'ISO, MDY'", "begin", "reset all", DATE, "rollback", DATE)


@scenario("settings", "RESET in front of another statement of one query string")
def reset_in_a_query_string(side):
    client = side.connect(DateStyle="ISO, DMY")
    yield client.query("reset all; " + DATE)
    yield client.query("begin; reset all", DATE, "commit", DATE)
    yield client.query("set datestyle = 'ISO, YMD'; reset datestyle -- to that of the start\n; show datestyle; set lock_timeout = 5; reset all; " + DATE)
    yield client.query("reset datestyle; select 1 / 0", "show datestyle", "set datestyle = 'ISO, YMD'; reset datestyle; nonsense", "show datestyle")
    yield client.query("prepare dated as " + DATE + "; reset all; execute dated; deallocate dated; reset datestyle; select missing")
    yield client.query("begin; set local datestyle to default; " + DATE + "; commit; " + DATE)
    yield client.query("reset datestyle; select set_config('datestyle', 'ISO, YMD', false); reset lock_timeout", "show datestyle")
    yield client.query("set datestyle = 'German'; reset all; set datestyle = 'SQL'; select current_date = current_date", "show datestyle")


@scenario("settings", "set_config bound, executed later, or flushed before it runs")
def set_config_by_statements(side):
    client, other = side.connect(), side.connect()
    yield client.ask(parse("st", "select set_config('lock_timeout', '88', false)"), SYNC) + client.ask(again("st"), SYNC)
    yield client.query("show lock_timeout") + " other: " + other.query("show lock_timeout")
    client.send(parse("later", "select set_config('lock_timeout', '66', false)"), bind("later", portal="p"), FLUSH)
    yield client.until("2") + client.ask(execute("p"), SYNC)
    yield client.query("show lock_timeout") + " other: " + other.query("show lock_timeout")
    yield client.ask(parse("first", "select set_config('lock_timeout', '44', false)"), bind("first", portal="pp"),
                     parse("second", "select 1"), bind("second"), execute(), execute("pp"), SYNC)
    yield client.query("show lock_timeout") + " other: " + other.query("show lock_timeout")
    yield client.ask(once("set lock_timeout = 99"), once("show lock_timeout"), SYNC)
    yield client.query("show lock_timeout") + " other: " + other.query("show lock_timeout")


@scenario("settings", "DISCARD TEMP and DISCARD ALL", PLAIN)
def discards(side):
    client = side.connect()
    yield client.query("create temp table discarded (a int)", "discard temp", "select * from discarded")
    yield client.query("select set_config('lock_timeout', '66', false)", "discard all", "show lock_timeout")
    yield side.connect().query("select 1")


# --- what functions, triggers and defaults set ---

@scenario("settings", "a trigger that sets a setting sets it for its client only")
def trigger_sets(side):
    side.table("trigger_sets", "a int")
    side.prepare("create or replace function trigger_sets_f() returns trigger language plpgsql as $$begin perform "
                 "set_config('lock_timeout', '4321', false); return new; end$$",
                 "create trigger t before insert on trigger_sets for each row execute function trigger_sets_f()")
    client, other = side.connect(), side.connect()
    yield client.query("insert into trigger_sets values (1)", "show lock_timeout")
    yield "other: " + other.query("show lock_timeout")


@scenario("settings", "so does a function in a view")
def view_sets(side):
    side.prepare("create or replace function view_sets_f() returns int language plpgsql as $$begin perform "
                 "set_config('statement_timeout', '54321', false); return 1; end$$",
                 "create or replace view view_sets as select view_sets_f() as a")
    client, other = side.connect(), side.connect()
    yield client.query("select * from view_sets")
    yield "other: " + other.query("show statement_timeout") + client.query("show statement_timeout")


@scenario("settings", "and a column's default, of a table that the proxy has not read yet")
def default_sets(side):
    side.table("default_sets", "a int, " + SETTING_DEFAULT)
    yield from insert_a_default(side, "default_sets")


@scenario("settings", "and of one that it has read")
def known_default_sets(side):
    yield from insert_a_default(side, "known_default_sets")


SETTING_DEFAULT = "b text default set_config('lock_timeout', '777', false)"


def insert_a_default(side, table):
    client, other = side.connect(), side.connect()
    yield client.query(f"insert into {table} (a) values (1)")
    yield "other: " + other.query("show lock_timeout") + client.query("show lock_timeout")


def set_up(side):
    """Before the proxy is started, so that it knows these tables."""
    side.table("known_default_sets", "a int, " + SETTING_DEFAULT)
    side.table("late_gate", "a int")  # of cancel.taken_late: behind a query of an unknown table its server is asked what it holds


def custom(name):
    return f"select current_setting('app.{name}', true)"


@scenario("custom", "a custom setting made inside a function is its client's")
def by_a_function(side):
    side.prepare("create or replace function custom_login(t text) returns void language plpgsql as $$begin perform "
                 "set_config('app.by_a_function', t, false); end$$")
    client, other = side.connect(), side.connect()
    yield client.query("select custom_login('alice')", custom("by_a_function"))
    yield "other: " + other.query(custom("by_a_function")) + client.query(custom("by_a_function"))


@scenario("custom", "made by a trigger, too")
def by_a_trigger(side):
    side.table("custom_trigger", "a int")
    side.prepare("create or replace function custom_trigger_f() returns trigger language plpgsql as $$begin perform "
                 "set_config('app.by_a_trigger', 'alice', false); return new; end$$",
                 "create trigger t before insert on custom_trigger for each row execute function custom_trigger_f()")
    client, other = side.connect(), side.connect()
    yield client.query("insert into custom_trigger values (1)")
    yield "other: " + other.query(custom("by_a_trigger")) + client.query(custom("by_a_trigger"))


@scenario("custom", "named by a bound parameter: kept for the client, hidden from others")
def by_a_parameter(side):
    client, other = side.connect(), side.connect()
    yield client.ask(once("select set_config($1, $2, false)", "app.by_a_parameter", "bob"), SYNC)
    yield client.query(custom("by_a_parameter")) + " other: " + other.query(custom("by_a_parameter"))
    yield client.query(custom("by_a_parameter"))


@scenario("custom", "nobody knows the names in a DO block: the server stays with its client", ("two", "session"))
def by_a_do_block(side):
    client, other = side.connect(), side.connect()
    yield client.query("do $$begin perform set_config('app.'||'by_a_do_block', 'q', false); end$$", custom("by_a_do_block"))
    yield "other: " + other.query(custom("by_a_do_block")) + client.query(custom("by_a_do_block"))


HIDDEN = ((r"select set_config(E'app\x2eescaped', 'v', false)", "escaped"),
          ("select set_config($q$app.dollar$q$, 'v', false)", "dollar"),
          ("select set_config('app.' || 'joined', 'v', false)", "joined"),
          ("set app.several = '1'; select 1", "several"))


@scenario("custom", "whose name is written with escapes, in dollar quotes, or put together", ("two", "session"))
def by_hidden_names(side):
    client, other = side.connect(), side.connect()
    for sql, name in HIDDEN:
        yield client.query(sql) + " other: " + other.query(custom(name)) + " own: " + client.query(custom(name))


@scenario("custom", "the same once its client has left")
def by_hidden_names_of_one_who_left(side):
    for sql, name in HIDDEN + (("do $$begin perform set_config('app.'||'left_do', 'q', false); end$$", "left_do"),):
        client = side.connect()
        yield client.query(sql, custom(name).replace("select", "select 1,"))
        client.vanish()
        side.wait_settled()
        other = side.connect()
        yield other.query(custom(name))
        other.vanish()


@scenario("custom", "a server that has one is not given to a new login of another client")
def unknown_at_a_new_login(side):
    first = side.connect()
    yield first.query("set app.at_login = '1'")
    first.vanish()
    side.connect(lock_timeout="12345").vanish()
    yield side.connect().query("select current_setting('app.at_login')")


# --- sequences ---

@scenario("sequences", "lastval is never another client's, in a block or in one batch with BEGIN")
def lastval_in_a_block(side):
    side.prepare("create sequence if not exists lastval_s", "grant all on lastval_s to public")
    first, other = side.connect(), side.connect()
    yield first.query("select setval('lastval_s', 7)", "select nextval('lastval_s')")
    yield other.query("begin", "select lastval()", "rollback")
    yield other.ask(once("begin"), once("select lastval()"), SYNC) + other.query("rollback")


@scenario("sequences", "a batch with nextval, lastval and an error is one transaction")
def batch_stays_whole(side):
    side.table("whole", "a int")
    side.prepare("create sequence if not exists whole_s", "grant all on whole_s to public", "select setval('whole_s', 1)")
    client = side.connect()
    yield client.ask(once("insert into whole values (1)"), once("select nextval('whole_s') > 0"),
                     once("select lastval() > 0"), once("select 1/0"), SYNC)
    yield client.query("select * from whole")
    yield client.ask(once("insert into whole values (2)"), once("select lastval() > 0"), SYNC)


@scenario("sequences", "lastval behind an insert with serial in one batch")
def lastval_of_a_serial(side):
    side.table("serials", "id serial primary key, v int", "alter sequence serials_id_seq owner to app")
    client = side.connect()
    yield client.ask(once("insert into serials (v) values (1)"), once("select lastval()"), once("select 1/0"), SYNC)
    yield client.query("select * from serials")
    yield client.ask(once("insert into serials (v) values (1)"), once("select lastval()"), SYNC)


@scenario("sequences", "a sequence statement skipped behind an error leaves the server usable")
def skipped_behind_an_error(side):
    client = side.connect()
    yield client.ask(parse("lv", "select lastval()"), SYNC)
    client.send(parse("", "selec"), FLUSH)
    yield client.until("E")
    yield client.ask(again("lv"), SYNC) + client.query("select 1", "set work_mem = 1234", "show work_mem", "select 2")
    client.send(parse("", "selec"), FLUSH)
    yield client.until("E")
    yield client.ask(once("select lastval()"), SYNC) + client.query("select 3")
    yield side.connect().query("select 4")


@scenario("sequences", "a default's nextval is not told to the next client", POOLED)
def default_of_another(side):
    side.prepare("create sequence if not exists default_s", "grant all on default_s to public")
    side.table("default_next", "id int default nextval('default_s')")
    side.connect().query("insert into default_next default values")
    other = side.connect()
    yield other.query("insert into default_next values (1)", "begin", "select currval('default_s')", "rollback")


@scenario("settings", "a statement that waits does not keep a setting of the one behind it", ("two", "session"))
def set_behind_a_waiting_statement(side):
    held = gate(side, "settings_gate")
    client, other = side.connect(), side.connect()
    client.send(query("select * from settings_gate"), query("set lock_timeout = 321"), query("show lock_timeout"))
    side.wait_blocked("%settings_gate%")
    yield "other: " + other.query("show lock_timeout")
    held.open()
    yield client.until("Z", 3) + " other: " + other.query("show lock_timeout")
