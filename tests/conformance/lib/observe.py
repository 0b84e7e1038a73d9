"""What a run did with the server connections: from the server's own log, from the proxy's and from the exporter."""

import re
from collections import Counter, defaultdict
from dataclasses import dataclass, field

# Commands of pgweir's own: settings, the state of sequences, the census.
OWN = re.compile("SELECT pg_catalog\\.set_config\\(|RESET \"|RESET SESSION AUTHORIZATION;RESET ROLE;|DISCARD SEQUENCES$"
                 "|SELECT 's', name, setting")
# log_line_prefix '%m\t%a\t%p\t' and what log_statement = all writes. pgweir's own commands carry its names.
STATEMENT = re.compile(r"^\d[^\t]*\t([^\t]*)\t(\d+)\tLOG:  (statement|execute [^:]*): ?(.*)")


# What pgweir logs at level debug when a session ends (proxy/session/tally.h).
LEFT = re.compile(r'has left: application_name="([^"]*)" released=(\d+) kept=(\d+) servers=(\d+) pins=(\S*)')
TEMPORARY = {"temp_tables", "temp_objects"}


@dataclass
class Ended:
    """A session that has ended: transactions after which its servers were given back or kept, and why."""
    name: str           # application name
    released: int
    kept: int
    servers: int        # different ones
    pins: Counter       # transactions by reason


def ended_sessions(log):
    found = []
    with open(log, errors="replace") as lines:
        for line in lines:
            match = LEFT.search(line)
            if match:
                pins = Counter({r: int(n) for r, _, n in (pin.partition(":") for pin in match.group(5).split(",") if pin)})
                found.append(Ended(match.group(1), *map(int, match.group(2, 3, 4)), pins))
    return found


@dataclass
class Use:
    """What one application name (a test) did, as the server saw it."""
    servers: Counter = field(default_factory=Counter)    # statements by server pid
    transactions: int = 0                                # ended, statements outside blocks included
    in_block: bool = False

    def statement(self, pid, text):
        self.servers[pid] += 1
        words = text.upper().replace(";", " ").split()[:2] or [""]
        if words[0] in ("BEGIN", "START"):
            self.in_block = True
            return
        if words[0] in ("COMMIT", "END", "ABORT", "ROLLBACK") and words[1:] != ["TO"] or words == ["PREPARE", "TRANSACTION"]:
            self.in_block = False
        self.transactions += not self.in_block


def use_by_name(log):
    """{application name: Use} from the server's log, without pgweir's own commands. Counts of transactions are near, not
    exact: several statements in one Query are one."""
    found = defaultdict(Use)
    with open(log, errors="replace") as lines:
        for line in lines:
            match = STATEMENT.match(line)
            if match and not match.group(3).startswith("execute pgweir_sequences") and not OWN.match(match.group(4)):
                found[match.group(1)].statement(match.group(2), match.group(4))
    return found


def pool_totals(samples):
    """Sums of the exporter's families that tell how the pool was used."""
    def total(family):
        return sum(value for key, value in samples.items() if key.partition("{")[0] == family)
    return {name: int(total(f"pgweir_{name}")) for name in [
        "transactions_total", "checkout_wait_seconds_count", "server_connects_total", "migrations_total", "hand_offs_total",
        "injected_commands_total", "pinned_total", "pins_refused_total"]}


def share(sessions):
    """Transactions of these sessions after which their servers were released: (number, of all, percent)."""
    freed = sum(session.released for session in sessions)
    everything = freed + sum(session.kept for session in sessions)
    return freed, everything, 100 * freed / max(everything, 1)


def spread(uses, sessions):
    """Lines about the servers of each test, and those sessions without pins that stayed on one server."""
    tests = {name: use for name, use in uses.items() if name.startswith("pg_regress/")}
    numbers = Counter(min(len(use.servers), 5) for use in tests.values())
    lines = ["tests by number of servers they ran on: "
             + ", ".join(f"{count}{'+' if count == 5 else ''}: {n}" for count, n in sorted(numbers.items()))]
    count = Counter(session.name for session in sessions)
    narrow = []
    for session in sessions:
        alone = count[session.name] == 1   # then the server's log tells exactly
        servers = len(uses[session.name].servers) if alone and session.name in uses else session.servers
        if not session.pins and session.released > 1 and servers < 2:
            narrow.append(f"{session.name.partition('/')[2]} ({session.released} transactions)")
    free = sum(1 for session in sessions if not session.pins and session.released > 1)
    lines.append(f"sessions without pins and with at least 2 transactions: {free}; on one server only: {', '.join(narrow) or 'none'}")
    return lines, narrow


def releases(sessions):
    """Lines about releases and what prevented them, and the percentage outside of temp-table tests."""
    temporary = {session.name for session in sessions if TEMPORARY & set(session.pins)}
    outside = [session for session in sessions if session.name not in temporary]
    freed, everything, percent = share(outside)
    lines = ["transactions after which the server was released: {} of {} ({:.1f} %)".format(*share(sessions)),
             f"... outside of the {len(temporary)} tests with temporary tables: {freed} of {everything} ({percent:.1f} %)"]
    for title, group in [("all", sessions), ("outside", outside)]:
        reasons = sum((session.pins for session in group), Counter())
        lines.append(f"transactions kept by reason, {title}: " + (", ".join(f"{r} {n}" for r, n in reasons.most_common()) or "none"))
    worst = sorted(outside, key=lambda session: -session.kept)[:8]
    lines.append("most kept outside: " + ", ".join(
        f"{session.name.partition('/')[2]} {session.kept} of {session.kept + session.released} ({', '.join(session.pins)})"
        for session in worst if session.kept))
    return lines, percent


def report(mode, postgres_log, proxy_log, samples, max_pinned):
    """Lines for people: how widely sessions were spread, and why some were not; and what of it is against the rules of
    transaction mode: (lines, percent released outside of temp-table tests, sessions on one server)."""
    uses = use_by_name(postgres_log)
    sessions = [session for session in ended_sessions(proxy_log) if session.name.startswith("pg_regress/")]
    lines = ["pool: " + ", ".join(f"{name} {value}" for name, value in pool_totals(samples).items())]
    pinned = {key.partition('reason="')[2].partition('"')[0]: int(value) for key, value in samples.items()
              if key.startswith("pgweir_pinned_total{")}
    lines.append(f"pins (max_pinned {max_pinned}): " + (", ".join(f"{r} {n}" for r, n in sorted(pinned.items()) if n) or "none"))
    percent, narrow = 100.0, []
    if mode == "transaction":
        more, percent = releases(sessions)
        widths, narrow = spread(uses, sessions)
        lines += more + widths
    return [f"{mode}: {line}" for line in lines], percent, narrow
