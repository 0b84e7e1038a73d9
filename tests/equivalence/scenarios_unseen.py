"""Settings that code makes where no statement says so: behind checks, domains, operators, policies, rules, views."""
from scenario import scenario

DATE = "select '01/02/2024'::date::text"


def unseen(side, name, use, *made):
    """A function that sets lock_timeout, behind `made`; `use` runs it."""
    side.prepare(f"create or replace function {name}_f(v int) returns int language plpgsql as $$begin perform "
                 "set_config('lock_timeout', '4242', false); return v; end$$", *made)
    client, other = side.connect(), side.connect()
    for sql in use:
        yield client.query(sql)
        yield "other: " + other.query("show lock_timeout") + client.query("show lock_timeout", "reset lock_timeout")


@scenario("unseen", "a generated value's check that sets")
def check_sets(side):
    side.prepare("drop table if exists check_sets")
    yield from unseen(side, "check_sets", ("insert into check_sets values (1)", "update check_sets set a = 2"),
                      "create table check_sets (a int check (check_sets_f(a) > 0))", "grant all on check_sets to public")


@scenario("unseen", "a domain's check that sets")
def domain_sets(side):
    side.prepare("drop domain if exists state_domain cascade", "drop table if exists domain_sets")
    yield from unseen(side, "domain_sets", ("select 1::state_domain", "insert into domain_sets values (3)"),
                      "create domain state_domain as int check (domain_sets_f(value) > 0)",
                      "create table domain_sets (a state_domain)", "grant all on domain_sets to public")


@scenario("unseen", "an aggregate and an operator that set")
def aggregate_sets(side):
    side.prepare("drop aggregate if exists state_sum(int)", "drop operator if exists public.=== (int, int)")
    yield from unseen(side, "aggregate_sets", ("select state_sum(1)", "select 1 === 2", "select operator_probe.x === 1 from "
                                               "(values (1)) as operator_probe(x)"),
                      "create or replace function aggregate_sets_s(s int, v int) returns int language plpgsql as $$begin "
                      "perform set_config('lock_timeout', '4242', false); return v; end$$",
                      "create aggregate state_sum(int) (sfunc = aggregate_sets_s, stype = int)",
                      "create operator public.=== (leftarg = int, rightarg = int, function = aggregate_sets_s)")


@scenario("unseen", "a policy that sets")
def policy_sets(side):
    side.table("policy_sets", "a int")
    yield from unseen(side, "policy_sets", ("select * from policy_sets",), "insert into policy_sets values (1)",
                      "alter table policy_sets enable row level security", "alter table policy_sets force row level security",
                      "create policy p on policy_sets using (policy_sets_f(a) > 0)")


@scenario("unseen", "a rule, and a trigger behind a cascading key")
def cascade_sets(side):
    side.prepare("drop table if exists cascade_child, cascade_parent, rule_sets")
    yield from unseen(side, "cascade_sets", ("delete from cascade_parent where a = 1", "insert into rule_sets values (1)"),
                      "create table cascade_parent (a int primary key)", "insert into cascade_parent values (1)",
                      "create table cascade_child (a int references cascade_parent on delete cascade)",
                      "insert into cascade_child values (1)",
                      "create or replace function cascade_t() returns trigger language plpgsql as $$begin perform "
                      "set_config('lock_timeout', '4242', false); return old; end$$",
                      "create trigger t before delete on cascade_child for each row execute function cascade_t()",
                      "create table rule_sets (a int)",
                      "create rule r as on insert to rule_sets do also select cascade_sets_f(1)",
                      "grant all on cascade_child, cascade_parent, rule_sets to public")


@scenario("unseen", "a view over a view, and an SQL function that is inlined")
def view_of_a_view_sets(side):
    side.prepare("drop view if exists state_inner cascade")
    yield from unseen(side, "view_of_a_view", ("select * from state_outer", "select state_inlined()"),
                      "create view state_inner as select view_of_a_view_f(1) as a", "create view state_outer as select * from state_inner",
                      "create or replace function state_inlined() returns int language sql as 'select view_of_a_view_f(1)'")


@scenario("unseen", "a function with a SET clause of its own, and one that resets")
def set_clauses(side):
    side.prepare("create or replace function state_clause() returns text language sql set datestyle = 'German' as "
                 "$$select '2024-02-01'::date::text$$",
                 "create or replace function state_resets() returns void language plpgsql as $$begin reset work_mem; end$$")
    client, other = side.connect(options="-c work_mem=3MB"), side.connect()
    yield client.query("select state_clause()", DATE, "set work_mem = '9MB'", "select state_resets()", "show work_mem")
    yield "other: " + other.query("show work_mem", DATE)


@scenario("unseen", "a procedure that sets and commits")
def procedure_sets(side):
    side.prepare("create or replace procedure state_procedure() language plpgsql as $$begin set lock_timeout = 111; commit; "
                 "set local lock_timeout = 222; commit; set work_mem = '7MB'; rollback; end$$")
    client, other = side.connect(), side.connect()
    yield client.query("call state_procedure()", "show lock_timeout", "show work_mem")
    yield "other: " + other.query("show lock_timeout", "show work_mem") + client.query("show lock_timeout")


@scenario("unseen", "a LOAD within a DO block", ("two", "session"))
def load_in_code(side):
    client, other = side.connect("postgres"), side.connect("postgres")
    yield client.query("do $$begin execute 'load ''auto_explain'''; end$$", "show auto_explain.log_min_duration")
    yield "other: " + other.query("show auto_explain.log_min_duration") + client.query("show auto_explain.log_min_duration")


@scenario("encodings", "values beyond ASCII are read back as they were meant, whatever the encoding of those in between")
def values_beyond_ascii(side):
    first, second, third = side.connect(client_encoding="LATIN1"), side.connect(client_encoding="SJIS"), side.connect()
    yield first.query("set app.letter = U&'\\00e9'", "set search_path = U&\"\\00e9\"")
    yield second.query("set app.letter = U&'\\30bd\\0027x'", "set search_path = U&\"\\30bd\"")
    yield third.query("set app.letter = U&'\\00e9\\30bd'")
    shown = "select encode(convert_to(current_setting('app.letter'), 'UTF8'), 'hex'), current_setting('client_encoding')"
    for each in (first, second, third, first, second):
        yield each.query(shown, "select encode(convert_to(current_setting('search_path'), 'UTF8'), 'hex')")
    yield third.query("set client_encoding = 'EUC_JP'", "set app.letter = U&'\\30bd'") + first.query(shown)
    yield third.query(shown, "reset client_encoding", shown) + second.query(shown)
