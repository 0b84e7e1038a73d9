#!/usr/bin/env python3
"""tests/equivalence/run.py: the same message sequences to PostgreSQL and through pgweir; the replies must be the same.

    run.py --direct HOST:PORT --servers HOST:PORT,... --proxy HOST:PORT --binary PGWEIR --config FILE --configuration NAME
           [SCENARIO...]
    run.py --list

SCENARIO is a name (prepared.names) or a group (prepared); none: every scenario of the configuration. The caller starts the
PostgreSQL servers: one to be spoken to directly, and those behind the proxy; and writes the proxy's configuration file, which
listens on --proxy. The runner starts the proxy, and starts it again when a scenario has cost it a server or a client.

For each scenario one line: "same NAME", "refused NAME" (the proxy said that it cannot, as docs/sql.md allows), or "DIFF NAME"
with the outcomes of both sides. What is known to differ stands with its reason in known-open.txt: it is told ("open NAME")
and fails only once it has become the same, so that the list shrinks. Ends with one line of totals; exit code 0: nothing
differs but what is known, and all that is known still differs.

Configurations (tests/integration/equivalence_test.cpp makes them): one, two: a cluster of one shard, with a pool of one or
two connections; small: of one connection that keeps two statements; routed: as one, with a replica; session: pool mode
session; own, own_session: a new proxy for every scenario; shards: three shards.
"""
import argparse
import os
import sys
import threading
import time

import scenario as base
import scenarios_copy
import scenarios_disconnect
import scenarios_life
import scenarios_moments
import scenarios_pipelines
import scenarios_portals
import scenarios_prepared
import scenarios_settings
import scenarios_shards
import scenarios_shards_more
import scenarios_shards_order
import scenarios_state
import scenarios_temp
import scenarios_transactions
import scenarios_unseen
from client import PATIENCE, REFUSED
from proxy import Proxy

MODULES = (scenarios_copy, scenarios_disconnect, scenarios_life, scenarios_moments, scenarios_pipelines, scenarios_portals, scenarios_prepared,
           scenarios_settings, scenarios_shards, scenarios_shards_more, scenarios_shards_order, scenarios_state,
           scenarios_temp, scenarios_transactions, scenarios_unseen)

SLOW = 1.5      # seconds of one scenario that are told
HOPELESS = 2.0  # seconds for one answer of the proxy where a missing one may be what is known


class Known:
    """A scenario of known-open.txt: what is open; whether it is the same now and then."""

    def __init__(self, reason):
        self.reason, self.sometimes = reason, reason.startswith("sometimes:")


def known_open(configuration):
    """{scenario: Known} of known-open.txt for this configuration."""
    found = {}
    path = os.path.join(os.path.dirname(os.path.abspath(__file__)), "known-open.txt")
    with open(path, encoding="utf-8") as lines:
        for line in lines:
            if line.strip() and not line.startswith("#"):
                name, where, reason = line.strip().split(None, 2)
                if name not in base.SCENARIOS:
                    raise SystemExit(f"{path}: there is no scenario {name}")
                if where == "*" or configuration in where.split(","):
                    found[name] = Known(reason)
    return found


def selected(configuration, names):
    groups = {entry.group for entry in base.SCENARIOS.values()}
    for name in names:
        if name not in base.SCENARIOS and name not in groups:
            raise SystemExit(f"there is no scenario or group {name}; see --list")
    return [entry for entry in base.SCENARIOS.values()
            if configuration in entry.where and (not names or entry.name in names or entry.group in names)]


def run_on_both(entry, sides):
    """Both at the same time: they share nothing."""
    outcomes = {}

    def one(name, side):
        outcomes[name] = base.run(entry, side)

    threads = [threading.Thread(target=one, args=item) for item in sides.items()]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return outcomes


def print_outcomes(outcomes, everything):
    rows = max(len(lines) for lines in outcomes.values())
    for row in range(rows):
        pair = {name: (outcomes.get(name, [])[row:row + 1] or ["(nothing)"])[0] for name in ("direct", "proxy")}
        if len(set(pair.values())) == 1:
            if everything:
                print("      both", pair["direct"][:1000])
        else:
            for name, line in pair.items():
                print(f"   {name:>7}", line[:1000])


