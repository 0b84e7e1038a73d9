"""What a run did with the server connections: from the server's own log, from SHOW CLIENTS and from the exporter."""

import re
import subprocess
import threading
from collections import Counter, defaultdict
from dataclasses import dataclass, field

from server import ADMIN

# Commands of pgweir's own: settings, the state of sequences, the census.
OWN = re.compile("SELECT pg_catalog\\.set_config\\(|RESET \"|RESET SESSION AUTHORIZATION;RESET ROLE;|DISCARD SEQUENCES$"
                 "|SELECT 's', name, setting")
# log_line_prefix '%m\t%a\t%p\t' and what log_statement = all writes. pgweir's own commands carry its names.
STATEMENT = re.compile(r"^\d[^\t]*\t([^\t]*)\t(\d+)\tLOG:  (statement|execute [^:]*): ?(.*)")


class PinWatch(threading.Thread):
    """Asks SHOW CLIENTS twice a second: which sessions were pinned, and why."""

    def __init__(self, suite, proxy):
        super().__init__(daemon=True)
        self.suite, self.proxy = suite, proxy
        self.reasons = defaultdict(set)      # application name -> reasons seen
        self.seen = set()                    # application names seen
        self.over = threading.Event()

    def run(self):
        command = [self.suite.bin / "psql", "-XAq", "-F", "\t", "-P", "footer=off", "-h", "127.0.0.1", "-p", str(self.proxy.port),
                   "-U", ADMIN, "-d", "pgweir", "-c", "SHOW CLIENTS"]
        while not self.over.wait(0.5):
            done = subprocess.run(command, env=self.suite.environment(), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                                  text=True, timeout=60)
            lines = done.stdout.splitlines()
            header = lines[0].split("\t") if lines else []
            for line in lines[1:]:
                row = dict(zip(header, line.split("\t")))
                name = row.get("application_name", "")
                self.seen.add(name)
                if row.get("pinned"):
                    self.reasons[name].add(row["pinned"])

    def stop(self):
        self.over.set()
        self.join()


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


def released(busy, samples):
    """Which part of the tests' transactions was followed by a release: what the proxy has counted, without the transactions
    of the busy clients, which are never pinned."""
    family = "pgweir_server_after_transaction_total"
    kept = samples.get(family + '{server="kept"}', 0)
    freed = max(samples.get(family + '{server="released"}', 0) - sum(use.transactions for use in busy), 0)
    return f"{freed:.0f} of {freed + kept:.0f} ({100 * freed / max(freed + kept, 1):.1f} %)"


def report(mode, log, watch, samples):
    """Lines for people: how widely sessions were spread, and why some were not."""
    uses = use_by_name(log)
    tests = {name.partition("/")[2]: use for name, use in uses.items() if name.startswith("pg_regress/")}
    busy = [use for name, use in uses.items() if name.startswith("busy_")]
    pinned = {name.partition("/")[2]: reasons for name, reasons in watch.reasons.items() if name.startswith("pg_regress/")}
    lines = ["pool: " + ", ".join(f"{name} {value}" for name, value in pool_totals(samples).items())]
    by_reason = Counter(reason for reasons in pinned.values() for reason in reasons)
    lines.append("tests seen pinned by reason: " + (", ".join(f"{r} {n}" for r, n in by_reason.most_common()) or "none"))
    labelled = {key: int(value) for key, value in samples.items() if key.startswith("pgweir_pinned") and "reason=" in key}
    lines += [f"{key} {value}" for key, value in sorted(labelled.items())]
    if mode == "transaction":
        lines.append("transactions after which the server was released: " + released(busy, samples))
        outside = sum(use.transactions for name, use in tests.items() if name not in pinned)
        lines.append(f"transactions of tests never seen pinned: {outside}")
        spread = Counter(min(len(use.servers), 5) for use in tests.values())
        lines.append("tests by number of servers they ran on: "
                     + ", ".join(f"{count}{'+' if count == 5 else ''}: {n}" for count, n in sorted(spread.items())))
        narrow = sorted(f"{name} ({use.transactions} transactions)" for name, use in tests.items()
                        if len(use.servers) == 1 and use.transactions > 1 and not pinned.get(name))
        lines.append(f"on one server only and never seen pinned: {', '.join(narrow) or 'none'}")
    return [f"{mode}: {line}" for line in lines]
