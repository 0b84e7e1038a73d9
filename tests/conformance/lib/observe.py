"""What a run did with the server connections: from the server's own log, from SHOW CLIENTS and from the exporter."""

import re
import subprocess
import threading
from collections import Counter, defaultdict
from pathlib import Path

from server import ADMIN

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


def servers_by_session(log):
    """{application name: Counter of server pids} from the server's log, without pgweir's own commands."""
    found = defaultdict(Counter)
    with open(log, errors="replace") as lines:
        for line in lines:
            match = STATEMENT.match(line)
            if match and not match.group(3).startswith("execute pgweir"):
                found[match.group(1)][match.group(2)] += 1
    return found


def pool_totals(samples):
    """Sums of the exporter's families that tell how the pool was used."""
    def total(family):
        return sum(value for key, value in samples.items() if key.partition("{")[0] == family)
    return {name: int(total(f"pgweir_{name}")) for name in [
        "transactions_total", "checkout_wait_seconds_count", "server_connects_total", "migrations_total", "hand_offs_total",
        "injected_commands_total", "pinned_total"]}


def report(mode, log, watch, samples):
    """Lines for people: how widely sessions were spread, and why some were not."""
    by_session = {name.partition("/")[2]: pids for name, pids in servers_by_session(log).items()
                  if name.startswith("pg_regress/")}
    pinned = {name.partition("/")[2]: reasons for name, reasons in watch.reasons.items() if name.startswith("pg_regress/")}
    lines = [f"{mode}: " + ", ".join(f"{name} {value}" for name, value in pool_totals(samples).items())]
    by_reason = Counter(reason for reasons in pinned.values() for reason in reasons)
    lines.append(f"{mode}: tests seen pinned by reason: " + (", ".join(f"{r} {n}" for r, n in by_reason.most_common()) or "none"))
    labelled = {key: int(value) for key, value in samples.items() if key.startswith("pgweir_pinned") and "reason=" in key}
    lines += [f"{mode}: {key} {value}" for key, value in sorted(labelled.items())]
    if mode == "transaction":
        spread = Counter(min(len(pids), 5) for pids in by_session.values())
        lines.append(f"{mode}: tests by number of servers they ran on: "
                     + ", ".join(f"{count}{'+' if count == 5 else ''}: {n}" for count, n in sorted(spread.items())))
        narrow = sorted(name for name, pids in by_session.items() if len(pids) == 1 and not pinned.get(name))
        lines.append(f"{mode}: on one server only and never seen pinned: {', '.join(narrow) or 'none'}")
    return lines