def same(entry, direct, proxy):
    """"same", "refused" (of a refusable scenario, without a trace) or nothing."""
    if direct == proxy:
        return "same"
    refused = next((row for row, line in enumerate(proxy) if REFUSED in line), None)
    if not entry.refusable or refused is None or direct[:refused] != proxy[:refused] or direct[-1] != proxy[-1]:
        return None
    return "refused" if proxy[-2] == proxy[0] or not proxy[0].startswith("rows:") else None


def judge(entry, outcomes, known, arguments):
    """Prints the verdict; returns same, refused, DIFF, open, or CLOSED (known to differ, but the same now)."""
    equal = same(entry, outcomes["direct"], outcomes["proxy"])
    if known and not (equal and known.sometimes):
        verdict = "CLOSED" if equal else "open"
    else:
        verdict = equal or "DIFF"
    # What PostgreSQL itself does not answer, or leaves behind, is a mistake of the scenario.
    if any(line.startswith(("NoAnswer", "ValueError", base.AFTERWARDS + "NoAnswer")) for line in outcomes["direct"]):
        verdict = "DIFF"
    note = {"DIFF": entry.reason, "CLOSED": "take it out of known-open.txt"}.get(verdict)
    note = known.reason if verdict == "open" else note
    print(f"{verdict} {entry.name}" + (f": {note}" if note else ""), flush=True)
    if verdict == "DIFF" or arguments.verbose:
        print_outcomes(outcomes, arguments.verbose)
    return verdict


def set_up(sides):
    for side in sides.values():
        scenarios_shards.set_up(side)


def run_all(arguments, sides):
    known, proxy = known_open(arguments.configuration), sides["proxy"].proxy
    if arguments.configuration != "shards":
        for side in sides.values():
            scenarios_settings.set_up(side)
    proxy.start()
    if arguments.configuration == "shards":
        set_up(sides)
    verdicts = []
    for entry in selected(arguments.configuration, arguments.names):
        began = time.monotonic()
        sides["proxy"].patience = HOPELESS if entry.name in known else PATIENCE
        outcomes = run_on_both(entry, sides)
        verdicts.append(judge(entry, outcomes, known.get(entry.name), arguments))
        if time.monotonic() - began > SLOW:
            print(f"  took {time.monotonic() - began:.1f} s")
        lost = any(line.startswith(base.AFTERWARDS + "NoAnswer") for line in outcomes["proxy"])
        if lost or arguments.configuration in base.OWN or not proxy.running():
            proxy.start()
        if arguments.configuration == "shards" and verdicts[-1] == "DIFF":  # its tables may be in any state
            set_up(sides)
    return verdicts


def address(value):
    host, _, port = value.rpartition(":")
    return host, int(port)


def parse_arguments():
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument("names", nargs="*")
    parser.add_argument("--direct", type=address)
    parser.add_argument("--servers", type=lambda value: [address(part) for part in value.split(",")])
    parser.add_argument("--proxy", type=address)
    parser.add_argument("--binary")
    parser.add_argument("--config")
    parser.add_argument("--log", default="/dev/null", help="what the proxy prints is appended here")
    parser.add_argument("--configuration", default="one")
    parser.add_argument("--database", default="fediflow")
    parser.add_argument("--user", default="app")
    parser.add_argument("--verbose", action="store_true")
    parser.add_argument("--list", action="store_true")
    return parser.parse_args()


def main():
    arguments = parse_arguments()
    if arguments.list:
        for entry in base.SCENARIOS.values():
            print(f"{entry.name} [{' '.join(entry.where)}] {entry.reason}")
        return 0
    proxy = Proxy(arguments.binary, arguments.config, arguments.proxy, arguments.log)
    sides = {"direct": base.Side(arguments.direct, [arguments.direct], arguments.user, arguments.database),
             "proxy": base.Side(arguments.proxy, arguments.servers, arguments.user, arguments.database, proxy)}
    try:
        verdicts = run_all(arguments, sides)
    finally:
        proxy.stop()
    count = {verdict: verdicts.count(verdict) for verdict in ("same", "refused", "open", "DIFF", "CLOSED")}
    print(f"{arguments.configuration}: {count['same']} same, {count['refused']} refused, {count['open']} known to differ, {count['DIFF']} differ, "
          f"{count['CLOSED']} no longer differ")
    return 0 if verdicts and not count["DIFF"] and not count["CLOSED"] else 1


if __name__ == "__main__":
    sys.exit(main())
